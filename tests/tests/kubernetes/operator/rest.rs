//! The HTTP interface of Zalando's operator over the wire: every path answers, with the names that its clients know, and without a secret.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Place, cluster};
use crate::away::controller::ask;
use crate::stage::Stage;

const PLACE: &str = "it-operator-rest";
const ID: &str = "it-operator-rest";
const PORT: u16 = 18190;
const SOON: Duration = Duration::from_mins(1);
/// In everything that nobody is to be told.
const PLANTED: &str = "hunter2";

/// The golden names of one answer.
fn golden(answer: &str) -> BTreeSet<String> {
    let all: Value =
        serde_json::from_str(include_str!("../../../data/rest/names.json")).expect("the data is JSON");
    let names = all[answer].as_array().expect("the data knows the answer");
    names
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn names(value: &Value) -> BTreeSet<String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

fn has_the_names(answer: &str, value: &Value) -> Result<()> {
    let (wanted, found) = (golden(answer), names(value));
    ensure!(
        found == wanted,
        "{answer} has the names {found:?}, and not {wanted:?}"
    );
    Ok(())
}

fn settings() -> Value {
    json!({
        "enable_teams_api": "false", "enable_master_load_balancer": "false", "api_port": PORT.to_string(),
        "logical_backup_s3_secret_access_key": format!("{PLANTED}-backup"),
        "scalyr_api_key": format!("{PLANTED}-scalyr"),
    })
}

fn manifest() -> Value {
    let mut manifest = cluster("wired", Some(ID), 0);
    let spec = &mut manifest["spec"];
    spec["users"] = json!({"shop": []});
    spec["databases"] = json!({"shop": "shop"});
    spec["env"] = json!([{"name": "TOKEN", "value": format!("{PLANTED}-token")}]);
    spec["sidecars"] = json!([{"name": "side", "image": "localhost/side:1", "command": ["/side", format!("{PLANTED}-command")]}]);
    manifest
}

/// Status code and body.
fn get(path: &str) -> Result<(u16, Value)> {
    let text = ask(PORT, path)?;
    let (head, body) = text.split_once("\r\n\r\n").context("an answer without a body")?;
    let code = head
        .split_whitespace()
        .nth(1)
        .context("an answer without a status")?;
    ensure!(
        head.to_lowercase().contains("content-type: application/json"),
        "{path} answers {head}"
    );
    let body = serde_json::from_str(body.trim()).with_context(|| format!("{path} answers {body}"))?;
    Ok((code.parse()?, body))
}

fn fine(path: &str) -> Result<Value> {
    let (code, body) = get(path)?;
    ensure!(code == 200, "{path} answers {code} {body}");
    Ok(body)
}

pub(super) fn answers(stage: &Stage) -> Result<()> {
    let place = Place::new(stage, PLACE)?;
    place.settings(&settings())?;
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = place.controller("operator-rest", ID, &kubeconfig, &["--no-database-access"])?;
    place.apply(&manifest())?;
    place.wait("statefulset/wired", ".metadata.name", SOON, |name| {
        !name.is_empty()
    })?;
    let edit = json!({"spec": {"serviceAnnotations": {"it/edited": "yes"}}});
    place.patch("postgresql/wired", &edit)?;
    place.wait(
        "service/wired",
        ".metadata.annotations.it/edited",
        SOON,
        |value| value == "yes",
    )?;
    // The last turn tells what it has done when it is over.
    until("nobody is at work, and the edit is told", || {
        let edits = get(&format!("/clusters/{PLACE}/wired/history/"))?.1;
        let is_told = edits.to_string().contains("serviceAnnotations");
        Ok(is_told && get("/workers/0/status/")?.1 == "idle")
    })?;
    let told = paths()?;
    no_secret(&place, &told)?;
    moves_with_the_parameter(&place)?;
    controller.stop()?;
    place.remove()
}

/// Every path, with what it answers.
fn paths() -> Result<Vec<Value>> {
    let status = fine("/status/")?;
    has_the_names("status", &status)?;
    ensure!(status["Clusters"] == 1, "{status}");
    ensure!(fine("/readyz/")? == "OK", "it is not ready");
    let config = fine("/config/")?;
    has_the_names("config", &config)?;
    has_the_names("controller", &config["controller"])?;
    let missing: Vec<String> = golden("operator")
        .difference(&names(&config["operator"]))
        .cloned()
        .collect();
    ensure!(missing.is_empty(), "/config/ lacks {missing:?}");
    ensure!(fine("/clusters/")? == json!({"it": ["wired"]}), "by team");
    ensure!(fine("/clusters/it/")? == json!(["wired"]), "of the team");
    ensure!(fine("/databases/")? == json!({"wired": ["shop"]}), "databases");

    let one = fine(&format!("/clusters/{PLACE}/wired/"))?;
    has_the_names("cluster", &one)?;
    has_the_names("process", &one["CurrentProcess"])?;
    for object in [
        "MasterService",
        "ReplicaService",
        "StatefulSet",
        "PrimaryPodDisruptionBudget",
    ] {
        let name = one[object]["metadata"]["name"].as_str().unwrap_or_default();
        ensure!(name.contains("wired"), "{object} is {}", one[object]);
    }
    let lines = fine(&format!("/clusters/{PLACE}/wired/logs/"))?;
    has_the_names("line", &lines[0])?;
    let edits = fine(&format!("/clusters/{PLACE}/wired/history/"))?;
    has_the_names("edit", &edits[0])?;
    let diff = edits[0]["Diff"].to_string();
    ensure!(diff.contains("serviceAnnotations"), "the edit is told as {diff}");

    let queues = fine("/workers/all/queue/")?;
    has_the_names("queue", &queues["0"])?;
    has_the_names("queue", &fine("/workers/0/queue/")?)?;
    ensure!(fine("/workers/all/status/")?["0"] == "idle", "it is not idle");
    ensure!(fine("/workers/0/status/")? == "idle", "it is not idle");
    let of_worker = fine("/workers/0/logs/")?;
    for (path, error) in [
        ("/clusters/nobody/", "could not find clusters for the team"),
        ("/clusters/a/b/", "could not find cluster"),
        ("/workers/9999/status/", "could not find worker"),
        ("/nothing/", "page not found"),
    ] {
        let answer = get(path)?;
        ensure!(
            answer == (500, json!({ "error": error })),
            "{path} answers {answer:?}"
        );
    }
    Ok(vec![status, config, one, lines, edits, queues, of_worker])
}

/// Neither what was planted nor a password of any secret.
fn no_secret(place: &Place<'_>, told: &[Value]) -> Result<()> {
    let secrets = place.object("secrets")?;
    let values = secrets["items"].as_array().into_iter().flatten();
    let encoded = values.filter_map(|secret| secret["data"]["password"].as_str());
    let mut hidden: Vec<String> = encoded.map(crate::programs::decode).collect::<Result<_>>()?;
    ensure!(hidden.len() >= 3, "only {} secrets to look for", hidden.len());
    hidden.push(PLANTED.to_owned());
    let told: String = told.iter().map(Value::to_string).collect();
    let leaked = hidden
        .iter()
        .filter(|secret| told.contains(secret.as_str()))
        .count();
    ensure!(leaked == 0, "{leaked} secrets are told");
    eprintln!(
        "{} bytes of answers tell none of {} secrets",
        told.len(),
        hidden.len()
    );
    Ok(())
}

/// Without a restart.
fn moves_with_the_parameter(place: &Place<'_>) -> Result<()> {
    let other = PORT + 1;
    place.patch(
        "configmap/settings",
        &json!({"data": {"api_port": other.to_string()}}),
    )?;
    until("it listens on the other port", || {
        Ok(ask(other, "/readyz/").is_ok())
    })?;
    until("it listens no more on the first", || {
        Ok(ask(PORT, "/readyz/").is_err())
    })
}

fn until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + SOON;
    while !is_so().unwrap_or(false) {
        ensure!(Instant::now() < end, "not within {} s: {what}", SOON.as_secs());
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
