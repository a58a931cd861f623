//! Whole turns of a cluster whose StatefulSet the API server refuses to change.

use serde_json::{Value, json};

use super::*;
use crate::testing::{FakeApi, manifest};

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo";
const SET: &str = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
const SERVICE: &str = "/api/v1/namespaces/apps/services/acid-demo";

/// A cluster that is as wanted, as far as Kubernetes goes.
async fn made(api: &FakeApi) -> (Context, ClusterRef) {
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    for _ in 0..3 {
        reconcile(&context, &cluster).await;
    }
    (context, cluster)
}

fn edit(api: &FakeApi, context: &Context, generation: i64, image: &str) {
    let mut object = api.get(MANIFEST).unwrap();
    object["metadata"]["generation"] = json!(generation);
    object["spec"]["dockerImage"] = json!(image);
    api.submit(context, &object);
    api.asked();
}

fn writes(api: &FakeApi, path: &str) -> usize {
    let request = format!("PATCH {path}");
    api.asked().iter().filter(|line| **line == request).count()
}

fn ready(api: &FakeApi) -> (Value, String) {
    let status = &api.get(MANIFEST).unwrap()["status"];
    let conditions = status["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|it| it["type"] == "Ready").unwrap();
    (
        ready["reason"].clone(),
        ready["message"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_refused_change_is_told_and_left_alone_while_all_else_is_kept() {
    let api = FakeApi::default();
    let (context, cluster) = made(&api).await;
    edit(&api, &context, 2, "spilo:2");
    api.refuse(&format!("PATCH {SET}"), 422);
    let first = reconcile(&context, &cluster).await;
    assert_eq!((first.word, first.next), ("failed", Next::Backoff));
    let told = ready(&api);
    assert!(
        told.1.contains("cannot") && told.1.contains("StatefulSet apps/acid-demo"),
        "{told:?}"
    );
    assert_eq!(writes(&api, SET), 1);
    // Somebody deletes a service meanwhile.
    api.remove(SERVICE);
    let key = crate::cache::Key {
        kind: crate::kinds::Watched::Service,
        name: "acid-demo".to_owned(),
    };
    context.cache.owned.remove(&cluster, &key);
    let second = reconcile(&context, &cluster).await;
    assert_eq!((second.word, second.next), ("failed", Next::Now));
    let asked = api.asked();
    let services = SERVICE.trim_end_matches("/acid-demo");
    assert!(asked.contains(&format!("POST {services}")), "{asked:#?}");
    assert!(!asked.contains(&format!("PATCH {SET}")), "{asked:#?}");
    assert_eq!(ready(&api), told, "it is told in the same words");
    let third = reconcile(&context, &cluster).await;
    assert!(matches!(third.next, Next::After(Some(_))), "{third:?}");
    assert_eq!(writes(&api, SET), 0);
}

#[tokio::test]
async fn another_edit_is_tried_at_once_and_the_same_one_after_a_while() {
    let api = FakeApi::default();
    let (context, cluster) = made(&api).await;
    edit(&api, &context, 2, "spilo:2");
    api.refuse(&format!("PATCH {SET}"), 403);
    reconcile(&context, &cluster).await;
    reconcile(&context, &cluster).await;
    assert_eq!(writes(&api, SET), 1);
    api.accept();
    edit(&api, &context, 3, "spilo:3");
    reconcile(&context, &cluster).await;
    assert_eq!(writes(&api, SET), 1);
    let image =
        |api: &FakeApi| api.get(SET).unwrap()["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    assert_eq!(image(&api), "spilo:3");
    edit(&api, &context, 4, "spilo:4");
    api.refuse(&format!("PATCH {SET}"), 403);
    reconcile(&context, &cluster).await;
    api.accept();
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(3)).await;
    tokio::time::resume();
    reconcile(&context, &cluster).await;
    assert_eq!(image(&api), "spilo:4");
}
