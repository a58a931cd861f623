use std::sync::Arc;

use futures::FutureExt;
use kube::Client;
use kube::api::DynamicObject;
use pgherd_model::config::{Form, OperatorConfig};
use serde_json::{Value, json};

use super::super::environment::EnvironmentSink;
use super::*;
use crate::cache::Cache;
use crate::cache::environment::Source as From;
use crate::queue::Queue;

/// Watches whose client is never used: sinks make no requests.
fn watches(controller_id: Option<&str>) -> Watches {
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    Watches {
        client: Client::try_from(nowhere).unwrap(),
        cache: Arc::new(Cache::default()),
        queue: Queue::default(),
        fleet: Arc::default(),
        controller_id: controller_id.map(str::to_owned),
    }
}

fn scope() -> Scope {
    Scope::of(&OperatorConfig::default_for(Form::ConfigMap), "default")
}

fn manifest(version: &str, controller: Option<&str>, status: &str) -> Whole {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-demo", "namespace": "default", "uid": "u", "resourceVersion": version},
        "spec": {}, "status": {"PostgresClusterStatus": status},
    });
    if let Some(id) = controller {
        object["metadata"]["annotations"] = json!({"acid.zalan.do/controller": id});
    }
    serde_json::from_value(object).unwrap()
}

fn owned(name: &str, version: &str, labels: &Value) -> Part {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": version, "labels": labels},
    }))
    .unwrap()
}

/// Who would have a turn now, with the moment of settling over.
async fn woken(watches: &Watches) -> Vec<(String, Lane)> {
    tokio::time::advance(2 * super::super::SETTLE).await;
    let mut woken = Vec::new();
    while let Some(turn) = watches.queue.next().now_or_never() {
        woken.push((turn.cluster.to_string(), turn.lane));
    }
    woken
}

#[tokio::test(start_paused = true)]
async fn first_list_is_a_resync_and_what_comes_later_an_edit() {
    let watches = watches(None);
    let mut sink = ManifestSink::new(watches.clone(), None);
    sink.list_begins();
    sink.apply(manifest("1", None, "Running"));
    sink.list_ends();
    assert_eq!(
        woken(&watches).await,
        [("default/acid-demo".to_owned(), Lane::Resync)]
    );
    sink.apply(manifest("2", None, "Updating"));
    assert_eq!(woken(&watches).await, [], "only the status changed");
    sink.list_begins();
    sink.list_ends();
    assert_eq!(
        woken(&watches).await,
        [("default/acid-demo".to_owned(), Lane::Edit)],
        "deleted while the watch was away"
    );
}

#[tokio::test(start_paused = true)]
async fn what_changed_while_nobody_looked_goes_first() {
    let watches = watches(None);
    let mut sink = ManifestSink::new(watches.clone(), None);
    let mut object = manifest("1", None, "Running").value();
    object["status"]["observedGeneration"] = json!(4);
    let mut object = Whole::of(&object).unwrap();
    object.metadata.generation = Some(4);
    sink.apply(object.clone());
    assert_eq!(woken(&watches).await[0].1, Lane::Resync);
    object.metadata.generation = Some(5);
    object.metadata.name = Some("acid-edited".to_owned());
    sink.apply(object);
    assert_eq!(
        woken(&watches).await,
        [("default/acid-edited".to_owned(), Lane::Edit)]
    );
}

#[tokio::test(start_paused = true)]
async fn clusters_of_another_controller_are_left_alone() {
    let watches = watches(Some("blue"));
    let mut sink = ManifestSink::new(watches.clone(), None);
    sink.apply(manifest("1", None, "Running"));
    sink.apply(manifest("2", Some("green"), "Running"));
    assert_eq!(woken(&watches).await, []);
    sink.apply(manifest("3", Some("blue"), "Running"));
    assert_eq!(woken(&watches).await.len(), 1);
    sink.apply(manifest("4", Some("green"), "Running"));
    assert_eq!(woken(&watches).await.len(), 1, "a last turn, to forget it");
    sink.apply(manifest("5", Some("green"), "Running"));
    assert_eq!(woken(&watches).await, []);
    let cluster = ClusterRef::new("default", "acid-demo");
    assert!(
        watches.cache.manifests.departed(&cluster).is_none(),
        "handed over is not deleted"
    );
}

#[tokio::test(start_paused = true)]
async fn clusters_of_namespaces_that_do_not_count_are_left_alone() {
    let watches = watches(None);
    let chosen = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        Some(Arc::new(names.collect::<std::collections::BTreeSet<_>>()))
    };
    let mut sink = ManifestSink::new(watches.clone(), None).only(chosen(&["other"]), false);
    sink.apply(manifest("1", None, "Running"));
    assert_eq!(woken(&watches).await, []);
    let mut sink = ManifestSink::new(watches.clone(), None).only(chosen(&["other", "default"]), true);
    sink.list_begins();
    sink.apply(manifest("1", None, "Running"));
    sink.list_ends();
    assert_eq!(
        woken(&watches).await,
        [("default/acid-demo".to_owned(), Lane::Edit)]
    );
    let mut sink = ManifestSink::new(watches.clone(), None).only(chosen(&["other"]), true);
    sink.list_begins();
    sink.apply(manifest("1", None, "Running"));
    sink.list_ends();
    let cluster = ClusterRef::new("default", "acid-demo");
    let manifests = &watches.cache.manifests;
    assert!(
        manifests.get(&cluster).is_none() && manifests.departed(&cluster).is_none(),
        "left alone is not deleted"
    );
    // It goes, and its namespace counts again: whose it was meanwhile nobody knows.
    let mut sink = ManifestSink::new(watches.clone(), None).only(chosen(&["other", "default"]), true);
    sink.list_begins();
    sink.list_ends();
    assert!(
        manifests.departed(&cluster).is_none(),
        "deleted while it was somebody else's"
    );
}

#[tokio::test(start_paused = true)]
async fn an_owned_object_wakes_the_cluster_that_its_labels_name() {
    let watches = watches(None);
    let mut sink = OwnedSink::new(watches.clone(), &scope(), Watched::Service, None);
    let labels = json!({"application": "spilo", "cluster-name": "acid-demo"});
    sink.apply(owned("s", "1", &labels));
    sink.apply(owned("t", "2", &labels));
    sink.apply(owned("foreign", "3", &json!({"application": "spilo"})));
    assert_eq!(
        woken(&watches).await,
        [("default/acid-demo".to_owned(), Lane::Follow)]
    );
    sink.apply(owned("t", "2", &labels));
    assert_eq!(woken(&watches).await, []);
    sink.delete(owned("t", "4", &labels));
    assert_eq!(woken(&watches).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_service_account_wakes_all_clusters_of_its_namespace() {
    let watches = watches(None);
    let mut manifests = ManifestSink::new(watches.clone(), None);
    manifests.apply(manifest("1", None, "Running"));
    woken(&watches).await;
    let mut sink = OwnedSink::new(watches.clone(), &scope(), Watched::ServiceAccount, None);
    sink.apply(owned("postgres-pod", "2", &json!({})));
    assert_eq!(woken(&watches).await.len(), 1);
    sink.delete(owned("postgres-pod", "3", &json!({})));
    assert_eq!(woken(&watches).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failover_wakes_by_the_role_label_alone() {
    let watches = watches(None);
    let mut sink = PodSink::new(watches.clone(), &scope(), None);
    let pod = |version: &str, role: &str| -> WirePod {
        let labels = json!({"application": "spilo", "cluster-name": "acid-demo", "spilo-role": role});
        let metadata = json!({"name": "acid-demo-0", "namespace": "default", "resourceVersion": version,
            "labels": labels, "annotations": {"status": version}});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    sink.apply(pod("1", "replica"));
    assert_eq!(woken(&watches).await.len(), 1);
    sink.apply(pod("2", "replica"));
    assert_eq!(
        woken(&watches).await,
        [],
        "Patroni's own state changes every few seconds"
    );
    sink.apply(pod("3", "master"));
    assert_eq!(
        woken(&watches).await,
        [("default/acid-demo".to_owned(), Lane::Follow)]
    );
}

#[tokio::test]
async fn what_changes_the_pods_environment_begins_another_round() {
    let watches = watches(None);
    let config = Arc::new(OperatorConfig::default_for(Form::ConfigMap));
    let round = || watches.fleet.begin(|| Arc::clone(&config)).1;
    let variables = |value: &str| -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": "variables", "namespace": "default"}, "data": {"A": value},
        }))
        .unwrap()
    };
    let mut sink = EnvironmentSink::new(watches.clone(), From::ConfigMap, Some("default"), None);
    let before = round();
    sink.apply(variables("1"));
    let changed = round();
    assert_ne!(before, changed);
    sink.apply(variables("1"));
    assert_eq!(round(), changed, "the same again");
    sink.delete(variables("1"));
    assert_ne!(round(), changed);
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_a_cluster_that_is_being_made_is_gathered() {
    for (status, is_early) in [("Running", true), ("Creating", false)] {
        let (watches, cluster) = (watches(None), ClusterRef::new("default", "acid-demo"));
        let manifest = Manifest::of(manifest("1", None, status));
        watches.cache.manifests.note(&cluster, manifest);
        watches.stir(&cluster);
        let early = woken(&watches).await;
        assert_eq!(!early.is_empty(), is_early, "{status}");
        watches.stir(&cluster);
        tokio::time::advance(super::super::GATHER).await;
        assert_eq!(woken(&watches).await.len(), 1, "{status}: one turn for both");
    }
}

/// Both namespaces have a cluster of that name.
#[tokio::test(start_paused = true)]
async fn a_secret_elsewhere_stirs_the_cluster_that_it_names() {
    let watches = watches(None);
    let mut manifests = ManifestSink::new(watches.clone(), None);
    for namespace in ["default", "apps"] {
        let mut manifest = manifest("1", None, "Running");
        manifest.metadata.namespace = Some(namespace.to_owned());
        manifests.apply(manifest);
    }
    woken(&watches).await;
    let mut secrets = OwnedSink::new(watches.clone(), &scope(), Watched::Secret, None);
    let labels = json!({"application": "spilo", "cluster-name": "acid-demo"});
    let mut secret = |version: &str, owner: Option<&str>| {
        let mut secret = owned("s", version, &labels);
        let owner = owner.map(|owner| [("pgherd.io/cluster".to_owned(), owner.to_owned())].into());
        secret.metadata.annotations = owner;
        secrets.apply(secret);
    };
    let names = async || -> Vec<String> { woken(&watches).await.into_iter().map(|(name, _)| name).collect() };
    secret("1", None);
    assert_eq!(names().await, ["default/acid-demo"]);
    secret("2", Some("apps/acid-demo"));
    assert_eq!(names().await, ["apps/acid-demo"]);
    // Whoever it names has gone.
    secret("3", Some("apps/other"));
    assert_eq!(names().await, ["default/acid-demo"]);
}
