//! Fleets that Zalando's operator made are taken over as they run, and can be handed back. Their objects are in a real API server; what runs in
//! their pods is simulated.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use pgherd_tests::built::built;
use pgherd_tests::localkube::audit::Request;
use pgherd_tests::simulated::{Settings, Simulation};
use serde_json::{Value, json};

use super::Test;
use super::audit::writes_since;
use super::stage::{CONTROLLER, NAMESPACE, Stage};

use fleet::Fleet;

mod fleet;
mod upstream;
mod verbs;

pub(crate) const TESTS: &[Test] = &[
    ("adopts_a_fleet_of_the_defaults", |stage| adopt(stage, "A")),
    ("adopts_a_fleet_in_endpoints_mode", |stage| adopt(stage, "B")),
    ("adopts_a_fleet_of_the_schemas_defaults", |stage| {
        adopt(stage, "C")
    }),
    ("the_command_line_is_true_and_obeyed", verbs::verbs),
];

/// How our controller calls itself.
const AGENT: &str = "pgherd-controller";
/// Time for every cluster to have had a turn; a limit against hanging.
const TURNS: Duration = Duration::from_mins(5);
/// So long without a write of the controller, and it has settled.
const QUIET: Duration = Duration::from_secs(8);

/// The controller as a process beside the local Kubernetes, because the simulated members are on this machine.
struct Controller(Child);

impl Controller {
    fn start(stage: &Stage, configuration: &Value) -> Result<Self> {
        let log = stage.local.state.join("adopt-controller.log");
        let log = std::fs::File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let name = configuration["metadata"]["name"].as_str().unwrap_or_default();
        let followed = match configuration["kind"].as_str() {
            Some("ConfigMap") => "CONFIG_MAP_NAME",
            _ => "POSTGRES_OPERATOR_CONFIGURATION_OBJECT",
        };
        let child = Command::new(built("pgherd-controller")?)
            .args([
                "--admin-address",
                "127.0.0.1:18091",
                "--no-database-access",
                "--watched-namespace",
                NAMESPACE,
            ])
            .arg("--kubeconfig")
            .arg(stage.local.cluster.kubeconfig())
            .env("OPERATOR_NAMESPACE", NAMESPACE)
            .env(followed, name)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the controller")?;
        Ok(Self(child))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It gives its lease back.
        if let Some(pid) = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// Nobody but the controller under test acts, and no pod comes on a real node.
struct Alone<'a> {
    stage: &'a Stage,
    /// Controllers that ran before.
    controllers: usize,
}

impl<'a> Alone<'a> {
    fn make(stage: &'a Stage) -> Result<Self> {
        let replicas = stage
            .kubectl()
            .value("-n pgherd deployment pgherd-controller", ".spec.replicas")?;
        let alone = Self {
            stage,
            controllers: replicas.parse().unwrap_or(1).max(1),
        };
        stage.scale(CONTROLLER, 0)?;
        for (kind, index) in alone.entries()? {
            let skip = json!([{
                "op": "add", "path": format!("/webhooks/{index}/namespaceSelector"),
                "value": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [NAMESPACE]}]},
            }]);
            alone.patch(&kind, &skip)?;
        }
        alone.nodes("cordon")?;
        Ok(alone)
    }

    /// Every entry of both webhook configurations.
    fn entries(&self) -> Result<Vec<(String, usize)>> {
        let mut entries = Vec::new();
        for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
            let names = self
                .stage
                .kubectl()
                .value(&format!("{kind} pgherd"), ".webhooks[*].name")?;
            entries.extend((0..names.split_whitespace().count()).map(|index| (kind.to_owned(), index)));
        }
        Ok(entries)
    }

    fn patch(&self, kind: &str, operations: &Value) -> Result<()> {
        let patch = format!("--patch={operations}");
        let call = self
            .stage
            .kubectl()
            .call(["patch", kind, "pgherd", "--type=json", &patch]);
        call.output().map(drop)
    }

    fn nodes(&self, verb: &str) -> Result<()> {
        let names = self.stage.kubectl().value("nodes", ".items[*].metadata.name")?;
        for node in names.split_whitespace().filter(|name| *name != "simulated") {
            self.stage.kubectl().run(&format!("{verb} {node}"))?;
        }
        Ok(())
    }

    /// All of it, also when something does not work: the next trial needs what does.
    fn end(&self) -> Result<()> {
        // Nobody keeps it any more.
        let node = self
            .stage
            .kubectl()
            .run("delete node simulated --ignore-not-found");
        let open = self.nodes("uncordon");
        let asked = self.entries().and_then(|entries| {
            let all = entries.into_iter().map(|(kind, index)| {
                let path = format!("/webhooks/{index}/namespaceSelector");
                self.patch(&kind, &json!([{"op": "replace", "path": path, "value": {}}]))
            });
            all.collect::<Result<()>>()
        });
        let back = self.stage.scale(CONTROLLER, self.controllers);
        let admits = self.stage.wait_for_admission();
        node.map(drop).and(open).and(asked).and(back).and(admits)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("the stage is not as it was: {error:#}");
        }
    }
}

/// What pods and objects are told by: name to uid, or to what else must stay.
type Marks = BTreeMap<String, String>;

fn adopt(stage: &Stage, letter: &'static str) -> Result<()> {
    let _alone = Alone::make(stage)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = runtime.block_on(stage.local.cluster.client())?;
    let mut fleet = Fleet::read(client, letter)?;
    runtime.block_on(fleet.clear())?;
    let (cluster_label, role_label) = match letter {
        "B" => ("pg-cluster", "pg-role"),
        _ => ("cluster-name", "spilo-role"),
    };
    let settings = Settings {
        cluster_label: cluster_label.to_owned(),
        role_label: role_label.to_owned(),
        ..Settings::of(&[NAMESPACE])
    };
    let simulation = Simulation::start(async || stage.local.cluster.client().await, &settings)?;
    let ended = runtime
        .block_on(fleet.load(&simulation))
        .and_then(|()| take_over(stage, &runtime, &fleet, &simulation));
    let cleared = runtime.block_on(fleet.clear());
    ended.and(cleared)
}

fn take_over(
    stage: &Stage,
    runtime: &tokio::runtime::Runtime,
    fleet: &Fleet,
    simulation: &Simulation,
) -> Result<()> {
    let (pods, secrets) = (
        marks(stage, "pods", ".metadata.uid")?,
        marks(stage, "secrets", ".data.password")?,
    );
    let budgets = marks(stage, "poddisruptionbudgets", ".metadata.uid")?;
    checked_beforehand(stage, fleet)?;

    let start = Timestamp::now();
    let controller = Controller::start(stage, &fleet.configuration)?;
    let planned = observed(stage, fleet)?;
    let observing = changes(stage, start)?;
    ensure!(observing.is_empty(), "wrote while it observed: {observing:?}");

    let live = Timestamp::now();
    for case in &fleet.cases {
        stage.kubectl().run(&format!(
            "-n {NAMESPACE} annotate postgresql {} pgherd.io/mode-",
            case.name
        ))?;
    }
    settle(stage, live)?;
    let written = changes(stage, live)?;
    drop(controller);

    ensure!(
        marks(stage, "pods", ".metadata.uid")? == pods,
        "pods are not those that were there"
    );
    ensure!(
        marks(stage, "poddisruptionbudgets", ".metadata.uid")? == budgets,
        "a budget was made anew"
    );
    let after = marks(stage, "secrets", ".data.password")?;
    let changed: Vec<&String> = secrets
        .iter()
        .filter(|(name, data)| after.get(*name) != Some(*data))
        .map(|(name, _)| name)
        .collect();
    ensure!(changed.is_empty(), "passwords changed: {changed:?}");
    let told: Vec<String> = simulation.asked().into_iter().map(|(line, _)| line).collect();
    ensure!(
        told.iter().all(|line| line.starts_with("PATCH /config")),
        "patroni was asked to disturb: {told:?}"
    );
    let rolls = runtime.block_on(handed_back(fleet))?;
    ensure!(
        rolls.is_empty(),
        "Zalando's operator would find something to do:\n{}",
        rolls.join("\n")
    );
    println!(
        "{} clusters, {} pods: {planned} steps planned, none disturbs; live: {} writes {written:?}, patroni {told:?}; handed back: nothing to do",
        fleet.cases.len(),
        pods.len(),
        written.values().sum::<usize>(),
    );
    Ok(())
}

/// `pgherd adopt` before anything of ours runs.
fn checked_beforehand(stage: &Stage, fleet: &Fleet) -> Result<()> {
    let name = fleet.configuration["metadata"]["name"]
        .as_str()
        .unwrap_or_default();
    let flag = match fleet.configuration["kind"].as_str() {
        Some("ConfigMap") => "--config-map",
        _ => "--operator-configuration",
    };
    let output = Command::new(built("pgherd")?)
        .args([
            "adopt",
            "--format",
            "json",
            "--patroni",
            "direct",
            "-n",
            NAMESPACE,
        ])
        .args(["--operator-namespace", NAMESPACE, flag, name])
        .arg("--kubeconfig")
        .arg(stage.local.cluster.kubeconfig())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer: Value =
        serde_json::from_slice(&output.stdout).with_context(|| format!("pgherd adopt: {said}"))?;
    let clusters = answer["clusters"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    ensure!(
        clusters.len() == fleet.cases.len(),
        "checked {} of {} clusters",
        clusters.len(),
        fleet.cases.len()
    );
    let not_ready: Vec<&Value> = clusters.iter().filter(|it| it["verdict"] != "ready").collect();
    ensure!(not_ready.is_empty(), "not ready: {not_ready:#?}");
    ensure!(
        output.status.success(),
        "pgherd adopt ends with {:?} {said}",
        output.status.code()
    );
    Ok(())
}

/// Waits until every cluster was looked at; how many steps are planned, of which none may disturb.
fn observed(stage: &Stage, fleet: &Fleet) -> Result<usize> {
    let end = Instant::now() + TURNS;
    loop {
        let listed = stage
            .kubectl()
            .run(&format!("-n {NAMESPACE} get postgresqls -o json"))?;
        let listed: Value = serde_json::from_str(&listed)?;
        let clusters = listed["items"].as_array().cloned().unwrap_or_default();
        let is_seen = |it: &&Value| it["status"]["observedGeneration"] == it["metadata"]["generation"];
        if clusters.iter().filter(is_seen).count() == fleet.cases.len() {
            let disturbing: Vec<&Value> = clusters.iter().filter(|it| disturbs(&it["status"])).collect();
            ensure!(disturbing.is_empty(), "would disturb: {disturbing:#?}");
            let steps = clusters
                .iter()
                .filter_map(|it| it["status"]["plan"]["steps"].as_array());
            return Ok(steps.map(Vec::len).sum());
        }
        if Instant::now() > end {
            bail!("not every cluster was looked at: see adopt-controller.log");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn disturbs(status: &Value) -> bool {
    let impact = status["plan"]["impact"].as_str().unwrap_or("none");
    let holds = status["holds"].as_array().into_iter().flatten();
    let rolls = |hold: &Value| {
        let reason = hold["reason"].as_str().unwrap_or_default();
        reason.contains("older template") || reason.contains("wait for a restart")
    };
    !matches!(impact, "none" | "reload") || holds.into_iter().any(rolls)
}

/// Waits until the controller has written nothing for a while.
fn settle(stage: &Stage, since: Timestamp) -> Result<()> {
    let end = Instant::now() + TURNS;
    let (mut last, mut at) = (0, Instant::now());
    while at.elapsed() < QUIET {
        let count = ours(stage, since)?.len();
        if count != last {
            (last, at) = (count, Instant::now());
        }
        ensure!(
            Instant::now() < end,
            "it does not settle: {:?}",
            changes(stage, since)?
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// The controller's writes, but for its lease.
fn ours(stage: &Stage, since: Timestamp) -> Result<Vec<Request>> {
    let mut writes = writes_since(stage, since)?;
    writes.retain(|write| write.agent.starts_with(AGENT) && write.resource != "leases");
    Ok(writes)
}

/// Counted by verb and resource; events and statuses are its report.
fn changes(stage: &Stage, since: Timestamp) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for write in ours(stage, since)? {
        let is_report = matches!(
            write.resource.as_str(),
            "events" | "postgresqls/status" | "operatorconfigurations/status"
        );
        if !is_report && !write.resource.starts_with("customresourcedefinitions") {
            *counts
                .entry(format!("{} {}", write.verb, write.resource))
                .or_default() += 1;
        }
    }
    Ok(counts)
}

fn marks(stage: &Stage, kind: &str, path: &str) -> Result<Marks> {
    let path = format!("-o=jsonpath={{range .items[*]}}{{.metadata.name}} {{{path}}}{{\"\\n\"}}{{end}}");
    let listed = stage
        .kubectl()
        .call(["-n", NAMESPACE, "get", kind, &path])
        .output()?;
    let pairs = listed.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .map(|(name, mark)| (name.to_owned(), mark.to_owned()))
        .collect())
}

/// What Zalando's operator would do, started again.
async fn handed_back(fleet: &Fleet) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for case in &fleet.cases {
        for object in &case.objects {
            match fleet.stored(object).await? {
                Some(stored) => found.extend(upstream::wants(object, &stored)),
                None => found.push(format!(
                    "{}: {} {} is gone",
                    case.name, object["kind"], object["metadata"]["name"]
                )),
            }
        }
    }
    Ok(found)
}
