//! Whether the database has the roles and databases that the manifest wants, and what is missing. Lives here: the two conditions.

use pgherd_model::finding::shorten;

use super::{DATABASES, ROLES, Subject, Verdict, kept, wanted};
use crate::assess::{Failure, Outcome};
use crate::plan::{Action, Hold, HoldReason, catalog_unwanted};
use crate::sql;

/// What is missing is named up to this many times.
const NAMED: usize = 5;
/// Longest text of one thing that is missing.
const LENGTH: usize = 200;

/// Which of the two conditions.
#[derive(Clone, Copy)]
struct Side {
    kind: &'static str,
    /// What is not managed, or as it shall be.
    what: &'static str,
    is_mine: fn(&sql::Subject) -> bool,
    /// A hold speaks of this side.
    holds: fn(&Hold) -> bool,
}

pub(super) fn roles_in_sync(subject: &Subject<'_>) -> Verdict {
    let side = Side {
        kind: ROLES,
        what: "roles",
        is_mine: sql::Subject::is_role,
        holds: |hold| !is_of_database(hold),
    };
    judge(subject, side)
}

pub(super) fn databases_in_sync(subject: &Subject<'_>) -> Verdict {
    let side = Side {
        kind: DATABASES,
        what: "databases",
        is_mine: |subject| !subject.is_role(),
        holds: is_of_database,
    };
    judge(subject, side)
}

fn is_of_database(hold: &Hold) -> bool {
    let text = hold.step.to_ascii_uppercase();
    ["DATABASE", "SCHEMA", "EXTENSION"]
        .iter()
        .any(|word| text.contains(word))
}

fn judge(subject: &Subject<'_>, side: Side) -> Verdict {
    let unmanaged = subject
        .manifest
        .cluster()
        .is_some_and(|cluster| catalog_unwanted(cluster, subject.config).is_some());
    if unmanaged || wanted(subject) == 0 {
        return Verdict::yes("NotManaged", format!("{} are not managed here", side.what));
    }
    // Nothing is concluded from silence.
    if let Some(why) = subject.observed.catalog.unknown() {
        return kept(subject, side.kind).unwrap_or_else(|| Verdict::unknown("CatalogUnknown", why));
    }
    let failures = subject
        .outcome
        .failures()
        .iter()
        .filter(|failure| is_of(failure, side));
    let failed: Vec<String> = failures.map(line).collect();
    if !failed.is_empty() {
        return Verdict::no("Failed", listed(&failed));
    }
    let pending: Vec<String> = pending(subject, side);
    if !pending.is_empty() && !matches!(subject.outcome, Outcome::Done) {
        return Verdict::no("Differs", format!("not done yet: {}", listed(&pending)));
    }
    let held: Vec<String> = subject
        .plan
        .holds
        .iter()
        .filter(|hold| matches!(hold.reason, HoldReason::Lacking(_)) && (side.holds)(hold))
        .map(ToString::to_string)
        .collect();
    if !held.is_empty() {
        return Verdict::no("Lacking", listed(&held));
    }
    Verdict::yes(
        "InSync",
        format!("{} are as they are wanted{}", side.what, remarks(subject, side)),
    )
}

fn is_of(failure: &Failure, side: Side) -> bool {
    failure.subject.as_ref().is_some_and(side.is_mine)
}

fn line(failure: &Failure) -> String {
    let text = match &failure.subject {
        Some(subject) => format!("{subject}: {}", failure.error),
        None => failure.to_string(),
    };
    shorten(&text, LENGTH)
}

/// What the plan's statements are about, each once.
fn pending(subject: &Subject<'_>, side: Side) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for step in &subject.plan.steps {
        if let Action::RunSql { subject, .. } = &step.action {
            let name = subject.to_string();
            if (side.is_mine)(subject) && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// What does not keep anybody from working, and should be known: sources that were not heard, circles, roles that stay.
fn remarks(subject: &Subject<'_>, side: Side) -> String {
    let is_remark = |hold: &&Hold| {
        matches!(hold.reason, HoldReason::Unheard { .. } | HoldReason::Conflict(_)) && (side.holds)(hold)
    };
    let remarks: Vec<String> = subject
        .plan
        .holds
        .iter()
        .filter(is_remark)
        .map(|hold| shorten(&hold.to_string(), LENGTH))
        .collect();
    if remarks.is_empty() {
        return String::new();
    }
    format!("; {}", listed(&remarks))
}

fn listed(texts: &[String]) -> String {
    let mut shown = texts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if texts.len() > NAMED {
        shown = format!("{shown}; and {} more", texts.len() - NAMED);
    }
    shown
}
