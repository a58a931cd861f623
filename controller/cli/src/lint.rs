//! Files under the webhook's own review. Must not: rules; they are in the model.

use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::validate;
use serde_json::json;

use crate::Verdict;
use crate::args::{LintArgs, Output};
use crate::configuration;
use crate::error::CliError;
use crate::finding::{self, Finding, Report, Severity};
use crate::input::{self, Document, Sort};
use crate::printer::{Printer, TITLE};

/// Looks at every file, whatever is wrong with the others.
pub(crate) fn lint(args: &LintArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let config = configuration::load(args.config.as_deref())?;
    let (mut reports, mut unread) = (Vec::new(), Vec::new());
    for file in &args.files {
        match input::read(file) {
            Ok(documents) => reports.extend(documents.iter().map(|document| report(document, &config))),
            Err(error) => unread.push(error),
        }
    }
    let count = |severity| reports.iter().map(|report| report.count(severity)).sum::<usize>();
    let (refused, warnings) = (count(Severity::Refused), count(Severity::Warning));
    let answer = match args.output {
        Output::Text => text(&reports, refused, warnings),
        Output::Json => {
            let errors: Vec<String> = unread.iter().map(ToString::to_string).collect();
            let answer =
                json!({"refused": refused, "warnings": warnings, "documents": reports, "errors": errors});
            format!("{answer:#}\n")
        }
    };
    printer.answer(&answer)?;
    for error in &unread {
        printer.error(error)?;
    }
    Ok(match refused {
        _ if !unread.is_empty() => Verdict::Unusable,
        0 => Verdict::Fine,
        _ => Verdict::Refused,
    })
}

/// What admission would say about one document. Defaults come first, as there.
pub(crate) fn report(document: &Document, config: &OperatorConfig) -> Report {
    let object = &document.object;
    let review = match document.sort() {
        Sort::Cluster => validate::review(object, None, config),
        Sort::OperatorConfiguration => configuration_review(document, Form::Crd),
        Sort::OperatorConfigMap => configuration_review(document, Form::ConfigMap),
        Sort::Stray => return Report::of(document, Some(vec![stray(document)])),
        Sort::Other => return Report::of(document, None),
    };
    Report::of(document, Some(finding::of_review(&review)))
}

fn configuration_review(document: &Document, form: Form) -> validate::Review {
    validate::operator_configuration(&document.object, None, form, document.namespace())
}

fn stray(document: &Document) -> Finding {
    let (version, kind) = (document.text("/apiVersion"), document.text("/kind"));
    if version.is_empty() || kind.is_empty() {
        return Finding::refused(
            ".",
            "is no Kubernetes object; apiVersion and kind are missing".to_owned(),
        );
    }
    let message = format!(
        "{version} has no kind {kind}; with acid.zalan.do/v1 it is postgresql, OperatorConfiguration or PostgresTeam"
    );
    Finding::refused("kind", message)
}

fn text(reports: &[Report], refused: usize, warnings: usize) -> String {
    let mut text: String = reports.iter().map(Report::text).collect();
    let hint = if refused + warnings == 0 {
        ""
    } else {
        "; `pgherd explain ID` says why"
    };
    let plural = if warnings == 1 { "" } else { "s" };
    let sum = format!("{TITLE}{refused} would be refused, {warnings} warning{plural}{TITLE:#}{hint}\n");
    text.push_str(&sum);
    text
}
