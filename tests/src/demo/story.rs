//! What the demo shows, chapter by chapter. Each chapter does what a user would do, with kubectl.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{CLUSTER, Stage, example};
use crate::install::install;
use crate::progress::{Progress, elapsed};
use crate::psql::Psql;

const NAMESPACE: &str = "default";
const OBJECT: &str = "-n default postgresql/demo-orders";
const USER: &str = "orders_owner";
const DATABASE: &str = "orders";

/// From an empty cluster to a database that survived the death of its primary.
pub(super) fn tell(stage: &Stage, progress: &Progress) -> Result<()> {
    install_pgherd(stage, progress)?;
    let filled_in = apply_manifest(stage, progress)?;
    refuse_broken_manifest(stage, progress)?;
    let ready = wait_until_ready(stage, progress)?;
    run_sql(stage, progress)?;
    let failover = lose_the_primary(stage, progress)?;
    farewell(stage, progress, &[filled_in, ready, failover]);
    Ok(())
}

fn install_pgherd(stage: &Stage, progress: &Progress) -> Result<()> {
    progress.title("1. Install pgherd: two Deployments, three CRDs, one kustomize base");
    install(&stage.kubectl, &stage.state, &stage.overlay, progress)
}

fn apply_manifest(stage: &Stage, progress: &Progress) -> Result<String> {
    progress.title("2. Apply a manifest that says little: deploy/examples/minimal.yaml");
    let manifest = fs::read_to_string(example("minimal.yaml")?)?;
    for line in manifest.lines().filter(|line| !line.starts_with('#')) {
        progress.note(format!("  {line}"));
    }
    let applied = stage
        .kubectl
        .apply(&manifest)
        .context("applying deploy/examples/minimal.yaml")?;
    progress.note(applied.trim());
    let value = |path: &str| stage.kubectl.value(OBJECT, path);
    let (team, instances, version) = (
        value(".spec.teamId")?,
        value(".spec.numberOfInstances")?,
        value(".spec.postgresql.version")?,
    );
    ensure!(
        !team.is_empty() && !instances.is_empty() && !version.is_empty(),
        "admission filled in nothing; see `kubectl -n pgherd logs deployment/pgherd-webhook`"
    );
    let filled = format!("teamId: {team}, numberOfInstances: {instances}, postgresql.version: {version}");
    progress.note(format!("admission filled in  {filled}"));
    Ok(filled)
}

fn refuse_broken_manifest(stage: &Stage, progress: &Progress) -> Result<()> {
    progress.title("3. Apply a manifest with five mistakes: deploy/examples/broken.yaml");
    let path = example("broken.yaml")?;
    let Err(refusal) = stage
        .kubectl
        .call(["apply", "-f", &path.to_string_lossy()])
        .output()
    else {
        bail!(
            "the broken manifest was accepted; is the webhook in place? kubectl get validatingwebhookconfiguration pgherd"
        );
    };
    let text = refusal.to_string();
    // Our rules have ids; a refusal without one is not our webhook's.
    let reasons: Vec<&str> = text.split(" / ").filter(|line| line.contains("PGV-")).collect();
    if reasons.is_empty() {
        return Err(refusal.context("the broken manifest was refused, but not by our webhook"));
    }
    for line in reasons {
        progress.note(line.find("* ").map_or(line, |start| &line[start..]));
    }
    Ok(())
}

fn wait_until_ready(stage: &Stage, progress: &Progress) -> Result<String> {
    progress.title("4. Wait for the cluster: kubectl wait --for=condition=Ready");
    let start = Instant::now();
    let step = progress.step(format!("{CLUSTER} becomes Ready"));
    let message = ".status.conditions[?(@.type==\"Ready\")].status";
    stage
        .kubectl
        .wait_for_value(
            OBJECT,
            message,
            Duration::from_mins(5),
            |value| value == "True",
            |_| {},
        )
        .with_context(|| what_is_wrong(stage))?;
    let took = elapsed(start.elapsed());
    step.done();
    for line in stage
        .kubectl
        .run(&format!("-n {NAMESPACE} get pg {CLUSTER} -o wide"))?
        .lines()
    {
        progress.note(line);
    }
    Ok(format!("Ready after {took}"))
}

/// What the status and the pods say, for a cluster that does not come up.
fn what_is_wrong(stage: &Stage) -> String {
    let status = stage.kubectl.value(OBJECT, ".status").unwrap_or_default();
    let pods = stage
        .kubectl
        .run(&format!("-n {NAMESPACE} get pods -o wide"))
        .unwrap_or_default();
    format!("{CLUSTER} did not become Ready\nstatus: {status}\n{pods}")
}

fn primary(stage: &Stage) -> Result<String> {
    stage.kubectl.value(OBJECT, ".status.primary")
}

fn psql<'a>(stage: &'a Stage, pod: &'a str) -> Psql<'a> {
    Psql {
        kubectl: &stage.kubectl,
        namespace: NAMESPACE,
        cluster: CLUSTER,
        pod,
        user: USER,
        database: DATABASE,
    }
}

fn run_sql(stage: &Stage, progress: &Progress) -> Result<()> {
    progress.title(format!(
        "5. Run SQL as {USER}, with the generated secret, through the service"
    ));
    let pod = primary(stage)?;
    let sql = "CREATE TABLE IF NOT EXISTS parcel (id int PRIMARY KEY, city text NOT NULL);
        INSERT INTO parcel VALUES (1, 'Lisbon'), (2, 'Tartu'), (3, 'Gdańsk') ON CONFLICT DO NOTHING;
        SELECT id, city FROM parcel ORDER BY id;";
    let rows = psql(stage, &pod).run(sql)?;
    for row in rows.lines() {
        progress.note(row);
    }
    ensure!(rows.lines().count() == 3, "expected three rows, read: {rows}");
    Ok(())
}

fn lose_the_primary(stage: &Stage, progress: &Progress) -> Result<String> {
    progress.title("6. Kill the primary: Patroni fails over, the status follows");
    let old = primary(stage)?;
    let start = Instant::now();
    let step = progress.step(format!("kubectl delete pod {old}"));
    stage
        .kubectl
        .run(&format!("-n {NAMESPACE} delete pod {old} --wait=false"))?;
    step.done();
    let step = progress.step("another member becomes primary");
    let new = stage.kubectl.wait_for_value(
        OBJECT,
        ".status.primary",
        Duration::from_mins(2),
        |value| !value.is_empty() && value != old,
        |_| {},
    )?;
    let took = elapsed(start.elapsed());
    step.done_as(format!("{new} is the primary after {took}"));
    let step = progress.step("the rows are still there");
    let rows = rows_after_failover(stage, &new)?;
    ensure!(rows == "3", "expected 3 rows after the failover, counted {rows}");
    step.done_as(format!("the rows are still there: {rows}"));
    let step = progress.step(format!(
        "{old} comes back as a replica, the cluster is Ready again"
    ));
    let complete = |states: &str| {
        let mut states: Vec<&str> = states.split_whitespace().collect();
        states.sort_unstable();
        states == ["running", "streaming"]
    };
    stage.kubectl.wait_for_value(
        OBJECT,
        ".status.members[*].state",
        Duration::from_mins(3),
        complete,
        |_| {},
    )?;
    step.done();
    Ok(format!("failover from {old} to {new} in {took}"))
}

/// The service follows a moment later than the status.
fn rows_after_failover(stage: &Stage, pod: &str) -> Result<String> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match psql(stage, pod).run("SELECT count(*) FROM parcel;") {
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(500)),
            answer => return answer,
        }
    }
}

fn farewell(stage: &Stage, progress: &Progress, results: &[String]) {
    progress.title("Done");
    for result in results {
        progress.note(result);
    }
    progress.title("Look around");
    progress.note(&stage.look_around);
    progress.note("kubectl get pg,pods,svc,pdb,secrets");
    progress.note(format!("kubectl describe pg {CLUSTER}"));
    progress.title("End it");
    progress.note("cargo demo -- down");
}
