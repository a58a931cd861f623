//! What the HTTP interface answers, out of caches and activity: no request to anybody. Must not: show a secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use pgherd_model::names::{Names, Role};
use pgherd_planner::redact::{Veil, veil};
use serde_json::{Value, json};

use crate::activity::{Line, Running};
use crate::cache::Key;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::kinds::Watched;

/// Go's zero time, which its clients know as "never".
const NEVER: &str = "0001-01-01T00:00:00Z";
const UNKNOWN: &str = "could not find cluster";

pub(super) fn status(context: &Context, workers: usize) -> Value {
    let (edits, resyncs) = context.queue.waiting();
    // One queue feeds all: it stands in the first place.
    let sizes = (0..workers).map(|number| {
        let size = if number == 0 { edits + resyncs } else { 0 };
        (number.to_string(), Value::from(size))
    });
    json!({
        "LastSyncTime": context.activity.last_sync().map_or(0, Timestamp::as_second),
        "Clusters": context.cache.manifests.len(),
        "WorkerQueueSize": sizes.collect::<serde_json::Map<_, _>>(),
    })
}

pub(super) fn by_team(context: &Context) -> Value {
    let mut teams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (cluster, manifest) in manifests(context) {
        teams.entry(team(&manifest)).or_default().push(cluster.name);
    }
    json!(teams)
}

pub(super) fn of_team(context: &Context, wanted: &str) -> Result<Value, &'static str> {
    let all = manifests(context).into_iter();
    let names: Vec<String> = all
        .filter(|(_, manifest)| team(manifest) == wanted)
        .map(|(cluster, _)| cluster.name)
        .collect();
    if names.is_empty() {
        return Err("could not find clusters for the team");
    }
    Ok(json!(names))
}

pub(super) fn databases(context: &Context) -> Value {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (cluster, manifest) in manifests(context) {
        let names = manifest["spec"]["databases"].as_object();
        let names = names.into_iter().flat_map(|names| names.keys().cloned());
        let known = found.entry(cluster.name).or_default();
        known.extend(names);
        known.sort();
    }
    found.retain(|_, names| !names.is_empty());
    json!(found)
}

pub(super) fn cluster(context: &Context, namespace: &str, name: &str) -> Result<Value, &'static str> {
    let cluster = ClusterRef::new(namespace, name);
    let manifest = context.cache.manifests.get(&cluster).ok_or(UNKNOWN)?.value();
    let config = context.config();
    let names = Names::of(namespace, name, &config);
    let object = |kind, name: String| {
        let key = Key { kind, name };
        shown(context.cache.owned.content(&cluster, &key).unwrap_or_default())
    };
    let turn = running(context, &cluster);
    Ok(json!({
        "Team": team(&manifest),
        "Cluster": name,
        "Namespace": namespace,
        "MasterService": object(Watched::Service, names.service(Role::Primary)),
        "ReplicaService": object(Watched::Service, names.service(Role::Replica)),
        "MasterEndpoint": null,
        "ReplicaEndpoint": null,
        "StatefulSet": object(Watched::StatefulSet, names.stateful_set().to_owned()),
        "PrimaryPodDisruptionBudget": object(Watched::PodDisruptionBudget, names.primary_budget().to_owned()),
        "CriticalOpPodDisruptionBudget": object(Watched::PodDisruptionBudget, names.critical_budget()),
        "CurrentProcess": process(turn.as_ref().map(|(_, running)| running)),
        "Worker": turn.as_ref().map_or(0, |(number, _)| *number),
        "Status": {"PostgresClusterStatus": manifest["status"]["PostgresClusterStatus"].clone()},
        "Spec": shown(manifest["spec"].clone()),
        "Error": null,
    }))
}

pub(super) fn lines(context: &Context, namespace: &str, name: &str) -> Result<Value, &'static str> {
    let cluster = known(context, namespace, name)?;
    let lines = context.activity.lines(&cluster);
    Ok(lines.iter().map(|line| entry(&cluster, line)).collect())
}

pub(super) fn history(context: &Context, namespace: &str, name: &str) -> Result<Value, &'static str> {
    let cluster = known(context, namespace, name)?;
    let edits = context.activity.edits(&cluster);
    let shown = edits.iter().map(|edit| {
        let at = edit.at.to_string();
        json!({"EventTime": at, "ProcessTime": at, "Diff": edit.paths})
    });
    Ok(shown.collect())
}

pub(super) fn queues(context: &Context, workers: usize) -> Value {
    let all = (0..workers).map(|number| (number.to_string(), queue(context, number)));
    Value::Object(all.collect())
}

/// Who waits: in the first place, as in [`status`].
pub(super) fn queue(context: &Context, number: usize) -> Value {
    let waiting = if number == 0 {
        context.queue.names()
    } else {
        Vec::new()
    };
    let keys: Vec<String> = waiting.iter().map(ToString::to_string).collect();
    json!({"Keys": keys, "List": keys})
}

pub(super) fn workers(context: &Context, workers: usize) -> Value {
    let all = (0..workers).map(|number| (number.to_string(), worker(context, number)));
    Value::Object(all.collect())
}

pub(super) fn worker(context: &Context, number: usize) -> Value {
    match context.activity.running().get(number) {
        Some(Some(running)) => json!({
            "CurrentCluster": running.cluster.to_string(),
            "CurrentProcess": process(Some(running)),
        }),
        _ => Value::from("idle"),
    }
}

/// Of the cluster that has a turn there.
pub(super) fn worker_lines(context: &Context, number: usize) -> Value {
    match context.activity.running().get(number) {
        Some(Some(running)) => {
            let lines = context.activity.lines(&running.cluster);
            lines
                .iter()
                .map(|line| {
                    let mut entry = entry(&running.cluster, line);
                    entry["Worker"] = number.into();
                    entry
                })
                .collect()
        }
        _ => Value::Array(Vec::new()),
    }
}

/// What goes on: for people, when something seems to hang.
pub(super) fn tasks(context: &Context) -> String {
    let now = Timestamp::now();
    let mut text = String::new();
    let metrics = tokio::runtime::Handle::current().metrics();
    let _ = writeln!(
        text,
        "threads {}, tasks {}",
        metrics.num_workers(),
        metrics.num_alive_tasks()
    );
    let (edits, resyncs) = context.queue.waiting();
    let _ = writeln!(
        text,
        "waiting for a turn: {edits} after a change, {resyncs} by time"
    );
    for (number, running) in context.activity.running().iter().enumerate() {
        if let Some(running) = running {
            let age = now.duration_since(running.since).as_millis();
            let _ = writeln!(
                text,
                "turn {number}: {} ({}) for {age} ms",
                running.cluster, running.lane
            );
        }
    }
    let (rolling, waiting) = context.fleet.lists();
    for (cluster, trouble) in rolling {
        let _ = writeln!(
            text,
            "rolls with the fleet: {cluster} {}",
            trouble.unwrap_or_default()
        );
    }
    for cluster in waiting {
        let _ = writeln!(text, "waits to roll: {cluster}");
    }
    text
}

fn manifests(context: &Context) -> Vec<(ClusterRef, Value)> {
    let mut all = context.cache.manifests.all();
    all.sort();
    let found = all
        .into_iter()
        .filter_map(|cluster| Some((cluster.clone(), context.cache.manifests.get(&cluster)?.value())));
    found.collect()
}

fn known(context: &Context, namespace: &str, name: &str) -> Result<ClusterRef, &'static str> {
    let cluster = ClusterRef::new(namespace, name);
    match context.cache.manifests.get(&cluster) {
        Some(_) => Ok(cluster),
        None => Err(UNKNOWN),
    }
}

fn team(manifest: &Value) -> String {
    manifest["spec"]["teamId"].as_str().unwrap_or_default().to_owned()
}

fn running(context: &Context, cluster: &ClusterRef) -> Option<(usize, Running)> {
    let all = context.activity.running().into_iter().enumerate();
    all.filter_map(|(number, running)| Some((number, running?)))
        .find(|(_, running)| running.cluster == *cluster)
}

fn process(running: Option<&Running>) -> Value {
    match running {
        Some(running) => json!({"Name": running.lane, "StartTime": running.since.to_string()}),
        None => json!({"Name": "", "StartTime": NEVER}),
    }
}

fn entry(cluster: &ClusterRef, line: &Line) -> Value {
    json!({
        "Time": line.at.to_string(), "Level": line.level, "ClusterName": cluster.to_string(), "Message": line.text,
    })
}

/// Without what a manifest may hold in clear: values of variables, commands, settings, keys.
fn shown(mut object: Value) -> Value {
    veil(&mut object, Veil::Full);
    object
}
