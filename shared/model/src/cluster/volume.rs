//! Further volumes of the database pods (zalando-behaviour 3.3).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Volume, VolumeMount};
use serde_json::Value;

use super::{
    reading::Reading,
    rules::{self, reason::VOLUME_SKIPPED},
    storage::SubPath,
};
use crate::{
    api::{self, postgresql::AdditionalVolume as Written},
    names::containers::{DATA_PATH, POSTGRES},
};

/// A volume and where it is mounted.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditionalVolume {
    /// The volume of the pod.
    pub volume: Volume,
    /// Its mount in each target.
    pub mount: VolumeMount,
    /// The containers that mount it.
    pub targets: Targets,
}

/// Containers that mount a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// Every one but init containers.
    All,
    /// Those with these names.
    Named(Vec<String>),
}

impl Targets {
    /// Whether the container mounts the volume.
    pub fn include(&self, container: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == container),
        }
    }
}

/// Word for every container.
const ALL: &str = "all";

/// Those that can be mounted: of two with one path the first stays, and the data volume's path is taken.
pub(super) fn read(reading: &mut Reading<'_>) -> Vec<AdditionalVolume> {
    let mut taken = BTreeSet::from([DATA_PATH]);
    let mut volumes = Vec::new();
    for (index, written) in reading.spec.additional_volumes.iter().enumerate() {
        let path = format!("spec.additionalVolumes[{index}]");
        if !taken.insert(&written.mount_path) {
            let message = format!(
                "{:?} is mounted already; the volume is left out",
                written.mount_path
            );
            reading.note(VOLUME_SKIPPED, format!("{path}.mountPath"), message);
            continue;
        }
        volumes.extend(one(reading, written, &path));
    }
    volumes
}

fn one(reading: &mut Reading<'_>, written: &Written, path: &str) -> Option<AdditionalVolume> {
    for (field, value) in [("name", &written.name), ("mountPath", &written.mount_path)] {
        if value.is_empty() {
            reading.violate(
                rules::ADDITIONAL_VOLUME,
                format!("{path}.{field}"),
                format!("{field} is required"),
            );
        }
    }
    let volume = match volume(written) {
        Ok(volume) => volume,
        Err(problem) => {
            reading.violate(rules::ADDITIONAL_VOLUME, format!("{path}.volumeSource"), problem);
            return None;
        }
    };
    let (sub_path, sub_path_expr) = match SubPath::of(written.sub_path.as_ref(), written.is_sub_path_expr) {
        None => (None, None),
        Some(SubPath::Plain(plain)) => (Some(plain), None),
        Some(SubPath::Expression(expression)) => (None, Some(expression)),
    };
    let mount = VolumeMount {
        name: written.name.clone(),
        mount_path: written.mount_path.clone(),
        sub_path,
        sub_path_expr,
        ..VolumeMount::default()
    };
    Some(AdditionalVolume {
        volume,
        mount,
        targets: targets(&written.target_containers),
    })
}

/// The source with the name put beside it is the whole volume.
fn volume(written: &Written) -> Result<Volume, String> {
    let source = written.volume_source.as_object();
    let mut whole = source
        .ok_or("a volume source such as emptyDir: {} is required")?
        .clone();
    whole.insert("name".to_owned(), Value::from(written.name.as_str()));
    api::decode(&Value::Object(whole)).map_err(|error| error.to_string())
}

fn targets(names: &[String]) -> Targets {
    match names {
        [] => Targets::Named(vec![POSTGRES.to_owned()]),
        [only] if only == ALL => Targets::All,
        _ => Targets::Named(names.to_vec()),
    }
}
