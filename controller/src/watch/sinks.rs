//! From events to caches and wake-ups, one sink per shape of object. Must not: decide what a cluster does about it.

use std::collections::HashSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::names::annotations;

use super::follow::Sink;
use super::namespaces::Chosen;
use super::part::Part;
use super::{Scope, Watches, WirePod};
use crate::cache::{Key, Manifest, Owned};
use crate::cluster_ref::ClusterRef;
use crate::kinds::{FoundBy, Watched};
use crate::queue::Lane;
use crate::whole::Whole;

/// The clusters themselves.
pub(super) struct ManifestSink {
    watches: Watches,
    namespace: Option<String>,
    listed: Option<HashSet<ClusterRef>>,
    had_list: bool,
    /// Only the clusters of these namespaces are ours.
    chosen: Chosen,
}

impl ManifestSink {
    pub(super) fn new(watches: Watches, namespace: Option<&str>) -> Self {
        Self {
            watches,
            namespace: namespace.map(str::to_owned),
            listed: None,
            had_list: false,
            chosen: None,
        }
    }

    /// Only the clusters of these namespaces; what was listed before, by another sink, counts.
    pub(super) fn only(mut self, chosen: Chosen, had_list: bool) -> Self {
        self.chosen = chosen;
        self.had_list = had_list;
        self
    }

    /// Whether this sink's list says whether the cluster is there.
    fn covers(&self, cluster: &ClusterRef) -> bool {
        let chosen = self.chosen.as_ref();
        self.namespace
            .as_deref()
            .is_none_or(|namespace| namespace == cluster.namespace)
            && chosen.is_none_or(|chosen| chosen.contains(&cluster.namespace))
    }

    /// Zalando's rule: an operator without id manages the clusters without the annotation.
    fn is_ours(&self, object: &Whole) -> bool {
        let annotations = object.metadata.annotations.as_ref();
        let wanted = annotations.and_then(|all| all.get(annotations::CONTROLLER));
        wanted.map(String::as_str) == self.watches.controller_id.as_deref()
    }

    /// A last turn, in which what is remembered of it is forgotten, for one that was ours.
    fn leave_alone(&self, cluster: &ClusterRef, was_ours: bool, why: &str) {
        if was_ours {
            tracing::info!(%cluster, "{why}; leaving it alone");
            self.watches.queue.wake(cluster, Lane::Edit);
        }
    }

    /// After a start everything is new, and what changed since somebody looked goes first; later, what a new list shows as new is an edit that
    /// we missed.
    fn lane(&self, is_unseen: bool, is_made: bool) -> Lane {
        if self.had_list || is_unseen {
            Lane::of_edit(is_made)
        } else {
            Lane::Resync
        }
    }
}

impl Sink<Whole> for ManifestSink {
    fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn apply(&mut self, object: Whole) {
        let Some(cluster) = reference(&object) else {
            return;
        };
        let manifests = &self.watches.cache.manifests;
        if !self.is_ours(&object) {
            let was_ours = manifests.forget(&cluster);
            self.leave_alone(&cluster, was_ours, "cluster now belongs to another controller");
            return;
        }
        if !self.covers(&cluster) {
            let was_ours = manifests.set_aside(&cluster);
            self.leave_alone(&cluster, was_ours, "cluster in a namespace that is not ours");
            return;
        }
        let manifest = Manifest::of(object);
        let lane = self.lane(manifest.is_unseen(), manifest.is_made());
        if self.watches.cache.manifests.note(&cluster, manifest) {
            self.watches.queue.wake(&cluster, lane);
        }
        if let Some(listed) = &mut self.listed {
            listed.insert(cluster);
        }
    }

    fn delete(&mut self, object: Whole) {
        if let Some(cluster) = reference(&object)
            && self.watches.cache.manifests.note_gone(&cluster)
        {
            self.watches.queue.wake(&cluster, Lane::Edit);
        }
    }

    fn list_ends(&mut self) {
        self.had_list = true;
        let listed = self.listed.take().unwrap_or_default();
        let manifests = &self.watches.cache.manifests;
        for cluster in manifests.note_listed(|cluster| self.covers(cluster), &listed) {
            self.watches.queue.wake(&cluster, Lane::Edit);
        }
    }
}

/// Pods of all clusters.
pub(super) struct PodSink {
    watches: Watches,
    scope: Scope,
    namespace: Option<String>,
    listed: Option<HashSet<(ClusterRef, String)>>,
}

impl PodSink {
    pub(super) fn new(watches: Watches, scope: &Scope, namespace: Option<&str>) -> Self {
        Self {
            watches,
            scope: scope.clone(),
            namespace: namespace.map(str::to_owned),
            listed: None,
        }
    }
}

impl Sink<WirePod> for PodSink {
    fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn apply(&mut self, pod: WirePod) {
        let Some(cluster) = self.scope.cluster_of(&pod.metadata) else {
            return;
        };
        let view = pod.view(&self.scope.role_label);
        if let Some(listed) = &mut self.listed {
            listed.insert((cluster.clone(), view.name.clone()));
        }
        if self.watches.cache.pods.note(&cluster, view) {
            self.watches.stir(&cluster);
        }
    }

    fn delete(&mut self, pod: WirePod) {
        if let Some(cluster) = self.scope.cluster_of(&pod.metadata)
            && self
                .watches
                .cache
                .pods
                .note_gone(&cluster, &pod.view(&self.scope.role_label))
        {
            self.watches.stir(&cluster);
        }
    }

    fn list_ends(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        for cluster in self
            .watches
            .cache
            .pods
            .note_listed(self.namespace.as_deref(), &listed)
        {
            self.watches.stir(&cluster);
        }
    }
}

/// What clusters own, one kind.
pub(super) struct OwnedSink {
    watches: Watches,
    scope: Scope,
    kind: Watched,
    namespace: Option<String>,
    listed: Option<HashSet<(ClusterRef, Key)>>,
}

impl OwnedSink {
    pub(super) fn new(watches: Watches, scope: &Scope, kind: Watched, namespace: Option<&str>) -> Self {
        Self {
            watches,
            scope: scope.clone(),
            kind,
            namespace: namespace.map(str::to_owned),
            listed: None,
        }
    }

    fn place(&self, metadata: &ObjectMeta) -> Option<(ClusterRef, Key)> {
        let key = Key {
            kind: self.kind,
            name: metadata.name.clone()?,
        };
        let cluster = match self.kind.found_by() {
            FoundBy::ClusterLabels => self.scope.cluster_of(metadata)?,
            FoundBy::AccountName => ClusterRef::of_namespace(metadata.namespace.as_deref()?),
        };
        Some((cluster, key))
    }

    /// The cluster that has put a secret into another namespace than its own.
    fn owner(&self, metadata: &ObjectMeta) -> Option<ClusterRef> {
        let annotations = metadata.annotations.as_ref()?;
        let owner = annotations.get(annotations::SECRET_OF);
        let (namespace, name) = owner.filter(|_| self.kind == Watched::Secret)?.split_once('/')?;
        Some(ClusterRef::new(namespace, name))
    }

    /// What every cluster of a namespace shares, stirs them all; so does a secret in a namespace without such a cluster, which some cluster
    /// of that name elsewhere has put there. One that says whose it is stirs that one, whoever lives beside it.
    fn stir(&self, cluster: &ClusterRef, owner: Option<ClusterRef>) {
        let manifests = &self.watches.cache.manifests;
        if let Some(owner) = owner.filter(|owner| manifests.get(owner).is_some()) {
            return self.watches.stir(&owner);
        }
        match self.kind.found_by() {
            FoundBy::ClusterLabels if self.kind == Watched::Secret && manifests.get(cluster).is_none() => {
                self.stir_all(&cluster.name);
            }
            FoundBy::ClusterLabels => self.watches.stir(cluster),
            FoundBy::AccountName => {
                for cluster in self.watches.cache.manifests.in_namespace(&cluster.namespace) {
                    self.watches.stir(&cluster);
                }
            }
        }
    }

    /// Every cluster of a name, in whichever namespace.
    fn stir_all(&self, name: &str) {
        let all = self.watches.cache.manifests.all().into_iter();
        for cluster in all.filter(|cluster| cluster.name == name) {
            self.watches.stir(&cluster);
        }
    }
}

/// An object that clusters own, as a watch tells of it.
pub(super) trait Told {
    fn metadata(&self) -> &ObjectMeta;
    /// True when it is news.
    fn note(self, owned: &Owned, cluster: &ClusterRef, key: Key) -> bool;
}

impl Told for Part {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn note(self, owned: &Owned, cluster: &ClusterRef, key: Key) -> bool {
        owned.note(cluster, key, &self.metadata)
    }
}

impl Told for Whole {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn note(self, owned: &Owned, cluster: &ClusterRef, key: Key) -> bool {
        owned.note_whole(cluster, key, self)
    }
}

impl<K: Told> Sink<K> for OwnedSink {
    fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn apply(&mut self, object: K) {
        let Some((cluster, key)) = self.place(object.metadata()) else {
            return;
        };
        if let Some(listed) = &mut self.listed {
            listed.insert((cluster.clone(), key.clone()));
        }
        let owner = self.owner(object.metadata());
        if object.note(&self.watches.cache.owned, &cluster, key) {
            self.stir(&cluster, owner);
        }
    }

    fn delete(&mut self, object: K) {
        let metadata = object.metadata();
        if let Some((cluster, key)) = self.place(metadata)
            && self.watches.cache.owned.note_gone(&cluster, &key, metadata)
        {
            self.stir(&cluster, self.owner(metadata));
        }
    }

    fn list_ends(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let namespace = self.namespace.as_deref();
        for cluster in self
            .watches
            .cache
            .owned
            .note_listed(self.kind, namespace, &listed)
        {
            if self.kind == Watched::Secret {
                // Whose it was that went meanwhile, nobody can tell any more.
                self.stir_all(&cluster.name);
            } else {
                self.stir(&cluster, None);
            }
        }
    }
}

fn reference(object: &Whole) -> Option<ClusterRef> {
    Some(ClusterRef::new(
        object.metadata.namespace.clone()?,
        object.metadata.name.clone()?,
    ))
}

#[cfg(test)]
mod tests;
