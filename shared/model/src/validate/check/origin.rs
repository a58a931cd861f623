//! Clones and standbys.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::super::{Hit, Subject};
use crate::{cluster::Origin, units::TIMESTAMP_PATTERN};

static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(TIMESTAMP_PATTERN).expect("the pattern is a constant, which a test compiles")
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
