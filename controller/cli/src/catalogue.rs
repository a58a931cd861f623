//! The rules, listed and explained. Must not: rules; they are in the model.

use std::fmt::Write;

use clap::builder::styling::Style;
use pgherd_model::validate::{self, Example, Rule, Severity, reference};
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::ListFormat;
use crate::error::CliError;
use crate::finding::BESIDE_RULES;
use crate::printer::{BAD, DOUBTFUL, GOOD, Printer, TITLE};

pub(crate) fn rules(format: ListFormat, printer: &mut Printer) -> Result<Verdict, CliError> {
    printer.answer(&match format {
        ListFormat::Text => table(),
        ListFormat::Json => format!("{:#}\n", as_json()),
    })?;
    Ok(Verdict::Fine)
}

fn table() -> String {
    let mut text = format!(
        "{TITLE}{:<8} {:<5} {:<32} DEMANDS{TITLE:#}\n",
        "RULE", "DOES", "LOOKED AT WHEN"
    );
    for rule in validate::rules() {
        let style = style(rule.severity);
        let (severity, when) = (reference::severity(rule.severity), reference::when(rule.when));
        // Writing into a string cannot fail, here and below.
        let _ = writeln!(
            text,
            "{:<8} {style}{severity:<5}{style:#} {when:<32} {}",
            rule.id, rule.demand
        );
    }
    text
}

fn as_json() -> Value {
    let row = |rule: &Rule| {
        json!({
            "id": rule.id,
            "severity": reference::severity(rule.severity),
            "when": reference::when(rule.when),
            "paths": rule.paths,
            "demand": rule.demand,
            "reason": rule.reason,
            "since": rule.since,
        })
    };
    validate::rules().map(row).collect()
}

fn style(severity: Severity) -> Style {
    if severity == Severity::Deny { BAD } else { DOUBTFUL }
}

pub(crate) fn explain(given: &str, printer: &mut Printer) -> Result<Verdict, CliError> {
    let id = full(given);
    if let Some(rule) = validate::rule(&id) {
        printer.answer(&page(rule))?;
    } else if let Some((id, demand, advice)) = BESIDE_RULES.iter().find(|row| row.0 == id) {
        printer.answer(&format!("{TITLE}{id}{TITLE:#}  {demand}\n\n{advice}\n"))?;
    } else {
        return Err(CliError::UnknownRule {
            given: given.to_owned(),
            nearest: nearest(&id),
        });
    }
    Ok(Verdict::Fine)
}

/// The id as the catalogue spells it: in capitals, with three digits; a bare number is a rule for manifests.
fn full(given: &str) -> String {
    let given = given.trim().to_uppercase();
    let (prefix, number) = given.rsplit_once('-').unwrap_or(("PGV", &given));
    match number.parse::<u16>() {
        Ok(number) => format!("{prefix}-{number:03}"),
        Err(_) => given,
    }
}

fn nearest(id: &str) -> &'static str {
    let rules = validate::rules().map(|rule| rule.id);
    let ids = rules.chain(BESIDE_RULES.iter().map(|row| row.0));
    ids.min_by_key(|known| strsim::osa_distance(id, known))
        .expect("the catalogue has rules")
}

fn page(rule: &Rule) -> String {
    let style = style(rule.severity);
    let (severity, when) = (reference::severity(rule.severity), reference::when(rule.when));
    let mut text = format!(
        "{TITLE}{}{TITLE:#}  {}\n\n{}\n\n",
        rule.id, rule.demand, rule.reason
    );
    if !rule.paths.is_empty() {
        let _ = writeln!(text, "Fields:         {}", rule.paths.join(", "));
    }
    let _ = writeln!(text, "Severity:       {style}{severity}{style:#}");
    let _ = writeln!(text, "Looked at when: {when}");
    let _ = writeln!(text, "Since:          {}", rule.since);
    // Rules of the operator's parser have none.
    if !rule.rejects.manifest.is_empty() {
        let _ = write!(text, "\n{GOOD}Keeps it{GOOD:#}{}", example(&rule.accepts));
        let _ = write!(text, "\n{style}Breaks it{style:#}{}", example(&rule.rejects));
    }
    text
}

fn example(example: &Example) -> String {
    let settings: Vec<String> = example
        .config
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut text = if settings.is_empty() {
        ":\n".to_owned()
    } else {
        format!(
            ", with {} in the operator's configuration:\n",
            settings.join(", ")
        )
    };
    let parts = match example.stored {
        Some(stored) => vec!["# stored", stored, "# new", example.manifest],
        None => vec![example.manifest],
    };
    for line in parts.iter().flat_map(|part| part.lines()) {
        let _ = writeln!(text, "  {line}");
    }
    text
}
