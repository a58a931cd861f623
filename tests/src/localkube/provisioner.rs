//! Volumes for claims: a world-writable directory for each, made when the claim appears, grown when it grows (a number,
//! nothing else, holds a directory back), removed with it. Runs as a program of the local Kubernetes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::api;
use super::logs::say;

/// The default class. Its volumes follow their pod to any node, as a network disk does.
pub const STORAGE_CLASS: &str = "local";
/// A class whose volumes stay on the node of their first pod, as a local disk does.
pub const PINNED_CLASS: &str = "local-pinned";
const PROVISIONER: &str = "pgherd.io/local";
/// Who provisioned a volume; Kubernetes leaves the deletion of volumes to whom it names.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Which node the scheduler chose for the first pod of a claim.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// Serves claims until it is killed.
///
/// # Errors
/// When the API server cannot be reached at the start, or a watch ends for good.
pub async fn run(kubeconfig: &Path, volumes: &Path) -> Result<()> {
    fs::create_dir_all(volumes)?;
    let provisioner = Provisioner {
        client: api::client(kubeconfig).await?,
        volumes: volumes.to_owned(),
    };
    provisioner.apply_classes().await?;
    let claims = watcher(
        Api::<PersistentVolumeClaim>::all(provisioner.client.clone()),
        watcher::Config::default(),
    );
    let volumes = watcher(
        Api::<PersistentVolume>::all(provisioner.client.clone()),
        watcher::Config::default(),
    );
    let claims = claims
        .default_backoff()
        .applied_objects()
        .map_ok(|claim| Seen::Claim(Box::new(claim)))
        .boxed();
    let volumes = volumes
        .default_backoff()
        .applied_objects()
        .map_ok(|volume| Seen::Volume(Box::new(volume)))
        .boxed();
    let mut seen = stream::select(claims, volumes);
    while let Some(seen) = seen.next().await {
        let outcome = match seen {
            Ok(Seen::Claim(claim)) => provisioner.serve(&claim).await,
            Ok(Seen::Volume(volume)) => provisioner.release(&volume).await,
            Err(error) => Err(error).context("a watch was interrupted"),
        };
        if let Err(error) = outcome {
            say(format_args!("{error:#}"));
        }
    }
    Ok(())
}

enum Seen {
    Claim(Box<PersistentVolumeClaim>),
    Volume(Box<PersistentVolume>),
}

struct Provisioner {
    client: Client,
    volumes: PathBuf,
}

impl Provisioner {
    async fn apply_classes(&self) -> Result<()> {
        let classes = Api::<StorageClass>::all(self.client.clone());
        for (name, binding, default) in [
            (STORAGE_CLASS, "Immediate", "true"),
            (PINNED_CLASS, "WaitForFirstConsumer", "false"),
        ] {
            let class = json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": name,
                    "annotations": { "storageclass.kubernetes.io/is-default-class": default },
                },
                "provisioner": PROVISIONER,
                "reclaimPolicy": "Delete",
                "volumeBindingMode": binding,
                "allowVolumeExpansion": true,
            });
            let params = PatchParams::apply("pgherd-local-provisioner").force();
            classes
                .patch(name, &params, &Patch::Apply(&class))
                .await
                .context("cannot write the storage class")?;
        }
        Ok(())
    }

    async fn serve(&self, claim: &PersistentVolumeClaim) -> Result<()> {
        let name = format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name_any());
        let spec = claim.spec.as_ref();
        if claim.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        if spec.and_then(|spec| spec.volume_name.as_ref()).is_some() {
            return self
                .grow(claim)
                .await
                .with_context(|| format!("cannot grow the volume of claim {name}"));
        }
        let pinned = match spec.and_then(|spec| spec.storage_class_name.as_deref()) {
            Some(STORAGE_CLASS) => None,
            // It is seen again when the scheduler has chosen.
            Some(PINNED_CLASS) => match claim.annotations().get(SELECTED_NODE) {
                Some(node) => Some(node.as_str()),
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        self.provision(claim, pinned)
            .await
            .with_context(|| format!("cannot make a volume for claim {name}"))
    }

    async fn provision(&self, claim: &PersistentVolumeClaim, node: Option<&str>) -> Result<()> {
        let volume = volume(claim, node, &self.volumes)?;
        let dir = self.volumes.join(volume.name_any());
        fs::create_dir_all(&dir)?;
        // Pods run as whoever they like, and this kind of volume knows no fsGroup.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777))?;
        let created = Api::all(self.client.clone())
            .create(&PostParams::default(), &volume)
            .await;
        match created {
            // The claim was seen again before it was bound.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop).context("the API server refused the volume"),
        }
    }

    /// Plays the resizer: volume first, then the claim's status, as Kubernetes wants it.
    async fn grow(&self, claim: &PersistentVolumeClaim) -> Result<()> {
        let Some((name, wanted)) = unmet_growth(claim) else {
            return Ok(());
        };
        let volumes = Api::<PersistentVolume>::all(self.client.clone());
        let volume = volumes.get(name).await?;
        if volume.annotations().get(PROVISIONED_BY).map(String::as_str) != Some(PROVISIONER) {
            return Ok(());
        }
        let capacity = json!({ "capacity": { "storage": wanted } });
        let params = PatchParams::default();
        volumes
            .patch(name, &params, &Patch::Merge(json!({ "spec": capacity })))
            .await?;
        let claims = Api::<PersistentVolumeClaim>::namespaced(
            self.client.clone(),
            &claim.namespace().unwrap_or_default(),
        );
        claims
            .patch_status(
                &claim.name_any(),
                &params,
                &Patch::Merge(json!({ "status": capacity })),
            )
            .await?;
        Ok(())
    }

    async fn release(&self, volume: &PersistentVolume) -> Result<()> {
        let name = volume.name_any();
        if !is_to_be_deleted(volume) {
            return Ok(());
        }
        match fs::remove_dir_all(self.volumes.join(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove the directory of volume {name}"));
            }
            _ => {}
        }
        let deleted = Api::<PersistentVolume>::all(self.client.clone())
            .delete(&name, &DeleteParams::default())
            .await;
        match deleted {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other
                .map(drop)
                .with_context(|| format!("cannot delete volume {name}")),
        }
    }
}

/// The volume that a claim gets, bound to that claim and no other.
fn volume(claim: &PersistentVolumeClaim, node: Option<&str>, volumes: &Path) -> Result<PersistentVolume> {
    let uid = claim.uid().context("the claim has no uid")?;
    let name = format!("pvc-{uid}");
    let spec = claim.spec.clone().unwrap_or_default();
    let mut volume = PersistentVolume::default();
    volume.metadata.name = Some(name.clone());
    volume.metadata.annotations = Some(BTreeMap::from([(
        PROVISIONED_BY.to_owned(),
        PROVISIONER.to_owned(),
    )]));
    volume.spec = Some(PersistentVolumeSpec {
        access_modes: spec.access_modes,
        capacity: spec.resources.and_then(|resources| resources.requests),
        claim_ref: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolumeClaim".to_owned()),
            namespace: claim.namespace(),
            name: Some(claim.name_any()),
            uid: Some(uid),
            ..ObjectReference::default()
        }),
        host_path: Some(HostPathVolumeSource {
            path: volumes.join(&name).to_string_lossy().into_owned(),
            type_: Some("Directory".to_owned()),
        }),
        node_affinity: node.map(only_on),
        persistent_volume_reclaim_policy: Some("Delete".to_owned()),
        storage_class_name: spec.storage_class_name,
        volume_mode: Some("Filesystem".to_owned()),
        ..PersistentVolumeSpec::default()
    });
    Ok(volume)
}

fn only_on(node: &str) -> VolumeNodeAffinity {
    let requirement = NodeSelectorRequirement {
        key: "kubernetes.io/hostname".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let term = NodeSelectorTerm {
        match_expressions: Some(vec![requirement]),
        match_fields: None,
    };
    VolumeNodeAffinity {
        required: Some(NodeSelector {
            node_selector_terms: vec![term],
        }),
    }
}

/// The volume of a claim whose status lags behind its request, and what it asks for. The API server lets requests only
/// grow, so any difference is growth.
fn unmet_growth(claim: &PersistentVolumeClaim) -> Option<(&str, &Quantity)> {
    let spec = claim.spec.as_ref()?;
    let status = claim
        .status
        .as_ref()
        .filter(|status| status.phase.as_deref() == Some("Bound"))?;
    let wanted = spec.resources.as_ref()?.requests.as_ref()?.get("storage")?;
    let has = status
        .capacity
        .as_ref()
        .and_then(|capacity| capacity.get("storage"));
    (has != Some(wanted)).then_some((spec.volume_name.as_deref()?, wanted))
}

fn is_to_be_deleted(volume: &PersistentVolume) -> bool {
    let ours = volume.annotations().get(PROVISIONED_BY).map(String::as_str) == Some(PROVISIONER);
    let released = volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Released");
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    ours && released && policy == Some("Delete") && volume.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(requested: &str, capacity: Option<&str>) -> PersistentVolumeClaim {
        let status =
            capacity.map(|capacity| json!({ "phase": "Bound", "capacity": { "storage": capacity } }));
        serde_json::from_value(json!({
            "metadata": { "name": "data", "namespace": "default", "uid": "1-2" },
            "spec": {
                "volumeName": "pvc-1-2",
                "storageClassName": STORAGE_CLASS,
                "resources": { "requests": { "storage": requested } },
            },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_claim_grows_only_when_bound_and_behind_its_request() {
        assert_eq!(
            unmet_growth(&claim("2Gi", Some("1Gi"))),
            Some(("pvc-1-2", &Quantity("2Gi".to_owned())))
        );
        assert_eq!(unmet_growth(&claim("1Gi", Some("1Gi"))), None);
        assert_eq!(unmet_growth(&claim("2Gi", None)), None);
    }

    #[test]
    fn a_volume_is_bound_to_its_claim_and_pinned_only_if_asked() {
        let spec = volume(&claim("1Gi", None), Some("node2"), Path::new("/v"))
            .unwrap()
            .spec
            .unwrap();
        assert_eq!(spec.claim_ref.unwrap().uid.as_deref(), Some("1-2"));
        assert_eq!(spec.host_path.unwrap().path, "/v/pvc-1-2");
        assert!(spec.node_affinity.is_some());
        assert!(
            volume(&claim("1Gi", None), None, Path::new("/v"))
                .unwrap()
                .spec
                .unwrap()
                .node_affinity
                .is_none()
        );
    }

    #[test]
    fn only_our_released_volumes_are_deleted() {
        let mut one = volume(&claim("1Gi", None), None, Path::new("/v")).unwrap();
        assert!(!is_to_be_deleted(&one));
        one.status = Some(serde_json::from_value(json!({ "phase": "Released" })).unwrap());
        assert!(is_to_be_deleted(&one));
        one.metadata.annotations = None;
        assert!(!is_to_be_deleted(&one));
    }
}
