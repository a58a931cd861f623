//! Containers, shared memory and certificates.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Probe};

use super::{
    super::{Hit, Subject},
    syntax,
};
use crate::{
    cluster::volume,
    names::{containers::unnamed_sidecar, ports},
};

/// Sidecars and init containers, each with its path.
fn written<'a>(subject: &'a Subject<'_>) -> Vec<(String, &'a Container)> {
    let spec = &subject.spec;
    let list = |list: &str, containers: &'a [Container]| -> Vec<(String, &'a Container)> {
        let numbered = containers.iter().enumerate();
        numbered
            .map(|(index, container)| (format!("spec.{list}[{index}]"), container))
            .collect()
    };
    let mut all = list("sidecars", &spec.sidecars);
    all.extend(list("initContainers", &spec.init_containers));
    all
}

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

/// What Kubernetes refuses in the template of a pod.
pub(in super::super) fn kubernetes_takes_them(subject: &Subject<'_>) -> Vec<Hit> {
    let volumes = volume::names(&subject.spec, subject.config);
    let mut hits = Vec::new();
    for (path, container) in written(subject) {
        let name = container.name.as_str();
        if !name.is_empty() && !syntax::is_label(name) {
            let message =
                format!("{name:?} cannot be a name: lower-case letters, digits, dashes inside, at most 63");
            hits.push(Hit::new(format!("{path}.name"), message));
        }
        hits.extend(ports_problems(container, &path));
    }
    // Those of sidecars are left out: a rule of its own.
    for (place, container) in subject.spec.init_containers.iter().enumerate() {
        for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
            if !volumes.contains(&mount.name) {
                let message = format!(
                    "{:?} is no volume of the pod; add it to spec.additionalVolumes",
                    mount.name
                );
                hits.push(Hit::new(
                    format!("spec.initContainers[{place}].volumeMounts[{index}].name"),
                    message,
                ));
            }
        }
    }
    let probe = subject.spec.liveness_probe.as_ref();
    if probe.is_some_and(|probe| handlers(probe) != 1) {
        let message = "must have one of exec, httpGet, tcpSocket and grpc";
        hits.push(Hit::new("spec.livenessProbe", message));
    }
    hits.extend(ids(subject));
    hits
}

fn ports_problems(container: &Container, path: &str) -> Vec<Hit> {
    let mut names = BTreeSet::new();
    let mut hits = Vec::new();
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let path = format!("{path}.ports[{index}]");
        if !(1..=65535).contains(&port.container_port) {
            let message = format!("{} is no port; allowed are 1 to 65535", port.container_port);
            hits.push(Hit::new(format!("{path}.containerPort"), message));
        }
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() && !names.insert(name) {
            let message = format!("{name:?} is the name of another port of the container");
            hits.push(Hit::new(format!("{path}.name"), message));
        }
    }
    hits
}

fn handlers(probe: &Probe) -> usize {
    [
        probe.exec.is_some(),
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
        probe.grpc.is_some(),
    ]
    .into_iter()
    .filter(|there| *there)
    .count()
}

fn ids(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let ids = [
        ("spiloRunAsUser", spec.spilo_run_as_user),
        ("spiloRunAsGroup", spec.spilo_run_as_group),
        ("spiloFSGroup", spec.spilo_fs_group),
    ];
    let wrong = ids
        .into_iter()
        .filter_map(|(field, id)| Some((field, id.filter(|id| !(0..=i64::from(i32::MAX)).contains(id))?)));
    wrong
        .map(|(field, id)| {
            let message = format!("{id} is no id; allowed are 0 to {}", i32::MAX);
            Hit::new(format!("spec.{field}"), message)
        })
        .collect()
}

/// The containers of a pod share its ports.
pub(super) fn ports_are_free(subject: &Subject<'_>) -> Vec<Hit> {
    let taken = [
        (ports::POSTGRES, "Postgres"),
        (ports::PATRONI, "Patroni"),
        (ports::BG_MON, "the image's statistics"),
    ];
    let mut hits = Vec::new();
    for (index, sidecar) in subject.spec.sidecars.iter().enumerate() {
        for (place, port) in sidecar.ports.iter().flatten().enumerate() {
            let owner = taken
                .iter()
                .find(|(taken, _)| i32::from(*taken) == port.container_port);
            if let Some((number, owner)) = owner {
                hits.push(Hit::new(
                    format!("spec.sidecars[{index}].ports[{place}].containerPort"),
                    format!("{number} is the port of {owner} in the same pod; choose another one"),
                ));
            }
        }
    }
    hits
}

/// What the API server fills in where the manifest has nothing.
const FILLED_IN: [&str; 2] = ["tls.crt", "tls.key"];

/// A section without its secret is none, and a secret with authorities is read only for a file in it.
pub(in super::super) fn certificates_are_used(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(tls) = subject.spec.tls.as_ref() else {
        return Vec::new();
    };
    let given = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        !text.is_empty() && !FILLED_IN.contains(&text)
    };
    let fields = [
        &tls.certificate_file,
        &tls.private_key_file,
        &tls.ca_file,
        &tls.ca_secret_name,
    ];
    let mut hits = Vec::new();
    if tls.secret_name.is_empty() {
        if fields.into_iter().any(given) {
            let message = "is empty: the whole section is ignored; name the secret with certificate and key";
            hits.push(Hit::new("spec.tls.secretName", message));
        }
    } else if given(&tls.ca_secret_name) && !given(&tls.ca_file) {
        let message = "is not read without caFile, the name of a file in it";
        hits.push(Hit::new("spec.tls.caSecretName", message));
    }
    hits
}
