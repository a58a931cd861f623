//! Objects with what admission fills in, or only that. Must not: what is filled in; that is `model::default` and the CRD's schema.

use std::fmt::Write;

use json_patch::{PatchOperation, diff};
use serde_json::Value;

use crate::Verdict;
use crate::args::DefaultArgs;
use crate::configuration;
use crate::error::CliError;
use crate::input;
use crate::lint::{Setting, filled};
use crate::printer::{GOOD, Printer, QUIET, TITLE, plain};

pub(crate) fn default(args: &DefaultArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let config = configuration::load(args.config.as_deref(), None)?;
    let stored = args.old.as_deref().map(input::read).transpose()?;
    let documents = input::read(&args.file)?;
    let setting = Setting {
        config: &config,
        config_map: None,
        stored: stored.as_deref().unwrap_or_default(),
        all: &documents,
    };
    let mut shown = 0;
    for document in &documents {
        let Some(complete) = filled(document, &setting) else {
            continue;
        };
        shown += 1;
        let change = diff(&document.object, &complete);
        let text = if args.patch {
            format!("{}\n", serde_json::json!(change))
        } else if args.diff {
            let name = plain(document.name());
            format!(
                "{TITLE}{} {name}{TITLE:#}\n{}",
                document.text("/kind"),
                lines(&change.0)
            )
        } else {
            format!(
                "---\n{}",
                serde_yaml::to_string(&complete).map_err(CliError::Yaml)?
            )
        };
        printer.answer(&text)?;
    }
    if shown == 0 {
        return Err(CliError::NothingToFill {
            file: args.file.clone(),
        });
    }
    Ok(Verdict::Fine)
}

/// One line per field that comes or goes.
fn lines(operations: &[PatchOperation]) -> String {
    let mut text = String::new();
    for operation in operations {
        // Writing into a string cannot fail.
        let _ = match operation {
            PatchOperation::Add(added) => came(&mut text, added.path.as_str(), &added.value),
            // A null that becomes a constant.
            PatchOperation::Replace(replaced) => came(&mut text, replaced.path.as_str(), &replaced.value),
            PatchOperation::Remove(removed) => {
                let path = dotted(removed.path.as_str());
                writeln!(text, "  {QUIET}- {path}: null{QUIET:#}")
            }
            other => writeln!(text, "  {other}"),
        };
    }
    if text.is_empty() {
        text.push_str("  nothing to fill in\n");
    }
    text
}

fn came(text: &mut String, pointer: &str, value: &Value) -> std::fmt::Result {
    let (path, value) = (dotted(pointer), plain(&value.to_string()));
    writeln!(text, "  {GOOD}+ {path}: {value}{GOOD:#}")
}

/// `/spec/users/0` as `spec.users.0`.
fn dotted(pointer: &str) -> String {
    let steps = pointer.split('/').skip(1);
    let steps: Vec<String> = steps
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect();
    plain(&steps.join("."))
}
