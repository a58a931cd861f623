//! Patroni's dynamic configuration in the world: what the image makes of it at first, and who leads by it.

use pgherd_model::cluster::{Cluster, Origin};
use pgherd_planner::observed::MemberRole;
use serde_json::{Value, json};

/// What the image makes of its variables when there is no data yet.
pub(super) fn first(cluster: &Cluster) -> Value {
    let mut config =
        json!({ "ttl": 30, "loop_wait": 10, "postgresql": { "parameters": { "max_connections": "100" } } });
    if let Origin::Standby(standby) = &cluster.origin {
        let host = standby.host.as_ref();
        let mut section = json!({ "create_replica_methods": ["basebackup_fast_xlog"] });
        if let Some(host) = host {
            section["host"] = json!(host.host);
        }
        if standby.archive.is_some() || standby.by_variable {
            section["restore_command"] = json!("envdir");
        }
        config["standby_cluster"] = section;
    }
    config
}

/// The first member's role.
pub(crate) fn leader(config: &Value) -> MemberRole {
    if config["standby_cluster"].is_object() {
        MemberRole::StandbyLeader
    } else {
        MemberRole::Leader
    }
}
