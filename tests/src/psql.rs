//! SQL as a user of a cluster runs it: with the generated secret, over TLS, through the cluster's service. It runs psql inside one of
//! the pods, so that it works wherever kubectl works. The password travels on standard input, never as an argument.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::kubectl::Kubectl;
use crate::shell::Run;

/// Reads the password from its first line of input and the SQL from the rest.
const SCRIPT: &str = "IFS= read -r PGPASSWORD; export PGPASSWORD; \
    exec psql --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 \"$1\"";

/// Who runs SQL, where, and from which pod.
#[derive(Debug, Clone)]
pub struct Psql<'a> {
    pub kubectl: &'a Kubectl,
    pub namespace: &'a str,
    /// The cluster, whose primary service is asked.
    pub cluster: &'a str,
    /// The pod that psql runs in.
    pub pod: &'a str,
    pub user: &'a str,
    pub database: &'a str,
}

impl Psql<'_> {
    /// Runs `sql` and returns its rows, one a line, columns separated by `|`.
    ///
    /// # Errors
    /// When there is no secret, no connection, or a statement fails.
    pub fn run(&self, sql: &str) -> Result<String> {
        let password = self
            .password()
            .with_context(|| format!("reading the secret of {}", self.user))?;
        Ok(self
            .call()
            .stdin_text(format!("{password}\n{sql}\n"))
            .output()?
            .trim_end()
            .to_owned())
    }

    fn call(&self) -> Run {
        let Self {
            namespace,
            cluster,
            pod,
            user,
            database,
            ..
        } = self;
        let address = format!(
            "host={cluster}.{namespace}.svc.cluster.local user={user} dbname={database} sslmode=require connect_timeout=5"
        );
        self.kubectl
            .call([
                "-n", namespace, "exec", "-i", pod, "-c", "postgres", "--", "sh", "-c", SCRIPT, "sh",
                &address,
            ])
            .timeout(Duration::from_mins(1))
            .purpose(format!("run SQL as {user}"))
    }

    /// The password in the secret that the operator made for the user.
    fn password(&self) -> Result<String> {
        let name = secret_name(self.cluster, self.user);
        let go_template = "go-template={{.data.password | base64decode}}";
        self.kubectl
            .call(["-n", self.namespace, "get", "secret", &name, "-o", go_template])
            .output()
    }
}

/// The secret of a user, by the default template.
pub fn secret_name(cluster: &str, user: &str) -> String {
    format!(
        "{}.{cluster}.credentials.postgresql.acid.zalan.do",
        user.replace('_', "-")
    )
}
