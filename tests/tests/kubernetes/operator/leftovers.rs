//! Clusters that are deleted while nobody looks, without finalizer and owner references: while no controller runs, and while it looks elsewhere.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Place, cluster, metric};
use crate::away::controller::{self, Controller};
use crate::stage::Stage;

const PLACE: &str = "it-operator-left";
const ELSEWHERE: &str = "it-operator-left-other";
const ID: &str = "it-operator-left";
const LIMIT: Duration = Duration::from_mins(4);

fn settings(more: &serde_json::Value) -> serde_json::Value {
    let mut data = json!({
        "enable_teams_api": "false", "enable_master_load_balancer": "false", "enable_finalizers": "false",
        "enable_owner_references": "false", "repair_period": "5s",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        data[name] = value.clone();
    }
    data
}

fn start(stage: &Stage, name: &str, more: &[&str]) -> Result<Controller> {
    let args = [
        "--operator-namespace",
        PLACE,
        "--no-database-access",
        "--no-rest-api",
    ];
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = controller::start_as(stage, name, 18181, &kubeconfig, &[&args, more].concat())?;
    controller.wait_until_it_works()?;
    Ok(controller)
}

/// Waits until so many are counted.
fn counted(controller: &Controller, wanted: f64) -> Result<Duration> {
    let begin = Instant::now();
    loop {
        let found = metric(&controller.ask("/metrics")?, "pgherd_controller_leftovers");
        if found == Some(wanted) {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < LIMIT, "{found:?} are counted, and not {wanted}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn wait_for_sets(place: &Place<'_>, wanted: &[&str]) -> Result<()> {
    let begin = Instant::now();
    loop {
        let mut found = place.names("statefulsets")?;
        found.sort();
        if found == wanted {
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "there are {found:?} and not {wanted:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

pub(super) fn found(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    place.settings(&settings(&json!({})))?;
    // With an id, so that the deployed controller has no part in it.
    let first = start(stage, "operator-left-first", &["--controller-id", ID])?;
    for name in ["kept", "lost"] {
        place.apply(&cluster(name, Some(ID), 0))?;
    }
    wait_for_sets(&place, &["kept", "lost"])?;
    first.stop()?;
    place.run("delete postgresql lost")?;
    // Somebody else's: the next controller has no id.
    let next = start(stage, "operator-left-second", &["--watched-namespace", PLACE])?;
    let took = counted(&next, 1.0)?;
    next.wait_for("left over from a cluster whose object is gone")?;
    eprintln!(
        "deleted while no controller ran: counted {:.1} s after the first lists",
        took.as_secs_f32()
    );
    wait_for_sets(&place, &["kept", "lost"])?;

    // Its object comes back, and goes by the count again.
    place.apply(&cluster("lost", Some("nobody"), 0))?;
    counted(&next, 0.0)?;
    place.run("delete postgresql lost")?;
    counted(&next, 1.0)?;

    place.settings(&settings(&json!({"sweep_leftovers": "true"})))?;
    wait_for_sets(&place, &["kept"])?;
    let took = counted(&next, 0.0)?;
    eprintln!(
        "sweep_leftovers: removed, and not counted any more {:.1} s later",
        took.as_secs_f32()
    );
    ensure!(
        place
            .names("services")?
            .iter()
            .all(|name| name.starts_with("kept")),
        "services are left"
    );
    next.stop()?;
    while_it_looks_elsewhere(stage, &place)?;
    place.remove()
}

/// The scope changes, and the cluster goes while nobody has its namespace in view: whoever had it may have kept its members on purpose, so that
/// they stay when it comes into view again.
fn while_it_looks_elsewhere(stage: &Stage, place: &Place<'_>) -> Result<()> {
    let other = Place::new(stage, ELSEWHERE)?;
    let watched = |namespaces: &str| place.settings(&settings(&json!({"watched_namespace": namespaces})));
    watched(PLACE)?;
    let controller = start(stage, "operator-left-third", &["--controller-id", ID])?;
    place.apply(&cluster("gone", Some(ID), 0))?;
    wait_for_sets(place, &["gone", "kept"])?;
    watched(ELSEWHERE)?;
    other.apply(&cluster("there", Some(ID), 0))?;
    wait_for_sets(&other, &["there"])?;
    place.run("delete postgresql gone")?;
    watched(&format!("{PLACE},{ELSEWHERE}"))?;
    // An edit shows that it is in view again.
    place.patch(
        "postgresql/kept",
        &json!({"spec": {"podAnnotations": {"seen": "yes"}}}),
    )?;
    let seen = ".spec.template.metadata.annotations.seen";
    place.wait("statefulset/kept", seen, LIMIT, |value| value == "yes")?;
    wait_for_sets(place, &["gone", "kept"])?;
    wait_for_sets(&other, &["there"])?;
    controller.stop()?;
    other.remove()
}

/// Keeps a pod from going.
const HOLD: &str = "it.pgherd.io/hold";

/// The controller dies when the members are ending and nothing else has gone; the consent has gone with the object.
pub(super) fn finished(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    let outcome = interrupted(stage, &place);
    let release = json!({"metadata": {"finalizers": null}});
    for pod in place.names("pods")? {
        // It may have gone by now.
        place.patch(&format!("pod/{pod}"), &release).ok();
    }
    outcome?;
    place.remove()
}

fn interrupted(stage: &Stage, place: &Place<'_>) -> Result<()> {
    place.settings(&settings(&json!({"delete_annotation_name_key": "delete-name"})))?;
    let args = ["--controller-id", ID];
    let first = start(stage, "operator-left-begins", &args)?;
    let mut manifest = cluster("half", Some(ID), 1);
    manifest["metadata"]["annotations"]["delete-name"] = "half".into();
    place.apply(&manifest)?;
    let there = |value: &str| !value.is_empty();
    place.wait("pod/half-0", ".spec.nodeName", LIMIT, there)?;
    place.patch("pod/half-0", &json!({"metadata": {"finalizers": [HOLD]}}))?;
    place.run("delete postgresql half")?;
    place.wait("pod/half-0", ".metadata.deletionTimestamp", LIMIT, there)?;
    let mark = place.value("statefulset/half", ".metadata.annotations.pgherd\\.io/deletion")?;
    ensure!(mark.ends_with(&format!(" {ID}")), "it is marked with {mark:?}");
    first.kill()?;
    ensure!(
        !place.names("persistentvolumeclaims")?.is_empty(),
        "members go first"
    );

    let next = start(stage, "operator-left-finishes", &args)?;
    next.wait_for("left over from a cluster whose object is gone; removing it")?;
    let begin = Instant::now();
    place.patch("pod/half-0", &json!({"metadata": {"finalizers": null}}))?;
    wait_for_sets(place, &[])?;
    eprintln!(
        "interrupted deletion: finished {:.1} s after the last pod might go",
        begin.elapsed().as_secs_f32()
    );
    for kind in ["secrets", "services", "poddisruptionbudgets"] {
        let left = place.names(kind)?;
        ensure!(!left.iter().any(|name| name.contains("half")), "left: {left:?}");
    }
    wait_for_none(place, "persistentvolumeclaims")?;
    counted(&next, 0.0)?;
    next.stop()?;
    Ok(())
}

fn wait_for_none(place: &Place<'_>, kind: &str) -> Result<()> {
    let begin = Instant::now();
    while !place.names(kind)?.is_empty() {
        ensure!(begin.elapsed() < LIMIT, "there are {kind}");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
