//! The version of Postgres.

use super::super::{Hit, Subject};
use crate::{config::UpgradeMode, units::PgVersion};

const PATH: &str = "spec.postgresql.version";

fn version(subject: &Subject<'_>) -> Option<PgVersion> {
    PgVersion::parse(subject.spec.postgresql.version.as_deref()?).ok()
}

pub(in super::super) fn is_supported(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(version) = version(subject).filter(|version| !version.is_supported()) else {
        return Vec::new();
    };
    let supported = PgVersion::SUPPORTED.map(|version| version.to_string()).join(", ");
    vec![Hit::new(
        PATH,
        format!("{version} is not supported; allowed are {supported}"),
    )]
}

pub(in super::super) fn never_falls(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    match (version(old), version(new)) {
        (Some(before), Some(after)) if after < before => {
            let message = format!(
                "{after} is below the present {before}: Postgres cannot go back; clone into a new cluster instead"
            );
            vec![Hit::new(PATH, message)]
        }
        _ => Vec::new(),
    }
}

/// A higher version that nobody carries out.
pub(in super::super) fn rise_is_carried_out(old: &Subject<'_>, new: &Subject<'_>) -> Vec<Hit> {
    let (Some(before), Some(after)) = (version(old), version(new)) else {
        return Vec::new();
    };
    if after <= before {
        return Vec::new();
    }
    let config = &new.config.major_version_upgrade;
    let team = new.spec.team_id.clone().unwrap_or_default();
    let allowed = config.major_version_upgrade_mode != UpgradeMode::Off
        || config.major_version_upgrade_team_allow_list.contains(&team);
    let problem = if new.spec.standby.is_some() {
        "a standby is not upgraded: its primary must be"
    } else if !allowed {
        "pods roll, the data stays: the operator upgrades nothing (major_version_upgrade_mode)"
    } else {
        return Vec::new();
    };
    vec![Hit::new(PATH, format!("{before} becomes {after}: {problem}"))]
}
