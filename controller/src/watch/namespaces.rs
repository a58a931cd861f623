//! Which namespaces count, where a label selector says so: known from a watch, so that a namespace that gets the label is looked after at
//! once, and one that loses it is left alone, without anything being deleted. Must not: what is in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::PartialObjectMeta;
use tokio::sync::watch;

use super::follow::Sink;

/// None until the first list.
pub(super) type Chosen = Option<Arc<BTreeSet<String>>>;

pub(super) struct NamespaceSink {
    /// They count whatever their labels are.
    named: Vec<String>,
    known: BTreeSet<String>,
    listed: Option<BTreeSet<String>>,
    chosen: watch::Sender<Chosen>,
}

impl NamespaceSink {
    pub(super) fn new(named: &[String], chosen: watch::Sender<Chosen>) -> Self {
        Self {
            named: named.to_vec(),
            known: BTreeSet::new(),
            listed: None,
            chosen,
        }
    }

    fn tell(&self) {
        let all: BTreeSet<String> = self.known.iter().chain(&self.named).cloned().collect();
        self.chosen.send_if_modified(|chosen| {
            if chosen.as_deref() == Some(&all) {
                return false;
            }
            let count = all.len();
            tracing::info!(namespaces = count, "namespaces by label");
            *chosen = Some(Arc::new(all));
            true
        });
    }
}

impl Sink<PartialObjectMeta<Namespace>> for NamespaceSink {
    fn list_begins(&mut self) {
        self.listed = Some(BTreeSet::new());
    }

    fn apply(&mut self, object: PartialObjectMeta<Namespace>) {
        let Some(name) = object.metadata.name else { return };
        if let Some(listed) = &mut self.listed {
            listed.insert(name);
        } else if self.known.insert(name) {
            self.tell();
        }
    }

    fn delete(&mut self, object: PartialObjectMeta<Namespace>) {
        if let Some(name) = object.metadata.name
            && self.known.remove(&name)
        {
            self.tell();
        }
    }

    fn list_ends(&mut self) {
        if let Some(listed) = self.listed.take() {
            self.known = listed;
            self.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespace(name: &str) -> PartialObjectMeta<Namespace> {
        serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
    }

    fn said(chosen: &mut watch::Receiver<Chosen>) -> String {
        if !chosen.has_changed().unwrap() {
            return "nothing".to_owned();
        }
        let chosen = chosen.borrow_and_update().clone().unwrap();
        chosen.iter().cloned().collect::<Vec<_>>().join(",")
    }

    #[test]
    fn named_and_labelled_ones_count_and_nothing_is_said_before_the_first_list() {
        let (sender, mut chosen) = watch::channel(None);
        let mut sink = NamespaceSink::new(&["fixed".to_owned()], sender);
        sink.list_begins();
        sink.apply(namespace("b"));
        assert_eq!(said(&mut chosen), "nothing");
        sink.list_ends();
        assert_eq!(said(&mut chosen), "b,fixed");
        sink.apply(namespace("b"));
        assert_eq!(
            said(&mut chosen),
            "nothing",
            "its labels changed, and it still counts"
        );
        sink.apply(namespace("a"));
        assert_eq!(said(&mut chosen), "a,b,fixed");
        sink.delete(namespace("b"));
        assert_eq!(said(&mut chosen), "a,fixed");
        sink.list_begins();
        sink.list_ends();
        assert_eq!(said(&mut chosen), "fixed");
    }
}
