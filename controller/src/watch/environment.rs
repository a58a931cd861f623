//! The objects that add to the pods' environment (`pod_environment_configmap`, `pod_environment_secret`): one name of each kind, watched in
//! every namespace with clusters. Must not: keep a secret's values.

use std::collections::HashSet;

use kube::api::DynamicObject;
use serde_json::Value;

use super::Watches;
use super::follow::Sink;
use crate::cache::environment::{Entries, Source};

pub(super) struct EnvironmentSink {
    watches: Watches,
    source: Source,
    /// What is watched; none for all namespaces.
    place: Option<String>,
    /// The config map here is for clusters of all namespaces.
    home: Option<String>,
    listed: Option<HashSet<String>>,
}

impl EnvironmentSink {
    pub(super) fn new(watches: Watches, source: Source, place: Option<&str>, home: Option<&str>) -> Self {
        Self {
            watches,
            source,
            place: place.map(str::to_owned),
            home: home.map(str::to_owned),
            listed: None,
        }
    }

    fn stir(&self, namespace: &str) {
        let manifests = &self.watches.cache.manifests;
        let concerned = if self.home.as_deref() == Some(namespace) {
            manifests.all()
        } else {
            manifests.in_namespace(namespace)
        };
        // Before any of them is looked at: none rolls as if nothing had changed.
        self.watches.fleet.renew(&concerned);
        for cluster in concerned {
            self.watches.stir(&cluster);
        }
    }
}

impl Sink<DynamicObject> for EnvironmentSink {
    fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    fn apply(&mut self, object: DynamicObject) {
        let Some(namespace) = object.metadata.namespace.clone() else {
            return;
        };
        if let Some(listed) = &mut self.listed {
            listed.insert(namespace.clone());
        }
        let entries = entries(self.source, &object.data["data"]);
        if self
            .watches
            .cache
            .environments
            .note(self.source, &namespace, entries)
        {
            self.stir(&namespace);
        }
    }

    fn delete(&mut self, object: DynamicObject) {
        if let Some(namespace) = &object.metadata.namespace
            && self.watches.cache.environments.note_gone(self.source, namespace)
        {
            self.stir(namespace);
        }
    }

    fn list_ends(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let environments = &self.watches.cache.environments;
        for namespace in environments.note_listed(self.source, self.place.as_deref(), &listed) {
            self.stir(&namespace);
        }
    }
}

fn entries(source: Source, data: &Value) -> Entries {
    let value = |value: &Value| match source {
        Source::ConfigMap => value.as_str().unwrap_or_default().to_owned(),
        Source::Secret => String::new(),
    };
    let data = data.as_object().into_iter().flatten();
    data.map(|(key, found)| (key.clone(), value(found))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_secret_only_the_keys_are_kept() {
        let data = json!({"KEY": "aHVudGVyMg=="});
        assert_eq!(
            entries(Source::Secret, &data),
            Entries::from([("KEY".to_owned(), String::new())])
        );
        assert_eq!(entries(Source::ConfigMap, &data)["KEY"], "aHVudGVyMg==");
        assert!(entries(Source::ConfigMap, &Value::Null).is_empty());
    }
}
