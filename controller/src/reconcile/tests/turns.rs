//! Whole turns against the API server in memory.

use pgherd_planner::observed::PodView;
use serde_json::json;

use super::super::*;
use crate::testing::{FakeApi, manifest};

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo";
const APP_SECRET: &str = "/api/v1/namespaces/apps/secrets/app.acid-demo.credentials.postgresql.acid.zalan.do";

fn writes(asked: &[String]) -> Vec<&String> {
    asked
        .iter()
        .filter(|line| !line.starts_with("GET") && !line.contains("/events"))
        .collect()
}

#[tokio::test]
async fn a_new_cluster_is_made_in_one_turn_and_then_costs_no_request() {
    let api = FakeApi::default();
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    assert_eq!(
        reconcile(&context, &cluster).await,
        Ending {
            word: "done",
            next: Next::Now
        }
    );
    let asked = api.asked();
    let set = "POST /apis/apps/v1/namespaces/apps/statefulsets".to_owned();
    assert!(asked.contains(&set), "{asked:#?}");
    let secrets = asked
        .iter()
        .filter(|line| line.starts_with("POST /api/v1/namespaces/apps/secrets"))
        .count();
    assert_eq!(secrets, 3, "{asked:#?}");
    let status = format!("PATCH {MANIFEST}/status");
    assert!(!asked.contains(&status), "the next turn has more to tell");

    let second = reconcile(&context, &cluster).await;
    assert!(matches!(second.next, Next::After(_)), "{second:?}");
    assert_eq!(writes(&api.asked()), [&status]);
    let told = &api.get(MANIFEST).unwrap()["status"];
    assert_eq!(told["PostgresClusterStatus"], "Creating");
    assert!(told["plan"].is_null(), "it is done: {told:#}");
    reconcile(&context, &cluster).await;
    assert_eq!(
        api.asked(),
        Vec::<String>::new(),
        "a turn without news asks nothing and writes nothing"
    );
}

#[tokio::test]
async fn what_is_there_after_all_is_applied() {
    let api = FakeApi::default();
    let context = api.context();
    let service = "/api/v1/namespaces/apps/services/acid-demo";
    api.put(
        service,
        json!({"metadata": {"name": "acid-demo"}, "spec": {"clusterIP": "10.0.0.1"}}),
    );
    let cluster = api.submit(&context, &manifest());
    assert_eq!(reconcile(&context, &cluster).await.word, "done");
    assert!(api.asked().contains(&format!("PATCH {service}")));
    let found = api.get(service).unwrap();
    assert_eq!(found["spec"]["clusterIP"], "10.0.0.1");
    assert!(found["metadata"]["labels"]["cluster-name"].is_string(), "{found}");
}

#[tokio::test]
async fn what_we_made_is_recorded_as_applied_before_the_first_apply() {
    let (service, api) = ("/api/v1/namespaces/apps/services/acid-demo", FakeApi::default());
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    let mut made = api.get(service).unwrap();
    made["metadata"]["managedFields"] = json!([{"manager": "pgherd", "operation": "Update", "apiVersion": "v1",
        "fieldsV1": {"f:metadata": {"f:annotations": {"f:old": {}}}}}]);
    made["spec"]["type"] = "NodePort".into();
    let made = api.put(service, made);
    let key = crate::cache::Key {
        kind: crate::kinds::Watched::Service,
        name: "acid-demo".to_owned(),
    };
    context.cache.owned.store(&cluster, key, &made);
    api.asked();
    reconcile(&context, &cluster).await;
    let asked = api.asked();
    let about = asked.iter().filter(|line| line.ends_with(service));
    let verbs: Vec<&str> = about.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["GET", "PATCH", "PATCH"], "{asked:#?}");
    let found = api.get(service).unwrap();
    assert_eq!(found["spec"]["type"], "LoadBalancer");
    assert_eq!(found["metadata"]["managedFields"][0]["operation"], "Apply");
}

#[tokio::test]
async fn a_secret_that_is_there_already_keeps_its_password() {
    let api = FakeApi::default();
    let context = api.context();
    let password = json!({"username": "YXBw", "password": "aHVudGVyMg=="});
    let name = APP_SECRET.rsplit('/').next().unwrap();
    api.put(
        APP_SECRET,
        json!({"metadata": {"name": name, "namespace": "apps"}, "data": password}),
    );
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    assert_eq!(api.get(APP_SECRET).unwrap()["data"], password);
}

#[tokio::test]
async fn somebody_who_is_faster_with_a_secret_wins() {
    use crate::execute::{Scene, execute};
    use pgherd_planner::plan::{Action, Impact, Precondition, Reason, SecretDraft, Step};

    let api = FakeApi::default();
    let context = api.context();
    api.put(
        "/api/v1/namespaces/apps/secrets/s",
        json!({"metadata": {"name": "s"}, "data": {"password": "eA=="}}),
    );
    let draft = SecretDraft {
        namespace: "apps".into(),
        name: "s".into(),
        ..SecretDraft::default()
    };
    let step = Step {
        action: Action::CreateSecret(Box::new(draft)),
        reason: Reason::Missing,
        impact: Impact::None,
        precondition: Precondition::None,
    };
    let (cluster, config) = (ClusterRef::new("apps", "acid-demo"), context.config());
    let names = Names::of("apps", "acid-demo", &config);
    let view = pgherd_planner::observed::ClusterView::default();
    let scene = Scene {
        cluster: &cluster,
        names: &names,
        config: &config,
        view: &view,
        pods: &[],
    };
    let plan = Plan {
        steps: vec![step],
        ..Plan::default()
    };
    assert_eq!(execute(&context, &scene, &plan).await.outcome, Outcome::Done);
    assert_eq!(
        api.get("/api/v1/namespaces/apps/secrets/s").unwrap()["data"]["password"],
        "eA=="
    );
    let password = crate::credentials::password(&context, &cluster, "apps", "s")
        .await
        .unwrap();
    assert_eq!(password.expose(), "x", "the one that is in force");
}

#[tokio::test]
async fn nothing_is_done_once_the_process_is_asked_to_end() {
    let api = FakeApi::default();
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    context.authority.stopping.cancel();
    assert_eq!(reconcile(&context, &cluster).await.word, "stopped");
    assert_eq!(writes(&api.asked()), [&format!("PATCH {MANIFEST}/status")]);
}

#[tokio::test]
async fn a_paused_cluster_is_left_alone_and_an_observed_one_only_reported() {
    for (mode, word) in [("paused", "paused"), ("observe", "observed")] {
        let api = FakeApi::default();
        let context = api.context();
        let mut manifest = manifest();
        manifest["metadata"]["annotations"] = json!({"pgherd.io/mode": mode});
        let cluster = api.submit(&context, &manifest);
        assert_eq!(reconcile(&context, &cluster).await.word, word);
        assert_eq!(
            writes(&api.asked()),
            [&format!("PATCH {MANIFEST}/status")],
            "{mode}"
        );
    }
}

/// Another operator runs it, and says so; ours would make every object of it.
#[tokio::test]
async fn an_observed_cluster_keeps_the_word_of_whoever_runs_it() {
    let api = FakeApi::default();
    let context = api.context();
    let mut manifest = manifest();
    manifest["metadata"]["annotations"] = json!({"pgherd.io/mode": "observe"});
    manifest["status"] = json!({"PostgresClusterStatus": "Running"});
    let cluster = api.submit(&context, &manifest);
    reconcile(&context, &cluster).await;
    let status = api.get(MANIFEST).unwrap()["status"].clone();
    assert_eq!(status["PostgresClusterStatus"], "Running", "{status:#}");
    let steps = status["plan"]["steps"].as_array();
    assert!(steps.is_some_and(|steps| steps.len() > 5), "{status:#}");
}

#[tokio::test]
async fn a_cluster_with_etcd_has_endpoints_whatever_is_said_of_config_maps() {
    let api = FakeApi::default();
    let mut context = api.context();
    let mut config = (*context.config()).clone();
    config.general.kubernetes_use_configmaps = true;
    config.general.etcd_host = Some("etcd:2379".to_owned());
    context.config = tokio::sync::watch::channel(std::sync::Arc::new(config)).1;
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    assert!(
        api.get("/api/v1/namespaces/apps/endpoints/acid-demo").is_some(),
        "{:#?}",
        api.asked()
    );
    let holds = api.get(MANIFEST).unwrap()["status"]["holds"].to_string();
    assert!(!holds.contains("endpoints"), "{holds}");
}

#[tokio::test]
async fn databases_are_not_removed_because_a_list_was_short() {
    let api = FakeApi::default();
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    reconcile(&context, &cluster).await;
    api.asked();
    context.cache.manifests.note_gone(&cluster);
    reconcile(&context, &cluster).await;
    assert_eq!(writes(&api.asked()), Vec::<&String>::new());
    assert!(context.cache.manifests.get(&cluster).is_some());
}

#[tokio::test]
async fn a_cluster_that_is_gone_takes_its_objects_along() {
    let api = FakeApi::default();
    let context = api.context();
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    context.cache.pods.note(
        &cluster,
        PodView {
            name: "acid-demo-0".into(),
            uid: "p".into(),
            ..PodView::default()
        },
    );
    api.put_lists("apps");
    api.remove(MANIFEST);
    context.cache.manifests.note_gone(&cluster);
    api.asked();
    reconcile(&context, &cluster).await;
    let asked = api.asked();
    let set = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
    let deleted = "DELETE /api/v1/namespaces/apps/pods/acid-demo-0".to_owned();
    assert!(
        asked.contains(&format!("PATCH {set}")) && asked.contains(&deleted),
        "{asked:#?}"
    );
    assert_eq!(api.get(set).unwrap()["spec"]["replicas"], 0);
    assert!(api.get(APP_SECRET).is_some(), "members go first");
    context.cache.pods.clear();
    reconcile(&context, &cluster).await;
    let asked = writes(&api.asked()).into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(asked.last(), Some(&format!("DELETE {set}")), "{asked:#?}");
    assert!(api.get(APP_SECRET).is_none());
    assert_eq!(reconcile(&context, &cluster).await.next, Next::Never);
}

/// Nobody else is there.
const ALONE: crate::sweep::Reach<'static> = crate::sweep::Reach {
    controller_id: None,
    namespaces: &crate::watch::Namespaces::All,
};

/// The objects of a cluster whose manifest nobody has seen, as the first lists show them.
async fn orphaned(api: &FakeApi, managers: &serde_json::Value) -> (Context, ClusterRef) {
    let first = api.context();
    api.put_lists("apps");
    let cluster = api.submit(&first, &manifest());
    reconcile(&first, &cluster).await;
    let path = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
    let mut set = api.get(path).unwrap();
    set["metadata"]["managedFields"] = managers.clone();
    api.put(path, set);
    let mut context = api.context();
    let mut config = (*context.config()).clone();
    config.fleet.sweep_leftovers = true;
    context.config = tokio::sync::watch::channel(std::sync::Arc::new(config)).1;
    let key = crate::cache::Key {
        kind: crate::kinds::Watched::StatefulSet,
        name: "acid-demo".to_owned(),
    };
    context.cache.owned.store(&cluster, key, &api.get(path).unwrap());
    (context, cluster)
}

#[tokio::test]
async fn what_was_left_over_goes_when_we_made_it_and_its_object_is_gone() {
    let ours = json!([{"manager": "pgherd", "operation": "Apply"}]);
    for (managers, object_is_there, goes) in [
        (ours.clone(), false, true),
        (ours, true, false),
        (json!([{"manager": "postgres-operator"}]), false, false),
    ] {
        let api = FakeApi::default();
        let (context, cluster) = orphaned(&api, &managers).await;
        if !object_is_there {
            api.remove(MANIFEST);
        }
        crate::sweep::sweep(&context, ALONE).await;
        assert_eq!(
            context.cache.manifests.departed(&cluster).is_some(),
            goes,
            "{managers} {object_is_there}"
        );
        if goes {
            reconcile(&context, &cluster).await;
            reconcile(&context, &cluster).await;
            let asked = api.asked();
            let deleted = asked
                .iter()
                .any(|line| line == "DELETE /apis/apps/v1/namespaces/apps/statefulsets/acid-demo");
            assert!(deleted, "{asked:#?}");
        }
    }
}

#[tokio::test]
async fn what_is_left_of_a_kind_that_was_removed_is_not_swept() {
    let api = FakeApi::default();
    let (context, cluster) = orphaned(&api, &json!([{"manager": "pgherd"}])).await;
    let path = "/apis/apps/v1/namespaces/apps/statefulsets/acid-demo";
    let mut set = api.get(path).unwrap();
    set["metadata"]["creationTimestamp"] = "2024-01-01T00:00:00Z".into();
    api.put(path, set);
    api.remove(MANIFEST);
    for kind in [Some(crate::testing::kind()), None] {
        match kind {
            Some(kind) => drop(api.put(crate::testing::KIND, kind)),
            None => api.remove(crate::testing::KIND),
        }
        crate::sweep::sweep(&context, ALONE).await;
        assert!(context.cache.manifests.departed(&cluster).is_none());
        assert_eq!(context.metrics.leftovers.get(), 1, "it is told");
    }
}

#[tokio::test]
async fn an_object_that_comes_back_in_time_keeps_what_was_left_over() {
    let api = FakeApi::default();
    let (context, cluster) = orphaned(&api, &json!([{"manager": "pgherd"}])).await;
    let object = api.get(MANIFEST).unwrap();
    api.remove(MANIFEST);
    crate::sweep::sweep(&context, ALONE).await;
    api.put(MANIFEST, object);
    api.asked();
    reconcile(&context, &cluster).await;
    let asked = api.asked();
    assert!(asked.iter().all(|line| !line.starts_with("DELETE")), "{asked:#?}");
    assert!(context.cache.manifests.departed(&cluster).is_none());
}

#[tokio::test]
async fn a_cluster_that_is_found_by_other_labels_is_not_touched() {
    let api = FakeApi::default();
    let mut context = api.context();
    let cluster = api.submit(&context, &manifest());
    reconcile(&context, &cluster).await;
    reconcile(&context, &cluster).await;
    let mut config = (*context.config()).clone();
    config.kubernetes.cluster_name_label = "version".to_owned();
    let (_sender, settings) = tokio::sync::watch::channel(std::sync::Arc::new(config));
    context.config = settings;
    // What no watch with the new labels tells of.
    context.cache.owned.clear();
    let set = api
        .get("/apis/apps/v1/namespaces/apps/statefulsets/acid-demo")
        .unwrap();
    api.asked();
    reconcile(&context, &cluster).await;
    assert_eq!(writes(&api.asked()), [&format!("PATCH {MANIFEST}/status")]);
    let status = &api.get(MANIFEST).unwrap()["status"];
    let held = status["holds"].to_string();
    assert!(
        held.contains("set cluster_labels and cluster_name_label"),
        "{held}"
    );
    assert_eq!(
        api.get("/apis/apps/v1/namespaces/apps/statefulsets/acid-demo"),
        Some(set)
    );
    assert_eq!(context.memories.holds().get("refused"), Some(&1), "{held}");
}
