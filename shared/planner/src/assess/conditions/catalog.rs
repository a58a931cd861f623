//! Whether the database has the roles and databases that the manifest wants, and what is missing. Lives here: the two conditions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use pgherd_model::cluster::role;
use pgherd_model::finding::shorten;

use super::{DATABASES, ROLES, Subject, Verdict, kept, wanted};
use crate::assess::{Failure, Outcome};
use crate::plan::{Action, Hold, HoldReason, Matter, catalog_unwanted};
use crate::sql;

/// What is missing is named up to this many times.
const NAMED: usize = 5;
/// Longest text of one thing that is missing.
const LENGTH: usize = 200;
/// How the refusal of a login ends, as the controller words it: class 28 of the server's codes.
const LOGIN_REFUSED: &str = "(SQLSTATE 28";

/// Which of the two conditions.
#[derive(Clone, Copy)]
struct Side {
    kind: &'static str,
    /// What is not managed, or as it shall be.
    what: &'static str,
    is_mine: fn(&sql::Subject) -> bool,
    /// A hold speaks of this side.
    holds: fn(&Matter) -> bool,
    /// What else is to be said of it, whatever came of the turn.
    skipped: fn(&Subject<'_>) -> Vec<String>,
}

pub(super) fn roles_in_sync(subject: &Subject<'_>) -> Verdict {
    let side = Side {
        kind: ROLES,
        what: "roles",
        is_mine: sql::Subject::is_role,
        holds: Matter::is_of_roles,
        skipped,
    };
    judge(subject, side)
}

pub(super) fn databases_in_sync(subject: &Subject<'_>) -> Verdict {
    let side = Side {
        kind: DATABASES,
        what: "databases",
        is_mine: |subject| !subject.is_role(),
        holds: Matter::is_of_databases,
        skipped: |_| Vec::new(),
    };
    judge(subject, side)
}

fn judge(subject: &Subject<'_>, side: Side) -> Verdict {
    let unmanaged = subject
        .manifest
        .cluster()
        .is_some_and(|cluster| catalog_unwanted(cluster, subject.config).is_some());
    if unmanaged || wanted(subject) == 0 {
        return Verdict::yes("NotManaged", format!("{} are not managed here", side.what));
    }
    if let Some(why) = subject.observed.catalog.unknown() {
        return unread(subject, side, why);
    }
    let verdict = compared(subject, side);
    let skipped = appended(&(side.skipped)(subject));
    Verdict {
        message: format!("{}{skipped}", verdict.message),
        ..verdict
    }
}

/// The catalog is known: what of it is not as it shall be.
fn compared(subject: &Subject<'_>, side: Side) -> Verdict {
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
    let missing = held(subject, side, is_missing);
    if !missing.is_empty() {
        return Verdict::no("Lacking", listed(&missing));
    }
    let silent = held(subject, side, |hold| {
        matches!(hold.reason, HoldReason::SourceUnknown { .. })
    });
    if !silent.is_empty() {
        return Verdict::unknown("Unread", listed(&silent));
    }
    let remarks = held(subject, side, is_remark);
    let remarks = appended(&remarks);
    Verdict::yes("InSync", format!("{} are as they are wanted{remarks}", side.what))
}

/// Nothing is concluded from that nobody could be asked. Of one who was asked and does not answer it is not known how he is, and one who does not
/// let us in is not as he is wanted.
fn unread(subject: &Subject<'_>, side: Side, why: &str) -> Verdict {
    if why.contains(LOGIN_REFUSED) {
        return Verdict::no("LoginRefused", why);
    }
    let patroni = subject.observed.patroni.known();
    let was_asked = patroni.is_some_and(|patroni| patroni.running_leader().is_some());
    kept(subject, side.kind)
        .filter(|_| !was_asked)
        .unwrap_or_else(|| Verdict::unknown("CatalogUnknown", why))
}

fn held(subject: &Subject<'_>, side: Side, counts: fn(&Hold) -> bool) -> Vec<String> {
    let holds = subject.plan.holds.iter();
    holds
        .filter(|hold| counts(hold) && (side.holds)(&hold.matter))
        .map(|hold| shorten(&hold.to_string(), LENGTH))
        .collect()
}

/// Something that is wanted is not there, and this is why.
fn is_missing(hold: &Hold) -> bool {
    match hold.reason {
        HoldReason::Lacking(_) | HoldReason::NotOurs(_) => true,
        HoldReason::Conflict(_) => hold.matter.makes(),
        _ => false,
    }
}

/// What does not keep anybody from working, and should be known: sources that were not heard, circles, roles that stay, passwords that wait for
/// their window.
fn is_remark(hold: &Hold) -> bool {
    matches!(
        hold.reason,
        HoldReason::Unheard { .. } | HoldReason::Conflict(_) | HoldReason::OutsideWindows
    )
}

/// Definitions of roles that do not count, because another does or because Postgres cannot have them.
fn skipped(subject: &Subject<'_>) -> Vec<String> {
    let findings = subject.manifest.cluster().into_iter().flat_map(|it| &it.findings);
    findings
        .filter(|finding| role::is_skipped(&finding.reason))
        .map(|finding| shorten(&finding.to_string(), LENGTH))
        .collect()
}

/// What a turn finds out of definitions that do not count, each a reason and a text, and has not been said before, as the condition tells that was
/// stored and the one that will be: they come up without an edit, when somebody else defines a role of that name. One text for all, none where
/// nothing is new.
pub fn newly_skipped(
    remarks: &[(String, String)],
    before: &[Condition],
    after: &[Condition],
) -> Option<String> {
    let message = |conditions: &[Condition]| {
        let found = conditions.iter().find(|condition| condition.type_ == ROLES);
        found
            .map(|condition| condition.message.clone())
            .unwrap_or_default()
    };
    let (before, after) = (message(before), message(after));
    if before == after {
        return None;
    }
    let is_new = |text: &&String| !before.contains(&shorten(text, LENGTH));
    let skipped = remarks.iter().filter(|(reason, _)| role::is_skipped(reason));
    let new: Vec<String> = skipped.map(|(_, text)| text).filter(is_new).cloned().collect();
    (!new.is_empty()).then(|| listed(&new))
}

fn appended(texts: &[String]) -> String {
    if texts.is_empty() {
        return String::new();
    }
    format!("; {}", listed(texts))
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

fn listed(texts: &[String]) -> String {
    let mut shown = texts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if texts.len() > NAMED {
        shown = format!("{shown}; and {} more", texts.len() - NAMED);
    }
    shown
}
