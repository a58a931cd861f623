//! The namespace's service account and its role binding: made when missing, then left alone but for the cloud role (zalando-behaviour 3.10).

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::names::annotations::AWS_ROLE_ARN;

use super::{Matter, Object, Plan, ensure};
use crate::build::Desired;
use crate::observed::{Observed, Source};

pub(super) fn ensure(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    match &observed.service_account {
        Source::Unknown(why) => plan.hold_unknown(Matter::ServiceAccount, "service account", why),
        Source::Known(stored) => service_account(&desired.service_account, stored.as_ref(), plan),
    }
    match &observed.role_binding {
        Source::Unknown(why) => plan.hold_unknown(Matter::RoleBinding, "role binding", why),
        Source::Known(Some(_)) => {}
        Source::Known(None) => ensure::object(Object::RoleBinding(desired.role_binding.clone()), None, plan),
    }
}

/// It is shared, and often made by hand: of one that is there only the annotation is ours.
fn service_account(wanted: &ServiceAccount, stored: Option<&ServiceAccount>, plan: &mut Plan) {
    let Some(stored) = stored else {
        return ensure::object(Object::ServiceAccount(wanted.clone()), None, plan);
    };
    let metadata = &wanted.metadata;
    let role = metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(AWS_ROLE_ARN));
    if let Some(role) = role {
        let annotated = ServiceAccount {
            metadata: ObjectMeta {
                name: metadata.name.clone(),
                namespace: metadata.namespace.clone(),
                annotations: Some([(AWS_ROLE_ARN.to_owned(), role.clone())].into()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        let stored = Object::ServiceAccount(stored.clone());
        ensure::object(Object::ServiceAccount(annotated), Some(stored), plan);
    }
}
