//! What the program takes.

use std::net::SocketAddr;

use clap::Parser;
use pgherd_certs::inject::Kind;
use pgherd_certs::keep::Settings;
use pgherd_certs::leaf::service_names;
use pgherd_certs::policy::Policy;
use pgherd_runtime::args::{AdminArgs, ClientArgs, ConfigArgs, LogArgs, any_address};

use crate::limits::Limits;

/// The admission webhook of pgherd.
///
/// The API server calls it, over TLS, whenever a postgresql manifest or the operator's own configuration is created or changed. It adds what
/// is decided once (team, number of instances, Postgres version), and refuses what cannot work, naming everything that is wrong at once.
///
/// It makes its own certificates: an authority in one Secret, shared by all replicas, and a serving certificate per replica in memory. It
/// tells the API server whom to trust by setting caBundle in the two webhook configurations, and keeps it set.
#[derive(Debug, Parser)]
#[command(
    name = "webhook",
    version,
    after_help = "To try it against a cluster from outside: name the address by which the API server reaches this machine, and point \
                  clientConfig.url of a webhook configuration there:\n\n  webhook --kubeconfig FILE --operator-namespace pgherd --tls-name 10.0.0.7"
)]
pub struct Args {
    /// Address on which the API server reaches the webhook.
    #[arg(long, env = "WEBHOOK_ADDRESS", default_value_t = any_address(9443), value_name = "ADDRESS:PORT")]
    pub address: SocketAddr,

    /// Service by which the API server reaches the webhook, in the operator's namespace. Part of the certificate.
    #[arg(long, default_value = "pgherd-webhook", value_name = "NAME")]
    pub service: String,

    /// Further name or address for the certificate; may be given several times.
    #[arg(long = "tls-name", value_name = "NAME")]
    pub tls_names: Vec<String>,

    /// Secret with the certificate authorities, in the operator's namespace. Made when it is not there. Delete it to have a new authority:
    /// no call fails meanwhile.
    #[arg(long, default_value = "pgherd-webhook-ca", value_name = "NAME")]
    pub ca_secret: String,

    /// Configuration of mutating webhooks whose caBundle is kept; empty for none.
    #[arg(long, default_value = "pgherd", value_name = "NAME")]
    pub mutating_configuration: String,

    /// Configuration of validating webhooks whose caBundle is kept; empty for none.
    #[arg(long, default_value = "pgherd", value_name = "NAME")]
    pub validating_configuration: String,

    /// How long certificates live.
    #[command(flatten)]
    pub policy: Policy,

    /// Where the operator's configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// How to reach the API server.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Bounds.
    #[command(flatten)]
    pub limits: Limits,

    /// Admin port and end.
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Args {
    /// What the certificates' keeper is to keep.
    pub fn certificates(&self) -> Settings {
        let namespace = self.config.namespace();
        let mut names = service_names(&self.service, &namespace);
        names.extend(self.tls_names.iter().cloned());
        let configurations = [
            (Kind::Mutating, &self.mutating_configuration),
            (Kind::Validating, &self.validating_configuration),
        ];
        Settings {
            namespace,
            secret: self.ca_secret.clone(),
            configurations: configurations
                .into_iter()
                .filter(|(_, name)| !name.is_empty())
                .map(|(kind, name)| (kind, name.clone()))
                .collect(),
            names,
            policy: self.policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn certificate_has_the_services_names_and_those_given() {
        let args = Args::parse_from([
            "webhook",
            "--operator-namespace",
            "ops",
            "--tls-name",
            "10.0.0.7",
            "--mutating-configuration",
            "",
        ]);
        let settings = args.certificates();
        assert!(
            settings.names.contains(&"pgherd-webhook.ops.svc".to_owned()),
            "{:?}",
            settings.names
        );
        assert!(settings.names.contains(&"10.0.0.7".to_owned()));
        assert_eq!(settings.configurations, [(Kind::Validating, "pgherd".to_owned())]);
    }

    #[test]
    fn limits_default_to_their_flags() {
        let args = Args::parse_from(["webhook"]);
        assert_eq!(format!("{:?}", args.limits), format!("{:?}", Limits::default()));
    }
}
