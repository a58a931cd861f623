//! Everything that the programs say, in one place: logs, events, statuses, what is made of the cluster, metrics, the HTTP interface, and the
//! command line. Must not: what is looked for.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::built::built;
use serde_json::Value;

use super::{MORE, Markers, SPEC};
use crate::stage::{NAMESPACE, Stage, manifest};

const PROGRAMS: [&str; 2] = ["pgherd-controller", "pgherd-webhook"];
/// How a verifier begins; none is to be told either.
const VERIFIER: &str = "SCRAM-SHA-256$";
/// What the webhook and the controller listen on for metrics, and the controller for Zalando's interface.
const ADMIN: u16 = 8081;
const API: u16 = 8080;

/// A text and where it was said.
struct Said {
    place: String,
    text: String,
}

/// Looks for every marker in all that was said so far.
pub(super) fn search(stage: &Stage, cluster: &str, markers: &Markers<'_>) -> Result<()> {
    let said = all(stage, cluster)?;
    let mut leaks = Vec::new();
    for Said { place, text } in &said {
        ensure!(!text.trim().is_empty(), "{place} says nothing");
        let found = markers
            .forms()
            .filter(|(_, marker)| text.contains(marker.as_str()));
        leaks.extend(found.map(|(what, _)| format!("{place} tells {what}")));
        if text.contains(VERIFIER) {
            leaks.push(format!("{place} tells a verifier"));
        }
    }
    leaks.dedup();
    ensure!(leaks.is_empty(), "{}", leaks.join("; "));
    // What is no secret is found where it is told.
    let named = said.iter().filter(|it| it.text.contains(cluster)).count();
    ensure!(named * 2 > said.len(), "only {named} places speak of {cluster}");
    let bytes: usize = said.iter().map(|it| it.text.len()).sum();
    let places = said.len();
    eprintln!(
        "{bytes} bytes in {places} places tell none of {} secrets",
        markers.planted.len()
    );
    Ok(())
}

fn all(stage: &Stage, cluster: &str) -> Result<Vec<Said>> {
    let mut said = Vec::new();
    let mut run = |place: &str, line: &str| -> Result<()> {
        let text = stage.kubectl().run(line).with_context(|| place.to_owned())?;
        let place = place.to_owned();
        said.push(Said { place, text });
        Ok(())
    };
    for program in PROGRAMS {
        run(
            &format!("the log of {program}"),
            &format!("-n pgherd logs deployment/{program} --all-pods --tail=-1"),
        )?;
        let pod = format!("-n pgherd get pods -l app.kubernetes.io/name={program} -o name");
        let pods = stage.kubectl().run(&pod)?;
        for pod in pods.lines().filter_map(|line| line.strip_prefix("pod/")) {
            let path = format!("/api/v1/namespaces/pgherd/pods/{pod}:{ADMIN}/proxy/metrics");
            run(&format!("metrics of {program}"), &format!("get --raw {path}"))?;
            if program == PROGRAMS[0] {
                for path in paths(cluster) {
                    let whole = format!("/api/v1/namespaces/pgherd/pods/{pod}:{API}/proxy{path}");
                    run(&path, &format!("get --raw {whole}"))?;
                }
            }
        }
    }
    run("the events", "get events -A -o json")?;
    run(
        "what is made of the cluster",
        &format!(
            "-n {NAMESPACE} get statefulset,pod,service,configmap,endpoints,pdb,pvc -l cluster-name={cluster} -o json"
        ),
    )?;
    said.push(of_object(stage, cluster)?);
    said.extend(of_command_line(stage, cluster)?);
    Ok(said)
}

/// Of Zalando's interface.
fn paths(cluster: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/status/",
        "/config/",
        "/clusters/",
        "/clusters/it/",
        "/databases/",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(["", "logs/", "history/"].map(|tail| format!("/clusters/{NAMESPACE}/{cluster}/{tail}")));
    paths.extend(
        ["all/queue/", "all/status/", "0/logs/", "1/logs/", "0/queue/"]
            .map(|tail| format!("/workers/{tail}")),
    );
    paths
}

/// What the programs have written into the object itself.
fn of_object(stage: &Stage, cluster: &str) -> Result<Said> {
    let object = stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get postgresql {cluster} -o json"))?;
    let object: Value = serde_json::from_str(&object)?;
    let text = format!("{} {}", object["status"], object["metadata"]);
    let place = "the object's status".to_owned();
    Ok(Said { place, text })
}

/// Every verb that asks, and the plan of an edit with new roles and their passwords.
fn of_command_line(stage: &Stage, cluster: &str) -> Result<Vec<Said>> {
    let file = stage.local.state.join("it-markers.yaml");
    let more = SPEC.replace("  vaulted: []", "  vaulted: []\n  planned: []");
    std::fs::write(&file, manifest(cluster, 1, &format!("{more}\n{MORE}")))?;
    let edited = format!("plan {cluster} --databases --manifest {}", file.display());
    let lines = [
        format!("plan {cluster}"),
        format!("plan {cluster} --databases"),
        edited.clone(),
        format!("{edited} --format json"),
        format!("status {cluster}"),
        format!("status {cluster} --format json"),
        format!("snapshot {cluster}"),
    ];
    let program = built("pgherd")?;
    let told = lines.into_iter().map(|line| {
        let output = Command::new(&program)
            .args(line.split_whitespace())
            .args(["-n", NAMESPACE, "--kubeconfig"])
            .arg(stage.local.cluster.kubeconfig())
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let text = format!("{}{}", text(&output.stdout), text(&output.stderr));
        let place = format!("pgherd {line}");
        if line == edited {
            ensure!(text.contains("planned"), "{place}: {text}");
        }
        Ok(Said { place, text })
    });
    told.collect()
}
