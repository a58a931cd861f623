use pgherd_model::api::status::PostgresqlStatus;
use pgherd_planner::assess::Outcome;
use pgherd_planner::observed::{ClusterView, ObjectRef};
use pgherd_planner::plan::{
    Hold, HoldReason, Impact, Matter, Precondition, Propagation, Reason, SecretDraft, Verb,
};
use pgherd_planner::sql::Subject;

use super::*;
use crate::cluster_ref::ClusterRef;

fn step(action: Action) -> Step {
    Step {
        action,
        reason: Reason::Missing,
        impact: Impact::None,
        precondition: Precondition::None,
    }
}

fn secret(name: &str) -> Step {
    let draft = SecretDraft {
        namespace: "n".into(),
        name: name.into(),
        ..SecretDraft::default()
    };
    step(Action::CreateSecret(Box::new(draft)))
}

fn told(view: &ClusterView, steps: &[Step], outcome: &Outcome) -> Vec<(bool, String, String)> {
    let cluster = ClusterRef::new("n", "a");
    let done: Vec<&Step> = steps.iter().collect();
    let report = Report {
        cluster: &cluster,
        view,
        status: None,
        done: &done,
        outcome,
        holds: &[],
        remarks: Vec::new(),
    };
    notes(&report)
        .into_iter()
        .map(|note| (note.warning, note.reason, note.text))
        .collect()
}

#[test]
fn steps_of_one_kind_are_one_event() {
    let told = told(
        &ClusterView::default(),
        &[secret("s"), secret("t")],
        &Outcome::Done,
    );
    let text = "create secret n/s (missing); create secret n/t (missing)";
    assert_eq!(told, [(false, "Secrets".to_owned(), text.to_owned())]);
}

#[test]
fn the_reason_of_other_steps_is_what_the_turn_is_about() {
    let finalizer = [step(Action::AddFinalizer("f".to_owned()))];
    let reason = |view: &ClusterView| told(view, &finalizer, &Outcome::Done)[0].1.clone();
    assert_eq!(reason(&ClusterView::default()), "Create");
    let mut view = ClusterView {
        generation: 2,
        status: PostgresqlStatus {
            observed_generation: Some(1),
            ..ClusterStatus::Running.into()
        },
        ..ClusterView::default()
    };
    assert_eq!(reason(&view), "Update");
    view.status.observed_generation = Some(2);
    assert_eq!(reason(&view), "Sync");
    view.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
    assert_eq!(reason(&view), "Delete");
}

#[test]
fn the_end_of_a_service_is_told_as_deletion() {
    let view = ClusterView {
        deletion_timestamp: Some("2026-01-01T00:00:00Z".to_owned()),
        ..ClusterView::default()
    };
    let target = ObjectRef {
        kind: "Service".into(),
        namespace: "n".into(),
        name: "a".into(),
        ..ObjectRef::default()
    };
    let steps = [step(Action::Delete {
        target,
        propagation: Propagation::Background,
    })];
    assert_eq!(told(&view, &steps, &Outcome::Done)[0].1, "Delete");
}

#[test]
fn a_failure_is_a_warning_after_what_was_done() {
    let failed = Outcome::failed("apply Service n/a", "forbidden");
    let told = told(&ClusterView::default(), &[secret("s")], &failed);
    assert_eq!(
        told[1],
        (
            true,
            "Create".to_owned(),
            "apply Service n/a: forbidden".to_owned()
        )
    );
}

#[test]
fn a_remark_about_a_manifest_is_told_once() {
    let cluster = ClusterRef::new("n", "a");
    let told = |view: &ClusterView| {
        let remarks = vec![("ResourceLimits".to_owned(), "raised".to_owned())];
        notes(&Report {
            cluster: &cluster,
            view,
            status: None,
            done: &[],
            outcome: &Outcome::Done,
            holds: &[],
            remarks,
        })
        .len()
    };
    let mut view = ClusterView {
        generation: 1,
        ..ClusterView::default()
    };
    assert_eq!(told(&view), 1);
    view.status.observed_generation = Some(1);
    assert_eq!(told(&view), 0);
}

/// An infrastructure role of the name of a user comes up while the manifest stays as it is.
#[test]
fn definitions_that_stop_to_count_without_an_edit_are_one_event_and_only_once() {
    let cluster = ClusterRef::new("n", "a");
    let status = |message: &str| {
        let condition = serde_json::json!({
            "type": "RolesInSync", "status": "True", "reason": "InSync", "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        PostgresqlStatus {
            observed_generation: Some(1),
            conditions: vec![serde_json::from_value(condition).unwrap()],
            ..ClusterStatus::Running.into()
        }
    };
    let told = |before: &str, after: &str, texts: &[&str]| -> Vec<(String, String)> {
        let view = ClusterView {
            generation: 1,
            status: status(before),
            ..ClusterView::default()
        };
        let skipped = texts
            .iter()
            .map(|text| ("RoleSkipped".to_owned(), (*text).to_owned()));
        let told = notes(&Report {
            cluster: &cluster,
            view: &view,
            status: Some(status(after)),
            done: &[],
            outcome: &Outcome::Done,
            holds: &[],
            remarks: std::iter::once(("ResourceLimits".to_owned(), "raised".to_owned()))
                .chain(skipped)
                .collect(),
        });
        told.into_iter().map(|note| (note.reason, note.text)).collect()
    };
    let event = |text: &str| vec![("RoleSkipped".to_owned(), text.to_owned())];
    assert_eq!(told("fine", "fine; x; y", &["x", "y"]), event("x; y"));
    assert_eq!(told("fine; x; y", "fine; x; y", &["x", "y"]), []);
    assert_eq!(told("fine; x", "fine; x; y", &["x", "y"]), event("y"));
    assert_eq!(told("fine; x; y", "fine; y", &["y"]), []);
    assert_eq!(told("fine", "missing: z", &[]), [], "not of a manifest");
    let long = "l".repeat(400);
    let shown = format!("fine; {}…", "l".repeat(199));
    assert_eq!(told("fine", &shown, &[&long]), event(&long));
    assert_eq!(told(&shown, &format!("{shown}; x"), &[&long]), []);
}

#[test]
fn a_roll_is_told_at_its_start_and_at_its_end() {
    let cluster = ClusterRef::new("n", "a");
    let status = |status: &str, reason: &str| {
        let condition = serde_json::json!({
            "type": roll_reason::CONDITION, "status": status, "reason": reason, "message": "pods: a-0, a-1",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        PostgresqlStatus {
            conditions: vec![serde_json::from_value(condition).unwrap()],
            ..ClusterStatus::Running.into()
        }
    };
    let told_of = |outcome: &Outcome, before: PostgresqlStatus, after: PostgresqlStatus| {
        let view = ClusterView {
            status: before,
            ..ClusterView::default()
        };
        let report = Report {
            cluster: &cluster,
            view: &view,
            status: Some(after),
            done: &[],
            outcome,
            holds: &[],
            remarks: Vec::new(),
        };
        notes(&report)
            .into_iter()
            .map(|note| note.text)
            .collect::<Vec<_>>()
    };
    let told = |before, after| told_of(&Outcome::Done, before, after);
    let (none, waits) = (status("False", "UpToDate"), status("True", roll_reason::HELD));
    let runs = status("True", roll_reason::IN_PROGRESS);
    let begins = "rolling update begins: pods: a-0, a-1";
    assert_eq!(told(none.clone(), waits.clone()), [""; 0]);
    assert_eq!(told(waits.clone(), runs.clone()), [begins]);
    assert_eq!(told(none.clone(), runs.clone()), [begins]);
    assert_eq!(told_of(&Outcome::Observed, none.clone(), runs.clone()), [""; 0]);
    assert_eq!(told(runs.clone(), runs.clone()), [""; 0]);
    assert_eq!(told(runs, none.clone()), ["rolling update done"]);
    assert_eq!(told(waits, none), [""; 0]);
}

#[test]
fn of_many_steps_each_is_named_and_their_notes_are_few() {
    let texts = |count: usize| {
        let steps: Vec<Step> = (0..count)
            .map(|number| secret(&format!("role-{number}")))
            .collect();
        let told = told(&ClusterView::default(), &steps, &Outcome::Done);
        told.into_iter().map(|(.., text)| text).collect::<Vec<_>>()
    };
    let some = texts(60);
    assert!((2..=5).contains(&some.len()), "{some:?}");
    assert!(some.iter().all(|text| text.len() <= NOTE_LIMIT));
    for number in 0..60 {
        let named = format!("n/role-{number} ");
        assert!(some.iter().any(|text| text.contains(&named)), "{number}");
    }
    let many = texts(2000);
    assert_eq!(many.len(), DEEDS_TOLD + 1);
    let left = many[DEEDS_TOLD].strip_prefix("and ").unwrap();
    let left: usize = left.split(' ').next().unwrap().parse().unwrap();
    let named = many
        .iter()
        .map(|text| text.matches("role-").count())
        .sum::<usize>();
    assert_eq!(left + named, 2000);
}

#[test]
fn what_cannot_be_had_in_the_database_is_one_warning_when_it_is_new() {
    let hold = |role: &str, reason: HoldReason| Hold {
        matter: Matter::Object(Verb::Make, Subject::Role(role.to_owned())),
        reason,
        until: None,
    };
    let not_ours = |role: &str| hold(role, HoldReason::NotOurs("role x".to_owned()));
    let holds = [
        not_ours("a"),
        hold("b", HoldReason::OutsideWindows),
        not_ours("c"),
    ];
    let cluster = ClusterRef::new("n", "a");
    let told = |view: &ClusterView| {
        let notes = notes(&Report {
            cluster: &cluster,
            view,
            status: None,
            done: &[],
            outcome: &Outcome::Done,
            holds: &holds,
            remarks: Vec::new(),
        });
        notes.into_iter().map(|note| note.text).collect::<Vec<_>>()
    };
    let mut view = ClusterView::default();
    let both = told(&view);
    assert_eq!(both.len(), 1);
    assert!(both[0].contains("role a") && both[0].contains("role c") && !both[0].contains("role b"));
    let known = |hold: &Hold| pgherd_model::api::status::Hold {
        step: hold.matter.to_string(),
        reason: hold.reason.to_string(),
        until: None,
    };
    view.status.holds = vec![known(&holds[0])];
    let new = told(&view);
    assert!(new.len() == 1 && !new[0].contains("role a") && new[0].contains("role c"));
    view.status.holds = holds.iter().map(known).collect();
    assert_eq!(told(&view), Vec::<String>::new());
}
