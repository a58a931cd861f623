//! What is found in a document, and how it looks to people and to programs. Must not: find anything.

use std::fmt::Write;

use clap::builder::styling::Style;
use pgherd_model::crd::check;
use pgherd_model::finding::Violation;
use pgherd_model::validate::Review;
use serde::Serialize;

use crate::input::Document;
use crate::places::Place;
use crate::printer::{BAD, DOUBTFUL, GOOD, QUIET, TITLE, plain};

/// Findings that no rule of the catalogue names: id, demand, and where to read on.
pub(crate) const BESIDE_RULES: &[(&str, &str, &str)] = &[
    (
        check::RULE,
        "Every value is one that the schema of the CRD allows.",
        "The API server itself refuses it, before any webhook is asked, and no setting of the operator can allow it. The message says what \
         the schema wants; deploy/kustomize/crds holds it.",
    ),
    (
        KIND,
        "An object is of a kind that there is.",
        "kubectl would say that it knows no such kind. Ours are postgresql, OperatorConfiguration and PostgresTeam, all of acid.zalan.do/v1.",
    ),
    (
        NOTE,
        "Something is worth knowing.",
        "Nothing is refused. The message says what is done with the value instead.",
    ),
];

/// No such kind.
pub(crate) const KIND: &str = "KIND";
/// A remark without a rule.
const NOTE: &str = "NOTE";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Refused,
    Warning,
}

#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) message: String,
    /// Absent where the text could not be followed.
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
}

/// One document and everything that was found in it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) file: String,
    document: usize,
    kind: String,
    namespace: String,
    pub(crate) name: String,
    /// It is of a kind that can be looked at.
    pub(crate) checked: bool,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// `findings` is none for a document that was skipped.
    pub(crate) fn of(document: &Document, findings: Option<Vec<Finding>>) -> Self {
        let mut report = Self {
            file: document.file.clone(),
            document: document.number,
            kind: document.text("/kind").to_owned(),
            namespace: document.text("/metadata/namespace").to_owned(),
            name: document.name().to_owned(),
            checked: findings.is_some(),
            findings: findings.unwrap_or_default(),
        };
        for finding in &mut report.findings {
            finding.place = document.place(&finding.path);
        }
        report
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    pub(crate) fn text(&self) -> String {
        let place = format!(
            "{}, document {}: {} {}",
            self.file, self.document, self.kind, self.name
        );
        let (style, word) = if self.findings.is_empty() {
            (GOOD, " ok")
        } else {
            (Style::new(), "")
        };
        let mut text = format!("{TITLE}{}{TITLE:#}{style}{word}{style:#}\n", plain(&place));
        for finding in &self.findings {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "  {}", finding.line(&self.file));
        }
        text
    }
}

impl Finding {
    pub(crate) fn refused(rule: &str, path: &str, message: String) -> Self {
        Self {
            severity: Severity::Refused,
            rule: rule.to_owned(),
            path: path.to_owned(),
            message,
            place: None,
        }
    }

    fn violation(violation: &Violation) -> Self {
        Self::refused(violation.rule, &violation.path, violation.message.clone())
    }

    /// A complete line of the review, taken apart: `not enforced: path: message (rule)`, of which only the message is always there.
    fn warning(line: &str) -> Self {
        let (text, rule) = line
            .strip_suffix(')')
            .and_then(|text| text.rsplit_once(" ("))
            .filter(|(_, rule)| rule.starts_with("PG"))
            .unwrap_or((line, NOTE));
        let (mark, text) = match text.strip_prefix(NOT_ENFORCED) {
            Some(rest) => (NOT_ENFORCED, rest),
            None => ("", text),
        };
        let (path, message) = text
            .split_once(": ")
            .filter(|(path, _)| !path.contains(' '))
            .unwrap_or(("", text));
        Self {
            severity: Severity::Warning,
            rule: rule.to_owned(),
            path: path.to_owned(),
            message: format!("{mark}{message}"),
            place: None,
        }
    }

    /// `file:line:column word path: message (rule)`: terminals and editors make a link of the first part.
    fn line(&self, file: &str) -> String {
        let (style, word) = match self.severity {
            Severity::Refused => (BAD, "refused"),
            Severity::Warning => (DOUBTFUL, "warning"),
        };
        let place = self.place.map_or_else(String::new, |place| {
            format!("{}:{}:{} ", plain(file), place.line, place.column)
        });
        let path = if self.path.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.path)
        };
        let text = plain(&format!("{path}{}", self.message)).replace('\n', " ");
        let rule = &self.rule;
        format!("{QUIET}{place}{QUIET:#}{style}{word}{style:#} {text} {QUIET}({rule}){QUIET:#}")
    }
}

/// In front of what would be refused under another profile.
const NOT_ENFORCED: &str = "not enforced: ";

/// Everything that a review came to, and what only the schema refuses: where a rule speaks of a field already, its words are better.
pub(crate) fn of_review(review: &Review, schema: &[Violation]) -> Vec<Finding> {
    let is_said = |found: &&Violation| {
        let mut rules = review.violations.iter();
        rules.any(|rule| is_at_or_below(&rule.path, &found.path) || is_item(&found.path, &rule.path))
    };
    let violations = review.violations.iter();
    let further = schema.iter().filter(|found| !is_said(found));
    let mut refused: Vec<&Violation> = violations.chain(further).collect();
    refused.sort();
    let warnings = review.warnings.iter().map(|line| Finding::warning(line));
    refused
        .into_iter()
        .map(Finding::violation)
        .chain(warnings)
        .collect()
}

fn is_at_or_below(path: &str, place: &str) -> bool {
    let below = path.strip_prefix(place);
    place == "." || below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `spec.users.app[0]` of `spec.users.app`.
fn is_item(path: &str, list: &str) -> bool {
    let below = path.strip_prefix(list);
    below.is_some_and(|rest| rest.starts_with('[') && rest.find(']') == Some(rest.len() - 1))
}
