//! What an edit will do: told by kubectl when it is applied, before, and from files; and then done.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pgherd_tests::built::built;
use pgherd_tests::images;
use pgherd_tests::shell::Run;

use super::Test;
use super::stage::{NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    ("an_image_change_is_told_before_it_is_done", image_change_is_told),
    (
        "a_change_of_the_operators_configuration_is_counted",
        configuration_is_counted,
    ),
    ("what_was_told_is_done", told_is_done),
];

const CLUSTER: &str = "it-impact";
const ROLL: &str = "rolls 3 pods: replicas first, then 1 switchover (image)";
/// How long three members may take to be made anew; a limit against hanging.
const ROLLED: Duration = Duration::from_mins(8);

fn old() -> String {
    manifest(CLUSTER, 3, "teamId: it")
}

fn new() -> String {
    manifest(
        CLUSTER,
        3,
        &format!("teamId: it\ndockerImage: {}", images::POSTGRES_OTHER),
    )
}

fn apply(stage: &Stage, manifest: &str, more: &[&str]) -> Result<String> {
    let words = ["apply", "-f", "-"].iter().chain(more);
    stage.kubectl().call(words).stdin_text(manifest).notes()
}

fn image_change_is_told(stage: &Stage) -> Result<()> {
    let notes = apply(stage, &old(), &[])?;
    ensure!(
        !notes.contains("rolls"),
        "a creation is said to roll pods: {notes}"
    );
    let notes = apply(stage, &old(), &[])?;
    ensure!(
        !notes.contains("Warning"),
        "an apply that changes nothing is warned about: {notes}"
    );
    let notes = apply(stage, &new(), &["--dry-run=server"])?;
    let warning = format!("Warning: {ROLL}");
    ensure!(
        notes.lines().next() == Some(warning.as_str()),
        "kubectl --dry-run=server printed {notes:?}"
    );
    let told = from_files(stage)?;
    let expected = format!("{NAMESPACE}/{CLUSTER}\n  {ROLL}\n");
    ensure!(told == expected, "pgherd impact printed {told:?}");
    Ok(())
}

/// What the command line says about the stored manifest and the new one, under the operator's own configuration.
fn from_files(stage: &Stage) -> Result<String> {
    let directory = tempfile::tempdir().context("making a directory for manifests")?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = directory.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path.display().to_string())
    };
    let stored = stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get postgresql {CLUSTER} -o yaml"))?;
    let config = stage.kubectl().run("-n pgherd get configmap pgherd -o yaml")?;
    let (old, new, config) = (
        file("old.yaml", &stored)?,
        file("new.yaml", &new())?,
        file("config.yaml", &config)?,
    );
    Run::new(built("pgherd")?)
        .args(["impact", "--old", &old, "--new", &new, "--config", &config])
        .output()
}

fn configuration_is_counted(stage: &Stage) -> Result<()> {
    let patch = |image: &str| {
        let patch = format!("{{\"data\":{{\"docker_image\":\"{image}\"}}}}");
        let words = [
            "-n",
            "pgherd",
            "patch",
            "configmap",
            "pgherd",
            "--type=merge",
            "--dry-run=server",
            "-p",
        ];
        stage
            .kubectl()
            .call(words.into_iter().chain([patch.as_str()]))
            .notes()
    };
    let notes = patch(images::POSTGRES_OTHER)?;
    let first = notes.lines().next().unwrap_or_default();
    ensure!(
        first.starts_with("Warning: rolls ") && first.contains(" cluster"),
        "kubectl printed {notes:?}"
    );
    let notes = patch(images::POSTGRES)?;
    ensure!(
        !notes.contains("rolls"),
        "the image that is in force is said to roll: {notes:?}"
    );
    Ok(())
}

fn told_is_done(stage: &Stage) -> Result<()> {
    let outcome = told_and_done(stage);
    let deleted = stage.delete(CLUSTER);
    outcome.and(deleted)
}

fn told_and_done(stage: &Stage) -> Result<()> {
    apply(stage, &old(), &[])?;
    stage.wait_until_ready(CLUSTER, 3)?;
    let notes = apply(stage, &new(), &[])?;
    ensure!(
        notes.contains(&format!("Warning: {ROLL}")),
        "kubectl printed {notes:?}"
    );
    let pods = format!("-n {NAMESPACE} pods -l cluster-name={CLUSTER}");
    let rolled = |images: &str| {
        let images: Vec<&str> = images.split_whitespace().collect();
        images.len() == 3 && images.iter().all(|image| *image == images::POSTGRES_OTHER)
    };
    stage.kubectl().wait_for_value(
        &pods,
        ".items[*].spec.containers[0].image",
        ROLLED,
        rolled,
        |_| {},
    )?;
    stage.wait_until_ready(CLUSTER, 3)
}
