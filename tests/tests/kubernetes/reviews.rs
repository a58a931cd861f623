//! Which changes of a cluster reach the webhook, and what is said about those that change no spec: scale, deletion, labels, annotations.

use anyhow::{Result, ensure};

use super::Test;
use super::stage::{CONTROLLER, NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    ("scale_deletion_and_handing_over_are_told", are_told),
    (
        "finalizers_and_status_never_call_the_webhook",
        are_not_asked_about,
    ),
];

const CLUSTER: &str = "it-reviews";

fn are_told(stage: &Stage) -> Result<()> {
    let strict = "teamId: it\npatroni:\n  synchronous_mode: true\n  synchronous_mode_strict: true";
    stage.kubectl().apply(&manifest(CLUSTER, 0, strict))?;
    let told = tell(stage);
    let deleted = stage.delete(CLUSTER);
    told.and(deleted)
}

fn tell(stage: &Stage) -> Result<()> {
    // In a dry run, and each with the rule that speaks. Scaling is refused by what the manifest says elsewhere.
    let rows = [
        ("annotate", "acid.zalan.do/controller=another", "PGV-053"),
        ("scale", "--replicas=1", "PGV-046"),
        ("delete", "", "PGV-124"),
        ("annotate", "note=hello", ""),
        ("label", "reviewed=yes", ""),
    ];
    for (verb, more, rule) in rows {
        let object = format!("postgresql/{CLUSTER}");
        let words = ["-n", NAMESPACE, verb, object.as_str(), more, "--dry-run=server"];
        let words = words.into_iter().filter(|word| !word.is_empty());
        let said = stage.kubectl().call(words).notes();
        let notes = said.unwrap_or_else(|refusal| format!("refused: {refusal:#}"));
        let is_told = if rule.is_empty() {
            !notes.contains("Warning") && !notes.contains("refused")
        } else {
            notes.contains(rule)
        };
        ensure!(
            is_told,
            "kubectl {verb} {more} printed {notes:?}, expected {rule:?}"
        );
    }
    Ok(())
}

fn are_not_asked_about(stage: &Stage) -> Result<()> {
    stage.kubectl().apply(&manifest(CLUSTER, 0, "teamId: it"))?;
    // The controller would change things meanwhile.
    let asked = stage.without(CONTROLLER, || ask(stage));
    let deleted = stage.delete(CLUSTER);
    asked.and(deleted)
}

/// Each change with the entries that it calls.
fn ask(stage: &Stage) -> Result<()> {
    const STRICT: &str = "validate.postgresql.pgherd.io";
    const LENIENT: &str = "validate.metadata.pgherd.io";
    let rows = [
        ("", r#"{"metadata": {"finalizers": ["example.org/it"]}}"#, [0, 0]),
        ("status", r#"{"status": {"observedGeneration": 1}}"#, [0, 0]),
        ("", r#"{"metadata": {"labels": {"it": "x"}}}"#, [0, 1]),
        ("", r#"{"metadata": {"annotations": {"it": "x"}}}"#, [0, 1]),
        (
            "",
            r#"{"metadata": {"labels": {"it": "y"}}, "spec": {"numberOfInstances": 0, "users": {"it": []}}}"#,
            [1, 0],
        ),
        ("", r#"{"metadata": {"finalizers": null}}"#, [0, 0]),
    ];
    rows.into_iter().try_for_each(|(subresource, patch, expected)| {
        let before = [calls(stage, STRICT)?, calls(stage, LENIENT)?];
        let object = format!("postgresql/{CLUSTER}");
        let subresource = format!("--subresource={subresource}");
        let words = [
            "-n",
            NAMESPACE,
            "patch",
            &object,
            "--type=merge",
            "-p",
            patch,
            &subresource,
        ];
        let words = words.into_iter().filter(|word| *word != "--subresource=");
        stage.kubectl().call(words).output()?;
        let made = [
            calls(stage, STRICT)? - before[0],
            calls(stage, LENIENT)? - before[1],
        ];
        ensure!(made == expected, "{patch} called {made:?}, expected {expected:?}");
        Ok(())
    })
}

/// How often the API server has called an entry.
fn calls(stage: &Stage, entry: &str) -> Result<u64> {
    let metrics = stage.kubectl().run("get --raw /metrics")?;
    let entry = format!("name=\"{entry}\"");
    let counts = metrics
        .lines()
        .filter(|line| {
            line.starts_with("apiserver_admission_webhook_request_total{") && line.contains(&entry)
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}
