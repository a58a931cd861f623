use jiff::SignedDuration;
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::{Action, Hold, Impact, Matter, Precondition, Reason, Step};

use super::*;

mod declined;
mod departures;
mod earlier;
mod failures;
mod interrupted;
mod refused;
mod turns;

fn step() -> Step {
    Step {
        action: Action::AddFinalizer("f".to_owned()),
        reason: Reason::Missing,
        impact: Impact::None,
        precondition: Precondition::None,
    }
}

fn found(going: bool, gone: bool) -> Found {
    Found {
        manifest: serde_json::Value::Null,
        view: ClusterView::default(),
        going,
        gone,
        spared: None,
    }
}

fn next(plan: &Plan, executed: &Executed<'_>, deleting: bool) -> Next {
    ending(plan, executed, &Ok(()), &found(deleting, false)).next
}

#[test]
fn after_something_was_done_we_look_again_and_otherwise_when_the_plan_says() {
    let step = step();
    let plan = Plan {
        wake_after: Some(SignedDuration::from_secs(5)),
        ..Plan::default()
    };
    let done = Executed {
        done: vec![&step],
        outcome: Outcome::Done,
        retry: None,
    };
    let idle = Executed {
        done: vec![],
        outcome: Outcome::Done,
        retry: None,
    };
    assert_eq!(next(&plan, &done, false), Next::Now);
    assert_eq!(
        next(&plan, &idle, false),
        Next::After(Some(Duration::from_secs(5)))
    );
    assert_eq!(next(&Plan::default(), &idle, false), Next::After(None));
}

#[test]
fn a_failed_step_decides_over_what_was_done_before_it() {
    let step = step();
    let failed = |retry| Executed {
        done: vec![&step],
        outcome: Outcome::failed("s", "e"),
        retry: Some(retry),
    };
    assert_eq!(
        next(&Plan::default(), &failed(Retry::Backoff), false),
        Next::Backoff
    );
    assert_eq!(
        next(&Plan::default(), &failed(Retry::OnChange), true),
        Next::LastResort
    );
}

#[test]
fn a_deletion_is_over_when_nothing_is_left_to_do_or_to_wait_for() {
    let idle = Executed {
        done: vec![],
        outcome: Outcome::Done,
        retry: None,
    };
    assert_eq!(next(&Plan::default(), &idle, true), Next::Never);
    let waiting = Plan {
        wake_after: Some(SignedDuration::from_secs(1)),
        ..Plan::default()
    };
    let held = Plan {
        holds: vec![Hold {
            matter: Matter::Deletion,
            reason: HoldReason::PodsTerminating(vec!["a-0".to_owned()]),
            until: None,
        }],
        ..waiting
    };
    assert_eq!(
        next(&held, &idle, true),
        Next::After(Some(Duration::from_secs(1)))
    );
}

#[test]
fn a_refused_deletion_ends_when_the_object_is_gone_and_waits_for_consent_while_it_is_there() {
    let idle = Executed {
        done: vec![],
        outcome: Outcome::Done,
        retry: None,
    };
    let reason = HoldReason::DeletionGate("annotation delete-date not set".to_owned());
    let plan = Plan {
        holds: vec![Hold {
            matter: Matter::Deletion,
            reason,
            until: None,
        }],
        ..Plan::default()
    };
    assert_eq!(
        ending(&plan, &idle, &Ok(()), &found(true, true)).next,
        Next::Never
    );
    assert_eq!(
        ending(&plan, &idle, &Ok(()), &found(true, false)).next,
        Next::After(None)
    );
}

#[test]
fn a_status_that_is_refused_does_not_slow_a_plan_down() {
    let step = step();
    let refused = |code| {
        let status = kube::core::Status {
            code,
            ..kube::core::Status::default()
        };
        Err(TurnError::kubernetes(
            "write the status of",
            &"postgresql a/b",
            kube::Error::Api(Box::new(status)),
        ))
    };
    let next = |wake: Option<i64>, done: Vec<&Step>, code| {
        let plan = Plan {
            wake_after: wake.map(SignedDuration::from_secs),
            ..Plan::default()
        };
        let executed = Executed {
            done,
            outcome: Outcome::Done,
            retry: None,
        };
        let ending = ending(&plan, &executed, &refused(code), &found(false, false));
        assert_eq!(ending.word, "unreported");
        ending.next
    };
    let soon = Next::After(Some(Duration::from_secs(3)));
    assert_eq!(next(Some(3), vec![], 422), soon);
    assert_eq!(next(Some(3), vec![], 500), soon);
    assert_eq!(next(None, vec![&step], 422), Next::Now);
    assert_eq!(next(None, vec![], 422), Next::LastResort);
    assert_eq!(next(Some(40_000), vec![], 500), Next::Backoff);
}
