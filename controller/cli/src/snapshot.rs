//! What the controller sees of a cluster, as a file that can be mailed and planned from. Must not: hold a secret.

use pgherd_planner::observed::Observed;
use pgherd_planner::redact::{Veil, veil};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Verdict;
use crate::args::online::SnapshotArgs;
use crate::error::CliError;
use crate::online::{Server, look};
use crate::printer::Printer;

/// The form of the file.
const FORMAT: u32 = 1;

/// One cluster at one moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    format: u32,
    /// As stored, but for keys: see [`veil`].
    pub(crate) manifest: Value,
    pub(crate) observed: Observed,
}

pub(crate) async fn snapshot(args: &SnapshotArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    let (survey, _) = server.survey(&args.under).await?;
    let sight = look(&survey, &server.named(&args.cluster), None).await?;
    let text = Snapshot::of(sight.manifest, sight.observed).text();
    printer.answer(&format!("{text}\n"))?;
    Ok(Verdict::Fine)
}

impl Snapshot {
    /// What was found hides its keys itself.
    fn of(mut manifest: Value, observed: Observed) -> Self {
        veil(&mut manifest, Veil::Telling);
        Self {
            format: FORMAT,
            manifest,
            observed,
        }
    }

    fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

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

#[cfg(test)]
mod tests;
