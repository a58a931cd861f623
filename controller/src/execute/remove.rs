//! Deletion. "Not found" is success: somebody else was faster.

use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::{Precondition, Propagation};

use super::Scene;
use super::apply::{api, place};
use super::change::patch;
use crate::context::Context;
use crate::error::{TurnError, is_not_found};

/// Deletes exactly the object that the plan was made for: never a successor of the same name.
pub(super) async fn delete(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    propagation: Propagation,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let params = DeleteParams {
        propagation_policy: Some(match propagation {
            Propagation::Background => PropagationPolicy::Background,
            Propagation::Orphan => PropagationPolicy::Orphan,
        }),
        preconditions: preconditions(target, precondition),
        ..DeleteParams::default()
    };
    match api(context, target)?.delete(&target.name, &params).await {
        Ok(answer) => {
            // Some kinds answer with a bare status: then it has gone already; an object that comes back is still on its way out.
            if answer.is_right() {
                forget(context, scene, target);
            }
            Ok(())
        }
        Err(error) if is_not_found(&error) => {
            forget(context, scene, target);
            Ok(())
        }
        Err(error) => Err(TurnError::kubernetes("delete", target, error)),
    }
}

/// How the end of something begins that may have gone by itself meanwhile.
pub(super) async fn begin(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    operations: &json_patch::Patch,
) -> Result<(), TurnError> {
    match patch(context, scene, target, operations).await {
        Err(TurnError::Kubernetes { answer, .. }) if is_not_found(&answer) => {
            forget(context, scene, target);
            Ok(())
        }
        outcome => outcome,
    }
}

fn preconditions(target: &ObjectRef, precondition: &Precondition) -> Option<Preconditions> {
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let uid = match precondition {
        Precondition::SameObject(uid) => Some(uid.clone()),
        _ => known(&target.uid),
    };
    let resource_version = match precondition {
        Precondition::Unchanged(version) => Some(version.clone()),
        _ => None,
    };
    (uid.is_some() || resource_version.is_some()).then_some(Preconditions {
        uid,
        resource_version,
    })
}

fn forget(context: &Context, scene: &Scene<'_>, target: &ObjectRef) {
    if target.kind == "Endpoints" {
        context
            .memories
            .with(scene.cluster, |memory| memory.endpoints = None);
    }
    if let Some((owner, key)) = place(scene, target) {
        context.cache.owned.remove(&owner, &key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_that_was_seen_is_deleted_and_no_namesake() {
        let target = ObjectRef {
            uid: "u-1".to_owned(),
            resource_version: "7".to_owned(),
            ..ObjectRef::default()
        };
        let sent = preconditions(&target, &Precondition::None).unwrap();
        assert_eq!((sent.uid.as_deref(), sent.resource_version), (Some("u-1"), None));
        let sent = preconditions(&target, &Precondition::Unchanged("8".to_owned())).unwrap();
        assert_eq!(sent.resource_version.as_deref(), Some("8"));
        assert!(preconditions(&ObjectRef::default(), &Precondition::None).is_none());
    }
}
