//! One of each kind that a plan has, failing before one of each.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use serde_json::json;

use super::*;
use crate::build::SecretDraft;
use crate::observed::ObjectRef;
use crate::plan::{Object, Precondition, Propagation};
use crate::sql::Subject;

const HOME: &str = "apps";

fn step(action: Action, reason: Reason, impact: Impact) -> Step {
    let precondition = Precondition::None;
    Step {
        action,
        reason,
        impact,
        precondition,
    }
}

fn quiet(action: Action) -> Step {
    step(action, Reason::Missing, Impact::None)
}

fn target(kind: &str) -> ObjectRef {
    ObjectRef {
        kind: kind.to_owned(),
        namespace: HOME.to_owned(),
        name: "demo".to_owned(),
        uid: "u".to_owned(),
        resource_version: String::new(),
    }
}

fn secret(namespace: &str) -> Box<SecretDraft> {
    Box::new(SecretDraft {
        namespace: namespace.to_owned(),
        ..SecretDraft::default()
    })
}

fn relabel(kind: &str) -> Step {
    quiet(Action::Relabel {
        target: target(kind),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    })
}

fn grow() -> Step {
    let (target, size) = (target("PersistentVolumeClaim"), "2Gi".to_owned());
    quiet(Action::GrowClaim { target, size })
}

fn apply_set() -> Step {
    quiet(Action::Apply(Box::new(Object::StatefulSet(
        Box::<StatefulSet>::default(),
    ))))
}

fn scale() -> Step {
    quiet(Action::Scale {
        target: target("StatefulSet"),
        replicas: 3,
    })
}

fn delete(kind: &str, reason: Reason) -> Step {
    let action = Action::Delete {
        target: target(kind),
        propagation: Propagation::Orphan,
    };
    step(action, reason, Impact::None)
}

fn pod(reason: Reason) -> Step {
    let action = Action::DeletePod {
        target: target("Pod"),
    };
    step(action, reason, Impact::ReplicaRestart)
}

fn check(reason: Reason) -> Step {
    let action = Action::CheckTemplate {
        stateful_set: target("StatefulSet"),
        pod: "demo-0".to_owned(),
    };
    step(action, reason, Impact::None)
}

fn switchover(reason: Reason) -> Step {
    let action = Action::Switchover {
        leader: "demo-0".to_owned(),
        candidate: "demo-1".to_owned(),
    };
    step(action, reason, Impact::Switchover)
}

fn sql() -> Step {
    quiet(Action::RunSql {
        database: "postgres".to_owned(),
        subject: Subject::Role("app".to_owned()),
        needs: Vec::new(),
        statements: Vec::new(),
    })
}

fn broken() -> Reason {
    Reason::Broken("CrashLoopBackOff".to_owned())
}

fn drained() -> Reason {
    Reason::Drained("node-1".to_owned())
}

/// All that a plan of a living cluster has.
fn all() -> Vec<Step> {
    vec![
        quiet(Action::Apply(Box::new(Object::Service(Service::default())))),
        apply_set(),
        scale(),
        relabel("PersistentVolumeClaim"),
        relabel("Pod"),
        grow(),
        quiet(Action::PatchPatroni(json!({}))),
        sql(),
        check(broken()),
        pod(broken()),
        switchover(drained()),
        check(Reason::Outdated),
        pod(Reason::Outdated),
        switchover(Reason::Outdated),
    ]
}

/// What of that is not taken after a failure of `failed`.
fn kept(failed: &Step) -> Vec<String> {
    let all = all();
    let kept = all.iter().filter(|later| failed.hinders(later, HOME));
    kept.map(|step| format!("{} {:?}", step.action.kind(), step.reason))
        .collect()
}

#[test]
fn what_is_beside_the_members_keeps_nothing_from_being_taken() {
    let account = Object::ServiceAccount(ServiceAccount::default());
    for failed in [
        quiet(Action::AddFinalizer("f".to_owned())),
        quiet(Action::Apply(Box::new(Object::Service(Service::default())))),
        quiet(Action::Apply(Box::new(account))),
        quiet(Action::CreateSecret(secret("elsewhere"))),
        quiet(Action::LabelSecret(secret(HOME))),
        relabel("PersistentVolumeClaim"),
        grow(),
    ] {
        assert_eq!(kept(&failed), Vec::<String>::new(), "{failed}");
        assert!(failed.is_aside(HOME), "{failed}");
    }
}

#[test]
fn while_the_ground_is_not_as_wanted_only_what_cannot_wait_is_disturbed() {
    let disturbances = [
        "CheckTemplate Outdated",
        "DeletePod Outdated",
        "Switchover Outdated",
    ];
    for failed in [quiet(Action::PatchPatroni(json!({}))), relabel("Pod"), sql()] {
        assert_eq!(kept(&failed), disturbances, "{failed}");
        assert!(!failed.is_aside(HOME), "{failed}");
    }
    let of_set = ["Apply Missing", "Scale Missing"];
    for failed in [
        quiet(Action::CreateSecret(secret(HOME))),
        apply_set(),
        scale(),
        delete("StatefulSet", Reason::Replaced(Vec::new())),
    ] {
        assert_eq!(
            kept(&failed),
            [of_set.as_slice(), &disturbances].concat(),
            "{failed}"
        );
    }
}

#[test]
fn a_pod_does_not_go_for_a_template_that_was_refused() {
    for reason in [Reason::Outdated, broken()] {
        assert!(check(reason.clone()).hinders(&pod(reason), HOME));
    }
}

#[test]
fn a_password_does_not_change_before_the_pods_that_read_it_are_marked() {
    let change = |namespace: &str| {
        use crate::plan::{NewPassword, NextRotation, SecretChange, Why};
        quiet(Action::ChangeSecret(Box::new(SecretChange {
            draft: *secret(namespace),
            why: Why::RotatedPassword,
            username: "postgres".to_owned(),
            password: NewPassword::Draw,
            next_rotation: NextRotation::Clear,
            previous: crate::plan::Previous::Leave,
            before: Vec::new(),
        })))
    };
    assert!(relabel("Pod").hinders(&change(HOME), HOME));
    assert!(!relabel("PersistentVolumeClaim").hinders(&change(HOME), HOME));
    assert!(change(HOME).hinders(&pod(Reason::Marked), HOME));
    assert!(!change("elsewhere").hinders(&pod(Reason::Marked), HOME));
}

/// The template would forget what the pod wears of it.
#[test]
fn a_template_stays_as_long_as_a_pod_wears_what_it_loses() {
    let differs = || Reason::Differs(vec!["/metadata".to_owned()]);
    let patch = |kind: &str| {
        let operations = json_patch::Patch::default();
        let target = target(kind);
        step(Action::Patch { target, operations }, differs(), Impact::None)
    };
    let undress = step(relabel("Pod").action, differs(), Impact::None);
    let set = patch("StatefulSet");
    assert!(undress.hinders(&set, HOME));
    assert!(!undress.hinders(&patch("Service"), HOME));
    let mark = step(relabel("Pod").action, Reason::Marked, Impact::None);
    assert!(!mark.hinders(&set, HOME));
    let claim = step(relabel("PersistentVolumeClaim").action, differs(), Impact::None);
    assert!(!claim.hinders(&set, HOME));
}

#[test]
fn the_end_of_a_cluster_comes_when_all_the_rest_has_gone() {
    let last = step(
        Action::RemoveFinalizer("f".to_owned()),
        Reason::Deleted,
        Impact::None,
    );
    let claim = step(
        delete("PersistentVolumeClaim", Reason::Deleted).action,
        Reason::Deleted,
        Impact::DataRewrite,
    );
    for failed in [
        &claim,
        &delete("Secret", Reason::Deleted),
        &delete("Pod", Reason::Deleted),
    ] {
        assert!(failed.hinders(&last, HOME), "{failed}");
        let set = delete("StatefulSet", Reason::Deleted);
        assert!(
            failed.hinders(&set, HOME),
            "{failed}: nothing else would tell of it"
        );
        assert!(!failed.hinders(&claim, HOME), "{failed}");
    }
    let patch = Action::Patch {
        target: target("StatefulSet"),
        operations: json_patch::Patch::default(),
    };
    let mark = step(patch, Reason::Deleted, Impact::None);
    assert!(
        mark.hinders(&delete("Pod", Reason::Deleted), HOME),
        "it would come back"
    );
    assert!(delete("StatefulSet", Reason::Deleted).hinders(&last, HOME));
}

/// A pod that nobody has marked would keep the password before for ever.
#[test]
fn a_password_that_pods_know_is_not_told_to_the_server_when_they_could_not_be_marked() {
    use pgherd_model::names::annotations::PASSWORD_CHANGED;

    use crate::sql::{PasswordRef, Scheme, Statement};

    let password = PasswordRef {
        namespace: HOME.to_owned(),
        secret: "s".to_owned(),
        scheme: Scheme::ScramSha256,
    };
    let set = quiet(Action::RunSql {
        database: "postgres".to_owned(),
        subject: Subject::Role("standby".to_owned()),
        needs: Vec::new(),
        statements: vec![Statement::SetPassword {
            role: "standby".to_owned(),
            password,
        }],
    });
    let mark = quiet(Action::Relabel {
        target: target("Pod"),
        labels: BTreeMap::new(),
        annotations: [(PASSWORD_CHANGED.to_owned(), Some("standby".to_owned()))].into(),
    });
    assert!(mark.hinders(&set, HOME));
    assert!(!mark.hinders(&sql(), HOME) && !relabel("Pod").hinders(&set, HOME));
}
