//! Clones and standbys.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{
    super::{Hit, Subject},
    metadata,
    streams::is_slot_name,
};
use crate::{cluster::Origin, names::Role, units::TIMESTAMP_PATTERN};

static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(TIMESTAMP_PATTERN).expect("the pattern is a constant, which a test compiles")
});

static UID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")
        .expect("the pattern is a constant, which a test compiles")
});

pub(in super::super) fn timestamp_has_an_offset(subject: &Subject<'_>) -> Vec<Hit> {
    let clone = subject.spec.clone.as_ref();
    let text = clone
        .and_then(|clone| clone.timestamp.as_deref())
        .unwrap_or_default();
    if text.is_empty() || TIMESTAMP.is_match(text) {
        return Vec::new();
    }
    let advice = match text.strip_suffix(['Z', 'z']) {
        Some(time) => format!("write {time}+00:00"),
        None => "write it like 2026-02-03T04:05:06+00:00".to_owned(),
    };
    vec![Hit::new(
        "spec.clone.timestamp",
        format!("{text:?} is not a time with a numeric offset; {advice}"),
    )]
}

pub(in super::super) fn one_archive(subject: &Subject<'_>) -> Vec<Hit> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let both = |standby: &crate::api::postgresql::StandbyDescription| {
        given(&standby.s3_wal_path) && given(&standby.gs_wal_path)
    };
    let hit = || {
        Hit::new(
            "spec.standby.gs_wal_path",
            "stands beside s3_wal_path; a standby follows one archive: remove one of the two",
        )
    };
    subject
        .spec
        .standby
        .as_ref()
        .is_some_and(both)
        .then(hit)
        .into_iter()
        .collect()
}

pub(in super::super) fn clone_stays(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    if old.spec.clone == new.spec.clone {
        return Vec::new();
    }
    let message =
        "changes nothing in a cluster that exists: it is read only at the first start; pods roll for it";
    vec![Hit::new("spec.clone", message)]
}

pub(in super::super) fn standby_stays(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let message = match (&old.spec.standby, &new.spec.standby) {
        (Some(_), None) => "is removed: the cluster stops following and takes writes, for good",
        (None, Some(_)) => "is added to a cluster with data of its own, which cannot follow another one",
        _ => return Vec::new(),
    };
    vec![Hit::new("spec.standby", message)]
}

/// What a standby has comes from its primary.
pub(in super::super) fn standby_has_nothing_of_its_own(subject: &Subject<'_>) -> Vec<Hit> {
    if !subject
        .cluster()
        .is_some_and(|cluster| matches!(cluster.origin, Origin::Standby(_)))
    {
        return Vec::new();
    }
    let spec = &subject.spec;
    [
        ("users", !spec.users.is_empty()),
        ("databases", !spec.databases.is_empty()),
        ("preparedDatabases", spec.prepared_databases.is_some()),
    ]
    .into_iter()
    .filter(|(_, given)| *given)
    .map(|(field, _)| {
        Hit::new(
            format!("spec.{field}"),
            "is not made in a standby: what it has comes from its primary",
        )
    })
    .collect()
}

fn own_name<'a>(subject: &'a Subject<'_>) -> &'a str {
    subject.object.metadata.name.as_deref().unwrap_or_default()
}

/// A clone that can be made.
pub(in super::super) fn clone_is_whole(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(clone) = subject
        .spec
        .clone
        .as_ref()
        .filter(|clone| !clone.cluster.is_empty())
    else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if clone.cluster == own_name(subject) && !given(&clone.timestamp) {
        let message = format!(
            "{:?} is this cluster, which does not run yet; with a timestamp it is restored from its archive",
            clone.cluster
        );
        hits.push(Hit::new("spec.clone.cluster", message));
    }
    if let Some(uid) = clone
        .uid
        .as_ref()
        .filter(|uid| !uid.is_empty() && !UID.is_match(uid))
    {
        let message = format!("{uid:?} is no uid; it is in metadata.uid of the source");
        hits.push(Hit::new("spec.clone.uid", message));
    }
    let secret = clone
        .s3_secret_access_key
        .as_ref()
        .is_some_and(|key| !key.is_empty());
    let missing = match (given(&clone.s3_access_key_id), secret) {
        (true, false) => Some("s3_secret_access_key"),
        (false, true) => Some("s3_access_key_id"),
        _ => None,
    };
    hits.extend(missing.map(|field| {
        Hit::new(
            format!("spec.clone.{field}"),
            "is missing: s3_access_key_id and s3_secret_access_key go together",
        )
    }));
    hits
}

/// The path in the archive ends with the uid of the source.
pub(in super::super) fn archive_is_named(subject: &Subject<'_>) -> Vec<Hit> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let clone = subject
        .spec
        .clone
        .as_ref()
        .filter(|clone| !clone.cluster.is_empty());
    let vague = clone
        .is_some_and(|clone| given(&clone.timestamp) && !given(&clone.uid) && !given(&clone.s3_wal_path));
    let hit = || {
        let message = "is missing: the archive is found by name and uid of the source";
        Hit::new("spec.clone.uid", message)
    };
    vague.then(hit).into_iter().collect()
}

/// A primary that can be followed.
pub(in super::super) fn standby_can_follow(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(standby) = subject.spec.standby.as_ref() else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    let port = standby.standby_port.as_deref().unwrap_or_default();
    let is_port = |port: &str| {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        digits && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if !port.is_empty() && !port.split(',').all(is_port) {
        let message = format!("{port:?} is no port; allowed are 1 to 65535");
        hits.push(Hit::new("spec.standby.standby_port", message));
    }
    let host = standby.standby_host.as_deref().unwrap_or_default();
    if host.contains(char::is_whitespace) {
        let message = format!("{host:?} is no host: it holds a blank");
        hits.push(Hit::new("spec.standby.standby_host", message));
    } else if host.split(',').any(|host| is_own_service(subject, host)) {
        let message = format!("{host:?} is a service of this cluster: it cannot follow itself");
        hits.push(Hit::new("spec.standby.standby_host", message));
    }
    let slot = standby.standby_primary_slot_name.as_deref().unwrap_or_default();
    if !slot.is_empty() && !is_slot_name(slot) {
        let message =
            format!("{slot:?} cannot be a slot: lower-case letters, digits and underscores, at most 63");
        hits.push(Hit::new("spec.standby.standby_primary_slot_name", message));
    }
    hits
}

/// The name alone, or with the namespace and what may follow it.
fn is_own_service(subject: &Subject<'_>, host: &str) -> bool {
    let names = metadata::names(subject);
    let mut parts = host.split('.');
    let service = parts.next().unwrap_or_default();
    let own = !service.is_empty() && Role::ALL.iter().any(|role| names.service(*role) == service);
    let (place, kind) = (parts.next(), parts.next());
    own && place.is_none_or(|place| place == names.namespace()) && kind.is_none_or(|kind| kind == "svc")
}
