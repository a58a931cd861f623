//! Admission fails no call, whatever happens to the webhook: it is rolled, one of its pods is deleted, its authority rotates, its bundle is
//! blanked. And what a process costs that gets no time to say good-bye.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use pgherd_tests::kubectl::Kubectl;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::Test;
use super::stage::{CONTROLLER, LONG, PATIENTLY, Stage};

pub(crate) const TESTS: &[Test] = &[(
    "no_admission_fails_whatever_happens_to_the_webhook",
    no_admission_fails,
)];

/// At least so many writes.
const WRITES: usize = 10_000;
/// Clusters that they go to: first each is created, then they are changed in turn.
const CLUSTERS: usize = 400;
/// Writes each second, at the most, and at the same time.
const RATE: u32 = 200;
const CONCURRENCY: usize = 16;
/// However long something takes; twice as many writes are made in half of that on a slow machine.
const LIMIT: Duration = Duration::from_mins(12);
const NAMESPACE: &str = "it-admissions";
const PODS: &str = "-n pgherd pods -l app.kubernetes.io/name=pgherd-webhook";
const GUARD: &str = "validatingadmissionpolicybinding/pgherd-ca-bundle";
/// The authority is replaced every 24 s, the leaf every 8 s.
const SHORT_LIVES: [&str; 4] = [
    "--ca-lifetime=36s",
    "--certificate-lifetime=12s",
    "--ca-settle-time=5s",
    "--clock-slack=2s",
];

fn no_admission_fails(stage: &Stage) -> Result<()> {
    // Nobody is to make pods for hundreds of clusters.
    stage.without(CONTROLLER, || {
        let kubectl = stage.kubectl();
        let removal = format!("delete namespace {NAMESPACE} --ignore-not-found {PATIENTLY}");
        kubectl.run(&removal)?;
        kubectl.run(&format!("create namespace {NAMESPACE}"))?;
        let outcome = trial(stage);
        let restored = restore(kubectl);
        let removed = kubectl.run(&removal);
        outcome.and(restored).and(removed.map(drop))
    })
}

/// As the other tests expect it, whatever happened.
fn restore(kubectl: &Kubectl) -> Result<()> {
    kubectl.apply(include_str!("../../../deploy/kustomize/webhook/guard.yaml"))?;
    set_flags(kubectl, &[])
}

fn trial(stage: &Stage) -> Result<()> {
    let kubectl = stage.kubectl();
    let (writes, calls) = under_load(stage, WRITES, |_| every_accident(kubectl))?;
    eprintln!("\n  {writes}; the API server counts {calls}");
    ensure!(
        writes.failed == 0,
        "writes failed: {writes}\n{}",
        writes.reasons()
    );
    ensure!(writes.made >= WRITES, "only {writes}");
    ensure!(
        calls.failed == 0 && calls.passed_over == 0,
        "the API server counts {calls}"
    );
    ensure!(
        calls.made >= 2 * writes.made,
        "each write calls the webhook twice, but the API server counts {calls} for {writes}"
    );
    // Both by turns: each may take as much as is under way.
    let by_force = under_load(stage, 0, |_| by_force(kubectl))?;
    cut_off("pods deleted by force", by_force, [2 * CONCURRENCY, 0])?;
    let killed = under_load(stage, 0, kill)?;
    cut_off("processes killed", killed, [2 * CONCURRENCY, RATE as usize])?;
    let (writes, calls) = under_load(stage, 0, |_| blank_unguarded(kubectl))?;
    eprintln!("  bundle blanked without its guard: {writes}; the API server counts {calls}");
    Ok(())
}

/// A process that gets no time takes with it what it has not answered yet; until another listens, clients that connect are refused. Nothing
/// else fails. `bounds` are of the two.
fn cut_off(what: &str, (writes, calls): (Writes, Calls), bounds: [usize; 2]) -> Result<()> {
    let with = |ends: &[&str]| {
        let ends = |reason: &&String| ends.iter().any(|end| reason.contains(end));
        writes.failures.iter().filter(ends).count()
    };
    let found = [
        with(&["EOF", "connection reset by peer", "broken pipe"]),
        with(&["connection refused"]),
    ];
    let [lost, refused] = found;
    eprintln!(
        "  {what}: {writes}, {lost} not answered, {refused} not connected; the API server counts {calls}"
    );
    ensure!(
        lost + refused == writes.failed && lost <= bounds[0] && refused <= bounds[1],
        "{what}: {writes}\n{}",
        writes.reasons()
    );
    let most = bounds[0] + bounds[1];
    ensure!(
        calls.failed <= most && calls.passed_over <= most,
        "{what}: the API server counts {calls}"
    );
    Ok(())
}

/// The pods that serve.
fn pods(kubectl: &Kubectl) -> Result<Vec<String>> {
    let running = format!("{PODS} --field-selector=status.phase=Running");
    let names = kubectl.value(&running, ".items[*].metadata.name")?;
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

fn a_pod(kubectl: &Kubectl) -> Result<String> {
    pods(kubectl)?
        .into_iter()
        .next()
        .context("no pod of the webhook runs")
}

/// Somebody is in a hurry: a pod is gone from the API server at once, its process has as long as the kubelet leaves it.
fn by_force(kubectl: &Kubectl) -> Result<String> {
    for _ in 0..2 {
        sleep(Duration::from_secs(3));
        let pod = a_pod(kubectl)?;
        kubectl.run(&format!("-n pgherd delete pod {pod} --force --grace-period=0"))?;
        sleep(Duration::from_secs(3));
        kubectl.run("-n pgherd rollout status deployment pgherd-webhook --timeout=240s")?;
    }
    Ok("two, one after the other".to_owned())
}

/// What a lack of memory does: a process is gone between two instructions; its pod stays and starts another one.
fn kill(stage: &Stage) -> Result<String> {
    let pods = pods(stage.kubectl())?;
    for pod in &pods {
        sleep(Duration::from_secs(3));
        let find = format!("grep -qzx HOSTNAME={pod} /proc/$process/environ");
        let kill = format!(
            "for process in $(pidof webhook); do if {find}; then kill -9 $process && echo killed; fi; done"
        );
        let said = stage.local.cluster.inside(["sh", "-c", &kill])?.output()?;
        let said = String::from_utf8_lossy(&said.stdout);
        ensure!(said.trim() == "killed", "process of {pod}: {said:?}");
        sleep(Duration::from_secs(5));
        let kubectl = stage.kubectl();
        kubectl.run("-n pgherd rollout status deployment pgherd-webhook --timeout=240s")?;
    }
    Ok(format!("{}, one after the other", pods.len()))
}

/// What happens to the webhook in the course of a minute.
fn every_accident(kubectl: &Kubectl) -> Result<String> {
    set_flags(kubectl, &SHORT_LIVES)?;
    let first = authority(kubectl)?;
    // The authority that lives for two years is replaced, too, by one that lives for seconds.
    kubectl.run("-n pgherd delete secret pgherd-webhook-ca")?;
    let second = next_authority(kubectl, &first)?;
    kubectl.run(&format!("-n pgherd delete pod {}", a_pod(kubectl)?))?;
    let third = next_authority(kubectl, &second)?;
    for configuration in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        let refusal = blank(kubectl, configuration).err();
        let refusal = refusal.with_context(|| format!("{configuration} let its caBundle be blanked"))?;
        ensure!(
            format!("{refusal:#}").contains("caBundle is kept by the webhook"),
            "{refusal:#}"
        );
    }
    next_authority(kubectl, &third)?;
    set_flags(kubectl, &[])?;
    Ok("rolled twice, one pod deleted, rotated three times, blanked in vain".to_owned())
}

/// Without its guard, a blanked bundle costs the calls that are made until the webhook has seen it.
fn blank_unguarded(kubectl: &Kubectl) -> Result<String> {
    kubectl.run(&format!("delete {GUARD}"))?;
    let start = Instant::now();
    while blank(kubectl, "validatingwebhookconfiguration").is_err() {
        ensure!(start.elapsed() < LIMIT, "the guard outlives its binding");
        sleep(Duration::from_millis(200));
    }
    let blanked = Instant::now();
    let is_set = |bundle: &str| !bundle.is_empty();
    kubectl.wait_for_value(
        "validatingwebhookconfiguration pgherd",
        ".webhooks[0].clientConfig.caBundle",
        Duration::from_mins(1),
        is_set,
        |_| {},
    )?;
    let seen = blanked.elapsed();
    sleep(Duration::from_secs(2));
    Ok(format!("seen mended after {seen:?}"))
}

fn blank(kubectl: &Kubectl, configuration: &str) -> Result<String> {
    let count = kubectl.value(&format!("{configuration} pgherd"), ".webhooks[*].name")?;
    let operations: Vec<Value> = (0..count.split_whitespace().count())
        .map(|entry| {
            let path = format!("/webhooks/{entry}/clientConfig/caBundle");
            json!({"op": "replace", "path": path, "value": ""})
        })
        .collect();
    let patch = Value::from(operations).to_string();
    kubectl
        .call(["patch", configuration, "pgherd", "--type=json", "-p", &patch])
        .output()
}

/// Rolls the webhook to other flags, until nobody with the flags before is left: one who drains still replaces an authority that is missing.
fn set_flags(kubectl: &Kubectl, flags: &[&str]) -> Result<()> {
    let container = json!({"name": "webhook", "args": flags});
    let patch = json!({"spec": {"template": {"spec": {"containers": [container]}}}}).to_string();
    kubectl
        .call([
            "-n",
            "pgherd",
            "patch",
            "deployment",
            "pgherd-webhook",
            "-p",
            &patch,
        ])
        .output()?;
    kubectl.run("-n pgherd rollout status deployment pgherd-webhook --timeout=240s")?;
    let replicas = kubectl.value("-n pgherd deployment pgherd-webhook", ".spec.replicas")?;
    let is_alone = |pods: &str| pods.split_whitespace().count().to_string() == replicas;
    kubectl.wait_for_value(PODS, ".items[*].metadata.name", LIMIT, is_alone, |_| {})?;
    Ok(())
}

fn authority(kubectl: &Kubectl) -> Result<String> {
    kubectl.value("-n pgherd secret pgherd-webhook-ca", ".data.active\\.crt")
}

/// Waits until another authority signs.
fn next_authority(kubectl: &Kubectl, before: &str) -> Result<String> {
    let is_next = |now: &str| !now.is_empty() && now != before;
    kubectl.wait_for_value(
        "-n pgherd secret pgherd-webhook-ca",
        ".data.active\\.crt",
        LONG,
        is_next,
        |_| {},
    )
}

/// Writes that were tried, as their client saw them.
#[derive(Debug, Default)]
struct Writes {
    made: usize,
    failed: usize,
    failures: Vec<String>,
    took: Duration,
    accidents: String,
}

impl Writes {
    fn reasons(&self) -> String {
        let first: Vec<&str> = self.failures.iter().map(String::as_str).take(20).collect();
        first.join("\n")
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (made, failed, took) = (self.made, self.failed, self.took.as_secs());
        write!(
            f,
            "{made} writes in {took} s, {failed} failed ({})",
            self.accidents
        )
    }
}

/// Calls of our webhook, as the API server counts them.
#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    made: usize,
    failed: usize,
    passed_over: usize,
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (made, failed, over) = (self.made, self.failed, self.passed_over);
        write!(f, "{made} calls, {failed} failed, {over} passed over")
    }
}

impl Calls {
    async fn so_far(client: &Client) -> Result<Self> {
        let request = kube::api::Request::new("/metrics").list(&kube::api::ListParams::default())?;
        let text = client.request_text(request).await?;
        let sum = |metric: &str, label: &str| {
            let lines = text.lines().filter(|line| {
                line.strip_prefix(metric)
                    .is_some_and(|rest| rest.starts_with('{'))
                    && line.contains(".pgherd.io\"")
                    && line.contains(label)
            });
            let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
            counts.sum()
        };
        Ok(Self {
            made: sum("apiserver_admission_webhook_request_total", ""),
            failed: sum(
                "apiserver_admission_webhook_rejection_count",
                "error_type=\"calling_webhook_error\"",
            ),
            passed_over: sum("apiserver_admission_webhook_fail_open_count", ""),
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            made: self.made - before.made,
            failed: self.failed - before.failed,
            passed_over: self.passed_over - before.passed_over,
        }
    }
}

/// Writes at a steady pace, at least `least` times and for as long as `accidents` happen.
fn under_load(
    stage: &Stage,
    least: usize,
    accidents: impl FnOnce(&Stage) -> Result<String> + Send,
) -> Result<(Writes, Calls)> {
    let (is_over, start) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let happening = scope.spawn(|| {
            let outcome = accidents(stage);
            is_over.store(true, Ordering::Relaxed);
            outcome
        });
        let goes_on =
            |made: usize| start.elapsed() < LIMIT && (made < least || !is_over.load(Ordering::Relaxed));
        let load = stage.with_client(async |client| {
            let before = Calls::so_far(&client).await?;
            let writes = write_steadily(&client, goes_on).await;
            Ok((writes, Calls::so_far(&client).await?.since(before)))
        });
        let accidents = happening.join().expect("accidents do not panic")?;
        let (mut writes, calls) = load?;
        (writes.took, writes.accidents) = (start.elapsed(), accidents);
        Ok((writes, calls))
    })
}

/// Loads so far: each has clusters of its own.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

async fn write_steadily(client: &Client, goes_on: impl Fn(usize) -> bool) -> Writes {
    let kind = GroupVersionKind::gvk("acid.zalan.do", "v1", "postgresql");
    let kind = ApiResource::from_gvk_with_plural(&kind, "postgresqls");
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &kind);
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let failures = Arc::new(Mutex::new(Vec::new()));
    let mut pace = interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
    let mut made = 0;
    while goes_on(made) {
        pace.tick().await;
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let (api, failures) = (api.clone(), Arc::clone(&failures));
        tokio::spawn(async move {
            if let Err(error) = write(&api, generation, made).await {
                let mut failures = failures.lock().expect("nobody panics with it");
                failures.push(format!("write {made}: {error}"));
            }
            drop(slot);
        });
        made += 1;
    }
    // The last ones.
    let _ = slots
        .acquire_many(u32::try_from(CONCURRENCY).unwrap_or(u32::MAX))
        .await;
    let failures = std::mem::take(&mut *failures.lock().expect("nobody panics with it"));
    Writes {
        made,
        failed: failures.len(),
        failures,
        ..Writes::default()
    }
}

/// One of the writes: every spec differs from the one before, so that the webhook is asked. One change in four is a dry run.
async fn write(api: &Api<DynamicObject>, generation: usize, number: usize) -> kube::Result<()> {
    let (round, name) = (
        number / CLUSTERS,
        format!("it-{generation}-{}", number % CLUSTERS),
    );
    if round == 0 {
        let object = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {"name": name},
            "spec": {"volume": {"size": "1Gi"}, "postgresql": {"version": "17"}, "teamId": "it"},
        });
        let object: DynamicObject = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
        return api.create(&PostParams::default(), &object).await.map(drop);
    }
    let memory = format!("{}MB", 4 + round);
    let change = json!({"spec": {"postgresql": {"parameters": {"work_mem": memory}}}});
    let parameters = PatchParams {
        dry_run: number.is_multiple_of(4),
        ..PatchParams::default()
    };
    api.patch(&name, &parameters, &Patch::Merge(change))
        .await
        .map(drop)
}
