//! The world of a cluster that is as it should be: every object is there, every member runs and follows the first, every role and database
//! exists. Planned for it, the cluster itself needs nothing; another one needs what an edit changes.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use pgherd_model::api::status::PostgresqlStatus;
use pgherd_model::cluster::{Cluster, Origin};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::annotations::FINALIZER;
use pgherd_model::names::{Names, Role};
use serde_json::{Value, json};

use super::{Annotations, State};
use crate::assess::provisioned::remember;
use crate::build::SecretDraft;
use crate::observed::{
    ClaimView, ClusterView, MemberRole, MemberView, Observed, PatroniView, PodView, SecretView, Source,
};
use crate::plan::{dynamic, provision};

/// Stands for the template that all pods were made of.
const REVISION: &str = "settled";

/// `annotations` are what the object has from now on: they say how far the cluster may be acted on.
pub(super) fn observed(state: &State, annotations: &Annotations, config: &OperatorConfig) -> Observed {
    let (cluster, desired) = (&state.cluster, &state.desired);
    let identity = &cluster.identity;
    let names = Names::of(&identity.namespace, &identity.name, config);
    let ordinals = 0..u32::try_from(cluster.instances).unwrap_or_default();
    Observed {
        cluster: object(cluster, annotations, config),
        stateful_set: match &desired.stateful_set {
            Source::Known(wanted) => Source::Known(Some(stateful_set(wanted.clone()))),
            Source::Unknown(why) => Source::Unknown(why.clone()),
        },
        services: Source::Known(desired.services.clone()),
        endpoints: Source::Known(desired.endpoints.clone()),
        disruption_budgets: Source::Known(desired.disruption_budgets.clone()),
        service_account: Source::Known(Some(desired.service_account.clone())),
        role_binding: Source::Known(Some(desired.role_binding.clone())),
        secrets: Source::Known(desired.secrets.iter().map(secret).collect()),
        pods: Source::Known(
            ordinals
                .clone()
                .map(|ordinal| pod(&names, state, ordinal))
                .collect(),
        ),
        claims: Source::Known(
            ordinals
                .clone()
                .map(|ordinal| claim(&names, cluster, ordinal))
                .collect(),
        ),
        patroni: if cluster.instances > 0 {
            let members = ordinals.map(|ordinal| member(&names, cluster, ordinal)).collect();
            Source::Known(PatroniView {
                members,
                config: dynamic_configuration(cluster),
                ..PatroniView::default()
            })
        } else {
            Source::Unknown("no pod runs".to_owned())
        },
        catalog: if cluster.instances > 0 {
            Source::Known(provision::settled::catalog(cluster, &config.users.super_username))
        } else {
            Source::Unknown("no pod runs".to_owned())
        },
        ..Observed::default()
    }
}

fn object(cluster: &Cluster, annotations: &Annotations, config: &OperatorConfig) -> ClusterView {
    let identity = &cluster.identity;
    let finalizer = config.kubernetes.enable_finalizers.then(|| FINALIZER.to_owned());
    ClusterView {
        namespace: identity.namespace.clone(),
        name: identity.name.clone(),
        uid: identity.uid.clone(),
        generation: identity.generation,
        finalizers: finalizer.into_iter().collect(),
        annotations: annotations.clone(),
        status: PostgresqlStatus {
            provisioned: remember(cluster, None, None),
            patroni_settings: Some(dynamic::claimed(cluster)),
            ..PostgresqlStatus::default()
        },
        ..ClusterView::default()
    }
}

fn stateful_set(mut object: StatefulSet) -> StatefulSet {
    let replicas = object
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or_default();
    object.metadata.generation = Some(1);
    object.status = Some(StatefulSetStatus {
        observed_generation: Some(1),
        replicas,
        ready_replicas: Some(replicas),
        current_revision: Some(REVISION.to_owned()),
        update_revision: Some(REVISION.to_owned()),
        ..StatefulSetStatus::default()
    });
    object
}

fn secret(draft: &SecretDraft) -> SecretView {
    SecretView {
        namespace: draft.namespace.clone(),
        name: draft.name.clone(),
        labels: draft.labels.clone(),
        annotations: draft.annotations.clone(),
        owner_references: draft.owner_references.clone(),
        username: Some(draft.username.clone()),
        has_password: true,
        ..SecretView::default()
    }
}

fn pod(names: &Names, state: &State, ordinal: u32) -> PodView {
    let stateful_set = state.desired.stateful_set.known();
    let template = stateful_set
        .and_then(|object| object.spec.as_ref())
        .map(|spec| &spec.template);
    let metadata = template.and_then(|template| template.metadata.as_ref());
    let role = if ordinal == 0 {
        Role::Primary
    } else {
        Role::Replica
    };
    PodView {
        name: names.pod(ordinal),
        uid: names.pod(ordinal),
        phase: "Running".to_owned(),
        ready: true,
        ip: "settled".to_owned(),
        role_label: role.label().to_owned(),
        revision: REVISION.to_owned(),
        image: state.cluster.image.clone(),
        labels: metadata
            .and_then(|metadata| metadata.labels.clone())
            .unwrap_or_default(),
        annotations: metadata
            .and_then(|metadata| metadata.annotations.clone())
            .unwrap_or_default(),
        ..PodView::default()
    }
}

fn claim(names: &Names, cluster: &Cluster, ordinal: u32) -> ClaimView {
    let size = cluster.storage.size.to_string();
    ClaimView {
        name: names.claim(ordinal),
        phase: "Bound".to_owned(),
        requested: size.clone(),
        capacity: size,
        ..ClaimView::default()
    }
}

fn member(names: &Names, cluster: &Cluster, ordinal: u32) -> MemberView {
    let is_standby = matches!(cluster.origin, Origin::Standby(_));
    let (role, state) = match ordinal {
        0 if is_standby => (MemberRole::StandbyLeader, "streaming"),
        0 => (MemberRole::Leader, "running"),
        _ => (MemberRole::Replica, "streaming"),
    };
    MemberView {
        name: names.pod(ordinal),
        role,
        state: state.to_owned(),
        timeline: Some(1),
        lag: (ordinal > 0).then_some(0),
        ..MemberView::default()
    }
}

/// What the manifest says, on top of what Patroni starts with.
fn dynamic_configuration(cluster: &Cluster) -> Value {
    let mut config = json!({
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": dynamic::IMAGES_LAG,
    });
    json_patch::merge(&mut config, &dynamic::settled(cluster));
    config
}
