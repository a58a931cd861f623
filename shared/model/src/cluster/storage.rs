//! The data volume (zalando-behaviour 3.3, 4.10).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{reading::Reading, rules};
use crate::{config::ResizeMode, units::Quantity};

/// The data volume of each member.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// Size; never zero.
    pub size: Quantity,
    /// Storage class; none leaves it to Kubernetes.
    pub class: Option<String>,
    /// Labels of volumes that may be bound.
    pub selector: Option<LabelSelector>,
    /// The directory of the volume that is mounted; none mounts its root.
    pub sub_path: Option<SubPath>,
    /// What to set through the EBS interface; only where the operator resizes in `mixed` mode.
    pub ebs: Option<EbsSettings>,
}

/// A directory inside of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubPath {
    /// Taken as it is.
    Plain(String),
    /// With variables, as in `$(POD_NAME)/data`.
    Expression(String),
}

impl SubPath {
    pub(super) fn of(path: Option<&String>, is_expression: Option<bool>) -> Option<Self> {
        let path = path.filter(|path| !path.is_empty())?.clone();
        Some(if is_expression == Some(true) {
            Self::Expression(path)
        } else {
            Self::Plain(path)
        })
    }
}

/// Settings of an EBS volume beyond its size; what is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EbsSettings {
    /// Operations per second.
    pub iops: Option<i32>,
    /// MB per second.
    pub throughput: Option<i32>,
    /// Type, as in `gp3`.
    pub volume_type: Option<String>,
}

pub(super) fn read(reading: &mut Reading<'_>) -> Option<Storage> {
    let volume = &reading.spec.volume;
    Some(Storage {
        size: size(reading)?,
        class: volume.storage_class.clone().filter(|class| !class.is_empty()),
        selector: volume.selector.clone(),
        sub_path: SubPath::of(volume.sub_path.as_ref(), volume.is_sub_path_expr),
        ebs: (reading.config.kubernetes.storage_resize_mode == ResizeMode::Mixed).then(|| EbsSettings {
            iops: volume.iops,
            throughput: volume.throughput,
            volume_type: volume.volume_type.clone().filter(|name| !name.is_empty()),
        }),
    })
}

fn size(reading: &mut Reading<'_>) -> Option<Quantity> {
    const PATH: &str = "spec.volume.size";
    let Some(text) = reading.spec.volume.size.as_ref() else {
        reading.violate(
            rules::VOLUME_SIZE,
            PATH,
            "is missing; give the size of each member's volume, as in 10Gi",
        );
        return None;
    };
    let size = reading.quantity(rules::VOLUME_SIZE, PATH, text)?;
    if size.is_zero() {
        reading.violate(
            rules::VOLUME_SIZE,
            PATH,
            format!("{text:?} is nothing; give a size such as 10Gi"),
        );
        return None;
    }
    Some(size)
}
