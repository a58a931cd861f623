//! What edits will do: the clusters of one file against those of another, in the words that the webhook warns with. Must not: know what an edit
//! does; that is `planner::impact`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgherd_planner::impact;

use crate::Verdict;
use crate::args::ImpactArgs;
use crate::configuration;
use crate::error::CliError;
use crate::input::{self, Document, Sort};
use crate::printer::{Printer, QUIET, TITLE, plain};

/// Namespace and name.
type Key = (String, String);

/// A title and lines for every cluster that one of the files has.
pub(crate) fn impact(args: &ImpactArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let config = configuration::load(args.config.as_deref(), None)?;
    let (old, new) = (clusters(&args.old)?, clusters(&args.new)?);
    let now = Timestamp::now();
    for (key, document) in &new {
        let lines = match old.get(key) {
            Some(stored) => impact::of_edit(&stored.object, &document.object, &config, now),
            None => vec!["is created".to_owned()],
        };
        show(key, &lines, printer)?;
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        show(key, &[format!("is not in {}: stays as it is", args.new)], printer)?;
    }
    Ok(Verdict::Fine)
}

fn clusters(file: &str) -> Result<BTreeMap<Key, Document>, CliError> {
    let mut documents = input::read(file)?;
    documents.retain(|document| document.sort(None) == Sort::Cluster);
    if documents.is_empty() {
        return Err(CliError::NoCluster {
            file: file.to_owned(),
        });
    }
    let keyed = |document: Document| {
        let key = (document.namespace().to_owned(), document.name().to_owned());
        (key, document)
    };
    Ok(documents.into_iter().map(keyed).collect())
}

fn show((namespace, name): &Key, lines: &[String], printer: &mut Printer) -> Result<(), CliError> {
    let title = plain(&format!("{namespace}/{name}"));
    let body = if lines.is_empty() {
        format!("  {QUIET}does nothing{QUIET:#}\n")
    } else {
        lines
            .iter()
            .flat_map(|line| ["  ".to_owned(), plain(line), "\n".to_owned()])
            .collect()
    };
    Ok(printer.answer(&format!("{TITLE}{title}{TITLE:#}\n{body}"))?)
}
