//! Containers, their variables, shared memory and certificates.

use std::collections::BTreeSet;

use super::super::{Hit, Subject};
use crate::names::containers::unnamed_sidecar;

/// All containers of a pod have names of their own.
pub(in super::super) fn names_are_distinct(subject: &Subject<'_>) -> Vec<Hit> {
    let sidecars = subject
        .spec
        .sidecars
        .iter()
        .enumerate()
        .map(|(index, container)| {
            let name = if container.name.is_empty() {
                unnamed_sidecar(index)
            } else {
                container.name.clone()
            };
            (format!("spec.sidecars[{index}].name"), name)
        });
    let init = subject.spec.init_containers.iter().enumerate();
    let init = init.map(|(index, container)| {
        (
            format!("spec.initContainers[{index}].name"),
            container.name.clone(),
        )
    });
    let mut names = BTreeSet::new();
    let mut hits = Vec::new();
    for (path, name) in sidecars.chain(init) {
        if !names.insert(name.clone()) {
            hits.push(Hit::new(
                path,
                format!("{name:?} is the name of another container; choose another name"),
            ));
        }
    }
    hits
}

pub(in super::super) fn variables_have_names(subject: &Subject<'_>) -> Vec<Hit> {
    let env = subject.spec.env.iter().enumerate();
    env.filter(|(_, variable)| variable.name.is_empty())
        .map(|(index, _)| {
            Hit::new(
                format!("spec.env[{index}].name"),
                "is empty; every variable needs a name",
            )
        })
        .collect()
}

pub(in super::super) fn shared_memory_follows(subject: &Subject<'_>) -> Vec<Hit> {
    if subject.spec.enable_shm_volume != Some(false) || !subject.config.general.enable_shm_volume {
        return Vec::new();
    }
    let message = "false is ignored: the operator mounts memory into all pods (enable_shm_volume)";
    vec![Hit::new("spec.enableShmVolume", message)]
}

/// The key of a certificate is readable through the volume's group only.
pub(in super::super) fn keys_are_readable(subject: &Subject<'_>) -> Vec<Hit> {
    let unreadable = subject
        .cluster()
        .is_some_and(|cluster| cluster.pod.tls.is_some() && cluster.pod.fs_group.is_none());
    let hit = || {
        Hit::new(
            "spec.tls.secretName",
            "Postgres may not be able to read the key; set spec.spiloFSGroup (103 for Spilo)",
        )
    };
    unreadable.then(hit).into_iter().collect()
}
