//! The objects that belong to clusters: what the metadata watches say about them, and the contents as last read or written.
//!
//! A content is current as long as the metadata says that it is: same generation and metadata where the status is of no interest (that of a
//! budget changes with every pod), same resourceVersion elsewhere.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::DefaultHasher};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::names::operator::FIELD_MANAGER;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::locked;
use crate::cluster_ref::ClusterRef;
use crate::kinds::Watched;
use crate::whole::Whole;

/// An object of a cluster, or of its namespace (then the cluster's name is empty). It is in the cluster's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub kind: Watched,
    pub name: String,
}

/// An object as JSON text, without managedFields and version: a fifth of the memory of the parsed form. May hold a secret's data, so it is not
/// printed.
#[derive(Clone)]
struct Content {
    text: Arc<str>,
    /// Of what is news when it changes.
    essence: u64,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.text.len())
    }
}

impl Content {
    fn of(kind: Watched, mut object: Whole) -> Self {
        if kind.status_is_idle() {
            // It would be out of date soon, and nothing would tell.
            object.take_status();
        }
        let text = object.text();
        let mut hasher = DefaultHasher::new();
        if kind == Watched::StatefulSet {
            object.change_status(of_interest);
            object.text().hash(&mut hasher);
        } else {
            text.hash(&mut hasher);
        }
        Self {
            text: text.into(),
            essence: hasher.finish(),
        }
    }
}

/// An object as it is known, with its latest version.
#[derive(Clone)]
pub struct Stored {
    text: Arc<str>,
    version: Option<String>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({} bytes)", self.text.len())
    }
}

/// What was read just now.
impl From<Whole> for Stored {
    fn from(object: Whole) -> Self {
        Self {
            text: object.text().into(),
            version: object.metadata.resource_version,
        }
    }
}

impl Stored {
    /// None where it is not of this kind.
    pub fn decode<T: DeserializeOwned + Metadata<Ty = ObjectMeta>>(&self) -> Option<T> {
        let mut object: T = serde_json::from_str(&self.text).ok()?;
        object.metadata_mut().resource_version.clone_from(&self.version);
        Some(object)
    }

    /// All of it.
    pub fn value(&self) -> Value {
        let mut value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        value["metadata"]["resourceVersion"] = self.version.clone().into();
        value
    }
}

/// What metadata tells about whether the rest can have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Marks {
    uid: Option<String>,
    version: Option<String>,
    generation: Option<i64>,
    /// Of labels, annotations, owners, finalizers and deletion.
    metadata: u64,
}

#[derive(Debug)]
struct Entry {
    latest: Marks,
    content: Option<(Marks, Content)>,
    /// Known only because we read it by name: no watch tells when it changes.
    unwatched: bool,
    /// We wrote fields of it otherwise than by apply.
    is_updated: bool,
}

/// All owned objects of all clusters.
#[derive(Debug, Default)]
pub struct Owned {
    clusters: Mutex<HashMap<ClusterRef, BTreeMap<Key, Entry>>>,
}

impl Owned {
    /// A watch says that the object is like this now. True when that is news.
    pub fn note(&self, cluster: &ClusterRef, key: Key, metadata: &ObjectMeta) -> bool {
        self.note_marks(cluster, key, metadata, is_updated(metadata))
    }

    fn note_marks(&self, cluster: &ClusterRef, key: Key, metadata: &ObjectMeta, is_updated: bool) -> bool {
        let marks = Marks::of(key.kind, metadata);
        let mut clusters = locked(&self.clusters);
        let objects = clusters.entry(cluster.clone()).or_default();
        let Some(entry) = objects.get_mut(&key) else {
            objects.insert(
                key,
                Entry {
                    latest: marks,
                    content: None,
                    unwatched: false,
                    is_updated,
                },
            );
            return true;
        };
        entry.unwatched = false;
        if marks.is_older_than(&entry.latest) {
            return false;
        }
        entry.is_updated = is_updated;
        let news = !marks.same_content(&entry.latest);
        entry.latest = marks;
        news
    }

    /// A watch says that the object is like this now, all of it. True when that is news: something changed that is kept.
    pub fn note_whole(&self, cluster: &ClusterRef, key: Key, object: Whole) -> bool {
        let is_other = self.note_marks(cluster, key.clone(), &object.metadata, object.is_updated);
        let before = {
            let clusters = locked(&self.clusters);
            let entry = clusters.get(cluster).and_then(|objects| objects.get(&key));
            match entry {
                Some(entry) if !entry.is_current() => entry.content.as_ref().map(|(_, known)| known.essence),
                _ => return is_other,
            }
        };
        let after = self.put(cluster, key, object);
        is_other && before != Some(after)
    }

    /// A watch says that the object is gone. True when that is news.
    pub fn note_gone(&self, cluster: &ClusterRef, key: &Key, metadata: &ObjectMeta) -> bool {
        let mut clusters = locked(&self.clusters);
        let Some(objects) = clusters.get_mut(cluster) else {
            return false;
        };
        let same = objects
            .get(key)
            .is_some_and(|entry| entry.latest.uid == metadata.uid);
        if same {
            objects.remove(key);
        }
        if objects.is_empty() {
            clusters.remove(cluster);
        }
        same
    }

    /// A watch has listed everything of a kind in a namespace (in all, when none is given) anew: what it did not list is gone. Returns the
    /// clusters that lost something.
    pub fn note_listed(
        &self,
        kind: Watched,
        namespace: Option<&str>,
        listed: &HashSet<(ClusterRef, Key)>,
    ) -> Vec<ClusterRef> {
        let mut losers = Vec::new();
        let mut clusters = locked(&self.clusters);
        for (cluster, objects) in clusters.iter_mut() {
            if namespace.is_some_and(|namespace| namespace != cluster.namespace) {
                continue;
            }
            let before = objects.len();
            objects.retain(|key, entry| {
                key.kind != kind || entry.unwatched || listed.contains(&(cluster.clone(), key.clone()))
            });
            if objects.len() < before {
                losers.push(cluster.clone());
            }
        }
        clusters.retain(|_, objects| !objects.is_empty());
        losers
    }

    /// The API server answered with this object, to a read or to a write of ours. The watch's echo of it will be no news.
    pub fn keep(&self, cluster: &ClusterRef, key: Key, object: Whole) {
        self.put(cluster, key, object);
    }

    /// As [`Self::keep`], of what is no object nothing.
    pub fn store(&self, cluster: &ClusterRef, key: Key, object: &Value) {
        if let Some(object) = Whole::of(object) {
            self.keep(cluster, key, object);
        }
    }

    /// Returns its essence.
    fn put(&self, cluster: &ClusterRef, key: Key, object: Whole) -> u64 {
        let is_updated = object.is_updated;
        let marks = Marks::of(key.kind, &object.metadata);
        let content = Content::of(key.kind, object);
        let essence = content.essence;
        let content = Some((marks.clone(), content));
        let mut clusters = locked(&self.clusters);
        let objects = clusters.entry(cluster.clone()).or_default();
        match objects.get_mut(&key) {
            // The answer to a write may come later than the watch's word of what somebody else wrote after it.
            Some(entry) if entry.is_current() && marks.is_older_than(&entry.latest) => {}
            Some(entry) => {
                entry.content = content;
                if !marks.is_older_than(&entry.latest) {
                    entry.latest = marks;
                    entry.is_updated = is_updated;
                }
            }
            None => {
                objects.insert(
                    key,
                    Entry {
                        latest: marks,
                        content,
                        unwatched: true,
                        is_updated,
                    },
                );
            }
        }
        essence
    }

    /// A request has shown that the object does not exist (any more).
    pub fn remove(&self, cluster: &ClusterRef, key: &Key) {
        if let Some(objects) = locked(&self.clusters).get_mut(cluster) {
            objects.remove(key);
        }
    }

    /// Clusters that own anything, by its labels.
    pub fn clusters(&self) -> Vec<ClusterRef> {
        let clusters = locked(&self.clusters);
        let found = clusters.keys().filter(|cluster| !cluster.name.is_empty());
        found.cloned().collect()
    }

    /// What a cluster owns.
    pub fn keys(&self, cluster: &ClusterRef) -> Vec<Key> {
        let clusters = locked(&self.clusters);
        let objects = clusters.get(cluster).into_iter().flatten();
        objects.map(|(key, _)| key.clone()).collect()
    }

    pub fn has(&self, cluster: &ClusterRef, key: &Key) -> bool {
        locked(&self.clusters)
            .get(cluster)
            .is_some_and(|objects| objects.contains_key(key))
    }

    /// We wrote fields of it otherwise than by apply, which therefore does not take them away.
    pub fn is_updated(&self, cluster: &ClusterRef, key: &Key) -> bool {
        let clusters = locked(&self.clusters);
        let entry = clusters.get(cluster).and_then(|objects| objects.get(key));
        entry.is_some_and(|entry| entry.is_updated)
    }

    /// What must be read before [`Self::contents`] is the whole truth.
    pub fn outdated(&self, cluster: &ClusterRef) -> Vec<Key> {
        let clusters = locked(&self.clusters);
        let objects = clusters.get(cluster).into_iter().flatten();
        objects
            .filter(|(_, entry)| !entry.is_current())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Every known object, sorted by kind and name, with its latest resourceVersion: preconditions of deletes ask for it.
    pub fn contents(&self, cluster: &ClusterRef) -> Vec<(Key, Stored)> {
        let clusters = locked(&self.clusters);
        let objects = clusters.get(cluster).into_iter().flatten();
        objects
            .filter_map(|(key, entry)| Some((key.clone(), entry.stored()?)))
            .collect()
    }

    /// One known object.
    pub fn content(&self, cluster: &ClusterRef, key: &Key) -> Option<Value> {
        let clusters = locked(&self.clusters);
        let stored = clusters.get(cluster)?.get(key)?.stored()?;
        drop(clusters);
        Some(stored.value())
    }

    /// Makes the next observation read again what no watch covers.
    pub fn distrust_unwatched(&self, cluster: &ClusterRef) {
        if let Some(objects) = locked(&self.clusters).get_mut(cluster) {
            objects.retain(|_, entry| !entry.unwatched);
        }
    }

    /// How many objects are known, for metrics.
    pub fn len(&self) -> usize {
        locked(&self.clusters).values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&self) {
        locked(&self.clusters).clear();
    }
}

fn is_updated(metadata: &ObjectMeta) -> bool {
    let mut entries = metadata.managed_fields.iter().flatten();
    entries.any(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Update")
            && entry.subresource.is_none()
    })
}

/// What of a StatefulSet's status is news: which pods run an older template. How many are ready changes all the time, and the pods themselves
/// tell.
fn of_interest(status: &str) -> String {
    const READ: [&str; 4] = [
        "observedGeneration",
        "replicas",
        "currentRevision",
        "updateRevision",
    ];
    let mut status: Value = serde_json::from_str(status).unwrap_or_default();
    if let Some(fields) = status.as_object_mut() {
        fields.retain(|name, _| READ.contains(&name.as_str()));
    }
    status.to_string()
}

impl Entry {
    fn stored(&self) -> Option<Stored> {
        let (_, content) = self.content.as_ref()?;
        Some(Stored {
            text: Arc::clone(&content.text),
            version: self.latest.version.clone(),
        })
    }

    fn is_current(&self) -> bool {
        self.content
            .as_ref()
            .is_some_and(|(marks, _)| marks.same_content(&self.latest))
    }
}

impl Marks {
    fn of(kind: Watched, metadata: &ObjectMeta) -> Self {
        let mut hasher = DefaultHasher::new();
        metadata.labels.hash(&mut hasher);
        metadata.annotations.hash(&mut hasher);
        metadata.finalizers.hash(&mut hasher);
        metadata.deletion_timestamp.is_some().hash(&mut hasher);
        for owner in metadata.owner_references.iter().flatten() {
            (&owner.uid, owner.controller).hash(&mut hasher);
        }
        Self {
            uid: metadata.uid.clone(),
            version: metadata.resource_version.clone(),
            generation: metadata.generation.filter(|_| kind.status_is_idle()),
            metadata: hasher.finish(),
        }
    }

    fn same_content(&self, other: &Self) -> bool {
        match (self.generation, other.generation) {
            (Some(mine), Some(theirs)) => {
                self.uid == other.uid && mine == theirs && self.metadata == other.metadata
            }
            _ => self.uid == other.uid && self.version == other.version,
        }
    }

    /// Resource versions of one resource are numbers that grow. Should one not be a number, nothing is older.
    fn is_older_than(&self, other: &Self) -> bool {
        let number = |marks: &Self| marks.version.as_deref().and_then(|text| text.parse::<u64>().ok());
        matches!((number(self), number(other)), (Some(mine), Some(theirs)) if mine < theirs)
    }
}

#[cfg(test)]
mod tests;
