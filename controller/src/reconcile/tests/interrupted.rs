//! Deletions without finalizer that a process does not live to finish, and what the next one makes of what it finds.

use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::PodView;
use serde_json::{Value, json};

use super::super::*;
use crate::cache::Key;
use crate::kinds::Watched;
use crate::sweep::{Reach, sweep};
use crate::testing::{FakeApi, manifest};
use crate::watch::Namespaces;

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo";
const SET: &str = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
const SECRET: &str = "/api/v1/namespaces/apps/secrets/app.acid-demo.credentials.postgresql.acid.zalan.do";
const CLAIM: &str = "/api/v1/namespaces/apps/persistentvolumeclaims/pgdata-acid-demo-0";
const MARK: &str = "pgherd.io/deletion";

fn reach(controller_id: Option<&str>) -> Reach<'_> {
    Reach {
        controller_id,
        namespaces: &Namespaces::All,
    }
}

/// A process, which asks for consent to deletions.
fn process(api: &FakeApi, change: impl FnOnce(&mut OperatorConfig)) -> Context {
    let mut context = api.context();
    let mut config = OperatorConfig::clone(&context.config());
    config.kubernetes.delete_annotation_name_key = Some("delete-name".to_owned());
    change(&mut config);
    context.config = tokio::sync::watch::channel(std::sync::Arc::new(config)).1;
    context
}

/// What its watches tell of what there is.
fn listed(context: &Context, api: &FakeApi, cluster: &ClusterRef) {
    for (kind, path) in [
        (
            Watched::StatefulSet,
            "/apis/apps/v1/namespaces/apps/statefulsets/",
        ),
        (Watched::Service, "/api/v1/namespaces/apps/services/"),
        (Watched::Secret, "/api/v1/namespaces/apps/secrets/"),
        (
            Watched::PodDisruptionBudget,
            "/apis/policy/v1/namespaces/apps/poddisruptionbudgets/",
        ),
        (
            Watched::PersistentVolumeClaim,
            "/api/v1/namespaces/apps/persistentvolumeclaims/",
        ),
    ] {
        for object in api.under(path) {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            context.cache.owned.store(cluster, Key { kind, name }, &object);
        }
    }
}

/// A cluster with a claim, deleted with consent; its process has begun with that and ends.
async fn interrupted(api: &FakeApi, controller_id: Option<&str>) -> ClusterRef {
    let context = process(api, |_| {});
    api.put_lists("apps");
    let mut object = manifest();
    object["metadata"]["annotations"] = json!({"delete-name": "acid-demo"});
    if let Some(id) = controller_id {
        object["metadata"]["annotations"]["acid.zalan.do/controller"] = id.into();
    }
    let cluster = api.submit(&context, &object);
    reconcile(&context, &cluster).await;
    api.put(
        CLAIM,
        json!({"metadata": {"name": "pgdata-acid-demo-0", "namespace": "apps"}}),
    );
    let pod = PodView {
        name: "acid-demo-0".into(),
        uid: "p".into(),
        ..PodView::default()
    };
    context.cache.pods.note(&cluster, pod);
    api.remove(MANIFEST);
    context.cache.manifests.note_gone(&cluster);
    reconcile(&context, &cluster).await;
    for path in [SET, SECRET] {
        let mut object = api.get(path).unwrap();
        object["metadata"]["managedFields"] = json!([{"manager": "pgherd"}]);
        api.put(path, object);
    }
    assert_eq!(api.get(SET).unwrap()["spec"]["replicas"], 0);
    api.asked();
    cluster
}

fn deletes(api: &FakeApi) -> Vec<String> {
    let asked = api.asked().into_iter();
    asked.filter(|line| line.starts_with("DELETE")).collect()
}

#[tokio::test]
async fn the_next_process_finishes_what_was_consented_to() {
    for controller_id in [None, Some("blue")] {
        let api = FakeApi::default();
        let cluster = interrupted(&api, controller_id).await;
        let next = process(&api, |_| {});
        listed(&next, &api, &cluster);
        sweep(&next, reach(controller_id)).await;
        assert_eq!(next.metrics.leftovers.get(), 1, "it is counted");
        let mut turns = 0;
        while reconcile(&next, &cluster).await.next != Next::Never {
            turns += 1;
            assert!(turns < 5, "{:#?}", api.asked());
        }
        for path in [SET, SECRET, CLAIM] {
            assert!(api.get(path).is_none(), "{path}");
        }
        assert!(api.under("/api/v1/namespaces/apps/services/").is_empty());
    }
}

/// Nothing tells of them any more but they themselves.
#[tokio::test]
async fn secrets_elsewhere_go_with_it_and_no_others() {
    let place = |namespace: &str, role: &str| {
        let name = format!("{role}.acid-demo.credentials.postgresql.acid.zalan.do");
        format!("/api/v1/namespaces/{namespace}/secrets/{name}")
    };
    let sent = |api: &FakeApi, namespace: &str, role: &str, home: &str| -> Value {
        let path = place(namespace, role);
        let metadata = json!({"name": path.rsplit('/').next(), "namespace": namespace,
            "labels": {"application": "spilo", "cluster-name": "acid-demo"}, "annotations": {"pgherd.io/cluster": home}});
        api.put(&path, json!({ "metadata": metadata }))
    };
    for (refusal, stays) in [(None, false), (Some(403), true), (Some(500), true)] {
        let api = FakeApi::default();
        let cluster = interrupted(&api, None).await;
        let items = [
            sent(&api, "shop", "shop.app", "apps/acid-demo"),
            sent(&api, "shop", "shop.other", "others/acid-demo"),
        ];
        api.put("/api/v1/secrets", json!({"metadata": {}, "items": items}));
        if let Some(code) = refusal {
            api.refuse("GET /api/v1/secrets", code);
        }
        let next = process(&api, |_| {});
        listed(&next, &api, &cluster);
        sweep(&next, reach(None)).await;
        for _ in 0..5 {
            reconcile(&next, &cluster).await;
        }
        assert_eq!(
            api.get(&place("shop", "shop.app")).is_some(),
            stays,
            "{refusal:?}"
        );
        assert!(
            api.get(&place("shop", "shop.other")).is_some(),
            "another cluster's"
        );
        // Who may not look there has sent none; what could not be read is asked for again.
        assert_eq!(api.get(SET).is_some(), refusal == Some(500));
    }
}

#[tokio::test]
async fn nobody_finishes_what_is_not_his_or_not_wanted_any_more() {
    type Change = fn(&mut Value);
    let set_is: [Change; 4] = [
        |set| set["metadata"]["annotations"][MARK] = "uid-demo 2026-01-01T00:00:00Z green".into(),
        |set| set["metadata"]["annotations"][MARK] = "uid-demo".into(),
        |set| set["spec"]["replicas"] = 2.into(),
        |set| set["metadata"]["managedFields"] = json!([{"manager": "postgres-operator"}]),
    ];
    for change in set_is {
        let api = FakeApi::default();
        let cluster = interrupted(&api, None).await;
        let mut set = api.get(SET).unwrap();
        change(&mut set);
        api.put(SET, set.clone());
        let next = process(&api, |config| config.fleet.sweep_leftovers = true);
        listed(&next, &api, &cluster);
        sweep(&next, reach(None)).await;
        assert!(next.cache.manifests.departed(&cluster).is_none(), "{set:#}");
    }
}

#[tokio::test]
async fn what_has_gone_by_itself_is_no_hindrance() {
    let api = FakeApi::default();
    let context = process(&api, |config| config.kubernetes.delete_annotation_name_key = None);
    api.put_lists("apps");
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    api.remove(MANIFEST);
    context.cache.manifests.note_gone(&cluster);
    api.remove(SET);
    let mut endings = Vec::new();
    for _ in 0..3 {
        endings.push(reconcile(&context, &cluster).await);
    }
    assert!(endings.iter().all(|ending| ending.word == "done"), "{endings:?}");
    assert_eq!(endings[2].next, Next::Never);
    assert!(api.get(SECRET).is_none());
}

#[tokio::test]
async fn an_object_of_the_same_name_takes_over_what_was_to_go() {
    let api = FakeApi::default();
    let cluster = interrupted(&api, None).await;
    let mut another = manifest();
    another["metadata"]["uid"] = "another".into();
    let next = process(&api, |_| {});
    listed(&next, &api, &cluster);
    // The sweep has looked, and then it comes.
    sweep(&next, reach(None)).await;
    api.submit(&next, &another);
    for _ in 0..3 {
        reconcile(&next, &cluster).await;
    }
    assert_eq!(deletes(&api), [""; 0]);
    let set = api.get(SET).unwrap();
    assert_eq!(set["spec"]["replicas"], 2);
    assert!(set["metadata"]["annotations"][MARK].is_null(), "{set:#}");

    // It goes while nobody looks, without consent.
    api.remove(MANIFEST);
    let last = process(&api, |config| config.fleet.sweep_leftovers = true);
    listed(&last, &api, &cluster);
    sweep(&last, reach(None)).await;
    assert_eq!(last.metrics.leftovers.get(), 1);
    assert!(last.cache.manifests.departed(&cluster).is_none());
}

#[tokio::test]
async fn what_has_no_stateful_set_is_told_and_never_removed() {
    let api = FakeApi::default();
    let cluster = interrupted(&api, None).await;
    api.remove(SET);
    let told = async |reach: Reach<'_>, change: fn(&mut OperatorConfig)| {
        let next = process(&api, change);
        listed(&next, &api, &cluster);
        sweep(&next, reach).await;
        assert!(next.cache.manifests.departed(&cluster).is_none());
        next.metrics.leftovers.get()
    };
    assert_eq!(
        told(reach(None), |config| config.fleet.sweep_leftovers = true).await,
        1
    );
    assert_eq!(
        told(reach(Some("blue")), |_| {}).await,
        0,
        "it could be another's"
    );
    let kept = |config: &mut OperatorConfig| {
        config.kubernetes.enable_persistent_volume_claim_deletion = false;
        config.kubernetes.enable_secrets_deletion = false;
    };
    assert_eq!(told(reach(None), kept).await, 0, "it is kept on purpose");
    api.submit(&process(&api, |_| {}), &manifest());
    assert_eq!(told(reach(None), |_| {}).await, 0, "there is an object");
}
