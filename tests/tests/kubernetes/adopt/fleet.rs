//! A fleet that Zalando's operator made, put into the API server as it was recorded there. Must not: judge what becomes of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Api, Client, ResourceExt};
use pgherd_tests::localkube::checkout;
use pgherd_tests::simulated::Simulation;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stage::NAMESPACE;

/// As Zalando's operator is told to name itself.
const MANAGER: &str = "postgres-operator";
/// Generated passwords, as recorded.
const PASSWORD: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
/// All pods of a fleet have to be ready by then; a limit against hanging.
const READY: Duration = Duration::from_mins(5);
const FINALIZER: &str = "postgres-operator.acid.zalan.do";

/// What the objects of clusters carry, under B and under the others.
const OTHER_LABELS: &str = "application=pg,pg-cluster";
const DEFAULT_LABELS: &str = "application=spilo,cluster-name";
/// What a fleet is made of.
const KINDS: [(&str, &str); 8] = [
    ("apps/v1", "StatefulSet"),
    ("v1", "Service"),
    ("v1", "Endpoints"),
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
];

/// One recorded cluster.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What the operator made, with the cluster's uid in it.
    pub(crate) objects: Vec<Value>,
}

/// The fleet under one configuration.
pub(crate) struct Fleet {
    client: Client,
    letter: &'static str,
    /// The operator's configuration object.
    pub(crate) configuration: Value,
    pub(crate) cases: Vec<Case>,
}

fn data() -> PathBuf {
    checkout().join("tests/data")
}

fn documents(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
    Ok(documents.collect::<Result<_, _>>()?)
}

/// The API of an object's kind.
pub(crate) fn api(client: &Client, object: &Value) -> Result<Api<DynamicObject>> {
    let text = |key: &str| {
        object[key]
            .as_str()
            .with_context(|| format!("an object without {key}"))
    };
    let (version, kind) = (text("apiVersion")?, text("kind")?);
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = match kind {
        "Endpoints" => {
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), "endpoints")
        }
        _ => ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)),
    };
    let namespace = object["metadata"]["namespace"].as_str();
    Ok(match (kind, namespace) {
        ("Namespace" | "StorageClass" | "PriorityClass" | "ClusterRole", _) => {
            Api::all_with(client.clone(), &resource)
        }
        (_, namespace) => Api::namespaced_with(client.clone(), namespace.unwrap_or(NAMESPACE), &resource),
    })
}

impl Fleet {
    pub(crate) fn read(client: Client, letter: &'static str) -> Result<Self> {
        let file = if letter == "C" { "C-stored" } else { letter };
        let configuration = documents(&data().join(format!("config/{file}.yaml")))?.remove(0);
        Ok(Self {
            client,
            letter,
            configuration,
            cases: Vec::new(),
        })
    }

    /// Everything into the API server, until all pods are ready.
    pub(crate) async fn load(&mut self, simulation: &Simulation) -> Result<()> {
        let golden = data().join("golden");
        let shared = self.shared()?;
        for object in &shared {
            self.create(object).await?;
        }
        let mut files: Vec<PathBuf> = std::fs::read_dir(golden.join("stored").join(self.letter))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        for file in files {
            let name = file
                .file_stem()
                .and_then(|name| name.to_str())
                .context("a file without a name")?;
            let objects = documents(&file)?;
            if objects.iter().any(|object| object["kind"] == "StatefulSet") {
                let case = self.load_case(name, objects, simulation).await?;
                self.cases.push(case);
            }
        }
        self.wait_until_ready().await
    }

    async fn load_case(&self, name: &str, objects: Vec<Value>, simulation: &Simulation) -> Result<Case> {
        let manifest = data().join(format!("golden/manifests/{name}.yaml"));
        let mut manifest = documents(&manifest)?.remove(0);
        manifest["metadata"]["annotations"]["pgherd.io/mode"] = json!("observe");
        if self.configuration["data"]["enable_finalizers"] == "true" {
            manifest["metadata"]["finalizers"] = json!([FINALIZER]);
        }
        let stored = self.create(&manifest).await?;
        let uid = stored.uid().context("a stored object without uid")?;
        let running = json!({"status": {"PostgresClusterStatus": "Running"}});
        let merge = Patch::Merge(&running);
        api(&self.client, &manifest)?
            .patch_status(name, &PatchParams::default(), &merge)
            .await?;
        let text = serde_json::to_string(&objects)?.replace("<uid>", &uid);
        let text = text.replace("<RFC3339 time>", "2030-01-01T00:00:00Z");
        let mut objects: Vec<Value> = serde_json::from_str(&text)?;
        // Kubernetes makes them.
        objects.retain(|object| object["kind"] != "PersistentVolumeClaim");
        for object in &mut objects {
            if object["kind"] == "Secret" && object["stringData"]["username"].is_string() {
                object["stringData"]["password"] = json!(PASSWORD);
            }
            if object["kind"] == "StatefulSet" {
                simulation.configure(name, dynamic(name, object)?);
            }
            self.create(object).await?;
        }
        Ok(Case {
            name: name.to_owned(),
            objects,
        })
    }

    /// One that is there already is left.
    async fn create(&self, object: &Value) -> Result<DynamicObject> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let api = api(&self.client, object)?;
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let body: DynamicObject = serde_json::from_value(object.clone())?;
        match api.create(&params, &body).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(api.get(name).await?),
            answer => answer.with_context(|| format!("creating {} {name}", object["kind"])),
        }
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let api: Api<StatefulSet> = Api::namespaced(self.client.clone(), NAMESPACE);
        let end = Instant::now() + READY;
        loop {
            let listed = api.list(&ListParams::default()).await?;
            let unready = listed.iter().filter(|object| {
                let wanted = object.spec.as_ref().and_then(|spec| spec.replicas);
                let status = object.status.as_ref();
                status.and_then(|status| status.ready_replicas).unwrap_or(0) != wanted.unwrap_or(1)
            });
            let names: Vec<String> = unready.map(ResourceExt::name_any).collect();
            if names.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < end, "not ready: {}", names.join(", "));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The present form of an object that was loaded.
    pub(crate) async fn stored(&self, object: &Value) -> Result<Option<Value>> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let found = api(&self.client, object)?.get_opt(name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// Takes everything away again, also what an earlier run left.
    pub(crate) async fn clear(&self) -> Result<()> {
        self.clear_manifests().await?;
        for (version, kind) in KINDS {
            self.clear_kind(version, kind).await?;
        }
        let mut shared = self.shared()?;
        shared.retain(|object| object["kind"] != "Namespace");
        for object in &shared {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            // The account of real clusters' pods is somebody else's too; its controller makes it anew.
            let _ = api(&self.client, object)?
                .delete(name, &DeleteParams::background())
                .await;
        }
        self.wait_until_gone().await
    }

    async fn clear_manifests(&self) -> Result<()> {
        let any = json!({"apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {}});
        let manifests = api(&self.client, &any)?;
        for file in std::fs::read_dir(data().join("golden/manifests"))? {
            let path = file?.path();
            let stem = path.file_stem().and_then(|name| name.to_str());
            let name = stem.unwrap_or_default();
            if manifests.get_opt(name).await?.is_none() {
                continue;
            }
            let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            manifests.patch(name, &PatchParams::default(), &free).await?;
            let _ = manifests.delete(name, &DeleteParams::background()).await;
        }
        Ok(())
    }

    async fn clear_kind(&self, version: &str, kind: &str) -> Result<()> {
        let any = json!({"apiVersion": version, "kind": kind, "metadata": {}});
        let api = api(&self.client, &any)?;
        let mut params = DeleteParams::background();
        if kind == "Pod" {
            params = params.grace_period(0);
        }
        for labels in [DEFAULT_LABELS, OTHER_LABELS, "connection-pooler"] {
            for object in api.list_metadata(&ListParams::default().labels(labels)).await? {
                let _ = api.delete(&object.name_any(), &params).await;
            }
        }
        Ok(())
    }

    /// What the fleet's clusters have in common, but for what a cluster of Kubernetes has anyway.
    fn shared(&self) -> Result<Vec<Value>> {
        let golden = data().join("golden");
        let mut shared = documents(&golden.join("deps.yaml"))?;
        shared.retain(|object| !matches!(object["kind"].as_str(), Some("StorageClass" | "ClusterRole")));
        shared.extend(documents(
            &golden.join(format!("namespace/{}.yaml", self.letter)),
        )?);
        shared.push(self.configuration.clone());
        Ok(shared)
    }

    async fn wait_until_gone(&self) -> Result<()> {
        let api: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        for _ in 0..480 {
            let mut left = 0;
            for labels in [DEFAULT_LABELS, OTHER_LABELS] {
                left += api
                    .list_metadata(&ListParams::default().labels(labels))
                    .await?
                    .items
                    .len();
            }
            if left == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        bail!("pods of the fleet do not go")
    }
}

/// Patroni's configuration as the image and Zalando's operator left it: the image's own, what the StatefulSet starts it with, and what the
/// operator has it set for event streams.
fn dynamic(case: &str, stateful_set: &Value) -> Result<Value> {
    let mut config = json!({
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 33_554_432,
        "postgresql": {"use_pg_rewind": true, "use_slots": true, "parameters": {
            "archive_mode": "on", "archive_timeout": "1800s", "hot_standby": "on", "max_connections": 100,
            "max_replication_slots": 10, "max_wal_senders": 10, "wal_level": "hot_standby", "wal_log_hints": "on",
        }},
    });
    let variables = stateful_set["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let given = variables
        .into_iter()
        .flatten()
        .find(|it| it["name"] == "SPILO_CONFIGURATION");
    let text = given
        .and_then(|it| it["value"].as_str())
        .context("no configuration of the image")?;
    let given: Value = serde_json::from_str(text)?;
    json_patch::merge(&mut config, &given["bootstrap"]["dcs"]);
    if case == "streamed" {
        config["postgresql"]["parameters"]["wal_level"] = json!("logical");
    }
    Ok(config)
}
