//! What is found in a document, and how it looks. Must not: find anything.

use std::fmt::Write;

use clap::builder::styling::Style;
use pgherd_model::finding::Violation;
use pgherd_model::validate::Review;
use serde::Serialize;

use crate::input::Document;
use crate::printer::{BAD, DOUBTFUL, GOOD, QUIET, TITLE, plain};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Refused,
    Warning,
}

#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Empty where no rule has a name: shape of the document, remarks on a configuration.
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) message: String,
}

/// One document and everything that was found in it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    file: String,
    document: usize,
    kind: String,
    namespace: String,
    name: String,
    /// It is of a kind that can be looked at.
    checked: bool,
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// `findings` is none for a document that was skipped.
    pub(crate) fn of(document: &Document, findings: Option<Vec<Finding>>) -> Self {
        Self {
            file: document.file.clone(),
            document: document.number,
            kind: document.text("/kind").to_owned(),
            namespace: document.text("/metadata/namespace").to_owned(),
            name: document.name().to_owned(),
            checked: findings.is_some(),
            findings: findings.unwrap_or_default(),
        }
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
        let (style, word) = match self.findings.is_empty() {
            _ if !self.checked => (QUIET, " skipped: not pgherd's"),
            true => (GOOD, " ok"),
            false => (Style::new(), ""),
        };
        let mut text = format!("{TITLE}{}{TITLE:#}{style}{word}{style:#}\n", plain(&place));
        for finding in &self.findings {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "  {}", finding.line());
        }
        text
    }
}

impl Finding {
    pub(crate) fn refused(path: &str, message: String) -> Self {
        Self {
            severity: Severity::Refused,
            rule: String::new(),
            path: path.to_owned(),
            message,
        }
    }

    fn violation(violation: &Violation) -> Self {
        Self {
            rule: violation.rule.to_owned(),
            ..Self::refused(&violation.path, violation.message.clone())
        }
    }

    /// A complete line of the review, taken apart: `path: message (rule)`, of which only the message is always there.
    fn warning(line: &str) -> Self {
        let (text, rule) = line
            .strip_suffix(')')
            .and_then(|text| text.rsplit_once(" ("))
            .filter(|(_, rule)| rule.starts_with("PG"))
            .unwrap_or((line, ""));
        let (path, message) = text
            .split_once(": ")
            .filter(|(path, _)| !path.contains(' '))
            .unwrap_or(("", text));
        Self {
            severity: Severity::Warning,
            rule: rule.to_owned(),
            path: path.to_owned(),
            message: message.to_owned(),
        }
    }

    fn line(&self) -> String {
        let (style, word) = match self.severity {
            Severity::Refused => (BAD, "refused"),
            Severity::Warning => (DOUBTFUL, "warning"),
        };
        let path = if self.path.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.path)
        };
        let rule = if self.rule.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.rule)
        };
        let text = plain(&format!("{path}{}", self.message)).replace('\n', " ");
        format!("{style}{word}{style:#} {text}{QUIET}{rule}{QUIET:#}")
    }
}

/// Everything that a review came to.
pub(crate) fn of_review(review: &Review) -> Vec<Finding> {
    let violations = review.violations.iter().map(Finding::violation);
    violations
        .chain(review.warnings.iter().map(|line| Finding::warning(line)))
        .collect()
}
