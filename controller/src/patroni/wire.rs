//! What Patroni answers, as far as we read it. Lives here: wire types that tolerate every version from 2 to 4. Must not: judgement.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Annotations in which Patroni keeps a switchover or failover that it was asked for: from whom, to whom, when.
pub const REQUEST: [&str; 3] = ["leader", CANDIDATE, "scheduled_at"];
/// The one that names who shall lead.
pub const CANDIDATE: &str = "member";

/// Answer of `GET /cluster`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ClusterAnswer {
    #[serde(default)]
    pub members: Vec<ClusterMember>,
    /// Patroni 3 and later: nobody promotes or demotes by itself.
    #[serde(default)]
    pub pause: bool,
}

/// One line of `GET /cluster`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ClusterMember {
    pub name: String,
    /// `leader`, `standby_leader`, `replica`, `sync_standby`, `quorum_standby`; `master` in Patroni 2.
    #[serde(default)]
    pub role: String,
    /// `running`, `streaming`, `in archive recovery`, `starting`, `creating replica`, `stopped`, `crashed`, ...
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub timeline: Option<i64>,
    #[serde(default, deserialize_with = "lag")]
    pub lag: Lag,
    #[serde(default)]
    pub pending_restart: bool,
    #[serde(default)]
    pub pending_restart_reason: BTreeMap<String, Change>,
    #[serde(default)]
    pub tags: Tags,
}

/// Of a member's tags, what we read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Tags {
    /// Patroni takes more than `true` for yes: whatever Python does.
    #[serde(default)]
    pub nofailover: Value,
    /// Not above zero: never. Among members with the same WAL Patroni prefers the highest. Patroni 3.2 and later; `nofailover` has
    /// precedence.
    #[serde(default)]
    pub failover_priority: Value,
}

/// What a restart would change: Patroni 4 and later. Values are texts or numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Change {
    #[serde(default)]
    pub old_value: Value,
    #[serde(default)]
    pub new_value: Value,
}

/// How far a replica is behind, as reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lag {
    /// The leader's line has none.
    #[default]
    Absent,
    Bytes(u64),
    /// Patroni says `unknown`: it has not seen the member lately.
    Unknown,
}

/// Answer of `GET /patroni`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct MemberAnswer {
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub role: String,
    /// Where Postgres writes now; the members' list has what was true at the last round.
    #[serde(default)]
    pub timeline: Option<i64>,
    /// 150004 means 15.4.
    #[serde(default)]
    pub server_version: Option<u32>,
    #[serde(default)]
    pub pending_restart: bool,
    #[serde(default)]
    pub pending_restart_reason: BTreeMap<String, Change>,
    #[serde(default)]
    pub patroni: Program,
}

/// Which Patroni answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Program {
    /// As `4.0.7`.
    #[serde(default)]
    pub version: String,
}

fn lag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Lag, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(bytes) => bytes.as_u64().map_or(Lag::Unknown, Lag::Bytes),
        Value::Null => Lag::Absent,
        _ => Lag::Unknown,
    })
}
