//! Which events a turn gives, by Zalando's reasons: one per kind of step, or as many as it takes to name them all.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use pgherd_model::api::status::ClusterStatus;
use pgherd_model::cluster::role::ROLE_SKIPPED;
use pgherd_planner::assess::{newly_skipped, roll_reason};
use pgherd_planner::plan::{Action, Step};

use super::Report;
use crate::context::Context;
use crate::events::{NOTE_LIMIT, Note};

/// Reason of the event on what cannot be as it is wanted in the database.
const HELD: &str = "Held";
/// Notes on what one turn did. Each kind of step has at least one.
const DEEDS_TOLD: usize = 10;
/// Failures of one turn that get an event each.
const FAILURES_TOLD: usize = 5;

/// Everything that a turn gives to tell.
pub(super) async fn of_turn(context: &Context, report: &Report<'_>) {
    let can_wait = report.is_of_creation();
    for note in notes(report) {
        if can_wait {
            context.events.tell_later(report.view, note);
        } else {
            context.events.tell(report.view, note).await;
        }
    }
}

fn notes(report: &Report<'_>) -> Vec<Note> {
    let mut notes = deeds(report);
    notes.extend(under_way(report));
    notes.extend(failures(report));
    notes.extend(held(report));
    notes.extend(remarks(report));
    notes
}

/// What was done, each step whole: a note that would be too long ends with the step before.
fn deeds(report: &Report<'_>) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut untold: BTreeMap<usize, usize> = BTreeMap::new();
    for step in report.done.iter().filter(|step| is_told(&step.action)) {
        let (reason, action) = (reason(step, report).to_owned(), step.action.kind());
        let text = step.to_string();
        let is_same = |note: &Note| note.reason == reason && note.action == action;
        match notes.iter().rposition(is_same) {
            Some(last) if notes[last].text.len() + text.len() + 2 <= NOTE_LIMIT => {
                notes[last].text.push_str("; ");
                notes[last].text.push_str(&text);
            }
            Some(last) if notes.len() >= DEEDS_TOLD => *untold.entry(last).or_default() += 1,
            _ => notes.push(Note {
                warning: false,
                reason,
                action,
                text,
            }),
        }
    }
    for (last, count) in untold.into_iter().rev() {
        let text = format!("and {count} more such steps");
        let more = Note {
            text,
            ..notes[last].clone()
        };
        notes.insert(last + 1, more);
    }
    notes
}

/// Roles and databases that cannot be as they are wanted, and of which the status before did not know that: one warning for all.
fn held(report: &Report<'_>) -> Option<Note> {
    let before = &report.view.status.holds;
    let lines = report
        .holds
        .iter()
        .filter(|hold| hold.is_of_catalog())
        .filter(|hold| {
            let (matter, reason) = (hold.matter.to_string(), hold.reason.to_string());
            !before
                .iter()
                .any(|known| known.step == matter && known.reason == reason)
        });
    let lines: Vec<String> = lines.map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| Note {
        warning: true,
        reason: HELD.to_owned(),
        action: "Provision",
        text: lines.join("; "),
    })
}

/// What is to be said about a manifest is said once; of roles that others define also when they do so later.
fn remarks(report: &Report<'_>) -> Vec<Note> {
    let note = |(reason, text): (&str, String)| Note {
        warning: true,
        reason: reason.to_owned(),
        action: "Parse",
        text,
    };
    let before = &report.view.status;
    if before.observed_generation != Some(report.view.generation) {
        let all = report.remarks.iter();
        return all
            .map(|(reason, text)| note((reason.as_str(), text.clone())))
            .collect();
    }
    let after = report.status.as_ref();
    let new = after.and_then(|after| newly_skipped(&report.remarks, &before.conditions, &after.conditions));
    new.map(|text| note((ROLE_SKIPPED, text))).into_iter().collect()
}

/// Each failure by itself, as far as that helps; the rest in one word.
fn failures(report: &Report<'_>) -> Vec<Note> {
    let failures = report.outcome.failures();
    let mut texts: Vec<String> = failures
        .iter()
        .take(FAILURES_TOLD)
        .map(ToString::to_string)
        .collect();
    if failures.len() > FAILURES_TOLD {
        texts.push(format!("{} more steps failed", failures.len() - FAILURES_TOLD));
    }
    let note = |text| Note {
        warning: true,
        reason: phase(report).to_owned(),
        action: "Reconcile",
        text,
    };
    texts.into_iter().map(note).collect()
}

/// What takes many turns is told at its start and at its end: the conditions before and after the turn tell which turn that is, whoever took
/// those between.
fn under_way(report: &Report<'_>) -> Vec<Note> {
    if report.outcome.is_hands_off() {
        return Vec::new();
    }
    let after = report.status.iter().flat_map(|status| &status.conditions);
    // One that waits for its time is not under way.
    let runs = |condition: &Condition| {
        let moves = [roll_reason::IN_PROGRESS, roll_reason::EDITED].contains(&condition.reason.as_str());
        condition.status == "True" && moves
    };
    let changes = after.filter_map(|condition| {
        let (action, name) = match condition.type_.as_str() {
            roll_reason::CONDITION => ("RollingUpdate", "rolling update"),
            roll_reason::RESTART => ("Restart", "restart of postgres"),
            _ => return None,
        };
        let mut before = report.view.status.conditions.iter();
        let before = before.find(|before| before.type_ == condition.type_);
        let text = match (before.is_some_and(runs), runs(condition)) {
            (false, true) => format!("{name} begins: {}", condition.message),
            (true, false) if condition.status == "False" => format!("{name} done"),
            _ => return None,
        };
        Some(Note {
            warning: false,
            reason: "Update".to_owned(),
            action,
            text,
        })
    });
    changes.collect()
}

/// Preparations change nothing.
fn is_told(action: &Action) -> bool {
    !matches!(
        action,
        Action::CheckTemplate { .. }
            | Action::CheckObject(_)
            | Action::Checkpoint { .. }
            | Action::Relabel { .. }
    )
}

/// Zalando's reasons where it has one for the object; else what the turn is about.
fn reason(step: &Step, report: &Report<'_>) -> &'static str {
    let of_kind = |kind: &str| match kind {
        "StatefulSet" => Some("StatefulSet"),
        "Service" => Some("Services"),
        "Endpoints" => Some("Endpoints"),
        "Secret" => Some("Secrets"),
        _ => None,
    };
    let own = match &step.action {
        _ if report.view.deletion_timestamp.is_some() => None,
        Action::Apply(object) => of_kind(object.kind()),
        Action::CreateSecret(_)
        | Action::LabelSecret(_)
        | Action::FillSecret(_)
        | Action::ChangeSecret(_) => Some("Secrets"),
        Action::Scale { target, .. } | Action::Patch { target, .. } | Action::Delete { target, .. } => {
            of_kind(&target.kind)
        }
        Action::DeletePod { .. } | Action::RestartPostgres { .. } => Some("Update"),
        Action::Switchover { .. } | Action::TakeBackHandover { .. } => Some("Switchover"),
        Action::AddFinalizer(_)
        | Action::RemoveFinalizer(_)
        | Action::GrowClaim { .. }
        | Action::PatchPatroni(_)
        | Action::RunSql { .. }
        | Action::CheckTemplate { .. }
        | Action::CheckObject(_)
        | Action::Relabel { .. }
        | Action::Checkpoint { .. } => None,
    };
    own.unwrap_or_else(|| phase(report))
}

/// What the turn is about: the first making, an edit, upkeep, or the end.
fn phase(report: &Report<'_>) -> &'static str {
    let before = &report.view.status;
    match before.postgres_cluster_status {
        _ if report.view.deletion_timestamp.is_some() => "Delete",
        ClusterStatus::Unknown | ClusterStatus::Creating | ClusterStatus::CreateFailed => "Create",
        _ if before.observed_generation == Some(report.view.generation) => "Sync",
        _ => "Update",
    }
}

#[cfg(test)]
mod tests;
