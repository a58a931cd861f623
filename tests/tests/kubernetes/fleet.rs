//! A new image in the operator's configuration rolls one cluster after the other, on real pods; one that does not run stops after the first
//! pod of the first cluster, and setting it back heals.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pgherd_tests::images;
use serde_json::json;

use super::Test;
use super::audit::settle;
use super::stage::{CONTROLLER, NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    ("a_new_image_rolls_one_cluster_after_the_other", rolls_in_turn),
    ("a_broken_image_stops_after_the_canarys_first_pod", stops),
];

/// The first has two members and volunteers.
const CLUSTERS: [(&str, u32); 3] = [("it-fleet-a", 2), ("it-fleet-b", 1), ("it-fleet-c", 1)];
const CANARY: &str = CLUSTERS[0].0;
const BROKEN: &str = "localhost/pgherd/no-such-image:1";
const LIMIT: Duration = Duration::from_mins(10);

fn start(stage: &Stage) -> Result<()> {
    for (cluster, members) in CLUSTERS {
        let mut text = manifest(cluster, members, "teamId: it");
        if cluster == CANARY {
            let annotated = "  annotations: {pgherd.io/canary: \"true\"}\nspec:\n";
            text = text.replacen("spec:\n", annotated, 1);
        }
        stage.kubectl().apply(&text)?;
    }
    for (cluster, members) in CLUSTERS {
        stage.wait_until_ready(cluster, usize::try_from(members)?)?;
    }
    Ok(())
}

fn use_image(stage: &Stage, image: &str) -> Result<()> {
    stage.configure(&json!({ "docker_image": image }))
}

/// One pod at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pod {
    uid: String,
    ready: bool,
    image: String,
}

fn pods(stage: &Stage) -> Result<BTreeMap<String, Pod>> {
    let path = "range .items[*]}{.metadata.name} {.metadata.uid} {.spec.containers[0].image} \
                {.status.conditions[?(@.type==\"Ready\")].status}{\"\\n\"}{end";
    let text = stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} pods -l application=spilo"), path)?;
    let pod = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        name.starts_with("it-fleet-").then_some(())?;
        let (uid, image) = (words.next()?.to_owned(), words.next()?.to_owned());
        let ready = words.next() == Some("True");
        Some((name, Pod { uid, ready, image }))
    };
    Ok(text.lines().filter_map(pod).collect())
}

/// Clusters with a member that is not up.
fn disturbed(pods: &BTreeMap<String, Pod>) -> Vec<&'static str> {
    let is_whole = |(cluster, members): &(&str, u32)| {
        (0..*members).all(|ordinal| {
            let pod = pods.get(&format!("{cluster}-{ordinal}"));
            pod.is_some_and(|pod| pod.ready)
        })
    };
    let found = CLUSTERS.iter().filter(|cluster| !is_whole(cluster));
    found.map(|(cluster, _)| *cluster).collect()
}

fn rolls_in_turn(stage: &Stage) -> Result<()> {
    start(stage)?;
    let (before, begin) = (pods(stage)?, Instant::now());
    use_image(stage, images::POSTGRES_OTHER)?;
    let order = follow(stage, &before, begin);
    use_image(stage, images::POSTGRES)?;
    let order = order?;
    ensure!(
        order.len() == CLUSTERS.len() && order[0] == CANARY,
        "the order was {order:?}"
    );
    // And back, by turns again.
    let begin = Instant::now();
    wait_for_image(stage, images::POSTGRES, begin)
}

/// Clusters with a member that is another one than before.
fn changed(before: &BTreeMap<String, Pod>, now: &BTreeMap<String, Pod>) -> Vec<&'static str> {
    let is_new = |(name, pod): (&String, &Pod)| before.get(name).is_none_or(|it| it.uid != pod.uid);
    let names: Vec<&String> = now
        .iter()
        .filter(|it| is_new(*it))
        .map(|(name, _)| name)
        .collect();
    let is_of = |cluster: &str| names.iter().any(|name| name.starts_with(cluster));
    let found = CLUSTERS.iter().map(|(cluster, _)| *cluster);
    found.filter(|cluster| is_of(cluster)).collect()
}

/// Watches the pods until all run the other image; returns the clusters in the order in which they were disturbed.
fn follow(stage: &Stage, before: &BTreeMap<String, Pod>, begin: Instant) -> Result<Vec<&'static str>> {
    let mut order: Vec<&'static str> = Vec::new();
    let mut is_told = false;
    loop {
        let pods = pods(stage)?;
        let disturbed = disturbed(&pods);
        ensure!(disturbed.len() <= 1, "{disturbed:?} at the same time: {pods:?}");
        if disturbed == [CANARY] && !is_told {
            is_told = held(stage, CLUSTERS[1].0)?.contains(CANARY);
        }
        // One that is quick is back before it was seen away.
        for cluster in disturbed.into_iter().chain(changed(before, &pods)) {
            if !order.contains(&cluster) {
                eprintln!("{cluster} rolls after {:.1} s", begin.elapsed().as_secs_f32());
                order.push(cluster);
            }
        }
        let is_done = |pod: &Pod| pod.ready && pod.image == images::POSTGRES_OTHER;
        if pods.values().all(is_done) {
            ensure!(is_told, "who waits did not say for whom");
            eprintln!(
                "three clusters rolled in {:.1} s, in the order {order:?}",
                begin.elapsed().as_secs_f32()
            );
            return Ok(order);
        }
        ensure!(begin.elapsed() < LIMIT, "not done: {pods:?}");
    }
}

fn wait_for_image(stage: &Stage, image: &str, begin: Instant) -> Result<()> {
    loop {
        let pods = pods(stage)?;
        if pods.values().all(|pod| pod.ready && pod.image == image) {
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "not all run {image}: {pods:?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn held(stage: &Stage, cluster: &str) -> Result<String> {
    let object = format!("-n {NAMESPACE} postgresql/{cluster}");
    let hold = ".status.holds[?(@.step==\"roll the pods\")].reason";
    stage.kubectl().value(&object, hold)
}

fn stops(stage: &Stage) -> Result<()> {
    let outcome = stops_and_heals(stage);
    let deleted: Result<()> = CLUSTERS
        .into_iter()
        .try_for_each(|(cluster, _)| stage.delete(cluster));
    outcome.and(deleted)
}

fn stops_and_heals(stage: &Stage) -> Result<()> {
    start(stage)?;
    // What the rolls before have left to do is done.
    settle(stage)?;
    let (before, primary) = (pods(stage)?, stage.primary(CANARY)?);
    use_image(stage, BROKEN)?;
    let outcome = stopped(stage, &before, &primary);
    use_image(stage, images::POSTGRES)?;
    let begin = Instant::now();
    outcome?;
    wait_for_image(stage, images::POSTGRES, begin)?;
    for (cluster, members) in CLUSTERS {
        stage.wait_until_ready(cluster, usize::try_from(members)?)?;
    }
    eprintln!(
        "set back: whole again after {:.1} s",
        begin.elapsed().as_secs_f32()
    );
    let after = pods(stage)?;
    let anew: Vec<&String> = after
        .iter()
        .filter(|(name, pod)| before.get(*name).is_none_or(|it| it.uid != pod.uid))
        .map(|(name, _)| name)
        .collect();
    ensure!(
        anew.len() == 1,
        "made anew: {anew:?}, and only the canary's replica had to be"
    );
    Ok(())
}

/// The canary's replica is down, and so it stays: through a restart of the controller, too.
fn stopped(stage: &Stage, before: &BTreeMap<String, Pod>, primary: &str) -> Result<()> {
    let begin = Instant::now();
    let told = loop {
        let held = held(stage, CLUSTERS[1].0)?;
        if held.contains("stopped") {
            break held;
        }
        ensure!(
            begin.elapsed() < LIMIT,
            "{} says {held:?}; pods {:?}",
            CLUSTERS[1].0,
            pods(stage)?
        );
        std::thread::sleep(Duration::from_millis(300));
    };
    eprintln!("after {:.1} s: {told}", begin.elapsed().as_secs_f32());
    ensure!(told.contains(CANARY), "it does not say which cluster fails");
    let only_the_replica = || {
        let now = pods(stage)?;
        let gone: Vec<&String> = before
            .iter()
            .filter(|(name, pod)| now.get(*name).map(|now| &now.uid) != Some(&pod.uid))
            .map(|(name, _)| name)
            .collect();
        match gone.as_slice() {
            [only] if only.starts_with(CANARY) && **only != primary => Ok(()),
            others => bail!("{others:?} were touched, and {primary} led"),
        }
    };
    only_the_replica()?;
    stage.without(CONTROLLER, || Ok(()))?;
    std::thread::sleep(Duration::from_secs(15));
    only_the_replica().context("after a restart of the controller")?;
    let ready = format!("-n {NAMESPACE} postgresql/{}", CLUSTERS[1].0);
    let path = ".status.conditions[?(@.type==\"Ready\")].status";
    ensure!(
        stage.kubectl().value(&ready, path)? == "True",
        "who waits is not ready any more"
    );
    Ok(())
}
