//! Who owns what Patroni makes (zalando-behaviour 3.1): Kubernetes then removes it with its cluster, also while nobody of us runs, and a new
//! cluster of that name does not wait for the leader of the old one. Lives here: what is added to the owners that are there. Must not: what
//! else is in these objects, which Patroni writes every few seconds.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, TestOperation};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::{Action, HoldReason, Matter, Plan, Precondition, Reason};
use crate::build::Desired;
use crate::observed::{Observed, StateObject};

const PATH: [&str; 2] = ["metadata", "ownerReferences"];

/// Where they are known: a source that was silent is asked again by itself, and nothing waits for it.
pub(super) fn ensure(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    for found in observed.state_objects.known().into_iter().flatten() {
        match merged(&found.owner_references, desired.owners()) {
            Ok(owners) if owners == found.owner_references => {}
            Ok(owners) => own(found, &owners, plan),
            Err(other) => plan.hold(
                Matter::Owners(found.object.clone()),
                HoldReason::Conflict(format!(
                    "{} {} controls it, and Kubernetes allows one controller",
                    other.kind, other.name
                )),
            ),
        }
    }
}

/// Nothing of it but the owners, whatever Patroni has written since.
fn own(found: &StateObject, owners: &[OwnerReference], plan: &mut Plan) {
    let target = found.object.clone();
    let uid = target.uid.clone();
    let operations = Patch(vec![
        PatchOperation::Test(TestOperation {
            path: PointerBuf::from_tokens(["metadata", "uid"]),
            value: Value::from(uid.as_str()),
        }),
        PatchOperation::Add(AddOperation {
            path: PointerBuf::from_tokens(PATH),
            value: json!(owners),
        }),
    ]);
    plan.quiet(
        Action::Patch { target, operations },
        Reason::Differs(vec![format!("/{}", PATH.join("/"))]),
        Precondition::SameObject(uid),
    );
}

/// Those that are there and those that are wanted; not the same owner in an earlier life. The one who already controls it, if a second would.
fn merged<'a>(
    found: &'a [OwnerReference],
    wanted: &[OwnerReference],
) -> Result<Vec<OwnerReference>, &'a OwnerReference> {
    let lives = |owner: &&OwnerReference| !wanted.iter().any(|wanted| is_earlier_life(owner, wanted));
    let missing = |wanted: &&OwnerReference| !found.iter().any(|found| found.uid == wanted.uid);
    let kept = || found.iter().filter(lives);
    let added: Vec<OwnerReference> = wanted.iter().filter(missing).cloned().collect();
    let controls = |owner: &OwnerReference| owner.controller == Some(true);
    if added.iter().any(controls)
        && let Some(other) = kept().find(|owner| controls(owner))
    {
        return Err(other);
    }
    Ok(kept().cloned().chain(added).collect())
}

/// An object of that name that was there before: Kubernetes forgets about it in its own time, and until then nobody else may control.
fn is_earlier_life(owner: &OwnerReference, wanted: &OwnerReference) -> bool {
    let name = |owner: &OwnerReference| (owner.api_version.clone(), owner.kind.clone(), owner.name.clone());
    name(owner) == name(wanted) && owner.uid != wanted.uid
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;

    use super::*;
    use crate::observed::{ObjectRef, Source};

    fn owner(kind: &str, name: &str, uid: &str) -> OwnerReference {
        OwnerReference {
            api_version: "acid.zalan.do/v1".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller: Some(true),
            ..OwnerReference::default()
        }
    }

    /// The plan for one of Patroni's objects that has these owners, where these are wanted.
    fn planned(found: &[OwnerReference], wanted: &[OwnerReference]) -> Plan {
        let mut service = Service::default();
        service.metadata.owner_references = Some(wanted.to_vec());
        let desired = Desired {
            services: vec![service],
            ..Desired::default()
        };
        let object = ObjectRef {
            kind: "ConfigMap".to_owned(),
            namespace: "apps".to_owned(),
            name: "demo-config".to_owned(),
            uid: "u-1".to_owned(),
            resource_version: String::new(),
        };
        let observed = Observed {
            state_objects: Source::Known(vec![StateObject {
                made: None,
                object,
                owner_references: found.to_vec(),
            }]),
            ..Observed::default()
        };
        let mut plan = Plan::default();
        ensure(&desired, &observed, &mut plan);
        plan
    }

    /// The owners that are written, with the test before it.
    fn written(plan: &Plan) -> Value {
        let Action::Patch { operations, .. } = &plan.steps[0].action else {
            panic!("{plan:?}");
        };
        serde_json::to_value(operations).unwrap()
    }

    #[test]
    fn an_owner_that_is_missing_is_added_to_those_that_are_there() {
        let (ours, other) = (owner("postgresql", "demo", "u"), owner("Other", "o", "o"));
        let beside = OwnerReference {
            controller: None,
            ..other.clone()
        };
        let plan = planned(std::slice::from_ref(&beside), std::slice::from_ref(&ours));
        let expected = json!([
            {"op": "test", "path": "/metadata/uid", "value": "u-1"},
            {"op": "add", "path": "/metadata/ownerReferences", "value": [beside, ours]},
        ]);
        assert_eq!(written(&plan), expected);
        assert!(plan.holds.is_empty());
        assert_eq!(plan.impact(), crate::plan::Impact::None);
    }

    #[test]
    fn owners_that_are_there_are_left_as_they_are() {
        let ours = owner("postgresql", "demo", "u");
        // As Zalando's operator writes it.
        let theirs = OwnerReference {
            block_owner_deletion: Some(true),
            ..ours.clone()
        };
        for (found, wanted) in [
            (vec![theirs], vec![ours.clone()]),
            (vec![ours], vec![]),
            (vec![], vec![]),
        ] {
            assert!(planned(&found, &wanted).is_empty());
        }
    }

    #[test]
    fn an_owner_of_an_earlier_life_makes_way_and_another_controller_does_not() {
        let ours = owner("postgresql", "demo", "u");
        let earlier = owner("postgresql", "demo", "t");
        let plan = planned(&[earlier], std::slice::from_ref(&ours));
        assert_eq!(written(&plan)[1]["value"], json!([ours]));
        let other = owner("StatefulSet", "demo", "s");
        let plan = planned(&[other], &[ours]);
        assert!(plan.steps.is_empty());
        let told: Vec<String> = plan.holds.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "own ConfigMap apps/demo-config: StatefulSet demo controls it, and Kubernetes allows one controller"
            ]
        );
    }
}
