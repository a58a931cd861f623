//! Where it happens: namespaces of their own in the local Kubernetes, an account with the rights that the controller is deployed with, and
//! addresses for simulated pods. All of it is taken away at the end.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use pgherd_tests::kubectl::Kubectl;
use pgherd_tests::localkube::audit::AuditLog;
use pgherd_tests::localkube::{AUDITED_ACCOUNT, Cluster, Options, checkout};
use pgherd_tests::progress::Progress;
use pgherd_tests::simulated::{NODE, Settings, Simulation};
use tempfile::TempDir;
use tokio::time::sleep;

use super::Teller;

/// Where the controller's own things are; also its account, and what it may do in the whole cluster is called.
pub const HOME: &str = "bench-scale";
/// Where clusters are: the first few, and the others.
pub const NAMESPACES: [&str; 2] = ["bench-scale-a", "bench-scale-b"];
/// What the bare client writes, without and with pods.
pub const BARE: [&str; 2] = ["bench-scale-bare", "bench-scale-pods"];
/// The controller's configuration.
pub const SETTINGS: &str = "settings";
/// Kept for measurements between machines: leads to nobody. A route brings it to this machine.
const NETWORK: [u8; 2] = [198, 18];
/// The controller's token outlives the run.
const TOKEN_SECONDS: i64 = 4 * 3600;
/// Namespaces with a thousand clusters take minutes to go.
const GOING: Duration = Duration::from_mins(8);

/// The place, ready.
#[derive(Debug)]
pub struct Place {
    cluster: Cluster,
    kubectl: Kubectl,
    /// Somebody else runs it.
    was_up: bool,
    network: Option<[u8; 2]>,
    folder: TempDir,
    /// The controller.
    pub program: PathBuf,
}

impl Place {
    /// Brings the local Kubernetes up, if it is not, and readies it.
    ///
    /// # Errors
    ///
    /// It does not come up, or an object is refused.
    pub async fn make(program: PathBuf, progress: &Progress, teller: &Teller) -> Result<Self> {
        let found = Cluster::find()?;
        let was_up = found.is_some();
        let options = Options {
            control_plane_only: true,
            ..Options::default()
        };
        let cluster = Cluster::up(&options, progress).await?;
        if cluster.programs().iter().any(|name| name.contains("kubelet")) {
            teller.tell("the local Kubernetes runs nodes, which take their share; `cargo localkube down` first would be better");
        }
        let place = Self {
            kubectl: Kubectl::of_kubeconfig(&cluster.kubectl_program(), &cluster.kubeconfig()),
            cluster,
            was_up,
            network: is_routed("replace").then_some(NETWORK),
            folder: tempfile::tempdir()?,
            program,
        };
        if place.network.is_none() {
            teller.tell("no route to simulated pods, they get loopback addresses: the controller manager will complain about these");
        }
        place.remove_namespaces(teller).await?;
        place.furnish()?;
        place.write_kubeconfig().await?;
        Ok(place)
    }

    fn furnish(&self) -> Result<()> {
        let base = checkout().join("deploy/kustomize");
        self.kubectl
            .call(["apply", "-f", &base.join("crds").to_string_lossy()])
            .output()?;
        let mut text = String::new();
        for namespace in [HOME].iter().chain(&NAMESPACES).chain(&BARE) {
            let _ = write!(
                text,
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n"
            );
        }
        // The controller gives its own namespaces this account.
        let _ = write!(
            text,
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: postgres-pod, namespace: {}}}\n---\n",
            BARE[1]
        );
        let rights = read(&base.join("controller/rbac.yaml"))?
            .replace("namespace: pgherd", &format!("namespace: {HOME}"))
            .replace("name: pgherd-controller", &format!("name: {HOME}"));
        let pods = read(&base.join("controller/postgres-pod.yaml"))?;
        let _ = write!(text, "{rights}\n---\n{pods}\n---\n{}", settings());
        self.kubectl.apply(&text)?;
        Ok(())
    }

    /// With a token of the account, as a pod would have.
    async fn write_kubeconfig(&self) -> Result<()> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client("bench").await?, HOME);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let params = PostParams::default();
        let answer = accounts.create_token_request(HOME, &params, &request).await;
        let token = answer.context("ask for a token")?.status;
        let token = token.context("no token")?.token;
        let mut config: serde_json::Value =
            serde_yaml::from_str(&read(&self.cluster.kubeconfig())?).context("read the kubeconfig")?;
        for user in config["users"].as_array_mut().into_iter().flatten() {
            user["user"] = serde_json::json!({ "token": token });
        }
        std::fs::write(self.kubeconfig(), config.to_string())?;
        Ok(())
    }

    /// The controller's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Where logs go.
    pub fn folder(&self) -> PathBuf {
        checkout().join("target/bench")
    }

    /// The controller's user, in the audit log.
    pub fn user() -> String {
        AUDITED_ACCOUNT.to_owned()
    }

    /// With the administrator's rights, under a name of its own in the audit log.
    ///
    /// # Errors
    ///
    /// The kubeconfig is of no use.
    pub async fn client(&self, agent: &'static str) -> Result<Client> {
        let read = Kubeconfig::read_from(self.cluster.kubeconfig())?;
        let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        let header = (
            hyper::header::USER_AGENT,
            hyper::header::HeaderValue::from_static(agent),
        );
        config.headers.push(header);
        Ok(Client::try_from(config)?)
    }

    /// From now on.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn audit_log(&self) -> Result<AuditLog> {
        AuditLog::follow(&self.cluster.audit_log())
    }

    /// Pods of all namespaces here.
    ///
    /// # Errors
    ///
    /// Patroni's port is taken.
    pub fn simulate(&self) -> Result<Simulation> {
        let mut settings = Settings::of(&[NAMESPACES[0], NAMESPACES[1], BARE[0], BARE[1]]);
        settings.network = self.network.unwrap_or(settings.network);
        std::thread::scope(|scope| {
            let start = || Simulation::start(async || self.client("simulated-kubelet").await, &settings);
            // It waits on a runtime of its own, which cannot be inside of another.
            scope
                .spawn(start)
                .join()
                .unwrap_or_else(|_| bail!("the simulation panicked"))
        })
    }

    /// Takes everything away. Without anybody else who runs it, the local Kubernetes as a whole.
    ///
    /// # Errors
    ///
    /// Something does not go.
    pub async fn clear(&self, teller: &Teller) -> Result<()> {
        if self.network.is_some() {
            is_routed("del");
        }
        if !self.was_up {
            teller.tell("taking the local Kubernetes down");
            return Cluster::down(&Progress::new());
        }
        // Pods that are told to go wait for their kubelet.
        let simulation = self.simulate()?;
        self.remove_namespaces(teller).await?;
        drop(simulation);
        for object in [
            format!("node {NODE}"),
            format!("clusterrole {HOME}"),
            format!("clusterrolebinding {HOME}"),
        ] {
            self.kubectl.run(&format!("delete {object} --ignore-not-found"))?;
        }
        Ok(())
    }

    async fn remove_namespaces(&self, teller: &Teller) -> Result<()> {
        let namespaces = Api::<Namespace>::all(self.client("bench").await?);
        let begun = Instant::now();
        let mut told = Instant::now();
        loop {
            let mut left = 0;
            for name in [HOME].iter().chain(&NAMESPACES).chain(&BARE) {
                if let Some(namespace) = namespaces.get_opt(name).await? {
                    left += 1;
                    if namespace.metadata.deletion_timestamp.is_none() {
                        namespaces.delete(name, &DeleteParams::background()).await?;
                    }
                }
            }
            if left == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < GOING, "{left} namespaces do not go");
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                teller.tell(format!("  {left} namespaces are being removed"));
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// As the controller is deployed. Real nodes do not carry the label that pods ask for.
fn settings() -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {SETTINGS}, namespace: {HOME}}}\ndata:\n  kubernetes_use_configmaps: \"true\"\n  \
         enable_teams_api: \"false\"\n  enable_master_load_balancer: \"false\"\n  node_readiness_label: \"lifecycle-status:ready\"\n"
    )
}

/// Brings the pods' addresses to this machine, or no more.
fn is_routed(verb: &str) -> bool {
    let [first, second] = NETWORK;
    let network = format!("{first}.{second}.0.0/16");
    let status = Command::new("ip")
        .args(["route", verb, "local", &network, "dev", "lo"])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
