//! Files under the webhook's own review, and under the schema's. Must not: rules; they are in the model.

use std::fmt::Write;
use std::sync::LazyLock;

use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::crd::{self, check::Schema};
use pgherd_model::{default, validate};
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::{Format, LintArgs};
use crate::configuration;
use crate::error::CliError;
use crate::finding::{self, Finding, KIND, Report, Severity};
use crate::input::{self, Document, Sort};
use crate::printer::{Printer, TITLE};
use crate::sarif;

static CLUSTER: LazyLock<Schema> = LazyLock::new(|| Schema::of(&crd::postgresql()));
static CONFIGURATION: LazyLock<Schema> = LazyLock::new(|| Schema::of(&pgherd_model::config::schema::crd()));
static TEAM: LazyLock<Schema> = LazyLock::new(|| Schema::of(&crd::postgres_team()));

/// What the documents are looked at with.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) config: &'a OperatorConfig,
    /// The name of the operator's ConfigMap, where it is known.
    pub(crate) config_map: Option<&'a str>,
    /// What is stored now.
    pub(crate) stored: &'a [Document],
    /// Everything that is looked at: teams are one map together.
    pub(crate) all: &'a [Document],
}

/// Looks at every file, whatever is wrong with the others.
pub(crate) fn lint(args: &LintArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let config = configuration::load(args.config.as_deref(), args.config_map.as_deref())?;
    let stored = args.old.as_deref().map(input::read).transpose()?;
    let (mut documents, mut unread) = (Vec::new(), Vec::new());
    for file in &args.files {
        match input::read(file) {
            Ok(found) => documents.extend(found),
            Err(error) => unread.push(error),
        }
    }
    let setting = Setting {
        config: &config,
        config_map: args.config_map.as_deref(),
        stored: stored.as_deref().unwrap_or_default(),
        all: &documents,
    };
    let reports: Vec<Report> = documents
        .iter()
        .map(|document| report(document, &setting))
        .collect();
    let errors: Vec<String> = unread.iter().map(ToString::to_string).collect();
    let sum = Sum::of(&reports);
    printer.answer(&match args.format {
        Format::Text => text(&reports, &sum),
        Format::Json => format!("{:#}\n", as_json(&reports, &sum, &errors)),
        Format::Sarif => format!("{:#}\n", sarif::log(&reports, &errors)),
    })?;
    for error in &unread {
        printer.error(error)?;
    }
    Ok(match sum.refused {
        _ if !unread.is_empty() => Verdict::Unusable,
        0 => Verdict::Fine,
        _ => Verdict::Refused,
    })
}

/// What admission would say about one document. Defaults come first, as there.
pub(crate) fn report(document: &Document, setting: &Setting<'_>) -> Report {
    let (new, sort) = (&document.object, document.sort(setting.config_map));
    let old = stored(document, sort, setting);
    let findings = match sort {
        Sort::Cluster => {
            let completed = default::complete(new, old, setting.config);
            let before = old.map(|old| default::complete(old, None, setting.config));
            finding::of_review(
                &validate::review(new, old, setting.config),
                &CLUSTER.review(&completed, before.as_deref()),
            )
        }
        Sort::OperatorConfiguration => {
            let review = validate::operator_configuration(new, old, Form::Crd, document.namespace());
            finding::of_review(&review, &CONFIGURATION.review(new, old))
        }
        Sort::OperatorConfigMap => {
            let review = validate::operator_configuration(new, old, Form::ConfigMap, document.namespace());
            finding::of_review(&review, &[])
        }
        Sort::Team => {
            let review = validate::team(new, old, &teams(document, setting), setting.config);
            finding::of_review(&review, &TEAM.review(new, old))
        }
        Sort::Stray => vec![stray(document)],
        Sort::Other => return Report::of(document, None),
    };
    Report::of(document, Some(findings))
}

/// The stored object of the same kind, namespace and name.
fn stored<'a>(document: &Document, sort: Sort, setting: &Setting<'a>) -> Option<&'a Value> {
    let is_same = |other: &&Document| {
        other.sort(setting.config_map) == sort
            && (other.namespace(), other.name()) == (document.namespace(), document.name())
    };
    setting.stored.iter().find(is_same).map(|found| &found.object)
}

/// The teams of the same namespace, those that are stored and not given anew among them.
fn teams(document: &Document, setting: &Setting<'_>) -> Vec<Value> {
    let given = setting.all.iter();
    let kept = setting
        .stored
        .iter()
        .filter(|old| !setting.all.iter().any(|new| new.name() == old.name()));
    given
        .chain(kept)
        .filter(|other| other.sort(setting.config_map) == Sort::Team)
        .filter(|other| other.namespace() == document.namespace())
        .map(|other| other.object.clone())
        .collect()
}

fn stray(document: &Document) -> Finding {
    let (version, kind) = (document.text("/apiVersion"), document.text("/kind"));
    if version.is_empty() || kind.is_empty() {
        return Finding::refused(
            KIND,
            ".",
            "is no Kubernetes object; apiVersion and kind are missing".to_owned(),
        );
    }
    let message = format!(
        "{version} has no kind {kind}; with acid.zalan.do/v1 it is postgresql, OperatorConfiguration or PostgresTeam"
    );
    Finding::refused(KIND, "kind", message)
}

/// The object as admission and the API server would have it kept: what is decided once, and the schema's constants. None for what admission
/// does not fill in.
pub(crate) fn filled(document: &Document, setting: &Setting<'_>) -> Option<Value> {
    let sort = document.sort(setting.config_map);
    match sort {
        Sort::Cluster => {
            let old = stored(document, sort, setting);
            Some(CLUSTER.kept(&default::complete(&document.object, old, setting.config)))
        }
        Sort::OperatorConfiguration => Some(CONFIGURATION.kept(&document.object)),
        Sort::Team => Some(TEAM.kept(&document.object)),
        Sort::OperatorConfigMap | Sort::Stray | Sort::Other => None,
    }
}

struct Sum {
    refused: usize,
    warnings: usize,
    checked: usize,
    skipped: usize,
}

impl Sum {
    fn of(reports: &[Report]) -> Self {
        let count = |severity| reports.iter().map(|report| report.count(severity)).sum();
        let checked = reports.iter().filter(|report| report.checked).count();
        Self {
            refused: count(Severity::Refused),
            warnings: count(Severity::Warning),
            checked,
            skipped: reports.len() - checked,
        }
    }
}

fn as_json(reports: &[Report], sum: &Sum, errors: &[String]) -> Value {
    json!({
        "format": 1,
        "refused": sum.refused,
        "warnings": sum.warnings,
        "checked": sum.checked,
        "skipped": sum.skipped,
        "documents": reports,
        "errors": errors,
    })
}

fn text(reports: &[Report], sum: &Sum) -> String {
    let looked_at = reports.iter().filter(|report| report.checked);
    let mut text: String = looked_at.map(Report::text).collect();
    let plural = if sum.warnings == 1 { "" } else { "s" };
    let skipped = match sum.skipped {
        0 => String::new(),
        1 => "; 1 object of another kind skipped".to_owned(),
        count => format!("; {count} objects of other kinds skipped"),
    };
    let hint = if sum.refused + sum.warnings == 0 {
        ""
    } else {
        "; `pgherd explain ID` says why"
    };
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "{TITLE}{} would be refused, {} warning{plural}{TITLE:#}{skipped}{hint}",
        sum.refused, sum.warnings
    );
    text
}
