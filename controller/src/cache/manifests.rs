//! The clusters' manifests as stored by the API server: as text, because it is a fifth of the memory of the parsed form and is parsed once
//! a turn. Not typed: one object that nobody can decode must not hide the others.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_model::api::status::ClusterStatus;
use pgherd_model::names::annotations;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::locked;
use crate::cluster_ref::ClusterRef;
use crate::whole::Whole;

/// A new scope's first lists come within moments; whose namespace comes into view later than this was out of it.
const STILL_OURS: Duration = Duration::from_mins(5);

/// One `postgresql` as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Everything but status, others' managedFields and resourceVersion: what a reconcile acts on.
    essence: Box<[u8]>,
    status: Box<[u8]>,
    version: Option<String>,
    generation: Option<i64>,
    /// Value of the annotation that asks for a look at everything.
    sync: Option<Box<str>>,
    /// Since when the object is known to be gone.
    departed: Option<Timestamp>,
    /// Its status says that it has been made, or that this cannot be.
    is_made: bool,
    /// Its status speaks of an earlier spec, or it is to go.
    is_unseen: bool,
}

/// What is asked of a status without a turn.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Word {
    #[serde(rename = "PostgresClusterStatus")]
    of_cluster: String,
    observed_generation: Option<i64>,
}

/// What a status says of a cluster that has not run yet.
const UNMADE: [ClusterStatus; 2] = [ClusterStatus::Unknown, ClusterStatus::Creating];

impl Manifest {
    pub fn of(mut object: Whole) -> Self {
        let status = object.take_status().unwrap_or_else(|| "null".to_owned());
        let word = serde_json::from_str::<Word>(&status).unwrap_or_default();
        let is_made = UNMADE.iter().all(|unmade| *unmade.as_str() != *word.of_cluster);
        let essence = object.text().into_bytes().into();
        let metadata = object.metadata;
        let annotations = metadata.annotations.as_ref();
        let sync = annotations.and_then(|all| all.get(annotations::SYNC));
        Self {
            essence,
            status: status.into_bytes().into(),
            version: metadata.resource_version,
            generation: metadata.generation,
            sync: sync.map(|value| value.as_str().into()),
            departed: None,
            is_made,
            is_unseen: metadata.deletion_timestamp.is_some()
                || word.observed_generation != metadata.generation,
        }
    }

    /// Since when the object is known to be gone; none as long as it is there.
    pub fn departed(&self) -> Option<Timestamp> {
        self.departed
    }

    /// The object has gone just now, as far as anybody knows.
    fn gone(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self {
            departed: Some(Timestamp::now()),
            ..(**self).clone()
        })
    }

    /// Its status says that it has been made, or that this cannot be.
    pub fn is_made(&self) -> bool {
        self.is_made
    }

    /// Its status speaks of an earlier spec, or it is to go.
    pub fn is_unseen(&self) -> bool {
        self.is_unseen
    }

    /// Counts the edits of its spec, and its deletion.
    pub fn generation(&self) -> Option<i64> {
        self.generation
    }

    /// What the annotation says by which somebody asks for a look at everything.
    pub fn sync(&self) -> Option<&str> {
        self.sync.as_deref()
    }

    /// What is left of an object that nobody has seen go.
    fn without_version(self) -> Self {
        Self {
            version: None,
            ..self
        }
    }

    /// The object again, without others' managedFields.
    pub fn value(&self) -> Value {
        let mut value: Value = serde_json::from_slice(&self.essence).unwrap_or_default();
        let status = serde_json::from_slice(&self.status).unwrap_or(Value::Null);
        if let Some(fields) = value.as_object_mut() {
            if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
                metadata.insert("resourceVersion".to_owned(), self.version.clone().into());
            }
            if !status.is_null() {
                fields.insert("status".to_owned(), status);
            }
        }
        value
    }
}

/// All manifests.
#[derive(Debug, Default)]
pub struct Manifests {
    clusters: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    present: HashMap<ClusterRef, Arc<Manifest>>,
    /// Gone without a finalizer of ours: the last that was seen, until what belonged to it is dealt with.
    departed: HashMap<ClusterRef, Arc<Manifest>>,
    /// Out of view: the operator's scope has changed, or the namespace does not count any more. Nothing is done about them. One that is gone
    /// when it comes into view again was somebody else's when it went, and what is left of it may have been left on purpose: a leftover like
    /// others (`sweep`), as if this process had begun just now.
    aside: HashMap<ClusterRef, Aside>,
}

#[derive(Debug)]
struct Aside {
    manifest: Arc<Manifest>,
    /// Its deletion had begun when it went out of view: then.
    departed: Option<Instant>,
}

impl Aside {
    fn of(manifest: Arc<Manifest>) -> Self {
        Self {
            manifest,
            departed: None,
        }
    }

    /// A deletion that had begun goes on, if that is not long ago.
    fn departed(self) -> Option<Arc<Manifest>> {
        let since = self.departed?;
        let unseen = || Arc::unwrap_or_clone(self.manifest).without_version();
        (since.elapsed() < STILL_OURS).then(|| Arc::new(unseen()))
    }
}

impl Manifests {
    /// The object is like this now. True when something else than its status changed: our own reports wake nobody.
    pub fn note(&self, cluster: &ClusterRef, manifest: Manifest) -> bool {
        let known = &mut *locked(&self.clusters);
        known.aside.remove(cluster);
        let present = &mut known.present;
        let news = present
            .get(cluster)
            .is_none_or(|known| known.essence != manifest.essence);
        present.insert(cluster.clone(), Arc::new(manifest));
        news
    }

    /// The API server's answer to a write of ours: later than what is known, unless the object has gone meanwhile. What somebody else changed
    /// besides must still come as news from the watch, so that an answer with another essence is not taken.
    pub fn echo(&self, cluster: &ClusterRef, manifest: Manifest) {
        let present = &mut locked(&self.clusters).present;
        if present
            .get(cluster)
            .is_some_and(|known| known.essence == manifest.essence)
        {
            present.insert(cluster.clone(), Arc::new(manifest));
        }
    }

    /// The API server's answer to a write of ours that required the version `read`: what follows it. Not taken when something else is known
    /// by now: that is later still, or the object has gone. Nor when nothing held the object any more: the write was its end, of which the
    /// watch tells.
    pub fn succeed(&self, cluster: &ClusterRef, read: &str, written: Whole) {
        let metadata = &written.metadata;
        if metadata.deletion_timestamp.is_some() && metadata.finalizers.as_ref().is_none_or(Vec::is_empty) {
            return;
        }
        let present = &mut locked(&self.clusters).present;
        if present
            .get(cluster)
            .is_some_and(|known| known.version.as_deref() == Some(read))
        {
            present.insert(cluster.clone(), Arc::new(Manifest::of(written)));
        }
    }

    /// The object is gone. True when it was known.
    pub fn note_gone(&self, cluster: &ClusterRef) -> bool {
        let known = &mut *locked(&self.clusters);
        let Some(manifest) = known.present.remove(cluster) else {
            return false;
        };
        known.departed.insert(cluster.clone(), manifest.gone());
        true
    }

    /// Nobody has seen the object, and what belonged to it is still there.
    pub fn note_left_over(&self, cluster: &ClusterRef, stand_in: Manifest) {
        let known = &mut *locked(&self.clusters);
        if !known.present.contains_key(cluster) {
            known.departed.insert(cluster.clone(), Arc::new(stand_in));
        }
    }

    /// All objects in view of a watch have been listed anew: what it covers and did not list is gone. Returns what is. Of one that was out of
    /// view it is not known whether it only belongs to somebody else now: only a deletion that had begun goes on, and should the object not be
    /// gone, it is not brought back.
    pub fn note_listed(
        &self,
        covers: impl Fn(&ClusterRef) -> bool,
        listed: &HashSet<ClusterRef>,
    ) -> Vec<ClusterRef> {
        let known = &mut *locked(&self.clusters);
        let is_gone = |cluster: &ClusterRef| covers(cluster) && !listed.contains(cluster);
        let gone = known.present.extract_if(|cluster, _| is_gone(cluster));
        let gone: Vec<_> = gone
            .map(|(cluster, manifest)| (cluster, manifest.gone()))
            .collect();
        let aside = known.aside.extract_if(|cluster, _| is_gone(cluster));
        let going_on = aside.filter_map(|(cluster, aside)| Some((cluster, aside.departed()?)));
        let gone: Vec<_> = going_on.chain(gone).collect();
        let names = gone.iter().map(|(cluster, _)| cluster.clone()).collect();
        known.departed.extend(gone);
        names
    }

    /// The object is not ours (any more), but not gone either. True when it was ours.
    pub fn forget(&self, cluster: &ClusterRef) -> bool {
        let known = &mut *locked(&self.clusters);
        known.departed.remove(cluster);
        known.aside.remove(cluster);
        known.present.remove(cluster).is_some()
    }

    /// The object is there, in a namespace that does not count. True when it was ours until now.
    pub fn set_aside(&self, cluster: &ClusterRef) -> bool {
        let known = &mut *locked(&self.clusters);
        known.departed.remove(cluster);
        let Some(manifest) = known.present.remove(cluster) else {
            return false;
        };
        known.aside.insert(cluster.clone(), Aside::of(manifest));
        true
    }

    /// Other namespaces are looked at from now on, or others than before.
    pub fn set_all_aside(&self) {
        let known = &mut *locked(&self.clusters);
        let departed = Some(Instant::now());
        let going = known.departed.drain();
        let going = going.map(|(cluster, manifest)| (cluster, Aside { manifest, departed }));
        known.aside.extend(going);
        let present = known.present.drain();
        known
            .aside
            .extend(present.map(|(cluster, manifest)| (cluster, Aside::of(manifest))));
    }

    pub fn get(&self, cluster: &ClusterRef) -> Option<Arc<Manifest>> {
        locked(&self.clusters).present.get(cluster).cloned()
    }

    /// The cluster has been made, or is not ours to make.
    pub fn is_made(&self, cluster: &ClusterRef) -> bool {
        let known = locked(&self.clusters);
        let manifest = known.present.get(cluster);
        manifest.is_none_or(|manifest| manifest.is_made())
    }

    /// The last manifest of an object that is gone and whose belongings are not dealt with yet.
    pub fn departed(&self, cluster: &ClusterRef) -> Option<Arc<Manifest>> {
        locked(&self.clusters).departed.get(cluster).cloned()
    }

    /// It was not gone after all.
    pub fn return_from_departure(&self, cluster: &ClusterRef) {
        let known = &mut *locked(&self.clusters);
        let returning = known.departed.remove(cluster);
        // A stand-in for one that nobody has seen is none.
        if let Some(manifest) = returning.filter(|manifest| manifest.version.is_some()) {
            known.present.entry(cluster.clone()).or_insert(manifest);
        }
    }

    /// What belonged to an object that is gone, or is going, has been dealt with. True when another object of the same name was waiting for
    /// this. One that only waits for others' finalizers waits for nothing of ours.
    pub fn bury(&self, cluster: &ClusterRef) -> bool {
        let known = &mut *locked(&self.clusters);
        let buried = known.departed.remove(cluster).map(|manifest| manifest.value());
        let Some(present) = known.present.get(cluster).map(|manifest| manifest.value()) else {
            return false;
        };
        present["metadata"]["deletionTimestamp"].is_null()
            || buried.is_some_and(|buried| buried["metadata"]["uid"] != present["metadata"]["uid"])
    }

    pub fn all(&self) -> Vec<ClusterRef> {
        locked(&self.clusters).present.keys().cloned().collect()
    }

    pub fn in_namespace(&self, namespace: &str) -> Vec<ClusterRef> {
        locked(&self.clusters)
            .present
            .keys()
            .filter(|cluster| cluster.namespace == namespace)
            .cloned()
            .collect()
    }

    pub fn len(&self) -> usize {
        locked(&self.clusters).present.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(version: &str, instances: i64, status: &str) -> Manifest {
        let object: Whole = serde_json::from_value(json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": {"name": "a", "namespace": "n", "resourceVersion": version,
                "managedFields": [{"manager": "kubectl"}]},
            "spec": {"numberOfInstances": instances},
            "status": {"PostgresClusterStatus": status},
        }))
        .unwrap();
        Manifest::of(object)
    }

    fn object(version: &str, uid: &str, going: bool, finalizers: &[&str]) -> Whole {
        let mut object = json!({"metadata": {"name": "a", "namespace": "n", "uid": uid, "resourceVersion": version,
            "finalizers": finalizers}});
        if going {
            object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn an_answer_to_a_write_follows_what_was_read_and_brings_nothing_back() {
        let (manifests, cluster) = (Manifests::default(), ClusterRef::new("n", "a"));
        manifests.succeed(&cluster, "5", object("6", "u", true, &["other"]));
        assert!(manifests.is_empty(), "it has gone meanwhile");

        let version = || manifests.get(&cluster).unwrap().version.clone().unwrap();
        manifests.note(&cluster, Manifest::of(object("5", "u", true, &["ours", "other"])));
        manifests.succeed(&cluster, "5", object("6", "u", true, &["other"]));
        assert_eq!(version(), "6");
        manifests.succeed(&cluster, "5", object("6", "u", true, &["ours"]));
        manifests.succeed(&cluster, "6", object("7", "u", true, &[]));
        assert_eq!(version(), "6", "the last finalizer's end is the object's");
    }

    #[test]
    fn only_a_successor_waits_for_a_burial() {
        let (manifests, cluster) = (Manifests::default(), ClusterRef::new("n", "a"));
        assert!(!manifests.bury(&cluster));
        manifests.note(&cluster, Manifest::of(object("5", "u", true, &["other"])));
        assert!(!manifests.bury(&cluster), "it waits for somebody else");
        manifests.note_gone(&cluster);
        manifests.note(&cluster, Manifest::of(object("6", "v", true, &["ours"])));
        assert!(manifests.bury(&cluster));
        manifests.note(&cluster, Manifest::of(object("7", "v", false, &["ours"])));
        assert!(manifests.bury(&cluster));
    }

    #[test]
    fn the_object_comes_back_without_managed_fields() {
        let value = manifest("5", 2, "Running").value();
        assert_eq!(value["kind"], "postgresql");
        assert_eq!(
            value["metadata"],
            json!({"name": "a", "namespace": "n", "resourceVersion": "5"})
        );
        assert_eq!(value["spec"]["numberOfInstances"], 2);
        assert_eq!(value["status"]["PostgresClusterStatus"], "Running");
    }

    #[test]
    fn what_nobody_has_looked_at_since_it_changed_is_unseen() {
        let of = |generation: i64, seen: Option<i64>| {
            let object = json!({"metadata": {"name": "a", "namespace": "n", "generation": generation},
                "status": {"PostgresClusterStatus": "Creating", "observedGeneration": seen}});
            Manifest::of(Whole::of(&object).unwrap())
        };
        assert!(of(2, Some(1)).is_unseen() && of(1, None).is_unseen());
        assert!(!of(2, Some(2)).is_unseen() && !of(2, Some(2)).is_made());
        assert!(
            Manifest::of(object("5", "u", true, &[])).is_unseen(),
            "it is to go"
        );
        for odd in [json!("Running"), json!({"PostgresClusterStatus": 7}), json!(null)] {
            let object = Whole::of(&json!({"metadata": {"name": "a"}, "status": odd})).unwrap();
            let manifest = Manifest::of(object);
            assert!(!manifest.is_made(), "{odd}");
            assert_eq!(manifest.value()["status"], odd);
        }
    }

    #[test]
    fn a_new_status_is_no_news_and_a_new_spec_is() {
        let manifests = Manifests::default();
        let cluster = ClusterRef::new("n", "a");
        let mut first = manifest("4", 2, "").value();
        first.as_object_mut().unwrap().remove("status");
        assert!(manifests.note(&cluster, Manifest::of(Whole::of(&first).unwrap())));
        assert!(
            !manifests.note(&cluster, manifest("5", 2, "Creating")),
            "the first one"
        );
        manifests.note_gone(&cluster);
        assert!(manifests.note(&cluster, manifest("5", 2, "Creating")));
        assert!(!manifests.note(&cluster, manifest("6", 2, "Running")));
        assert_eq!(
            manifests.get(&cluster).unwrap().value()["status"]["PostgresClusterStatus"],
            "Running"
        );
        assert!(manifests.note(&cluster, manifest("7", 3, "Running")));
    }

    #[test]
    fn a_new_list_tells_who_is_gone() {
        let manifests = Manifests::default();
        for name in ["a", "b"] {
            manifests.note(&ClusterRef::new("n", name), manifest("5", 2, "Running"));
        }
        let listed = HashSet::from([ClusterRef::new("n", "b")]);
        let elsewhere = |cluster: &ClusterRef| cluster.namespace == "other";
        assert_eq!(manifests.note_listed(elsewhere, &listed), []);
        assert_eq!(
            manifests.note_listed(|_| true, &listed),
            [ClusterRef::new("n", "a")]
        );
        assert!(manifests.departed(&ClusterRef::new("n", "a")).is_some());
        assert_eq!(manifests.all(), [ClusterRef::new("n", "b")]);
    }

    /// Clusters `a`, `b` and `c`; the deletion of `c` has begun. Then all go out of view.
    fn out_of_view() -> (Manifests, [ClusterRef; 3]) {
        let manifests = Manifests::default();
        let names = ["a", "b", "c"].map(|name| ClusterRef::new("n", name));
        for cluster in &names {
            manifests.note(cluster, manifest("5", 2, "Running"));
        }
        manifests.note_gone(&names[2]);
        manifests.set_all_aside();
        assert!(manifests.is_empty() && manifests.departed(&names[2]).is_none());
        (manifests, names)
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_while_it_is_out_of_view_is_somebody_elses() {
        let (manifests, names) = out_of_view();
        let elsewhere = |cluster: &ClusterRef| cluster.namespace == "other";
        assert_eq!(manifests.note_listed(elsewhere, &HashSet::new()), []);
        tokio::time::advance(2 * STILL_OURS).await;
        assert_eq!(manifests.note_listed(|_| true, &HashSet::new()), []);
        for cluster in &names {
            assert!(manifests.departed(cluster).is_none(), "{cluster}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_has_begun_goes_on_when_the_scope_changes() {
        let (manifests, names) = out_of_view();
        // One is there, one has gone meanwhile.
        manifests.note(&names[0], manifest("6", 2, "Running"));
        let listed = HashSet::from([names[0].clone()]);
        assert_eq!(
            manifests.note_listed(|_| true, &listed),
            std::slice::from_ref(&names[2])
        );
        let departed = manifests.departed(&names[2]).unwrap();
        assert!(departed.departed().is_some(), "and is remembered when it began");
        let value = departed.value();
        assert_eq!(value["spec"]["numberOfInstances"], 2);
        assert!(manifests.departed(&names[1]).is_none());
        manifests.return_from_departure(&names[2]);
        assert!(
            manifests.get(&names[2]).is_none(),
            "an object that nobody has seen is not made up"
        );
        assert_eq!(manifests.note_listed(|_| true, &listed), []);
    }
}
