//! What the controller sees of a cluster, as a file that can be mailed and planned from. Must not: hold a secret.

use pgherd_planner::observed::Observed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Verdict;
use crate::args::online::SnapshotArgs;
use crate::error::CliError;
use crate::online::{Server, look};
use crate::printer::Printer;

/// The form of the file.
const FORMAT: u32 = 1;
/// Stands for a value that is not shown; taken as equal to any.
const HIDDEN: &str = "(hidden)";
/// A variable with one of these in its name may hold a key.
const SUSPICIOUS: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "KEY"];

/// One cluster at one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    format: u32,
    /// As stored, but for keys.
    pub(crate) manifest: Value,
    pub(crate) observed: Observed,
}

pub(crate) async fn snapshot(args: &SnapshotArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    let (survey, _) = server.survey(&args.under).await?;
    let sight = look(&survey, &server.named(&args.cluster), None).await?;
    let mut manifest = sight.manifest;
    hide(&mut manifest);
    let snapshot = Snapshot {
        format: FORMAT,
        manifest,
        observed: sight.observed,
    };
    let text = serde_json::to_string_pretty(&snapshot).unwrap_or_default();
    printer.answer(&format!("{text}\n"))?;
    Ok(Verdict::Fine)
}

impl Snapshot {
    pub(crate) fn read(file: &str) -> Result<Self, CliError> {
        let unusable = |problem: String| CliError::NoSnapshot {
            file: file.to_owned(),
            problem,
        };
        let text = std::fs::read_to_string(file).map_err(|source| CliError::Read {
            file: file.to_owned(),
            source,
        })?;
        let snapshot: Self = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        if snapshot.format != FORMAT {
            return Err(unusable(format!("its format is {}", snapshot.format)));
        }
        Ok(snapshot)
    }
}

/// Keys that stand in clear: of a clone's archive, in variables of whatever container, and in what somebody applied with kubectl.
fn hide(manifest: &mut Value) {
    if let Some(annotations) = manifest
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.retain(|name, _| name != "kubectl.kubernetes.io/last-applied-configuration");
    }
    // The last good spec holds what the spec held.
    if let Some(status) = manifest.pointer_mut("/status").and_then(Value::as_object_mut) {
        status.remove("lastGoodSpec");
    }
    if let Some(key) = manifest.pointer_mut("/spec/clone/s3_secret_access_key") {
        *key = Value::from(HIDDEN);
    }
    if let Some(spec) = manifest.get_mut("spec") {
        hide_variables(spec);
    }
}

fn hide_variables(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let name = fields
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_uppercase();
            if SUSPICIOUS.iter().any(|part| name.contains(part))
                && let Some(value) = fields.get_mut("value")
            {
                *value = Value::from(HIDDEN);
            }
            fields.values_mut().for_each(hide_variables);
        }
        Value::Array(items) => items.iter_mut().for_each(hide_variables),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_hidden_wherever_a_manifest_holds_them() {
        let mut manifest = json!({
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "swordfish", "a": "b"}},
            "spec": {
                "clone": {"cluster": "x", "s3_secret_access_key": "swordfish"},
                "env": [{"name": "api_token", "value": "swordfish"}, {"name": "PLAIN", "value": "seen"}],
                "sidecars": [{"name": "s", "env": [{"name": "DB_PASSWORD", "value": "swordfish"}]}],
            },
            "status": {"PostgresClusterStatus": "Running", "lastGoodSpec": {"env": [{"value": "swordfish"}]}},
        });
        hide(&mut manifest);
        let text = manifest.to_string();
        assert!(!text.contains("swordfish"), "{text}");
        assert!(text.contains("seen") && text.contains("Running"), "{text}");
    }
}
