//! Which changes of a cluster reach the webhook, and what is said about those that change no spec: scale, deletion, the controller's id.

use anyhow::{Result, ensure};

use super::Test;
use super::stage::{NAMESPACE, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[("scale_deletion_and_handing_over_are_told", are_told)];

const CLUSTER: &str = "it-reviews";

fn are_told(stage: &Stage) -> Result<()> {
    let strict = "teamId: it\npatroni:\n  synchronous_mode: true\n  synchronous_mode_strict: true";
    stage.kubectl().apply(&manifest(CLUSTER, 0, strict))?;
    let told = tell(stage);
    stage.delete(CLUSTER)?;
    told
}

fn tell(stage: &Stage) -> Result<()> {
    // In a dry run, and each with the rule that speaks. Scaling is refused by what the manifest says elsewhere.
    let rows = [
        ("annotate", "acid.zalan.do/controller=another", "PGV-053"),
        ("scale", "--replicas=1", "PGV-046"),
        ("delete", "", "PGV-123"),
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
