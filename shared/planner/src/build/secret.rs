//! The secrets of roles that log in, without passwords (zalando-behaviour 3.7).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use pgherd_model::cluster::{Role, RoleOrigin, SecretKey, SecretPlace};
use pgherd_model::names::annotations::{SECRET_HOME, SECRET_OF};
use pgherd_model::names::connection::Connection;
use pgherd_model::names::roles::{MAINTENANCE_DATABASE, POOLER_USER};
use pgherd_model::names::{self, ports};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Blueprint;

/// A secret without its password.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretDraft {
    /// Namespace, which may differ from the cluster's.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Owner references.
    pub owner_references: Vec<OwnerReference>,
    /// Value of the key `username`; also the role.
    pub username: String,
    /// Where its password is given; `None`: the executor draws one.
    pub given: Option<SecretKey>,
    /// What the keys about the connection say, where they are wanted.
    pub connection: Option<Connection>,
}

impl SecretDraft {
    /// The Secret as it will be sent, but for the password, which is generated when it is made.
    pub fn to_value(&self) -> Value {
        let mut metadata = json!({"name": self.name, "namespace": self.namespace, "labels": self.labels});
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        if !self.owner_references.is_empty() {
            metadata["ownerReferences"] = json!(self.owner_references);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "stringData": {"username": self.username},
        })
    }
}

/// One per role that has a secret, by name of the role. Two roles whose names differ in dash and underscore only would share one; the
/// first stays, and the webhook refuses such manifests.
pub(super) fn build(blueprint: Blueprint<'_>) -> Vec<SecretDraft> {
    let mut drafts: Vec<SecretDraft> = Vec::new();
    for (role, place) in blueprint
        .cluster
        .roles
        .iter()
        .filter_map(|role| Some((role, role.secret.as_ref()?)))
    {
        let is_taken = drafts
            .iter()
            .any(|draft| draft.namespace == place.namespace && draft.name == place.name);
        if !is_taken {
            drafts.push(draft(blueprint, role, place));
        }
    }
    drafts
}

/// Where labels do not tell whose it is: clusters of one name in two namespaces have the same. Where secrets may be elsewhere at all those at home
/// say it as well, so that nobody takes them for his own that he put there.
fn annotations(blueprint: Blueprint<'_>, is_at_home: bool) -> BTreeMap<String, String> {
    let mut annotations = blueprint.inherited_annotations();
    if !is_at_home || blueprint.config.kubernetes.enable_cross_namespace_secret {
        let identity = &blueprint.cluster.identity;
        let cluster = format!("{}/{}", identity.namespace, identity.name);
        let key = if is_at_home { SECRET_HOME } else { SECRET_OF };
        annotations.insert(key.to_owned(), cluster);
    }
    annotations
}

/// The database that the role owns, or the prepared one that it was made for, or the one that everybody may connect to.
fn connection(blueprint: Blueprint<'_>, role: &Role) -> Option<Connection> {
    if !blueprint.config.provisioning.enable_connection_keys_in_secrets {
        return None;
    }
    let cluster = blueprint.cluster;
    let owned = cluster
        .databases
        .iter()
        .find(|database| database.owner == role.name);
    let prepared = cluster.prepared_databases.iter().filter(|database| {
        role.origin == RoleOrigin::Prepared && role.name.starts_with(&format!("{}_", database.name))
    });
    let prepared = prepared.max_by_key(|database| database.name.len());
    let database = owned
        .map(|database| &database.name)
        .or(prepared.map(|database| &database.name));
    Some(Connection {
        host: blueprint.names.host(names::Role::Primary),
        port: ports::POSTGRES,
        database: database.map_or_else(|| MAINTENANCE_DATABASE.to_owned(), Clone::clone),
    })
}

/// Zalando's operator knows the pooler's role by its usual name only: under another one its secret looks like all others.
fn labels(blueprint: Blueprint<'_>, role: &Role) -> BTreeMap<String, String> {
    match role.origin {
        RoleOrigin::Pooler if role.name == POOLER_USER => blueprint.names.pooler_secret_labels(),
        _ => blueprint.labels(),
    }
}

/// An owner must be in the object's own namespace.
fn draft(blueprint: Blueprint<'_>, role: &Role, place: &SecretPlace) -> SecretDraft {
    let owners = &blueprint.cluster.inherited.owner_references;
    let is_at_home = place.namespace == blueprint.names.namespace();
    SecretDraft {
        namespace: place.namespace.clone(),
        name: place.name.clone(),
        labels: labels(blueprint, role),
        annotations: annotations(blueprint, is_at_home),
        owner_references: if is_at_home { owners.clone() } else { Vec::new() },
        username: role.name.clone(),
        given: role.given.clone(),
        connection: connection(blueprint, role),
    }
}
