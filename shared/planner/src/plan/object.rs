//! The Kubernetes objects that we apply. Lives here: the closed set, and the JSON that is sent. Must not: what is in them (`build`).

use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Endpoints, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::observed::ObjectRef;
use crate::redact;

/// An object to apply. `Debug` and `Serialize` hide keys that stand in clear in a pod template: for a request take [`Object::to_value`].
#[expect(clippy::large_enum_variant, reason = "a step holds it in a box")]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Object {
    /// `v1`
    ServiceAccount(ServiceAccount),
    /// `rbac.authorization.k8s.io/v1`
    RoleBinding(RoleBinding),
    /// `v1`
    Endpoints(Endpoints),
    /// `v1`
    Service(Service),
    /// `policy/v1`
    PodDisruptionBudget(PodDisruptionBudget),
    /// `apps/v1`
    #[serde(serialize_with = "redact::veiled")]
    StatefulSet(Box<StatefulSet>),
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact::debug(self, f)
    }
}

/// Calls `$body` with `$object` bound to the object inside, whatever its type.
macro_rules! with_object {
    ($self:expr, $object:ident => $body:expr) => {
        match $self {
            Object::ServiceAccount($object) => $body,
            Object::RoleBinding($object) => $body,
            Object::Endpoints($object) => $body,
            Object::Service($object) => $body,
            Object::PodDisruptionBudget($object) => $body,
            Object::StatefulSet($object) => $body,
        }
    };
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> &'static str {
        fn kind<K: Resource>(_: &K) -> &'static str {
            K::KIND
        }
        match self {
            Self::StatefulSet(object) => kind(object.as_ref()),
            Self::ServiceAccount(object) => kind(object),
            Self::RoleBinding(object) => kind(object),
            Self::Endpoints(object) => kind(object),
            Self::Service(object) => kind(object),
            Self::PodDisruptionBudget(object) => kind(object),
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        with_object!(self, object => object.metadata())
    }

    /// Which object it is. `uid` and `resource_version` are those of an object that was read, otherwise empty.
    pub fn reference(&self) -> ObjectRef {
        let metadata = self.metadata();
        ObjectRef {
            kind: self.kind().to_owned(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
        }
    }

    /// What is sent: with `apiVersion` and `kind`.
    pub fn to_value(&self) -> Value {
        with_object!(self, object => serde_json::to_value(object)).unwrap_or_default()
    }
}
