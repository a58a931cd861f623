//! Templates that pods were made of, where they are not the StatefulSet's present one: Kubernetes keeps them as revisions. A revision never
//! changes, so that each is read once. Must not: compare them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_planner::observed::{Observed, Source};
use serde_json::Value;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;

pub(super) async fn read(
    context: &Context,
    cluster: &ClusterRef,
    observed: &Observed,
) -> BTreeMap<String, Source<Option<PodTemplateSpec>>> {
    let mut known = context
        .memories
        .with(cluster, |memory| std::mem::take(&mut memory.templates));
    let mut templates = BTreeMap::new();
    for revision in observed.revisions_to_read() {
        let template = match known.remove(revision) {
            Some(template) => Source::Known(Some(template)),
            None => ask(context, &cluster.namespace, revision).await,
        };
        templates.insert(revision.to_owned(), template);
    }
    let found = templates
        .iter()
        .filter_map(|(revision, template)| Some((revision.clone(), template.known()?.clone()?)));
    let found = found.collect();
    context.memories.with(cluster, |memory| memory.templates = found);
    templates
}

async fn ask(context: &Context, namespace: &str, revision: &str) -> Source<Option<PodTemplateSpec>> {
    match context.read("ControllerRevision", namespace, revision).await {
        Ok(Some(object)) => template_of(object),
        Ok(None) => Source::Known(None),
        Err(why) => Source::Unknown(with_missing_right(why)),
    }
}

/// A role of Zalando's operator lacks this right: whoever kept one has to know what to add.
fn with_missing_right(why: String) -> String {
    if why.contains("forbidden") {
        format!("get controllerrevisions is forbidden, add that right to the controller's role: {why}")
    } else {
        why
    }
}

/// Its data is a patch of the StatefulSet that replaces the whole template.
fn template_of(mut object: Value) -> Source<Option<PodTemplateSpec>> {
    let template = object
        .pointer_mut("/data/spec/template")
        .map(Value::take)
        .unwrap_or_default();
    // The error may quote a value.
    match serde_json::from_value(template) {
        Ok(template) => Source::Known(Some(template)),
        Err(_) => Source::Unknown("cannot decode the revision".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revision_holds_the_template_with_a_mark_of_the_patch() {
        let revision = json!({
            "metadata": {"name": "a-7"},
            "data": {"spec": {"template": {"$patch": "replace", "spec": {"containers": [{"name": "postgres", "image": "p:1"}]}}}},
        });
        let Source::Known(Some(template)) = template_of(revision) else {
            panic!("not read");
        };
        assert_eq!(template.spec.unwrap().containers[0].image.as_deref(), Some("p:1"));
        assert!(matches!(
            template_of(json!({"data": {"spec": {"template": 7}}})),
            Source::Unknown(_)
        ));
    }
    #[test]
    fn a_missing_right_is_named_first() {
        let said = with_missing_right("cannot read x: User \"u\" is forbidden".to_owned());
        assert!(said.starts_with("get controllerrevisions is forbidden"), "{said}");
        assert_eq!(with_missing_right("timed out".to_owned()), "timed out");
    }
}
