//! Lines for people: logs, events, status, command line. Lives here: the words. Must not: secrets; none of the types holds one.

use std::fmt;

use serde_json::Value;

use super::{Hold, HoldReason, Impact, Reason, Step};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.action, self.reason)?;
        if self.impact > Impact::None {
            write!(f, " [{}]", self.impact)?;
        }
        Ok(())
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.matter, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Differs(paths) => write!(f, "differs at {}", first_of(paths)),
            Self::Adopted => f.write_str("adopted"),
            Self::Scaled { from, to } => write!(f, "from {from} to {to} members"),
            Self::Grown { from, to } => write!(f, "from {from} to {to}"),
            Self::Configured => f.write_str("operator configuration"),
            Self::Outdated => f.write_str("older template"),
            Self::Broken(defect) => write!(f, "does not run: {defect}"),
            Self::Leaves(pod) => write!(f, "{pod} has to go"),
            Self::Drained(node) => write!(f, "node {node} is at the end of its life"),
            Self::Marked => f.write_str("a roll is under way"),
            Self::Replaced(paths) => write!(f, "kubernetes does not let {} change", first_of(paths)),
            Self::Pending(parameters) if parameters.is_empty() => f.write_str("parameters wait for it"),
            Self::Pending(parameters) => write!(f, "{} wait for it", first_of(parameters)),
            Self::Hangs => f.write_str("nobody leads and that member does not take over"),
            Self::Deleted => f.write_str("cluster deleted"),
            Self::Left => f.write_str("not wanted any more"),
            Self::Earlier => f.write_str("of an earlier cluster of this name"),
        }
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Reload => "reload",
            Self::ReplicaRestart => "replica restart",
            Self::Switchover => "switchover",
            Self::PrimaryRestart => "primary restart",
            Self::DataRewrite => "data rewrite",
        })
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceUnknown { source, why } => write!(f, "{source} is not known: {why}"),
            Self::Unheard { source, why } => write!(f, "{source} are not known: {why}"),
            Self::MembersNotReady {
                ready,
                wanted,
                trouble,
            } => up(f, *ready, *wanted, trouble.as_deref()),
            Self::NoPrimary => f.write_str("no primary accepts connections"),
            Self::PodsTerminating(pods) => listed(f, "waiting for pods to end", pods),
            Self::RollPending(pods) => listed(f, "pods run an older template", pods),
            Self::RestartPending(pods) => listed(f, "members wait for a restart of postgres", pods),
            Self::Lagging(pods) => listed(f, "replicas have not caught up", pods),
            Self::Remade(pods) => listed(f, "made anew and not up yet", pods),
            Self::OutsideWindows => f.write_str("it is not time for maintenance"),
            Self::HandoverPending(member) => handover(f, member.as_deref()),
            Self::NoCandidate(why) => write!(f, "no member can become the primary: {why}"),
            Self::PatroniPaused => f.write_str("patroni is paused: patronictl resume ends that"),
            Self::Mode(mode) => write!(f, "the cluster's mode is {mode}"),
            Self::Immutable(paths) => write!(f, "kubernetes does not let {} change", paths.join(", ")),
            Self::Rewritten(paths) => write!(
                f,
                "kubernetes does not let {} change, and an admission policy rewrites it: a new one would be no better",
                paths.join(", ")
            ),
            Self::HealthyWouldGo(pods) => write!(
                f,
                "members that are up would go, and {} would stay, not up: mend that first",
                pods.join(", ")
            ),
            Self::PrimaryWouldGo(pod) => write!(
                f,
                "{pod} is the primary and would go: a member that stays takes over first"
            ),
            Self::NodeLeaves { pod, node } => {
                write!(f, "{pod} is the primary and on {node}, a node that goes")
            }
            Self::Lacking(what) => write!(f, "{what} does not exist"),
            Self::NotOurs(owner) => write!(f, "it belongs to {owner}"),
            Self::SwitchedOff(what) => write!(f, "not allowed by {what}"),
            Self::DeletionGate(text)
            | Self::Fleet(text)
            | Self::Refused(text)
            | Self::Declined(text)
            | Self::Conflict(text) => f.write_str(text),
            Self::Deferred => f.write_str(DEFERRED),
        }
    }
}

const DEFERRED: &str = "this pgherd would make the pods otherwise than the one before; that waits for a change that rolls them, or for \
                        pgherd restart";

fn listed(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    write!(f, "{what}: {}", names.join(", "))
}

fn up(f: &mut fmt::Formatter<'_>, ready: i32, wanted: i32, trouble: Option<&str>) -> fmt::Result {
    write!(f, "{ready} of {wanted} members are up")?;
    trouble.map_or(Ok(()), |trouble| write!(f, " ({trouble})"))
}

fn handover(f: &mut fmt::Formatter<'_>, member: Option<&str>) -> fmt::Result {
    match member {
        Some(member) => write!(f, "patroni was asked to make {member} the primary")?,
        None => f.write_str("patroni was asked for a switchover")?,
    }
    f.write_str(", which has not come about")
}

impl HoldReason {
    /// Its name, without what it says of this cluster: `membersNotReady`.
    pub fn kind(&self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            Ok(Value::Object(named)) => named.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

/// The first three, and how many more there are.
fn first_of(paths: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = paths
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match paths.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
