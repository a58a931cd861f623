//! Somebody deletes the CRD, with which Kubernetes deletes every cluster's object: nothing that belongs to one goes along. Not with a
//! finalizer, and not when the CRD comes back without the objects.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgherd_tests::generated::root;
use serde_json::{Value, json};

use super::{ALONE, Place, cluster};
use crate::stage::{PATIENTLY, Stage};

const PLACE: &str = "it-operator-kind";
const ID: &str = "it-operator-kind";
const CLUSTER: &str = "kept";
const CRD: &str = "postgresqls.acid.zalan.do";
const LIMIT: Duration = Duration::from_mins(4);

fn settings(finalizers: bool) -> Value {
    json!({
        "enable_teams_api": "false", "enable_master_load_balancer": "false", "enable_owner_references": "false",
        "enable_finalizers": finalizers.to_string(),
    })
}

/// As its member would have made it: by name and labels it goes with the cluster.
fn claim() -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": format!("pgdata-{CLUSTER}-0"), "labels": {"application": "spilo", "cluster-name": CLUSTER}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    })
}

pub(super) fn removed(stage: &Stage) -> Result<()> {
    let outcome = goes_and_comes_back(stage);
    // The next trial needs it.
    let there = outcome.or_else(|error| {
        // What keeps the kind from going is let go.
        let _ = Place::new(stage, PLACE);
        establish(stage)?;
        Err(error)
    });
    there.and_then(|()| stage.wait_for_admission())
}

fn goes_and_comes_back(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    place.settings(&settings(false))?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = place.controller("operator-kind", ID, &kubeconfig, &ALONE)?;
    place.apply(&cluster(CLUSTER, Some(ID), 0))?;
    place.apply(&claim())?;
    place.wait("postgresql/kept", ".status.observedGeneration", LIMIT, |value| {
        value == "1"
    })?;
    let before = belongings(&place)?;
    ensure!(before.len() > 4, "too little to lose: {before:?}");

    stage.kubectl().run(&format!("delete crd {CRD} {PATIENTLY}"))?;
    controller.wait_for("the object is gone; everything else stays")?;
    come_back(stage, &place, &before)?;

    place.settings(&settings(true))?;
    place.wait("postgresql/kept", ".metadata.finalizers", LIMIT, |value| {
        value.contains("acid")
    })?;
    stage.kubectl().run(&format!("delete crd {CRD} --wait=false"))?;
    let told = |value: &str| value.contains("the kind postgresql was removed");
    place.wait("postgresql/kept", ".status.holds", LIMIT, told)?;
    same(&place, &before)?;
    place.patch("postgresql/kept", &json!({"metadata": {"finalizers": null}}))?;
    stage
        .kubectl()
        .run(&format!("wait --for=delete crd/{CRD} {PATIENTLY}"))?;
    come_back(stage, &place, &before)?;

    // It is a cluster like others again.
    place.run(&format!("delete postgresql kept {PATIENTLY}"))?;
    let begin = Instant::now();
    while place
        .names("statefulsets,services")?
        .iter()
        .any(|name| name == CLUSTER)
    {
        ensure!(
            begin.elapsed() < LIMIT,
            "there is still {:?}",
            belongings(&place)?
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    controller.stop()?;
    place.remove()
}

/// The CRD is there, and served.
fn establish(stage: &Stage) -> Result<()> {
    let file = root().join("deploy/kustomize/crds/postgresqls.yaml");
    stage.kubectl().run(&format!(
        "apply --server-side --force-conflicts -f {}",
        file.display()
    ))?;
    // kubectl's own wait fails where there is no condition yet.
    let established = ".status.conditions[?(@.type==\"Established\")].status";
    let (kind, is_true) = (format!("crd/{CRD}"), |status: &str| status == "True");
    stage
        .kubectl()
        .wait_for_value(&kind, established, LIMIT, is_true, |_| {})?;
    Ok(())
}

/// The CRD, and after a while the manifest: all is as it was.
fn come_back(stage: &Stage, place: &Place<'_>, before: &[String]) -> Result<()> {
    establish(stage)?;
    std::thread::sleep(Duration::from_secs(5));
    same(place, before)?;
    // It is served a moment after it is established.
    stage.wait_for_admission()?;
    place.apply(&cluster(CLUSTER, Some(ID), 0))?;
    place.wait("postgresql/kept", ".status.observedGeneration", LIMIT, |value| {
        value == "1"
    })?;
    same(place, before)
}

fn same(place: &Place<'_>, before: &[String]) -> Result<()> {
    let now = belongings(place)?;
    ensure!(now == before, "{before:?} became {now:?}");
    Ok(())
}

/// What belongs to the cluster, with its identities: none was made anew.
fn belongings(place: &Place<'_>) -> Result<Vec<String>> {
    let kinds = "statefulsets,services,secrets,persistentvolumeclaims,poddisruptionbudgets";
    let path = "{range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let call = place.stage.kubectl().call([
        "-n",
        place.namespace,
        "get",
        kinds,
        "-l",
        "cluster-name=kept",
        "-o",
        &format!("jsonpath={path}"),
    ]);
    let mut found: Vec<String> = call.output()?.lines().map(str::to_owned).collect();
    found.sort();
    Ok(found)
}
