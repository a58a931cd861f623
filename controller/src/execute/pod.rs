//! A member's pod: its template tried without making anything, and its end, after which the StatefulSet makes it anew.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::build::trial_pod;
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::{Precondition, Propagation};

use super::{Scene, remove};
use crate::context::Context;
use crate::error::{TurnError, status};

/// Asks the API server, admission webhooks and all, for a pod of the template as it is stored now.
pub(super) async fn check_template(
    context: &Context,
    stateful_set: &ObjectRef,
    pod: &str,
) -> Result<(), TurnError> {
    let cannot = |verb, error| TurnError::kubernetes(verb, stateful_set, error);
    let sets: Api<StatefulSet> = Api::namespaced(context.client.clone(), &stateful_set.namespace);
    let stored = sets
        .get(&stateful_set.name)
        .await
        .map_err(|error| cannot("read", error))?;
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &stateful_set.namespace);
    let params = PostParams {
        dry_run: true,
        field_manager: Some(FIELD_MANAGER.to_owned()),
    };
    match pods.create(&params, &trial_pod(&stored, pod)).await {
        Ok(_) => Ok(()),
        Err(error) if says_nothing(&error) => {
            tracing::debug!(%error, "the template could not be tried");
            Ok(())
        }
        Err(error) => Err(cannot("make a pod (in a dry run) of the template of", error)),
    }
}

/// Refusals that are not about the template: the quota is full, which the pod that goes first would change; or this controller may not create
/// pods, as the roles of Zalando's chart have it.
fn says_nothing(error: &kube::Error) -> bool {
    let elsewhere = ["exceeded quota", "cannot create resource \"pods\""];
    status(error).is_some_and(|status| {
        status.code == 403 && elsewhere.iter().any(|text| status.message.contains(text))
    })
}

/// Exactly the pod that was seen. The cache learns at once that it ends, so that the next turn does not count on it.
pub(super) async fn delete(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
) -> Result<(), TurnError> {
    let same = Precondition::SameObject(target.uid.clone());
    remove::delete(context, scene, target, Propagation::Background, &same).await?;
    let seen = context.cache.pods.of(scene.cluster);
    if let Some(mut pod) = seen.into_iter().find(|pod| pod.uid == target.uid) {
        pod.terminating = true;
        context.cache.pods.note(scene.cluster, pod);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_full_quota_is_no_fault_of_the_template() {
        let refusal = |code, message: &str| {
            let status = Status {
                code,
                message: message.to_owned(),
                ..Status::default()
            };
            kube::Error::Api(Box::new(status))
        };
        assert!(says_nothing(&refusal(
            403,
            "pods \"a-0-try-x\" is forbidden: exceeded quota: pods"
        )));
        assert!(!says_nothing(&refusal(
            403,
            "pods \"a-0-try-x\" is forbidden: violates PodSecurity"
        )));
        assert!(!says_nothing(&refusal(422, "Pod is invalid: exceeded quota")));
    }
}
