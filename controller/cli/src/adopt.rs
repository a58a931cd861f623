//! Whether clusters can be taken over as they run, one by one. Must not: judge; that is `planner::adopt`.

use std::fmt::Write;

use pgherd_controller::manifest::Meaning;
use pgherd_controller::survey::Sight;
use pgherd_planner::adopt::{Adoption, Verdict as Word, judge};
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::ListFormat;
use crate::args::online::AdoptArgs;
use crate::definition::Definition;
use crate::error::CliError;
use crate::online::{Server, look};
use crate::printer::{BAD, DOUBTFUL, GOOD, Printer, QUIET, TITLE, plain};

/// One cluster and what taking it over would mean.
struct Checked {
    cluster: String,
    adoption: Adoption,
    /// What is wrong with the manifest.
    violations: Vec<String>,
}

pub(crate) async fn adopt(args: &AdoptArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    let (survey, config) = server.survey(&args.under).await?;
    let definition = Definition::found(&server, &config).await?;
    let mut checked = Vec::new();
    for cluster in server.meant(&survey, &args.which).await? {
        checked.push(Checked::of(&look(&survey, &cluster, None).await?));
    }
    let answer = match args.format {
        ListFormat::Text => text(&checked) + &words(&definition),
        ListFormat::Json => format!(
            "{:#}\n",
            json!({
                "format": 1,
                "definition": match &definition {
                    Definition::Fits => Value::Null,
                    Definition::Remark(text) | Definition::Refused(text) => Value::from(text.as_str()),
                },
                "clusters": checked.iter().map(Checked::json).collect::<Vec<_>>(),
            })
        ),
    };
    printer.answer(&answer)?;
    let is_fine = checked.iter().all(|checked| checked.verdict() < Word::Disturbed)
        && !matches!(definition, Definition::Refused(_));
    Ok(if is_fine { Verdict::Fine } else { Verdict::Refused })
}

impl Checked {
    fn of(sight: &Sight) -> Self {
        let (adoption, violations) = match (sight.meaning.cluster(), &sight.desired, &sight.meaning) {
            (Some(cluster), Some(desired), Meaning::Valid { .. }) => {
                (judge(cluster, desired, &sight.observed, &sight.plan), Vec::new())
            }
            (_, _, meaning) => (Adoption::impossible(), violations(meaning)),
        };
        Self {
            cluster: sight.cluster.to_string(),
            adoption,
            violations,
        }
    }

    fn verdict(&self) -> Word {
        self.adoption.verdict
    }

    fn text(&self, width: usize) -> String {
        let verdict = self.verdict();
        let style = match verdict {
            Word::Ready => GOOD,
            Word::Absent => QUIET,
            Word::Disturbed => DOUBTFUL,
            Word::Refused => BAD,
        };
        let cluster = plain(&self.cluster);
        let mut text = format!("{TITLE}{cluster:width$}{TITLE:#}  {style}{verdict}{style:#}\n");
        let adoption = &self.adoption;
        let refusals = adoption.refusals.iter();
        let refusals = refusals.map(|refusal| format!("{refusal}: {}", refusal.remedy()));
        let prefixed = |prefix: &'static str, lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| format!("{prefix}{line}")).collect()
        };
        let lines = prefixed("its manifest cannot be used: ", &self.violations)
            .into_iter()
            .chain(refusals)
            .chain(prefixed("notices: ", &adoption.disturbances))
            .chain(prefixed("quietly: ", &adoption.changes))
            .chain(prefixed("waits: ", &adoption.held));
        for line in lines {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "  {}", plain(&line));
        }
        text
    }

    fn json(&self) -> Value {
        let (namespace, name) = self.cluster.split_once('/').unwrap_or_default();
        let adoption = &self.adoption;
        let refusals = adoption.refusals.iter().map(
            |refusal| json!({ "detail": refusal, "text": refusal.to_string(), "remedy": refusal.remedy() }),
        );
        json!({
            "namespace": namespace,
            "name": name,
            "verdict": adoption.verdict,
            "violations": self.violations,
            "refusals": refusals.collect::<Vec<_>>(),
            "disturbances": adoption.disturbances,
            "changes": adoption.changes,
            "held": adoption.held,
        })
    }
}

fn words(definition: &Definition) -> String {
    match definition {
        Definition::Fits => String::new(),
        Definition::Remark(text) => format!("{DOUBTFUL}note:{DOUBTFUL:#} {text}\n"),
        Definition::Refused(text) => format!("{BAD}refused:{BAD:#} {text}\n"),
    }
}

fn violations(meaning: &Meaning) -> Vec<String> {
    match meaning {
        Meaning::Valid { .. } => Vec::new(),
        Meaning::Invalid { violations, .. } => violations.iter().map(ToString::to_string).collect(),
    }
}

fn text(checked: &[Checked]) -> String {
    let width = checked
        .iter()
        .map(|checked| checked.cluster.chars().count())
        .max()
        .unwrap_or_default();
    let mut text: String = checked.iter().map(|checked| checked.text(width)).collect();
    let count = |word: Word| checked.iter().filter(|checked| checked.verdict() == word).count();
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "{TITLE}{} ready, {} would be disturbed, {} refused, {} not there yet{TITLE:#}",
        count(Word::Ready),
        count(Word::Disturbed),
        count(Word::Refused),
        count(Word::Absent)
    );
    text
}
