//! The service account of the pods and its role binding: one per namespace, shared by its clusters (zalando-behaviour 3.10).

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use pgherd_model::finding::Finding;
use pgherd_model::names::annotations::AWS_ROLE_ARN;
use serde::de::DeserializeOwned;

use super::Blueprint;

/// Account, binding, and what was wrong with the configured definitions. A definition that cannot be read does not stop anything: the plain
/// object stands in, and the configuration's own check has said so already.
pub(super) fn build(blueprint: Blueprint<'_>) -> (ServiceAccount, RoleBinding, Vec<Finding>) {
    let kubernetes = &blueprint.config.kubernetes;
    let mut findings = Vec::new();
    let account = definition(
        kubernetes.pod_service_account_definition.as_deref(),
        "pod_service_account_definition",
        &mut findings,
    );
    let binding = definition(
        kubernetes.pod_service_account_role_binding_definition.as_deref(),
        "pod_service_account_role_binding_definition",
        &mut findings,
    );
    let account = service_account(blueprint, account.unwrap_or_default());
    (account, role_binding(blueprint, binding), findings)
}

fn service_account(blueprint: Blueprint<'_>, mut account: ServiceAccount) -> ServiceAccount {
    place(blueprint, &mut account);
    let role = blueprint
        .config
        .aws_or_gcp
        .irsa_role_arn
        .as_ref()
        .filter(|role| !role.is_empty());
    if let Some(role) = role {
        let annotations = account.metadata.annotations.get_or_insert_default();
        annotations.insert(AWS_ROLE_ARN.to_owned(), role.clone());
    }
    account
}

/// The plain binding is to the cluster role of the account's name.
fn role_binding(blueprint: Blueprint<'_>, given: Option<RoleBinding>) -> RoleBinding {
    let name = blueprint.names.service_account();
    let mut binding = given.unwrap_or_else(|| RoleBinding {
        role_ref: RoleRef {
            api_group: <RoleBinding as Resource>::GROUP.to_owned(),
            kind: "ClusterRole".to_owned(),
            name: name.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: <ServiceAccount as Resource>::KIND.to_owned(),
            name: name.to_owned(),
            ..Subject::default()
        }]),
        ..RoleBinding::default()
    });
    place(blueprint, &mut binding);
    binding
}

/// Name and namespace are ours whatever a definition says.
fn place<K: Metadata<Ty = ObjectMeta>>(blueprint: Blueprint<'_>, object: &mut K) {
    let metadata = object.metadata_mut();
    metadata.name = Some(blueprint.names.service_account().to_owned());
    metadata.namespace = Some(blueprint.names.namespace().to_owned());
}

fn definition<T: DeserializeOwned>(
    text: Option<&str>,
    parameter: &str,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    match serde_yaml::from_str(text) {
        Ok(object) => Some(object),
        Err(error) => {
            let message = format!("{parameter} cannot be read, the plain object is used: {error}");
            findings.push(Finding::new("ConfigurationIgnored", "", message));
            None
        }
    }
}
