//! Whole turns of clusters that nothing may be done to: the operator's configuration now calls them by other names.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::testing::{FakeApi, manifest};

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo";
const SET: &str = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";

/// A cluster that was made, under a configuration that has changed since: what no watch with the new labels tells of is not in the caches.
async fn renamed(api: &FakeApi, manifest: &Value) -> (Context, ClusterRef) {
    let mut context = api.context();
    let cluster = api.submit(&context, manifest);
    reconcile(&context, &cluster).await;
    reconcile(&context, &cluster).await;
    let mut config = (*context.config()).clone();
    config.kubernetes.cluster_name_label = "version".to_owned();
    context.config = tokio::sync::watch::channel(Arc::new(config)).1;
    context.cache.owned.clear();
    api.asked();
    (context, cluster)
}

/// What was written but for the status.
fn writes(api: &FakeApi) -> Vec<String> {
    let mut asked = api.asked();
    asked.retain(|line| !line.starts_with("GET") && !line.contains("/events") && !line.ends_with("/status"));
    asked
}

#[tokio::test]
async fn while_the_stateful_set_cannot_be_read_nothing_is_renamed() {
    for code in [429, 504] {
        let api = FakeApi::default();
        let (context, cluster) = renamed(&api, &manifest()).await;
        api.refuse(&format!("GET {SET}"), code);
        let ending = reconcile(&context, &cluster).await;
        assert_eq!(writes(&api), Vec::<String>::new(), "{code}");
        assert!(matches!(ending.next, Next::After(Some(_))), "{ending:?}");
    }
}

#[tokio::test]
async fn a_closed_window_in_the_middle_of_a_roll_lets_nothing_through_that_is_refused() {
    let api = FakeApi::default();
    let mut manifest = manifest();
    let hour = (Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour() + 6) % 24;
    manifest["spec"]["maintenanceWindows"] = json!([format!("{hour:02}:00-{hour:02}:30")]);
    let (context, cluster) = renamed(&api, &manifest).await;
    let mut stored = api.get(MANIFEST).unwrap();
    let conditions = stored["status"]["conditions"].as_array_mut().unwrap();
    let roll = conditions.iter_mut().find(|it| it["type"] == "RollPending");
    let roll = roll.expect("the roll is a condition of every status");
    (roll["status"], roll["reason"]) = ("True".into(), "InProgress".into());
    api.submit(&context, &stored);
    reconcile(&context, &cluster).await;
    assert_eq!(writes(&api), Vec::<String>::new());
    let held = api.get(MANIFEST).unwrap()["status"]["holds"].to_string();
    assert!(held.contains("set cluster_labels"), "{held}");
}
