//! The command line beside a cluster that runs: what it says is so, and what it asks for is done. Members are asked through the API server.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgherd_tests::built::built;
use serde_json::Value;

use crate::stage::{NAMESPACE, Stage, manifest};

const CLUSTER: &str = "it-verbs";
/// A limit against hanging.
const LIMIT: Duration = Duration::from_mins(3);

/// Exit code and answer.
fn pgherd(stage: &Stage, words: &str) -> Result<(i32, String)> {
    let output = Command::new(built("pgherd")?)
        .args(words.split_whitespace())
        .args(["-n", NAMESPACE, "--kubeconfig"])
        .arg(stage.local.cluster.kubeconfig())
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let answer = format!("{}{}", text(&output.stdout), text(&output.stderr));
    Ok((output.status.code().unwrap_or(-1), answer))
}

/// The answer to what has to be answered with 0.
fn told(stage: &Stage, words: &str) -> Result<String> {
    let (code, answer) = pgherd(stage, words)?;
    ensure!(code == 0, "pgherd {words} ends with {code}: {answer}");
    Ok(answer)
}

fn uid(stage: &Stage, pod: &str) -> Result<String> {
    stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} pod {pod}"), ".metadata.uid")
}

fn wait(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + LIMIT;
    while !is_so()? {
        ensure!(Instant::now() < end, "{what}: not within {} s", LIMIT.as_secs());
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

pub(super) fn verbs(stage: &Stage) -> Result<()> {
    stage.delete(CLUSTER)?;
    stage
        .kubectl()
        .apply(&manifest(CLUSTER, 2, "teamId: it\nallowedSourceRanges: []\n"))?;
    stage.wait_until_ready(CLUSTER, 2)?;
    let ended = ask(stage);
    let deleted = stage.delete(CLUSTER);
    ended.and(deleted)
}

fn ask(stage: &Stage) -> Result<()> {
    looks(stage)?;
    moves(stage)?;
    rests(stage)?;
    restarts(stage)
}

/// What is asked without changing anything.
fn looks(stage: &Stage) -> Result<()> {
    let status = told(stage, &format!("status {CLUSTER}"))?;
    let primary = stage.primary(CLUSTER)?;
    ensure!(
        status.contains(&format!("{primary}  primary  running")),
        "{status}"
    );
    wait("nothing to do", || {
        Ok(!told(stage, &format!("plan {CLUSTER}"))?.contains("  1. "))
    })?;

    let snapshot = told(stage, &format!("snapshot {CLUSTER}"))?;
    let password = stage.kubectl().value(
        &format!("-n {NAMESPACE} secret postgres.{CLUSTER}.credentials.postgresql.acid.zalan.do"),
        ".data.password",
    )?;
    ensure!(
        !password.is_empty() && !snapshot.contains(&password),
        "a snapshot holds a password"
    );
    let observed: Value = serde_json::from_str(&snapshot).context("a snapshot is JSON")?;
    let members = observed["observed"]["patroni"]["known"]["members"]
        .as_array()
        .map(Vec::len);
    ensure!(
        members == Some(2),
        "patroni was not asked through the API server: {}",
        observed["observed"]["patroni"]
    );

    offline_as_online(stage, &snapshot)?;
    asks_the_database(stage)?;
    let (code, answer) = pgherd(stage, &format!("adopt {CLUSTER}"))?;
    ensure!(
        code == 0 && answer.contains("ready"),
        "our own cluster can be taken over: {answer}"
    );
    let (code, answer) = pgherd(stage, "plan no-such-cluster")?;
    ensure!(
        code == 2 && answer.contains("there is no postgresql"),
        "{code} {answer}"
    );
    Ok(())
}

/// What a new user would lead to is told by who asks the database, and by nobody else.
fn asks_the_database(stage: &Stage) -> Result<()> {
    let other = stage.local.state.join("it-verbs-user.yaml");
    let more = "teamId: it\nallowedSourceRanges: []\nusers: {newcomer: []}\n";
    std::fs::write(&other, manifest(CLUSTER, 2, more))?;
    let words = format!("plan {CLUSTER} --manifest {}", other.display());
    let without = told(stage, &words)?;
    let with = told(stage, &format!("{words} --databases"))?;
    let creates = |plan: &str| {
        plan.lines()
            .any(|line| line.contains("newcomer") && line.contains("role"))
    };
    ensure!(!creates(&without), "it was not asked: {without}");
    ensure!(creates(&with), "no statement in {with}");
    wait("a database that is as wanted", || {
        Ok(told(stage, &format!("plan {CLUSTER} --databases"))?.contains("nothing to do"))
    })
}

/// The plan for another manifest is the same from files as from the cluster.
fn offline_as_online(stage: &Stage, snapshot: &str) -> Result<()> {
    let file = stage.local.state.join("it-verbs.json");
    std::fs::write(&file, snapshot)?;
    let other = stage.local.state.join("it-verbs.yaml");
    std::fs::write(
        &other,
        manifest(
            CLUSTER,
            2,
            "teamId: it\nallowedSourceRanges: []\nenv: [{name: A, value: b}]\n",
        ),
    )?;
    let config = stage.local.state.join("it-verbs-config.yaml");
    std::fs::write(
        &config,
        stage.kubectl().run("-n pgherd get configmap pgherd -o yaml")?,
    )?;
    let output = Command::new(built("pgherd")?)
        .arg("plan")
        .arg("--snapshot")
        .arg(&file)
        .arg("--manifest")
        .arg(&other)
        .arg("--config")
        .arg(&config)
        .output()?;
    let offline = String::from_utf8_lossy(&output.stdout).into_owned();
    let online = told(stage, &format!("plan {CLUSTER} --manifest {}", other.display()))?;
    let steps = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.contains(". "))
            .map(str::to_owned)
            .collect()
    };
    ensure!(
        !steps(&online).is_empty() && steps(&online) == steps(&offline),
        "online:\n{online}\noffline:\n{offline}"
    );
    ensure!(online.contains("StatefulSet"), "{online}");
    Ok(())
}

fn moves(stage: &Stage) -> Result<()> {
    let leader = stage.primary(CLUSTER)?;
    let other = if leader.ends_with("-0") {
        format!("{CLUSTER}-1")
    } else {
        format!("{CLUSTER}-0")
    };
    let standing = told(stage, &format!("switchover {CLUSTER} --dry-run"))?;
    ensure!(standing.contains(&format!("{leader}  leads")), "{standing}");
    ensure!(
        standing.contains(&format!("{other}  could take over")),
        "{standing}"
    );
    let (code, answer) = pgherd(stage, &format!("switchover {CLUSTER} --to it-nobody"))?;
    ensure!(code == 1 && answer.contains("refuses"), "{code} {answer}");
    told(stage, &format!("switchover {CLUSTER} --to {other}"))?;
    wait("the primary moves", || Ok(stage.primary(CLUSTER)? == other))?;
    stage.wait_until_ready(CLUSTER, 2)
}

fn rests(stage: &Stage) -> Result<()> {
    told(stage, &format!("pause {CLUSTER}"))?;
    // It hears of the two by different watches, in no order.
    std::thread::sleep(Duration::from_secs(1));
    let budget = format!("-n {NAMESPACE} delete pdb postgres-{CLUSTER}-pdb");
    stage.kubectl().run(&budget)?;
    std::thread::sleep(Duration::from_secs(6));
    let there = || {
        let name = stage.kubectl().value(
            &format!("-n {NAMESPACE} pdb postgres-{CLUSTER}-pdb"),
            ".metadata.name",
        );
        name.is_ok_and(|name| !name.is_empty())
    };
    ensure!(!there(), "a paused cluster was mended");
    told(stage, &format!("resume {CLUSTER}"))?;
    wait("the budget is made again", || Ok(there()))
}

fn restarts(stage: &Stage) -> Result<()> {
    let pods = [format!("{CLUSTER}-0"), format!("{CLUSTER}-1")];
    let before = [uid(stage, &pods[0])?, uid(stage, &pods[1])?];
    let replica = usize::from(stage.primary(CLUSTER)? == pods[0]);
    let asked = told(stage, &format!("restart {CLUSTER} --member {}", pods[replica]))?;
    ensure!(asked.contains(&pods[replica]), "{asked}");
    wait("the replica is made anew", || {
        Ok(uid(stage, &pods[replica]).is_ok_and(|uid| uid != before[replica]))
    })?;
    stage.wait_until_ready(CLUSTER, 2)?;
    ensure!(
        uid(stage, &pods[1 - replica])? == before[1 - replica],
        "the other member was not meant"
    );
    let (code, answer) = pgherd(stage, &format!("restart {CLUSTER} --member it-nobody"))?;
    ensure!(code == 2 && answer.contains("is no member"), "{code} {answer}");
    Ok(())
}
