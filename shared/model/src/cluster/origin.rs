//! Where the data comes from: nothing, another cluster, or a primary elsewhere (zalando-behaviour 3.4, 4.8).

use super::{identity::is_dns_label, reading::Reading, rules};
use crate::{
    api::postgresql::{CloneDescription, StandbyDescription},
    names::{env::STANDBY_ARCHIVES, objects::LABEL_LIMIT},
    secret::Secret,
};

/// Where the data of the first member comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An empty database.
    Fresh,
    /// A copy of another cluster, which then lives on its own.
    Clone(CloneFrom),
    /// A primary elsewhere, which is followed.
    Standby(Standby),
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneFrom {
    /// Name of the source cluster.
    pub cluster: String,
    /// How the copy is made.
    pub method: CloneMethod,
}

/// How a copy is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloneMethod {
    /// A base backup of the running source, in the same namespace.
    BaseBackup,
    /// From the source's archive, up to a point in time.
    Archive(Archive),
}

/// An archive to recover from. What is none comes from the operator's configuration or the pod's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// Point in time to recover to, as written: RFC 3339 with a numeric offset.
    pub timestamp: String,
    /// Uid of the source: part of the path.
    pub uid: Option<String>,
    /// The whole path, instead of bucket and uid.
    pub s3_wal_path: Option<String>,
    /// Address of the object store.
    pub s3_endpoint: Option<String>,
    /// Key id for the object store.
    pub s3_access_key_id: Option<String>,
    /// Key for the object store.
    pub s3_secret_access_key: Option<Secret>,
    /// Bucket in the path instead of the host name.
    pub s3_force_path_style: Option<bool>,
}

/// What a standby follows. At least one of the three is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standby {
    /// A host to stream from.
    pub host: Option<StandbyHost>,
    /// An archive to recover from.
    pub archive: Option<StandbyArchive>,
    /// The archive is named by a variable of the manifest's `env`, and by nothing else.
    pub by_variable: bool,
}

/// A host to stream from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandbyHost {
    /// Its name or address.
    pub host: String,
    /// Its port; 5432 when none.
    pub port: Option<String>,
    /// Replication slot on it.
    pub slot: Option<String>,
}

/// An archive that a standby recovers from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandbyArchive {
    /// Path in S3.
    S3(String),
    /// Path in Google's storage.
    Gs(String),
}

pub(super) fn read(reading: &mut Reading<'_>) -> Option<Origin> {
    let spec = reading.spec;
    match (
        spec.clone.as_ref().filter(|clone| !clone.cluster.is_empty()),
        spec.standby.as_ref(),
    ) {
        (Some(_), Some(_)) => {
            let message = "stands beside spec.standby: a cluster is a copy or a follower, not both; remove one of the two";
            reading.violate(rules::TWO_ORIGINS, "spec.clone", message);
            None
        }
        (Some(clone), None) => clone_of(reading, clone).map(Origin::Clone),
        (None, Some(standby)) => standby_of(reading, standby).map(Origin::Standby),
        (None, None) if follows_by_variable(reading) => Some(Origin::Standby(Standby {
            by_variable: true,
            ..Standby::default()
        })),
        (None, None) => Some(Origin::Fresh),
    }
}

fn follows_by_variable(reading: &Reading<'_>) -> bool {
    let has_value = |value: Option<&String>| value.is_some_and(|value| !value.is_empty());
    let mut env = reading.spec.env.iter();
    env.any(|variable| {
        STANDBY_ARCHIVES.contains(&variable.name.as_str()) && has_value(variable.value.as_ref())
    })
}

/// The name is checked only where it becomes a host: without a point in time.
fn clone_of(reading: &mut Reading<'_>, clone: &CloneDescription) -> Option<CloneFrom> {
    const PATH: &str = "spec.clone.cluster";
    let cluster = clone.cluster.clone();
    if let Some(timestamp) = given(clone.timestamp.as_ref()) {
        let archive = Archive {
            timestamp,
            uid: given(clone.uid.as_ref()),
            s3_wal_path: given(clone.s3_wal_path.as_ref()),
            s3_endpoint: given(clone.s3_endpoint.as_ref()),
            s3_access_key_id: given(clone.s3_access_key_id.as_ref()),
            s3_secret_access_key: clone.s3_secret_access_key.clone().filter(|key| !key.is_empty()),
            s3_force_path_style: clone.s3_force_path_style,
        };
        return Some(CloneFrom {
            cluster,
            method: CloneMethod::Archive(archive),
        });
    }
    if cluster.len() > LABEL_LIMIT {
        reading.violate(
            rules::CLONE_SOURCE,
            PATH,
            format!("{cluster:?} is longer than {LABEL_LIMIT} characters"),
        );
        return None;
    }
    if !is_dns_label(&cluster) {
        let message = format!(
            "{cluster:?} cannot be the name of a cluster: allowed are lower-case letters, digits and dashes, a letter first",
        );
        reading.violate(rules::CLONE_SOURCE, PATH, message);
        return None;
    }
    Some(CloneFrom {
        cluster,
        method: CloneMethod::BaseBackup,
    })
}

/// With both archives, Google's is ignored, as upstream does; a rule refuses it in new manifests.
fn standby_of(reading: &mut Reading<'_>, standby: &StandbyDescription) -> Option<Standby> {
    let host = given(standby.standby_host.as_ref()).map(|host| StandbyHost {
        host,
        port: given(standby.standby_port.as_ref()),
        slot: given(standby.standby_primary_slot_name.as_ref()),
    });
    let s3 = given(standby.s3_wal_path.as_ref()).map(StandbyArchive::S3);
    let archive = s3.or_else(|| given(standby.gs_wal_path.as_ref()).map(StandbyArchive::Gs));
    let by_variable = host.is_none() && archive.is_none() && follows_by_variable(reading);
    if host.is_none() && archive.is_none() && !by_variable {
        let message = "names nothing to follow; give standby_host, s3_wal_path or gs_wal_path";
        reading.violate(rules::STANDBY_SOURCE, "spec.standby", message);
        return None;
    }
    Some(Standby {
        host,
        archive,
        by_variable,
    })
}

/// An empty text means the same as none.
fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}
