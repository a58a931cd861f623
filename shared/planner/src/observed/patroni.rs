//! What Patroni says about its cluster. Lives here: the types, in the words of Patroni's REST API. Must not: how members are asked.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ObjectRef;
use crate::redact;

/// Bytes behind the leader that do not count as behind; Zalando's operator asks for the same before an upgrade.
pub const SMALL_LAG: i64 = 16 * 1024 * 1024;
/// Patroni's own, where its configuration names none.
const DEFAULT_TTL: i64 = 30;

/// `GET /cluster` and `GET /config` of one member, and `pending_restart` of each.
///
/// `Debug` and `Serialize` hide commands and connection strings of the configuration.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PatroniView {
    /// Members in Patroni's order.
    pub members: Vec<MemberView>,
    /// Patroni's dynamic configuration as it is; null or empty until the cluster is bootstrapped.
    #[serde(serialize_with = "redact::configuration")]
    pub config: Value,
    /// What somebody asked Patroni for and nobody has done, looked for while nobody leads.
    pub request: Option<HandoverRequest>,
}

/// A switchover or failover that is asked for. As long as it is, members that could lead leave it to the one that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HandoverRequest {
    /// The object that Patroni keeps it in.
    pub kept_in: ObjectRef,
    /// The member that shall lead; none when it does not say.
    pub candidate: Option<String>,
    /// Since when it is seen like this, and nobody leads.
    pub since: Timestamp,
}

/// One member of `GET /cluster`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberView {
    /// Name of the member, which is the pod's.
    pub name: String,
    /// Its role.
    pub role: MemberRole,
    /// `running`, `streaming`, `in archive recovery`, `starting`, `stopped`, `creating replica`, …
    pub state: String,
    /// Timeline of its data.
    pub timeline: Option<i64>,
    /// Bytes behind the leader; `None` when Patroni does not know (it then says `unknown`).
    pub lag: Option<i64>,
    /// A parameter waits for a restart of Postgres.
    pub pending_restart: bool,
    /// Which parameters wait for it, by name. Patroni tells since 4.0; empty otherwise.
    #[serde(serialize_with = "redact::configuration")]
    pub restart_reasons: BTreeMap<String, ParameterChange>,
    /// Its tags keep it from ever leading (`nofailover`).
    pub never_leads: bool,
    /// Its tag `failover_priority`: among members with the same WAL Patroni prefers the highest. 1 where it is not set.
    pub priority: i64,
    /// `server_version` of `GET /patroni`, as 170004.
    pub server_version: Option<i64>,
    /// Its Patroni says `streaming` of a replica that streams, and `running` of one that does not: since 3.0.4.
    pub says_streaming: bool,
}

/// A parameter that waits for a restart, as Patroni writes its values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParameterChange {
    /// In force.
    pub old: String,
    /// After the restart.
    pub new: String,
}

impl fmt::Debug for PatroniView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact::debug(self, f)
    }
}

impl fmt::Debug for MemberView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact::debug(self, f)
    }
}

impl ParameterChange {
    /// Both are numbers, and the new one is smaller.
    pub fn is_decrease(&self) -> bool {
        match (self.old.parse::<i64>(), self.new.parse::<i64>()) {
            (Ok(old), Ok(new)) => new < old,
            _ => false,
        }
    }
}

/// Patroni's roles. `master` and `primary` of old and new versions are both [`MemberRole::Leader`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// The primary.
    #[serde(alias = "master", alias = "primary")]
    Leader,
    /// Leads a standby cluster; read-only.
    StandbyLeader,
    /// Synchronous replica.
    SyncStandby,
    /// Counted for a quorum.
    QuorumStandby,
    /// Any other replica, and roles that we do not know.
    #[default]
    #[serde(other)]
    Replica,
}

impl PatroniView {
    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&MemberView> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Somebody told Patroni to leave its members alone (`patronictl pause`).
    pub fn is_paused(&self) -> bool {
        self.is_set("pause")
    }

    /// Transactions wait for a standby: only one that is in sync may become the primary. Never in a standby cluster, whatever is set: Patroni
    /// makes none synchronous there.
    pub fn is_synchronous(&self) -> bool {
        self.is_set("synchronous_mode") && !self.is_told_to_follow() && !self.follows()
    }

    /// The configuration names another cluster to follow.
    pub fn is_told_to_follow(&self) -> bool {
        self.config.get("standby_cluster").is_some_and(Value::is_object)
    }

    /// Its leader follows another cluster and takes no writes.
    pub fn follows(&self) -> bool {
        let leader = self.leader();
        leader.is_some_and(|leader| leader.role == MemberRole::StandbyLeader)
    }

    /// It shall follow no more, and its leader is not there yet.
    pub fn is_being_promoted(&self) -> bool {
        let is_made = self.config.as_object().is_some_and(|config| !config.is_empty());
        is_made && self.follows() && !self.is_told_to_follow()
    }

    /// Bytes that a replica may be behind and still become the primary.
    pub fn lag_limit(&self) -> i64 {
        let limit = self.config.get("maximum_lag_on_failover").and_then(Value::as_i64);
        limit.filter(|limit| *limit > 0).unwrap_or(SMALL_LAG)
    }

    /// Seconds for which Patroni believes in a leader that says nothing.
    pub fn leader_lease(&self) -> i64 {
        let ttl = self.config.get("ttl").and_then(Value::as_i64);
        ttl.filter(|ttl| *ttl > 0).unwrap_or(DEFAULT_TTL)
    }

    /// A switch of the dynamic configuration; `synchronous_mode` may also be `quorum`.
    fn is_set(&self, key: &str) -> bool {
        match self.config.get(key) {
            Some(Value::Bool(set)) => *set,
            Some(Value::String(text)) => !matches!(text.as_str(), "" | "off" | "false"),
            _ => false,
        }
    }

    /// The member that leads: a primary or a standby leader.
    pub fn leader(&self) -> Option<&MemberView> {
        self.members.iter().find(|member| member.leads())
    }

    /// Nothing of what was told is about to change by itself: nobody who runs is far behind, or on another timeline than the leader. What is
    /// told of a member is what it said at its last round, `loop_wait` ago at most.
    pub fn is_settled(&self) -> bool {
        let leads = self.leader().and_then(|leader| leader.timeline);
        self.members.iter().filter(|member| member.is_up()).all(|member| {
            let follows = member.timeline.is_none() || leads.is_none() || member.timeline == leads;
            follows && member.lag.is_none_or(|lag| lag < SMALL_LAG)
        })
    }

    /// The leader when it accepts connections. One of a standby cluster streams from elsewhere.
    pub fn running_leader(&self) -> Option<&MemberView> {
        self.leader().filter(|member| match member.role {
            MemberRole::StandbyLeader => member.is_up(),
            _ => member.state == "running",
        })
    }
}

impl MemberView {
    /// Postgres runs on this member: as leader, streaming, or replaying from the archive.
    pub fn is_up(&self) -> bool {
        matches!(
            self.state.as_str(),
            "running" | "streaming" | "in archive recovery"
        )
    }

    /// It leads: a primary, or the leader of a standby cluster.
    pub fn leads(&self) -> bool {
        matches!(self.role, MemberRole::Leader | MemberRole::StandbyLeader)
    }

    /// It leads, or follows its leader. Patroni before 3.0.4 says `running` of replicas too; their lag then tells. Of a newer one, `running`
    /// is a replica that has not found its leader yet: made primary, it would lack what the leader writes last, and nobody would lead.
    pub fn keeps_up(&self) -> bool {
        let near = !self.says_streaming && self.lag.is_some_and(|lag| lag <= SMALL_LAG);
        match self.role {
            MemberRole::Leader => self.state == "running",
            MemberRole::StandbyLeader => self.is_up(),
            _ => self.is_up() && (self.state != "running" || near),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_settled_when_all_that_run_are_on_the_leaders_timeline_and_near_it() {
        let member = |role, timeline, lag, state: &str| MemberView {
            role,
            timeline,
            lag,
            state: state.to_owned(),
            ..MemberView::default()
        };
        let with = |replica: MemberView| {
            let leader = member(MemberRole::Leader, Some(2), None, "running");
            PatroniView {
                members: vec![leader, replica],
                ..PatroniView::default()
            }
        };
        let replica = |timeline, lag, state| with(member(MemberRole::Replica, timeline, lag, state));
        assert!(replica(Some(2), Some(0), "streaming").is_settled());
        assert!(replica(None, None, "streaming").is_settled());
        assert!(!replica(Some(1), Some(0), "streaming").is_settled());
        assert!(!replica(Some(2), Some(SMALL_LAG), "streaming").is_settled());
        assert!(
            replica(Some(1), Some(SMALL_LAG), "stopped").is_settled(),
            "it is waited for anyway"
        );
    }

    #[test]
    fn a_replica_that_only_runs_keeps_up_only_where_patroni_cannot_tell() {
        let replica = |state: &str, says_streaming| MemberView {
            state: state.to_owned(),
            lag: Some(0),
            says_streaming,
            ..MemberView::default()
        };
        assert!(replica("running", false).keeps_up());
        assert!(!replica("running", true).keeps_up());
        assert!(replica("streaming", true).keeps_up() && replica("streaming", false).keeps_up());
    }
}
