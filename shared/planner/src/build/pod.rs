//! The pod template (zalando-behaviour 3.3).

use k8s_openapi::api::core::v1::{PodSecurityContext, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata::non_empty;
use super::{Blueprint, affinity, container, volume};
use crate::observed::PodEnvironment;

pub(super) fn template(blueprint: Blueprint<'_>, environment: &PodEnvironment) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(blueprint.labels()),
            // Means nothing to Kubernetes; Zalando's operator sends it.
            namespace: Some(blueprint.names.namespace().to_owned()),
            annotations: non_empty(blueprint.cluster.pod.annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(blueprint, environment)),
    }
}

fn spec(blueprint: Blueprint<'_>, environment: &PodEnvironment) -> PodSpec {
    let (pod, kubernetes) = (&blueprint.cluster.pod, &blueprint.config.kubernetes);
    let scheduling = &pod.scheduling;
    let volumes = volume::all(blueprint);
    let grace = kubernetes.pod_terminate_grace_period.as_secs();
    PodSpec {
        containers: container::all(blueprint, environment, &volumes),
        init_containers: Some(pod.init_containers.clone()).filter(|containers| !containers.is_empty()),
        volumes: Some(
            volumes
                .into_iter()
                .map(|mounted| mounted.volume)
                .collect::<Vec<_>>(),
        )
        .filter(|volumes| !volumes.is_empty()),
        affinity: affinity::build(blueprint),
        tolerations: Some(scheduling.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
        topology_spread_constraints: Some(scheduling.topology_spread.clone())
            .filter(|constraints| !constraints.is_empty()),
        scheduler_name: scheduling.scheduler.clone(),
        priority_class_name: scheduling.priority_class.clone(),
        security_context: Some(PodSecurityContext {
            run_as_user: pod.run_as_user,
            run_as_group: pod.run_as_group,
            fs_group: pod.fs_group,
            ..PodSecurityContext::default()
        }),
        service_account_name: Some(blueprint.names.service_account().to_owned()),
        termination_grace_period_seconds: Some(i64::try_from(grace).unwrap_or(i64::MAX)),
        ..PodSpec::default()
    }
}
