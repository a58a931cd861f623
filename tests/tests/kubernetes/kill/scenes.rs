//! What happens while the controller is killed: everything that it does in steps. Must not: kill.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use pgherd_tests::images::POSTGRES_OTHER;
use serde_json::{Value, json};

use super::{PATIENCE, is_up};
use crate::drain::{cordoned, moved, node_of};
use crate::rolling::{CLUSTER, edit, parameters, pods, start, wait_for_setting, wait_until_rolled};
use crate::stage::{LONG, NAMESPACE, PATIENTLY, Stage, manifest};

/// One that is there only to be deleted.
const SHORT: &str = "it-over";

type Scene = (&'static str, fn(&Stage) -> Result<()>);

const SCENES: [Scene; 8] = [
    ("a roll", rolls),
    ("a parameter with a restart", |stage| restarts(stage, "120")),
    ("another image", other_image),
    ("a scale-down and up", scales),
    ("objects deleted by hand", by_hand),
    ("a drain of the primary's node", drains),
    ("a cluster deleted", deletes),
    ("a parameter back, and the image", |stage| {
        restarts(stage, "90")?;
        other_image(stage)
    }),
];

/// All of them once, and again from the start until the killer has had enough; how many there were.
pub(super) fn play(stage: &Stage, is_enough: impl Fn() -> bool) -> Result<usize> {
    let mut played = 0;
    for (what, scene) in SCENES.into_iter().cycle() {
        if played >= SCENES.len() && is_enough() {
            break;
        }
        scene(stage).context(what)?;
        played += 1;
    }
    // As other trials expect it, wherever it ended.
    start(stage)?;
    Ok(played)
}

fn rolls(stage: &Stage) -> Result<()> {
    let variable = json!({"name": "KILL_ROUND", "value": Timestamp::now().to_string()});
    changes(stage, &json!({"env": [variable]}))
}

/// The one that it does not have: earlier trials leave it with either.
fn other_image(stage: &Stage) -> Result<()> {
    let object = format!("-n {NAMESPACE} postgresql/{CLUSTER}");
    let image = stage.kubectl().value(&object, ".spec.dockerImage")?;
    let other = image.is_empty().then_some(POSTGRES_OTHER);
    changes(stage, &json!({ "dockerImage": other }))
}

/// Of the template.
fn changes(stage: &Stage, change: &Value) -> Result<()> {
    let before = pods(stage)?;
    edit(stage, &json!({"spec": change}))?;
    wait_until_rolled(stage, &before)
}

fn restarts(stage: &Stage, value: &str) -> Result<()> {
    edit(stage, &parameters("max_connections", value))?;
    wait_for_setting(stage, "max_connections", value)?;
    stage.wait_until_ready(CLUSTER, 3)
}

fn scales(stage: &Stage) -> Result<()> {
    for members in [2, 3] {
        edit(stage, &json!({"spec": {"numberOfInstances": members}}))?;
        let replicas = format!("-n {NAMESPACE} statefulset/{CLUSTER}");
        let scaled = |value: &str| value == members.to_string();
        stage
            .kubectl()
            .wait_for_value(&replicas, ".spec.replicas", PATIENCE, scaled, |_| {})?;
        stage.wait_until_ready(CLUSTER, members)?;
    }
    Ok(())
}

fn by_hand(stage: &Stage) -> Result<()> {
    let before = pods(stage)?;
    for object in [
        format!("statefulset/{CLUSTER}"),
        format!("service/{CLUSTER}-repl"),
        format!("poddisruptionbudget/postgres-{CLUSTER}-pdb"),
    ] {
        let object = format!("-n {NAMESPACE} {object}");
        let old = stage.kubectl().value(&object, ".metadata.uid")?;
        stage
            .kubectl()
            .run(&format!("delete {object} --cascade=orphan --wait=false"))?;
        let new = |uid: &str| !uid.is_empty() && uid != old;
        stage
            .kubectl()
            .wait_for_value(&object, ".metadata.uid", PATIENCE, new, |_| {})?;
    }
    stage.wait_until_ready(CLUSTER, 3)?;
    ensure!(before == pods(stage)?, "pods went for it");
    Ok(())
}

fn drains(stage: &Stage) -> Result<()> {
    let primary = stage.primary(CLUSTER)?;
    let node = node_of(stage, &primary)?;
    cordoned(stage, &node, || {
        moved(stage, &primary, &node)?;
        emptied(stage, &node)
    })?;
    stage.wait_until_ready(CLUSTER, 3)
}

/// One member after the other, so that all that is down meanwhile besides the one is down by us.
fn emptied(stage: &Stage, node: &str) -> Result<()> {
    let end = Instant::now() + LONG;
    loop {
        let members = members(stage)?;
        let is_there = |pod: &&Value| pod["spec"]["nodeName"] == node;
        let all_up = members.len() == 3 && members.iter().all(is_up);
        match members.iter().find(is_there) {
            None if all_up => return Ok(()),
            Some(pod) if all_up => {
                stage.wait_until_ready(CLUSTER, 3)?;
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                let only = format!("--pod-selector=statefulset.kubernetes.io/pod-name={name}");
                stage.kubectl().run(&format!(
                    "drain {node} {only} --delete-emptydir-data --ignore-daemonsets {PATIENTLY}"
                ))?;
            }
            _ => std::thread::sleep(std::time::Duration::from_millis(500)),
        }
        ensure!(Instant::now() < end, "{node} is not empty: {:?}", pods(stage)?);
    }
}

fn members(stage: &Stage) -> Result<Vec<Value>> {
    let line = format!("-n {NAMESPACE} get pods -l cluster-name={CLUSTER} -o json");
    let list: Value = serde_json::from_str(&stage.kubectl().run(&line)?)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Everything of it goes, and nothing of others.
fn deletes(stage: &Stage) -> Result<()> {
    stage.kubectl().apply(&manifest(SHORT, 2, "teamId: it"))?;
    stage.wait_until_ready(SHORT, 2)?;
    let object = format!("-n {NAMESPACE} postgresql/{SHORT}");
    let held = |finalizers: &str| !finalizers.is_empty();
    stage
        .kubectl()
        .wait_for_value(&object, ".metadata.finalizers", LONG, held, |_| {})?;
    let others = pods(stage)?;
    stage.delete(SHORT)?;
    let kinds = [
        "statefulsets",
        "services",
        "configmaps",
        "endpoints",
        "poddisruptionbudgets",
        "secrets",
        "persistentvolumeclaims",
    ];
    for kind in kinds {
        stage.wait_for_none(kind, SHORT)?;
    }
    ensure!(others == pods(stage)?, "pods of another cluster went along");
    Ok(())
}
