//! Secrets of others from which clusters copy passwords: metadata of all secrets, in the namespaces that hold any such. Must not: read them.

use std::collections::{BTreeSet, HashSet};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use kube::api::{DynamicObject, PartialObjectMeta};
use pgherd_model::config::NamespacedName;
use pgherd_runtime::client::watching;

use super::follow::{Sink, follow};
use super::{Watches, api};
use crate::kinds::Watched;

impl Watches {
    /// Nobody waits for it: a turn reads them by itself.
    pub(super) async fn given(&self) {
        let mut wanted = self.cache.given.namespaces();
        let (mut begun, mut running) = (BTreeSet::new(), FuturesUnordered::new());
        loop {
            let all = wanted.borrow_and_update().clone();
            let news: Vec<String> = all.difference(&begun).cloned().collect();
            for namespace in news {
                begun.insert(namespace.clone());
                running.push(self.given_in(namespace));
            }
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return },
                Some(()) = running.next() => {}
            }
        }
    }

    async fn given_in(&self, namespace: String) {
        let resource = Watched::Secret.resource();
        let api = api::<PartialObjectMeta<DynamicObject>>(&self.client, Some(&namespace), &resource);
        let sink = GivenSink::new(self.clone(), namespace);
        follow("given passwords", api, watching(), sink, || ()).await;
    }
}

/// Those of one namespace.
struct GivenSink {
    watches: Watches,
    namespace: String,
    listed: Option<HashSet<NamespacedName>>,
}

impl GivenSink {
    fn new(watches: Watches, namespace: String) -> Self {
        Self {
            watches,
            namespace,
            listed: None,
        }
    }

    fn place(&self, object: &PartialObjectMeta<DynamicObject>) -> NamespacedName {
        NamespacedName {
            namespace: self.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
        }
    }

    fn note(&self, place: &NamespacedName, version: Option<&str>) {
        for cluster in self.watches.cache.given.outdated(place, version) {
            self.watches.stir(&cluster);
        }
    }
}

impl Sink<PartialObjectMeta<DynamicObject>> for GivenSink {
    fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn apply(&mut self, object: PartialObjectMeta<DynamicObject>) {
        let place = self.place(&object);
        self.note(&place, object.metadata.resource_version.as_deref());
        if let Some(listed) = &mut self.listed {
            listed.insert(place);
        }
    }

    fn delete(&mut self, object: PartialObjectMeta<DynamicObject>) {
        self.note(&self.place(&object), None);
    }

    fn list_ends(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        for place in self.watches.cache.given.known_in(&self.namespace) {
            if !listed.contains(&place) {
                self.note(&place, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::cache::Cache;
    use crate::cluster_ref::ClusterRef;
    use crate::queue::Queue;
    use crate::testing::FakeApi;

    fn secret(name: &str, version: &str) -> PartialObjectMeta<DynamicObject> {
        let object = json!({"metadata": {"name": name, "namespace": "apps", "resourceVersion": version}});
        serde_json::from_value(object).unwrap()
    }

    /// A sink, for a cluster that has read version 1 of the secret `vault`.
    fn sink() -> GivenSink {
        let watches = Watches {
            client: FakeApi::default().client(),
            cache: Arc::new(Cache::default()),
            queue: Queue::default(),
            fleet: Arc::default(),
            controller_id: None,
        };
        let sink = GivenSink::new(watches, "apps".to_owned());
        let given = &sink.watches.cache.given;
        let vault = sink.place(&secret("vault", ""));
        given.note_used(&ClusterRef::new("apps", "demo"), [vault.clone()].into());
        given.note_read(&vault, Some("1"));
        sink
    }

    async fn is_woken(sink: &GivenSink) -> bool {
        let turn = sink.watches.queue.next();
        tokio::time::timeout(Duration::from_millis(300), turn)
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn who_copies_from_a_secret_has_a_turn_when_it_changes_or_goes() {
        let mut sink = sink();
        sink.list_begins();
        sink.apply(secret("vault", "1"));
        sink.apply(secret("another", "2"));
        sink.list_ends();
        assert!(!is_woken(&sink).await, "nothing is new");
        sink.apply(secret("vault", "3"));
        assert!(is_woken(&sink).await);
        sink.delete(secret("vault", "3"));
        assert!(is_woken(&sink).await);
        sink.list_begins();
        sink.list_ends();
        assert!(is_woken(&sink).await, "it went while nobody watched");
    }
}
