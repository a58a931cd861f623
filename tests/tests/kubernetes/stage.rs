//! What all tests share: the local Kubernetes with pgherd installed. Set up by the first test that runs.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use pgherd_tests::install::install;
use pgherd_tests::kubectl::Kubectl;
use pgherd_tests::local::{self, Local};
use pgherd_tests::localkube::{Cluster, Options};
use pgherd_tests::progress::Progress;
use pgherd_tests::psql::Psql;
use serde_json::{Value, json};

/// How long a cluster may take to become Ready; a limit against hanging, not a measurement.
const READY: Duration = Duration::from_mins(5);
/// How long what is small may take to come or go; the same kind of limit, also for kubectl.
pub(crate) const LONG: Duration = Duration::from_mins(4);
pub(crate) const PATIENTLY: &str = "--timeout=240s";

/// Set, what is installed in a local Kubernetes that runs is taken as it is: quick, when only a test has changed.
const AS_IT_IS: &str = "PGHERD_AS_IT_IS";

pub(crate) const NAMESPACE: &str = "default";
pub(crate) const CONTROLLER: &str = "pgherd-controller";
pub(crate) const WEBHOOK: &str = "pgherd-webhook";

pub(crate) struct Stage {
    pub(crate) local: Local,
    /// Somebody had it running before; it is theirs to end.
    found_running: bool,
}

static STAGE: OnceLock<Result<Stage, String>> = OnceLock::new();

/// What is missing for running pods here.
pub(crate) fn obstacle() -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return Some("Linux");
    }
    (!rustix::process::geteuid().is_root()).then_some("root, for containers")
}

pub(crate) fn get() -> Result<&'static Stage> {
    STAGE
        .get_or_init(|| set_up().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

fn set_up() -> Result<Stage> {
    let progress = Progress::new();
    let found_running = Cluster::find()?.is_some();
    // One to leave, and one to go to.
    let options = Options {
        nodes: 2,
        ..Options::default()
    };
    if let Some(cluster) = Cluster::find()?.filter(|_| std::env::var_os(AS_IT_IS).is_some()) {
        return Ok(Stage {
            local: local::found(cluster),
            found_running,
        });
    }
    let local = local::up(&options, &progress)?;
    install(&local.kubectl, &local.state, &local.overlay, &progress)?;
    let stage = Stage { local, found_running };
    stage.wait_for_admission()?;
    // What a run that was cut off left behind.
    for cluster in [
        "it-labels",
        "it-life",
        "it-endpoints",
        "it-roll",
        "it-parameters",
        "it-impact",
        "it-reviews",
        "it-secrets",
        "it-markers",
        "it-fleet-a",
        "it-fleet-b",
        "it-fleet-c",
        "it-back",
        "it-back-standby",
        "it-scale",
        "it-verbs",
        "it-over",
    ] {
        stage.delete(cluster)?;
    }
    Ok(stage)
}

/// Ends what this run started.
pub(crate) fn leave() {
    let Some(Ok(stage)) = STAGE.get() else { return };
    if stage.found_running || std::env::var_os("PGHERD_KEEP").is_some() {
        return;
    }
    if let Err(error) = Cluster::down(&Progress::new()) {
        eprintln!("the local Kubernetes was not taken down: {error:#}");
    }
}

impl Stage {
    pub(crate) fn kubectl(&self) -> &Kubectl {
        &self.local.kubectl
    }

    /// A blocking use of the asynchronous client.
    pub(crate) fn with_client<T, F>(&self, work: impl FnOnce(kube::Client) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async { work(self.local.cluster.client().await?).await })
    }

    /// Waits until a `postgresql` is Ready and has `members` members that stream or lead.
    pub(crate) fn wait_until_ready(&self, cluster: &str, members: usize) -> Result<()> {
        let object = format!("-n {NAMESPACE} postgresql/{cluster}");
        let is_ready = |value: &str| value == "True";
        let ready = ".status.conditions[?(@.type==\"Ready\")].status";
        self.kubectl()
            .wait_for_value(&object, ready, READY, is_ready, |_| {})
            .with_context(|| self.describe(cluster))?;
        let complete = |states: &str| {
            let states: Vec<&str> = states.split_whitespace().collect();
            states.len() == members
                && states
                    .iter()
                    .all(|state| matches!(*state, "running" | "streaming"))
        };
        self.kubectl()
            .wait_for_value(&object, ".status.members[*].state", READY, complete, |_| {})
            .with_context(|| self.describe(cluster))?;
        Ok(())
    }

    pub(crate) fn primary(&self, cluster: &str) -> Result<String> {
        self.kubectl()
            .value(&format!("-n {NAMESPACE} postgresql/{cluster}"), ".status.primary")
    }

    /// SQL as a user of the cluster, through its service.
    pub(crate) fn sql(&self, cluster: &str, user: &str, database: &str, sql: &str) -> Result<String> {
        let pod = self.primary(cluster)?;
        Psql {
            kubectl: self.kubectl(),
            namespace: NAMESPACE,
            cluster,
            pod: &pod,
            user,
            database,
        }
        .run(sql)
    }

    /// Deletes a cluster and waits until its pods are gone.
    pub(crate) fn delete(&self, cluster: &str) -> Result<()> {
        self.kubectl().run(&format!(
            "-n {NAMESPACE} delete postgresql {cluster} --ignore-not-found {PATIENTLY}"
        ))?;
        self.wait_for_none("pods", cluster)
    }

    /// Waits until no object of a kind carries the cluster's labels.
    pub(crate) fn wait_for_none(&self, kind: &str, cluster: &str) -> Result<()> {
        let list = format!("-n {NAMESPACE} {kind} -l cluster-name={cluster}");
        self.kubectl()
            .wait_for_value(&list, ".items[*].metadata.name", LONG, str::is_empty, |_| {})?;
        Ok(())
    }

    /// Merges parameters into the ConfigMap of the operator that is installed; null takes one out.
    pub(crate) fn configure(&self, parameters: &Value) -> Result<()> {
        let patch = json!({ "data": parameters }).to_string();
        let call = self
            .kubectl()
            .call(["-n", "pgherd", "patch", "configmap", "pgherd"]);
        call.args(["--type=merge", "-p", &patch])
            .purpose("configure the operator")
            .output()?;
        Ok(())
    }

    /// Waits until the controller goes by a parameter, by its name in Zalando's interface: what is made before knows the one before.
    pub(crate) fn wait_for_parameter(&self, name: &str, wanted: &Value) -> Result<()> {
        let controller = "-n pgherd pods -l app.kubernetes.io/name=pgherd-controller";
        let end = Instant::now() + LONG;
        loop {
            let pod = self.kubectl().value(controller, ".items[*].metadata.name")?;
            let path = format!("/api/v1/namespaces/pgherd/pods/{pod}:8080/proxy/config/");
            let told = self.kubectl().run(&format!("get --raw {path}"));
            let told: Value = told.map_or(Value::Null, |text| {
                serde_json::from_str(&text).unwrap_or_default()
            });
            let shown = &told["operator"][name];
            if shown == wanted {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{name} is {shown}, not {wanted}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Changes the number of replicas of one of our programs and waits until that many run, and serve.
    pub(crate) fn scale(&self, deployment: &str, replicas: usize) -> Result<()> {
        self.kubectl().run(&format!(
            "-n pgherd scale deployment {deployment} --replicas={replicas}"
        ))?;
        self.kubectl().run(&format!(
            "-n pgherd rollout status deployment {deployment} {PATIENTLY}"
        ))?;
        let pods = format!("-n pgherd pods -l app.kubernetes.io/name={deployment}");
        let gone = |names: &str| names.split_whitespace().count() == replicas;
        self.kubectl()
            .wait_for_value(&pods, ".items[*].metadata.name", LONG, gone, |_| {})?;
        if deployment == WEBHOOK && replicas > 0 {
            self.wait_for_admission()?;
        }
        Ok(())
    }

    /// Has one of our programs away meanwhile. It is back afterwards, whatever became of the work: the next trial needs it.
    pub(crate) fn without<T>(&self, deployment: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let object = format!("-n pgherd deployment {deployment}");
        let replicas: usize = self.kubectl().value(&object, ".spec.replicas")?.parse()?;
        let outcome = self.scale(deployment, 0).and_then(|()| work());
        let back = self.scale(deployment, replicas.max(1));
        let outcome = outcome?;
        back.map(|()| outcome)
    }

    /// Both webhook configurations carry a bundle that the API server trusts, and the way to the webhook is open: pods are ready a moment before
    /// their service leads to them.
    pub(crate) fn wait_for_admission(&self) -> Result<()> {
        for configuration in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
            let object = format!("{configuration} pgherd");
            let bundle = ".webhooks[0].clientConfig.caBundle";
            let present = |value: &str| !value.is_empty();
            self.kubectl()
                .wait_for_value(&object, bundle, LONG, present, |_| {})?;
        }
        let end = Instant::now() + LONG;
        loop {
            // It makes the team of the name, and nothing is stored that nobody has validated.
            let words = [
                "create",
                "--dry-run=server",
                "-f",
                "-",
                "-o=jsonpath={.spec.teamId}",
            ];
            let probe = self
                .kubectl()
                .call(words)
                .stdin_text(manifest("itx-probe", 0, ""));
            match probe.output() {
                Ok(team) if team.trim() == "itx" => return Ok(()),
                answer => ensure!(Instant::now() < end, "the webhook is not asked: {answer:?}"),
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn describe(&self, cluster: &str) -> String {
        let status = self
            .kubectl()
            .value(&format!("-n {NAMESPACE} postgresql/{cluster}"), ".status")
            .unwrap_or_default();
        let pods = self
            .kubectl()
            .run(&format!("-n {NAMESPACE} get pods -o wide"))
            .unwrap_or_default();
        let log = self
            .kubectl()
            .run("-n pgherd logs deployment/pgherd-controller --tail=15")
            .unwrap_or_default();
        format!("{cluster} is not as expected\nstatus: {status}\n{pods}\n{log}")
    }
}

/// A manifest that says only what it must, and what `more` adds below `spec`.
pub(crate) fn manifest(name: &str, instances: u32, more: &str) -> String {
    let mut text = format!(
        "apiVersion: acid.zalan.do/v1\nkind: postgresql\nmetadata:\n  name: {name}\n  namespace: {NAMESPACE}\nspec:\n  \
         numberOfInstances: {instances}\n  postgresql:\n    version: \"17\"\n  volume:\n    size: 1Gi\n"
    );
    for line in more.lines() {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}
