//! What the StatefulSet is made of, as far as it matters here.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Simulation;

/// Key of the annotation that a template carries.
pub(crate) const NOTE: &str = "note";

/// A StatefulSet's template, and one field beside it that Kubernetes does not let change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    /// Names the revision.
    pub(crate) version: u32,
    /// What its pods run.
    pub(crate) image: u32,
    /// Its pods never run.
    pub(crate) broken: bool,
    /// The API server takes no pod of it.
    pub(crate) refused: bool,
    /// An annotation; none at 0.
    pub(crate) note: u32,
    /// The pods are managed in parallel: not part of the template, and fixed for the life of a StatefulSet.
    pub(crate) parallel: bool,
}

impl Template {
    pub(crate) fn first() -> Self {
        Self {
            version: 1,
            image: 1,
            ..Self::default()
        }
    }

    /// A pod of this one is as good as one of the other: annotations are changed on live pods.
    pub(crate) fn runs_the_same(&self, other: &Self) -> bool {
        (self.image, self.broken, self.refused) == (other.image, other.broken, other.refused)
    }

    pub(crate) fn note(&self) -> Option<String> {
        (self.note > 0).then(|| self.note.to_string())
    }
}

impl Simulation {
    /// The StatefulSet with a template.
    pub(crate) fn stateful_set(&self, template: &Template, replicas: u32) -> StatefulSet {
        let identity = &self.cluster.identity;
        let policy = if template.parallel {
            "Parallel"
        } else {
            "OrderedReady"
        };
        StatefulSet {
            metadata: ObjectMeta {
                name: Some(identity.name.clone()),
                namespace: Some(identity.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(StatefulSetSpec {
                replicas: i32::try_from(replicas).ok(),
                template: pod_template(template),
                pod_management_policy: Some(policy.to_owned()),
                ..StatefulSetSpec::default()
            }),
            status: None,
        }
    }
}

pub(crate) fn pod_template(template: &Template) -> PodTemplateSpec {
    let missing = if template.broken { "-missing" } else { "" };
    let container = Container {
        name: "postgres".to_owned(),
        image: Some(format!("spilo:{}{missing}", template.image)),
        ..Container::default()
    };
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            annotations: template.note().map(|note| [(NOTE.to_owned(), note)].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            containers: vec![container],
            priority_class_name: template.refused.then(|| "none".to_owned()),
            ..PodSpec::default()
        }),
    }
}
