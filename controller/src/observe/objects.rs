//! The Kubernetes objects of a cluster: from the caches, after reading what the watches say has changed. Must not: write.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::ObjectMeta;
use pgherd_model::api::status::ClusterStatus;
use pgherd_model::names::{Role, secrets};
use pgherd_planner::build::uses_config_maps;
use pgherd_planner::observed::{ClaimView, Observed, SecretView, Source};
use pgherd_planner::plan::Mode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Question, elsewhere, given};
use crate::cache::{Key, Stored};
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::kinds::Watched;

/// Reads at once for one cluster.
const READS: usize = 8;

/// What is known of one cluster's objects, and the kinds that could not be read.
struct Known {
    objects: Vec<(Key, Stored)>,
    unknown: BTreeMap<Watched, String>,
}

/// Fills in everything that is a Kubernetes object.
pub(super) async fn read(context: &Context, question: &Question<'_>, observed: &mut Observed) {
    let shared = ClusterRef::of_namespace(&question.cluster.namespace);
    let (mut own, shared) = futures::join!(
        known(context, question.cluster, to_find(context, question)),
        known(context, &shared, Vec::new())
    );
    let names = question.names;
    observed.stateful_set = own.one(Watched::StatefulSet, names.stateful_set());
    let services = [names.service(Role::Primary), names.service(Role::Replica)];
    observed.services = own.these(Watched::Service, &services);
    let budgets = [names.primary_budget().to_owned(), names.critical_budget()];
    observed.disruption_budgets = own.these(Watched::PodDisruptionBudget, &budgets);
    observed.claims = own.all(Watched::PersistentVolumeClaim, claim_view);
    observed.service_account = shared.one(Watched::ServiceAccount, names.service_account());
    observed.role_binding = shared.one(Watched::RoleBinding, names.service_account());
    read_elsewhere(context, question, &mut own).await;
    observed.secrets = own.all(Watched::Secret, secret_view);
    given::compare(context, question, &own.objects, &mut observed.secrets).await;
    observed.endpoints = endpoints(context, question).await;
}

/// What is wanted and no watch told of: a secret that somebody made beforehand has no labels; the StatefulSet of a cluster that was there
/// before may have others than the configuration says.
fn to_find(context: &Context, question: &Question<'_>) -> Vec<Key> {
    let drafts = question
        .desired
        .map(|desired| desired.secrets.as_slice())
        .unwrap_or_default();
    if is_new(context, question) {
        return Vec::new();
    }
    let here = drafts
        .iter()
        .filter(|draft| draft.namespace == question.cluster.namespace);
    let secrets = here.map(|draft| Key {
        kind: Watched::Secret,
        name: draft.name.clone(),
    });
    let was_there = question.view.status.postgres_cluster_status != ClusterStatus::Unknown;
    let set = was_there.then(|| Key {
        kind: Watched::StatefulSet,
        name: question.names.stateful_set().to_owned(),
    });
    secrets
        .chain(set)
        .filter(|key| !context.cache.owned.has(question.cluster, key))
        .collect()
}

/// Nobody has ever looked at the cluster, and it is going to be made: who then creates a secret that somebody made beforehand is told so, and
/// takes it as it is.
fn is_new(context: &Context, question: &Question<'_>) -> bool {
    let status = &question.view.status;
    status.postgres_cluster_status == ClusterStatus::Unknown
        && status.observed_generation.is_none()
        && context.authority.leadership.is_some()
        && Mode::of(question.view, question.config) == Mode::Live
}

/// Secrets in other namespaces.
async fn read_elsewhere(context: &Context, question: &Question<'_>, own: &mut Known) {
    let places = elsewhere::secrets(context, question).await;
    let places = places.unwrap_or_else(|problem| {
        own.unknown.insert(Watched::Secret, problem);
        Vec::new()
    });
    for (namespace, name) in places {
        match context.whole("Secret", &namespace, &name).await {
            Ok(Some(secret)) => {
                let kind = Watched::Secret;
                own.objects.push((Key { kind, name }, secret.into()));
            }
            Ok(None) => {}
            Err(problem) => {
                own.unknown.insert(Watched::Secret, problem);
            }
        }
    }
}

async fn known(context: &Context, cluster: &ClusterRef, to_find: Vec<Key>) -> Known {
    let keys = context.cache.owned.outdated(cluster).into_iter().chain(to_find);
    let reads = stream::iter(keys.map(|key| refresh(context, cluster, key)));
    let problems: Vec<Option<_>> = reads.buffer_unordered(READS).collect().await;
    Known {
        objects: context.cache.owned.contents(cluster),
        unknown: problems.into_iter().flatten().collect(),
    }
}

/// Brings one object of the cache up to date; tells what went wrong.
async fn refresh(context: &Context, cluster: &ClusterRef, key: Key) -> Option<(Watched, String)> {
    match context
        .whole(&key.kind.resource().kind, &cluster.namespace, &key.name)
        .await
    {
        Ok(Some(object)) => context.cache.owned.keep(cluster, key, object),
        Ok(None) => context.cache.owned.remove(cluster, &key),
        Err(problem) => return Some((key.kind, problem)),
    }
    None
}

/// The primary's Endpoints, in Endpoints mode: Patroni changes it all the time, so that it is read once a resync.
async fn endpoints<T: DeserializeOwned>(context: &Context, question: &Question<'_>) -> Source<Option<T>> {
    if uses_config_maps(question.config) {
        return Source::Unknown("not asked: patroni keeps its state in config maps".to_owned());
    }
    let cluster = question.cluster;
    let remembered = context.memories.with(cluster, |memory| memory.endpoints.clone());
    let found = match remembered {
        Some(found) if !question.deleting => Some(found),
        _ => match context
            .read(
                "Endpoints",
                &cluster.namespace,
                &question.names.service(Role::Primary),
            )
            .await
        {
            Ok(found) => found,
            Err(problem) => return Source::Unknown(problem),
        },
    };
    context
        .memories
        .with(cluster, |memory| memory.endpoints.clone_from(&found));
    match found.as_ref().map(decode).transpose() {
        Ok(found) => Source::Known(found),
        Err(problem) => Source::Unknown(problem),
    }
}

impl Known {
    fn one<T: Kept>(&self, kind: Watched, name: &str) -> Source<Option<T>> {
        match self.these(kind, &[name.to_owned()]) {
            Source::Known(mut found) => Source::Known(found.pop()),
            Source::Unknown(reason) => Source::Unknown(reason),
        }
    }

    fn these<T: Kept>(&self, kind: Watched, names: &[String]) -> Source<Vec<T>> {
        self.read(kind, |key| names.contains(&key.name), decode_kept)
    }

    fn all<T, V: Kept>(&self, kind: Watched, view: fn(V) -> T) -> Source<Vec<T>> {
        self.read(kind, |_| true, |key, object| decode_kept(key, object).map(view))
    }

    fn read<T>(
        &self,
        kind: Watched,
        wanted: impl Fn(&Key) -> bool,
        decode: impl Fn(&Key, &Stored) -> Result<T, String>,
    ) -> Source<Vec<T>> {
        if let Some(reason) = self.unknown.get(&kind) {
            return Source::Unknown(reason.clone());
        }
        let found = self
            .objects
            .iter()
            .filter(|(key, _)| key.kind == kind && wanted(key));
        match found.map(|(key, object)| decode(key, object)).collect() {
            Ok(found) => Source::Known(found),
            Err(reason) => Source::Unknown(reason),
        }
    }
}

/// Objects of a kind that the cache keeps.
trait Kept: DeserializeOwned + Metadata<Ty = ObjectMeta> {}

impl<T: DeserializeOwned + Metadata<Ty = ObjectMeta>> Kept for T {}

fn decode_kept<T: Kept>(key: &Key, object: &Stored) -> Result<T, String> {
    object
        .decode()
        .ok_or_else(|| format!("cannot decode {}", key.name))
}

fn decode<T: DeserializeOwned>(object: &Value) -> Result<T, String> {
    // The error may quote a value: of a secret, too.
    T::deserialize(object).map_err(|_| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        format!("cannot decode {name}")
    })
}

/// Never takes the password along.
fn secret_view(secret: Secret) -> SecretView {
    let data = secret.data.unwrap_or_default();
    let text = |key: &str| {
        data.get(key)
            .and_then(|bytes| String::from_utf8(bytes.0.clone()).ok())
    };
    let holds = |key: &str| data.get(key).is_some_and(|bytes| !bytes.0.is_empty());
    let metadata: ObjectMeta = secret.metadata;
    SecretView {
        namespace: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
        owner_references: metadata.owner_references.unwrap_or_default(),
        username: text(secrets::USERNAME).filter(|name| !name.is_empty()),
        has_password: holds(secrets::PASSWORD),
        password_illegible: holds(secrets::PASSWORD) && text(secrets::PASSWORD).is_none(),
        has_previous: holds(secrets::PREVIOUS_PASSWORD),
        next_rotation: text(secrets::NEXT_ROTATION),
        ..SecretView::default()
    }
}

fn claim_view(claim: PersistentVolumeClaim) -> ClaimView {
    let storage = |from: Option<BTreeMap<String, _>>| {
        let quantity = from.unwrap_or_default().remove("storage");
        quantity
            .map(|quantity: k8s_openapi::apimachinery::pkg::api::resource::Quantity| quantity.0)
            .unwrap_or_default()
    };
    let metadata = claim.metadata;
    let status = claim.status.unwrap_or_default();
    ClaimView {
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default(),
        terminating: metadata.deletion_timestamp.is_some(),
        phase: status.phase.unwrap_or_default(),
        requested: storage(
            claim
                .spec
                .and_then(|spec| spec.resources)
                .and_then(|resources| resources.requests),
        ),
        capacity: storage(status.capacity),
        annotations: metadata.annotations.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::whole::Whole;

    #[test]
    fn the_view_of_a_secret_has_the_name_and_not_the_password() {
        let secret = json!({
            "metadata": {"name": "s", "namespace": "n", "uid": "u", "resourceVersion": "5", "labels": {"team": "acid"}},
            "data": {"username": "Zm9v", "password": "aHVudGVyMg=="},
        });
        let view = secret_view(decode(&secret).unwrap());
        assert_eq!((view.username.as_deref(), view.has_password), (Some("foo"), true));
        assert!(!format!("{view:?}").contains("hunter2"));
        let empty = json!({"metadata": {"name": "s"}, "data": {"password": ""}});
        assert!(!secret_view(decode(&empty).unwrap()).has_password);
        // The byte 0xff.
        let bytes = json!({"metadata": {"name": "s"}, "data": {"password": "/w=="}});
        let view = secret_view(decode(&bytes).unwrap());
        assert!(
            view.has_password && view.password_illegible,
            "it is not ours to overwrite"
        );
    }

    #[test]
    fn what_cannot_be_decoded_is_unknown_and_is_not_quoted() {
        let key = Key {
            kind: Watched::Secret,
            name: "s".to_owned(),
        };
        let object = json!({"metadata": {"name": "s"}, "data": {"password": 4711}});
        let known = Known {
            objects: vec![(key, Whole::of(&object).unwrap().into())],
            unknown: BTreeMap::new(),
        };
        assert_eq!(
            known.all(Watched::Secret, secret_view),
            Source::Unknown("cannot decode s".to_owned())
        );
        assert_eq!(
            known.all(Watched::PersistentVolumeClaim, claim_view),
            Source::Known(vec![])
        );
    }

    #[test]
    fn a_claim_is_read_with_both_sizes() {
        let claim = json!({
            "metadata": {"name": "pgdata-a-0", "uid": "u"},
            "spec": {"resources": {"requests": {"storage": "2Gi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
        });
        let view = claim_view(decode(&claim).unwrap());
        assert_eq!(
            (
                view.requested.as_str(),
                view.capacity.as_str(),
                view.phase.as_str()
            ),
            ("2Gi", "1Gi", "Bound")
        );
    }
}
