//! What Patroni kept of an earlier cluster of the same name, when the next one is made.

use serde_json::{Value, json};

use super::super::*;
use crate::sweep::state;
use crate::testing::{FakeApi, manifest};
use crate::watch::Scope;

const MAPS: &str = "/api/v1/namespaces/apps/configmaps";
const CONFIG: &str = "/api/v1/namespaces/apps/configmaps/acid-demo-config";
const CLAIMS: &str = "/api/v1/namespaces/apps/persistentvolumeclaims";
const PODS: &str = "/api/v1/namespaces/apps/pods";
const SET: &str = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";

/// State of the day before the manifest, and these claims and pods of the namespace.
fn stored(api: &FakeApi, claims: &[&str], pods: &[&str]) {
    let labels = json!({"application": "spilo", "cluster-name": "acid-demo"});
    let metadata = json!({"name": "acid-demo-config", "namespace": "apps", "uid": "u-1", "labels": labels,
        "creationTimestamp": "2026-01-01T00:00:00Z"});
    let object = api.put(CONFIG, json!({ "metadata": metadata }));
    api.put(MAPS, json!({"metadata": {}, "items": [object]}));
    let named = |names: &[&str]| -> Vec<Value> {
        let objects = names.iter().map(|name| json!({"metadata": {"name": name}}));
        objects.collect()
    };
    api.put(CLAIMS, json!({"metadata": {}, "items": named(claims)}));
    api.put(PODS, json!({"metadata": {}, "items": named(pods)}));
}

/// A manifest of today, with this mode.
fn today(mode: &str) -> Value {
    let mut manifest = manifest();
    manifest["metadata"]["creationTimestamp"] = json!("2026-01-02T00:00:00Z");
    manifest["metadata"]["annotations"] = json!({"pgherd.io/mode": mode});
    manifest
}

/// The first look and the first turn; what was asked in that.
async fn begun(api: &FakeApi, manifest: &Value) -> Vec<String> {
    let context = api.context();
    let cluster = api.submit(&context, manifest);
    let scope = Scope::of(&context.config(), "apps");
    state::remember_first(&context, &scope).await;
    api.asked();
    Box::pin(reconcile(&context, &cluster)).await;
    api.asked()
}

#[tokio::test]
async fn it_goes_before_the_new_one_is_made() {
    let api = FakeApi::default();
    stored(&api, &["pgdata-acid-demo-next-0"], &["acid-demo-pooler-0"]);
    let asked = begun(&api, &today("live")).await;
    let place = |wanted: &str| asked.iter().position(|line| line == wanted);
    let gone = place(&format!("DELETE {CONFIG}")).expect("it goes");
    let made = place("POST /apis/apps/v1/namespaces/apps/statefulsets").expect("it is made");
    assert!(gone < made, "{asked:#?}");
}

#[tokio::test]
async fn it_stays_where_a_database_could_be_or_nobody_may_act() {
    for (claims, pods, mode) in [
        (&["pgdata-acid-demo-0"][..], &[][..], "live"),
        (&[], &["acid-demo-1"], "live"),
        (&[], &[], "observe"),
        (&[], &[], "paused"),
    ] {
        let api = FakeApi::default();
        stored(&api, claims, pods);
        begun(&api, &today(mode)).await;
        assert!(api.get(CONFIG).is_some(), "{claims:?} {pods:?} {mode}");
        assert_eq!(api.get(SET).is_some(), mode == "live");
    }
}

#[tokio::test]
async fn nothing_is_made_on_it_while_it_cannot_be_removed() {
    let api = FakeApi::default();
    stored(&api, &[], &[]);
    api.refuse(&format!("DELETE {CONFIG}"), 409);
    begun(&api, &today("live")).await;
    assert!(api.get(SET).is_none());
}

#[tokio::test]
async fn who_is_not_remembered_is_made_without_a_question() {
    let api = FakeApi::default();
    stored(&api, &[], &[]);
    api.put(MAPS, json!({"metadata": {}, "items": []}));
    let asked = begun(&api, &today("live")).await;
    let about = [MAPS, CLAIMS, PODS].map(|list| format!("GET {list}"));
    assert!(!asked.iter().any(|line| about.contains(line)), "{asked:#?}");
    assert!(api.get(SET).is_some());
}
