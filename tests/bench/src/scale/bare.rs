//! The limit: a client that writes the objects of many clusters, and does nothing else. Which objects these are is seen from one cluster that
//! the controller made.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::{Api, Client};
use pgherd_tests::localkube::audit::AuditLog;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::clusters::{AT_ONCE, Clusters, Name, manifest, postgresql};
use super::place::{BARE, NAMESPACES, Place};
use super::{Extent, Teller};

/// The cluster that is looked at.
const ONE: &str = "acid-none";
/// Kinds of objects that a cluster may consist of.
const KINDS: [(&str, &str, &str, &str); 5] = [
    ("", "v1", "Service", "services"),
    ("", "v1", "Secret", "secrets"),
    ("", "v1", "Endpoints", "endpoints"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
];

/// An object to write, with the name of the cluster that it was seen at.
#[derive(Debug, Clone)]
pub struct Template {
    resource: ApiResource,
    text: String,
}

/// Has the controller make one cluster, and reads what it made.
///
/// # Errors
///
/// It is not made.
pub async fn objects_of_one(place: &Place, clusters: &Clusters, log: &mut AuditLog) -> Result<Vec<Template>> {
    let one = Name {
        namespace: NAMESPACES[1],
        name: ONE.to_owned(),
    };
    clusters.apply(std::slice::from_ref(&one)).await?;
    let quiet = Teller::default();
    clusters
        .wait_until_running(&[(&one, 1)], Duration::from_mins(1), &quiet)
        .await?;
    let seen = log.read()?;
    let asked = seen
        .iter()
        .any(|request| request.user == Place::user() && request.verb == "list");
    ensure!(
        asked,
        "the audit log does not tell what the controller reads: end the local Kubernetes (`cargo localkube down`), which another version began"
    );
    let client = place.client("bench").await?;
    let mut templates = Vec::new();
    for (group, version, kind, plural) in KINDS {
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: if group.is_empty() {
                version.to_owned()
            } else {
                format!("{group}/{version}")
            },
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), one.namespace, &resource);
        let labels = ListParams::default().labels(&format!("cluster-name={ONE}"));
        let found = api.list(&labels).await?.items.into_iter().filter(is_ours);
        templates.extend(found.map(|object| Template::of(&resource, &object)));
    }
    ensure!(!templates.is_empty(), "the controller made nothing");
    Ok(templates)
}

fn is_ours(object: &DynamicObject) -> bool {
    let mut managers = object.metadata.managed_fields.iter().flatten();
    managers.any(|entry| entry.manager.as_deref() == Some("pgherd"))
}

impl Template {
    /// Without what the API server gives.
    fn of(resource: &ApiResource, object: &DynamicObject) -> Self {
        let metadata = &object.metadata;
        let mut text = json!({
            "apiVersion": resource.api_version, "kind": resource.kind,
            "metadata": {"name": metadata.name, "labels": metadata.labels, "annotations": metadata.annotations},
        });
        for (key, value) in object.data.as_object().into_iter().flatten() {
            if key != "status" {
                text[key] = value.clone();
            }
        }
        if let Some(spec) = text["spec"].as_object_mut() {
            spec.retain(|key, _| !["clusterIP", "clusterIPs"].contains(&key.as_str()));
        }
        Self {
            resource: resource.clone(),
            text: text.to_string(),
        }
    }

    fn named(&self, name: &str, with_pods: bool) -> Result<DynamicObject> {
        let mut object: Value = serde_json::from_str(&self.text.replace(ONE, name))?;
        if self.resource.kind == "StatefulSet" && !with_pods {
            object["spec"]["replicas"] = json!(0);
        }
        Ok(serde_json::from_value(object)?)
    }
}

/// Writes manifests and objects of so many clusters, as many clusters at once as the controller has turns. Returns how long it took.
///
/// # Errors
///
/// An object is refused.
pub async fn write(place: &Place, objects: &[Template], count: usize, with_pods: bool) -> Result<Duration> {
    let client = place.client("bench-bare").await?;
    let begun = Instant::now();
    let one = |number| {
        let (client, name) = (client.clone(), format!("acid-{number:04}"));
        async move { write_one(client, objects, &name, with_pods).await }
    };
    let all = stream::iter((0..count).map(one)).buffer_unordered(AT_ONCE);
    all.try_collect::<Vec<()>>().await?;
    Ok(begun.elapsed())
}

async fn write_one(client: Client, objects: &[Template], name: &str, with_pods: bool) -> Result<()> {
    let namespace = BARE[usize::from(with_pods)];
    let create = async |resource: &ApiResource, object: DynamicObject| {
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, resource);
        let created = api.create(&PostParams::default(), &object).await;
        created
            .map(drop)
            .with_context(|| format!("create a {} of {name}", resource.kind))
    };
    create(&postgresql(), serde_json::from_value(manifest(name, 1))?).await?;
    for template in objects {
        create(&template.resource, template.named(name, with_pods)?).await?;
    }
    Ok(())
}

/// Until the pods of the bare client's clusters run, so that what follows has the machine for itself.
///
/// # Errors
///
/// They do not.
pub async fn wait_for_pods(place: &Place, extent: &Extent, teller: &Teller) -> Result<()> {
    let pods = Api::<Pod>::namespaced(place.client("bench").await?, BARE[1]);
    let wanted = extent.clusters * usize::try_from(extent.instances)?;
    let begun = Instant::now();
    loop {
        let running = ListParams::default().fields("status.phase=Running");
        let count = pods.list_metadata(&running).await?.items.len();
        if count >= wanted {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < Duration::from_mins(4),
            "{count} of {wanted} pods run"
        );
        teller.tell(format!("  {count} of {wanted} of its pods run"));
        sleep(Duration::from_secs(5)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_as_it_was_seen_but_for_its_name_and_what_is_given() {
        let seen = json!({
            "metadata": {"name": "acid-none-repl", "uid": "u", "resourceVersion": "7", "labels": {"cluster-name": ONE}},
            "spec": {"clusterIP": "10.0.0.1", "ports": [], "replicas": 2}, "status": {"x": 1},
        });
        let resource = ApiResource {
            kind: "StatefulSet".to_owned(),
            ..postgresql()
        };
        let template = Template::of(&resource, &serde_json::from_value(seen).unwrap());
        let written = serde_json::to_value(template.named("acid-0007", false).unwrap()).unwrap();
        assert_eq!(
            written["metadata"],
            json!({"name": "acid-0007-repl", "labels": {"cluster-name": "acid-0007"}})
        );
        assert_eq!(written["spec"], json!({"ports": [], "replicas": 0}));
        assert!(written.get("status").is_none());
        let with_pods = serde_json::to_value(template.named("a", true).unwrap()).unwrap();
        assert_eq!(with_pods["spec"]["replicas"], 2);
    }
}
