//! The data volume, and further volumes.

use std::collections::BTreeSet;

use super::super::{Hit, Subject};
use crate::{
    config::ResizeMode,
    names::containers::{DATA_PATH, POSTGRES, unnamed_sidecar},
    units::Quantity,
};

pub(in super::super) fn size_never_falls(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let size = |subject: &Subject<'_>| Quantity::parse(subject.spec.volume.size.as_deref()?).ok();
    match (size(old), size(new)) {
        (Some(before), Some(after)) if after < before => {
            let message = format!("{after} is less than the present {before}: volumes cannot shrink");
            vec![Hit::new("spec.volume.size", message)]
        }
        _ => Vec::new(),
    }
}

/// Class and selector are read only when a claim is made.
pub(in super::super) fn placement_stays(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let (before, after) = (&old.spec.volume, &new.spec.volume);
    let mut hits = Vec::new();
    if before.storage_class != after.storage_class {
        hits.push(Hit::new(
            "spec.volume.storageClass",
            "counts for new members only: existing volumes stay where they are",
        ));
    }
    if before.selector != after.selector {
        hits.push(Hit::new(
            "spec.volume.selector",
            "counts for new members only: existing volumes stay where they are",
        ));
    }
    hits
}

pub(in super::super) fn sub_path_stays(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let place = |subject: &Subject<'_>| {
        let volume = &subject.spec.volume;
        let path = volume.sub_path.clone().unwrap_or_default();
        (
            volume.is_sub_path_expr.unwrap_or_default() && !path.is_empty(),
            path,
        )
    };
    let (before, after) = (place(old), place(new));
    if before == after {
        return Vec::new();
    }
    let message = format!(
        "{:?} becomes {:?}: Postgres would not find its data any more",
        before.1, after.1
    );
    vec![Hit::new("spec.volume.subPath", message)]
}

pub(in super::super) fn ebs_settings_count(subject: &Subject<'_>) -> Vec<Hit> {
    let mode = subject.config.kubernetes.storage_resize_mode;
    if mode == ResizeMode::Mixed {
        return Vec::new();
    }
    let volume = &subject.spec.volume;
    [
        ("iops", volume.iops.is_some()),
        ("throughput", volume.throughput.is_some()),
        ("type", volume.volume_type.is_some()),
    ]
    .into_iter()
    .filter(|(_, given)| *given)
    .map(|(field, _)| {
        let message = format!("is ignored: the operator resizes volumes in mode {mode}, not mixed");
        Hit::new(format!("spec.volume.{field}"), message)
    })
    .collect()
}

/// Names and paths are there once, and the data volume keeps its path.
pub(in super::super) fn volumes_do_not_clash(subject: &Subject<'_>) -> Vec<Hit> {
    let mut paths = BTreeSet::from([DATA_PATH]);
    let mut names = BTreeSet::new();
    let mut hits = Vec::new();
    for (index, volume) in subject.spec.additional_volumes.iter().enumerate() {
        let at = format!("spec.additionalVolumes[{index}]");
        if volume.mount_path == DATA_PATH {
            hits.push(Hit::new(
                format!("{at}.mountPath"),
                format!("{DATA_PATH:?} is where the data is; choose another path"),
            ));
        } else if !paths.insert(&volume.mount_path) {
            let message = format!(
                "{:?} is mounted by another volume already; choose another path",
                volume.mount_path
            );
            hits.push(Hit::new(format!("{at}.mountPath"), message));
        }
        if !names.insert(&volume.name) {
            let message = format!(
                "{:?} is the name of another volume already; choose another name",
                volume.name
            );
            hits.push(Hit::new(format!("{at}.name"), message));
        }
    }
    hits
}

pub(in super::super) fn targets_exist(subject: &Subject<'_>) -> Vec<Hit> {
    let general = &subject.config.general;
    let sidecars = subject.spec.sidecars.iter().enumerate();
    let mut known: BTreeSet<String> = sidecars
        .map(|(index, sidecar)| {
            if sidecar.name.is_empty() {
                unnamed_sidecar(index)
            } else {
                sidecar.name.clone()
            }
        })
        .collect();
    known.extend(general.sidecars.iter().map(|sidecar| sidecar.name.clone()));
    known.extend(general.sidecar_docker_images.keys().cloned());
    known.insert(POSTGRES.to_owned());
    let mut hits = Vec::new();
    for (index, volume) in subject.spec.additional_volumes.iter().enumerate() {
        let targets = &volume.target_containers;
        for (place, target) in targets.iter().enumerate() {
            let is_all = target == "all" && targets.len() == 1;
            if !is_all && !known.contains(target) {
                let names = known.iter().cloned().collect::<Vec<_>>().join(", ");
                let message = format!("{target:?} is no container; allowed are {names}, or \"all\" alone");
                hits.push(Hit::new(
                    format!("spec.additionalVolumes[{index}].targetContainers[{place}]"),
                    message,
                ));
            }
        }
    }
    hits
}
