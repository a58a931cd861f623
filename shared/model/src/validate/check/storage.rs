//! The data volume, and further volumes.

use std::collections::BTreeSet;

use super::{
    super::{Hit, Subject},
    syntax,
};
use crate::{
    cluster::volume,
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

/// What Kubernetes refuses: names and paths that the operator uses, and such as cannot be.
pub(in super::super) fn volumes_can_be_mounted(subject: &Subject<'_>) -> Vec<Hit> {
    let taken = volume::of_operator(&subject.spec, subject.config);
    let secret = subject.config.aws_or_gcp.additional_secret_mount.as_ref();
    let mut hits = Vec::new();
    let data = subject.spec.volume.sub_path.as_deref();
    hits.extend(sub_path_problem(data).map(|problem| Hit::new("spec.volume.subPath", problem)));
    for (index, volume) in subject.spec.additional_volumes.iter().enumerate() {
        let at = format!("spec.additionalVolumes[{index}]");
        let (name, path) = (volume.name.as_str(), bare(&volume.mount_path));
        if !name.is_empty() && !syntax::is_label(name) {
            let message =
                format!("{name:?} cannot be a name: lower-case letters, digits, dashes inside, at most 63");
            hits.push(Hit::new(format!("{at}.name"), message));
        } else if taken.iter().any(|(taken, _)| taken == name) || secret.is_some_and(|secret| secret == name)
        {
            let message = format!("{name:?} is the name of a volume of the operator; choose another name");
            hits.push(Hit::new(format!("{at}.name"), message));
        }
        // The path of the data has a rule of its own.
        let used = taken.iter().any(|(_, used)| *used == path && *used != DATA_PATH);
        if used {
            let message = format!("{path:?} is where the operator mounts something; choose another path");
            hits.push(Hit::new(format!("{at}.mountPath"), message));
        } else if path.contains(':') {
            let message = format!("{path:?} holds a colon, which no path of a mount may");
            hits.push(Hit::new(format!("{at}.mountPath"), message));
        }
        let sub_path = volume.sub_path.as_deref();
        hits.extend(sub_path_problem(sub_path).map(|problem| Hit::new(format!("{at}.subPath"), problem)));
    }
    hits
}

fn sub_path_problem(path: Option<&str>) -> Option<String> {
    let path = path?;
    let outside = path.starts_with('/') || path.split('/').any(|part| part == "..");
    outside.then(|| format!("{path:?} must stay in the volume: no / in front and no .."))
}

/// Without the slash that changes nothing.
fn bare(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        bare => bare,
    }
}

fn is_below(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with('/'))
        || (outer == "/" && inner != "/")
}

/// A mount over a directory hides what is in it, one below it stands among the files of another.
fn paths_are_free(subject: &Subject<'_>) -> Vec<Hit> {
    let taken = volume::of_operator(&subject.spec, subject.config);
    let mut hits = Vec::new();
    for (index, volume) in subject.spec.additional_volumes.iter().enumerate() {
        let path = bare(&volume.mount_path);
        let problem = taken.iter().find_map(|(_, used)| {
            if is_below(path, used) {
                Some(format!("{path:?} lies in {used:?}, which the database uses"))
            } else {
                is_below(used, path)
                    .then(|| format!("{path:?} hides what the image has there, around {used:?}"))
            }
        });
        hits.extend(
            problem.map(|problem| Hit::new(format!("spec.additionalVolumes[{index}].mountPath"), problem)),
        );
    }
    hits
}

/// Sidecars and volumes keep clear of what the database uses.
pub(in super::super) fn nothing_is_in_the_way(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = super::container::ports_are_free(subject);
    hits.extend(paths_are_free(subject));
    hits
}
