//! Whole turns of clusters whose object goes or is gone, and not because anybody deleted it.

use serde_json::{Value, json};

use super::super::*;
use crate::testing::{FakeApi, KIND, kind, manifest};

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo";
const SET: &str = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
/// When the cluster was made.
const MADE: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-02-01T00:00:00Z";
const LATEST: &str = "2026-02-02T00:00:00Z";

/// A cluster with its objects.
async fn made(api: &FakeApi) -> (Context, ClusterRef) {
    let context = api.context();
    let mut manifest = manifest();
    manifest["metadata"]["creationTimestamp"] = MADE.into();
    let cluster = api.submit(&context, &manifest);
    reconcile(&context, &cluster).await;
    assert!(api.get(SET).is_some());
    api.put_lists("apps");
    api.asked();
    (context, cluster)
}

fn deletes(api: &FakeApi) -> bool {
    api.asked().iter().any(|line| line.starts_with("DELETE"))
}

/// The CRD, if there is one, with this metadata.
fn set_kind(api: &FakeApi, metadata: &Value) {
    let mut kind = kind();
    json_patch::merge(&mut kind, &json!({"metadata": metadata}));
    api.put(KIND, kind);
}

#[tokio::test]
async fn what_goes_with_its_kind_leaves_everything_behind() {
    let terminating = json!({"deletionTimestamp": LATER});
    let again = json!({"creationTimestamp": LATER});
    for (kind, another, goes) in [
        (Some(json!({})), false, true),
        (Some(terminating.clone()), false, false),
        (None, false, false),
        (Some(again.clone()), false, false),
        (Some(json!({})), true, true),
        (Some(again), true, false),
    ] {
        let api = FakeApi::default();
        let (context, cluster) = made(&api).await;
        let mut successor = api.get(MANIFEST).unwrap();
        api.remove(MANIFEST);
        context.cache.manifests.note_gone(&cluster);
        if another {
            successor["metadata"]["uid"] = "another".into();
            api.submit(&context, &successor);
        }
        match &kind {
            Some(metadata) => set_kind(&api, metadata),
            None => api.remove(KIND),
        }
        let ending = reconcile(&context, &cluster).await;
        if goes {
            reconcile(&context, &cluster).await;
        }
        assert_eq!(deletes(&api), goes, "{kind:?} {another}");
        assert_eq!(api.get(SET).is_none(), goes, "{kind:?} {another}");
        assert_eq!(
            ending.next == Next::Never,
            !goes,
            "its end is over: {kind:?} {another}"
        );
    }
}

#[tokio::test]
async fn what_a_finalizer_holds_while_its_kind_goes_is_not_taken_apart() {
    for (ended, kind_ended, goes) in [
        (LATER, None, true),
        (LATEST, Some(LATER), false),
        (LATER, Some(LATER), false),
        // Somebody had deleted it before.
        (LATER, Some(LATEST), true),
    ] {
        let api = FakeApi::default();
        let (context, cluster) = made(&api).await;
        let mut object = api.get(MANIFEST).unwrap();
        object["metadata"]["deletionTimestamp"] = ended.into();
        object["metadata"]["finalizers"] = json!(["postgres-operator.acid.zalan.do"]);
        api.submit(&context, &object);
        if let Some(kind_ended) = kind_ended {
            set_kind(&api, &json!({"deletionTimestamp": kind_ended}));
        }
        reconcile(&context, &cluster).await;
        let set = api.get(SET).unwrap();
        assert_eq!(set["spec"]["replicas"] == 0, goes, "{ended} {kind_ended:?}");
        let stored = api.get(MANIFEST).unwrap();
        let told = stored["status"]["holds"].to_string();
        assert_eq!(told.contains("the kind postgresql was removed"), !goes, "{told}");
        assert_eq!(stored["metadata"]["finalizers"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_deleted_as_long_as_nobody_can_tell_about_the_kind() {
    let api = FakeApi::default();
    let (context, cluster) = made(&api).await;
    api.remove(MANIFEST);
    context.cache.manifests.note_gone(&cluster);
    api.refuse(&format!("GET {KIND}"), 403);
    let ending = reconcile(&context, &cluster).await;
    assert_eq!((ending.word, deletes(&api)), ("failed", false));
    assert_ne!(api.get(SET).unwrap()["spec"]["replicas"], 0);
    api.accept();
    reconcile(&context, &cluster).await;
    assert_eq!(api.get(SET).unwrap()["spec"]["replicas"], 0);
}

/// Its consent is held against the day on which it went, however long that takes.
#[tokio::test]
async fn when_an_object_went_is_remembered() {
    let api = FakeApi::default();
    let (context, cluster) = made(&api).await;
    api.remove(MANIFEST);
    context.cache.manifests.note_gone(&cluster);
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(30);
    let found = Found::look(&context, &cluster, later).await.unwrap().unwrap();
    let went: Timestamp = found.view.deletion_timestamp.unwrap().parse().unwrap();
    assert!(went < later - jiff::SignedDuration::from_hours(29), "{went}");
}
