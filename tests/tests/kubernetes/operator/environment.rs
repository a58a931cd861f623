//! `pod_environment_configmap` and `pod_environment_secret`, changed while everything runs: a variable that comes, goes or changes rolls the
//! pods; a value that only the secret knows does not, as with Zalando's operator.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgherd_tests::images;
use serde_json::{Value, json};

use super::{Place, cluster};
use crate::stage::{PATIENTLY, Stage};

const PLACE: &str = "it-operator-environment";
const ID: &str = "it-operator-environment";
const CLUSTER: &str = "shop";
const LIMIT: Duration = Duration::from_mins(8);
/// A roll that is to come has begun by then.
const LONG: Duration = Duration::from_secs(12);

fn map(value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"},
        "data": {"FROM_MAP": value, "FROM_BOTH": "map", "FROM_MANIFEST": "map", "PGROOT": "/elsewhere"},
    })
}

fn secret(values: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "more"}, "stringData": values})
}

fn settings(with: bool) -> Value {
    let mut data = json!({
        "enable_teams_api": "false", "enable_master_load_balancer": "false", "enable_finalizers": "true",
        "kubernetes_use_configmaps": "true", "docker_image": images::POSTGRES, "target_major_version": "17",
    });
    if with {
        data["pod_environment_configmap"] = format!("{PLACE}/more").into();
        data["pod_environment_secret"] = "more".into();
    }
    data
}

fn uids(place: &Place<'_>) -> Result<BTreeSet<String>> {
    let text = place.value(
        &format!("pods -l cluster-name={CLUSTER}"),
        ".items[*].metadata.uid",
    )?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// Two members that stream, none of them of `before`.
fn wait_until_whole(place: &Place<'_>, before: &BTreeSet<String>) -> Result<Duration> {
    let begin = Instant::now();
    let object = format!("postgresql/{CLUSTER}");
    let path = "range .status.members[*]}{.state} {end}{.status.conditions[?(@.type==\"Ready\")].status} \
                {.status.conditions[?(@.type==\"RollPending\")].status";
    let whole = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [first, second, "True", "False"] = words.as_slice() else {
            return false;
        };
        [first, second]
            .iter()
            .all(|state| matches!(**state, "running" | "streaming"))
    };
    loop {
        let text = place.wait(&object, path, LIMIT, whole).with_context(|| {
            let status = place.value(&object, ".status").unwrap_or_default();
            format!("{CLUSTER} is not whole: {status}")
        })?;
        let now = uids(place)?;
        if now.len() == 2 && now.is_disjoint(before) {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < LIMIT, "no roll: {text}, pods {now:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// What a container sees, by name.
fn variable(place: &Place<'_>, pod: &str, name: &str) -> Result<String> {
    let line = format!("exec {CLUSTER}-{pod} -c postgres -- printenv {name}");
    Ok(place.run(&line)?.trim().to_owned())
}

pub(super) fn rolls(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    place.settings(&settings(false))?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = place.controller("operator-environment", ID, &kubeconfig, &["--no-rest-api"])?;
    let mut manifest = cluster(CLUSTER, Some(ID), 2);
    manifest["spec"]["env"] = json!([{"name": "FROM_MANIFEST", "value": "manifest"}]);
    place.apply(&manifest)?;
    wait_until_whole(&place, &BTreeSet::new())?;

    rolls_when(&place, "both objects are configured", || {
        place.apply(&map("1"))?;
        place.apply(&secret(&json!({"FROM_SECRET": "s1", "FROM_BOTH": "secret"})))?;
        place.settings(&settings(true))
    })?;
    wins(&place)?;
    rolls_when(&place, "an entry of the config map changes", || {
        place.apply(&map("2"))
    })?;
    stays_when(&place, "a value of the secret changes", || {
        place.apply(&secret(&json!({"FROM_SECRET": "s2", "FROM_BOTH": "secret"})))
    })?;
    rolls_when(&place, "the secret gets another key", || {
        place.apply(&secret(
            &json!({"FROM_SECRET": "s2", "FROM_BOTH": "secret", "NEW_KEY": "n"}),
        ))
    })?;
    for pod in ["0", "1"] {
        ensure!(
            variable(&place, pod, "FROM_MAP")? == "2",
            "{pod} has an old entry"
        );
        ensure!(
            variable(&place, pod, "NEW_KEY")? == "n",
            "{pod} lacks the new key"
        );
        ensure!(
            variable(&place, pod, "FROM_SECRET")? == "s2",
            "{pod} has an old value"
        );
    }
    stays_when(&place, "the secret is gone", || {
        place.run("delete secret more").map(drop)
    })?;
    let held = place.value(&format!("postgresql/{CLUSTER}"), ".status.holds[*].reason")?;
    ensure!(
        held.contains("pod_environment_secret"),
        "nobody says that it is missing: {held:?}"
    );
    stays_when(&place, "the secret is back", || {
        place.apply(&secret(
            &json!({"FROM_SECRET": "s2", "FROM_BOTH": "secret", "NEW_KEY": "n"}),
        ))
    })?;
    place.run(&format!("delete postgresql {CLUSTER} {PATIENTLY}"))?;
    controller.stop()?;
    place.remove()
}

/// The operator's own before the manifest's, these before the secret's, these before the config map's.
fn wins(place: &Place<'_>) -> Result<()> {
    for (name, wanted) in [
        ("FROM_MAP", "1"),
        ("FROM_SECRET", "s1"),
        ("FROM_BOTH", "secret"),
        ("FROM_MANIFEST", "manifest"),
        ("PGROOT", "/home/postgres/pgdata/pgroot"),
    ] {
        let found = variable(place, "0", name)?;
        ensure!(found == wanted, "{name} is {found:?}");
    }
    // A value of the secret stands in no object but the secret.
    let set = place.object(&format!("statefulset/{CLUSTER}"))?.to_string();
    ensure!(!set.contains("s1"), "the StatefulSet has the secret's value");
    Ok(())
}

fn rolls_when(place: &Place<'_>, what: &str, change: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = uids(place)?;
    change()?;
    let took = wait_until_whole(place, &before).context(what.to_owned())?;
    eprintln!("{what}: both members made anew after {:.1} s", took.as_secs_f32());
    Ok(())
}

fn stays_when(place: &Place<'_>, what: &str, change: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = uids(place)?;
    change()?;
    std::thread::sleep(LONG);
    ensure!(uids(place)? == before, "{what}: pods were made anew");
    eprintln!("{what}: no pod made anew");
    Ok(())
}
