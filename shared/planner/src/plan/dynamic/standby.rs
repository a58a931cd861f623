//! A cluster that follows another one (zalando-behaviour 4.8): the section of Patroni's configuration that says whom. Lives here: keeping it as
//! the manifest has it, and what cannot be done. Its removal, which makes the cluster a primary of its own, is that of any setting (`ours`).
//!
//! A running primary is never made a follower: what it has would be thrown away, and one that was promoted by hand in an emergency would go.

use pgherd_model::cluster::{Cluster, Origin, Standby};
use serde_json::{Map, Value, json};

use super::{STANDBY, text};
use crate::observed::{MemberRole, PatroniView};
use crate::plan::{HoldReason, LOOK_AGAIN, Matter, Plan};

const RESTORE: &str = "restore_command";
const LEADS: &str =
    "the cluster has data of its own and takes writes: to follow, its data has to be removed first";
const FOLLOWS: &str = "patroni follows another cluster (standby_cluster), and the manifest names none: end that with patronictl, or name it in spec.standby";

/// Fields of the section by name; none where the manifest says nothing.
pub(super) fn named(standby: &Standby) -> [(&'static str, Option<&str>); 3] {
    let host = standby.host.as_ref();
    [
        ("host", host.map(|host| host.host.as_str())),
        ("port", host.and_then(|host| host.port.as_deref())),
        ("primary_slot_name", host.and_then(|host| host.slot.as_deref())),
    ]
}

/// What differs in a section that is there.
pub(super) fn section(cluster: &Cluster, config: &Map<String, Value>) -> Map<String, Value> {
    let mut part = Map::new();
    let (Origin::Standby(standby), Some(Value::Object(found))) = (&cluster.origin, config.get(STANDBY))
    else {
        return part;
    };
    for (name, wanted) in named(standby) {
        if let Some(wanted) = wanted.filter(|wanted| found.get(name).map(text).as_deref() != Some(*wanted)) {
            part.insert(name.to_owned(), Value::from(wanted));
        }
    }
    let reads_archive = standby.archive.is_some() || standby.by_variable;
    if reads_archive && found.get(RESTORE).is_none_or(Value::is_null) {
        part.insert(
            "create_replica_methods".to_owned(),
            json!(["bootstrap_standby_with_wale", "basebackup_fast_xlog"]),
        );
        let command = r#"envdir "/run/etc/wal-e.d/env-standby" /scripts/restore_command.sh "%f" "%p""#;
        part.insert(RESTORE.to_owned(), Value::from(command));
    }
    part
}

/// What the manifest and Patroni do not agree on, and nobody but a human can decide.
pub(super) fn ensure(cluster: &Cluster, view: &PatroniView, is_promoted: bool, plan: &mut Plan) {
    let leads = view
        .leader()
        .is_some_and(|leader| leader.role == MemberRole::Leader);
    match (&cluster.origin, view.is_told_to_follow()) {
        (Origin::Standby(_), false) if leads => {
            plan.hold(Matter::Standby, HoldReason::Conflict(LEADS.to_owned()));
        }
        (Origin::Fresh | Origin::Clone(_), true) if !is_promoted => {
            plan.hold(Matter::Standby, HoldReason::Conflict(FOLLOWS.to_owned()));
        }
        _ if is_promoted || view.is_being_promoted() => plan.wake(LOOK_AGAIN),
        _ => {}
    }
}
