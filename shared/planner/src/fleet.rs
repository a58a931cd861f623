//! Who may roll when something else than a cluster's own manifest rolls it: a new image in the operator's configuration, say. Lives here:
//! what one turn found of a cluster's roll, and the book that gives out the turns to roll. Must not: which steps wait (`plan`), when a cluster
//! is looked at (controller).
//!
//! ```text
//! plan of a turn ─► Roll: at rest, due or begun ─► Book::hear ─► go, or wait and why ─► plan_waiting
//! ```
//!
//! Nothing of the book is stored. What has begun is seen on the pods and in the status, so that a new book, after a restart, gives nobody
//! a turn before it has heard of every cluster, those that have begun go on, and those whose new pods do not run stop the others.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use pgherd_model::api::status::PostgresqlStatus;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::{Names, annotations};
use pgherd_model::units::window;

use crate::assess::{READY, roll_reason};
use crate::observed::{Member, Observed};
use crate::plan::{Hold, HoldReason, Matter, Mode, Plan};

/// Longer than a pod takes to start on a node that has its image.
const SILENT: SignedDuration = SignedDuration::from_mins(5);
/// A status that says one of these tells of a roll that has begun.
const UNDER_WAY: [&str; 2] = [roll_reason::IN_PROGRESS, roll_reason::HELD];

mod book;

pub use book::{Answer, Book};

/// Whether a cluster takes turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// It does.
    #[default]
    Fleet,
    /// Its own manifest's edit rolls it, which waits for nobody.
    Own,
    /// Nothing is done to it: it is paused, being deleted, or has no members.
    Nothing,
}

/// What one turn found of a cluster's roll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roll {
    /// Whether it takes turns. One that does not still says whether what it was rolled to runs.
    pub part: Part,
    /// It takes turns, and pods of it that serve are of an older template than the one that is wanted.
    pub is_due: bool,
    /// Its roll is under way, as its pods or its status say. That its StatefulSet is as wanted says nothing: it may have been so for long.
    pub has_begun: bool,
    /// Every member that is wanted is up, and of the wanted template. What could not be read is not so.
    pub is_up: bool,
    /// A member that is of the wanted template is not up, or one has no pod, or its pod is going.
    pub is_coming: bool,
    /// No maintenance window is open.
    pub is_closed: bool,
    /// When the next one opens, if it is known.
    pub opens: Option<Timestamp>,
    /// What keeps a member from running, as in `demo-1: ImagePullBackOff`; one of the wanted template before others.
    pub trouble: Option<String>,
    /// The manifest asks for other pods than when it was looked at last, whether or not one is there that is older. The plan does not tell
    /// that while a pod that was deleted has not come back.
    pub is_rewritten: bool,
    /// Asks to be the first.
    pub is_volunteer: bool,
    /// Members that are wanted.
    pub members: i32,
}

/// Whether a cluster may roll now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing keeps it.
    Go,
    /// It has its turn, and its last pods are not up yet.
    Finish,
    /// Not now.
    Wait(Why),
}

/// Why a cluster has to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Not all clusters were looked at since the start, or since the last change.
    Looking,
    /// It is not time for maintenance; until when, if that is known.
    Closed(Option<Timestamp>),
    /// The first one shows whether it works.
    Canary(String),
    /// One that has its turn does not come up.
    Failing {
        /// Which, as `namespace/name`.
        cluster: String,
        /// Why.
        trouble: String,
    },
    /// As many as may roll at the same time do.
    Budget(usize),
}

impl Why {
    /// For the plan of who waits.
    pub fn hold(&self) -> Hold {
        let until = match self {
            Self::Closed(until) => *until,
            _ => None,
        };
        Hold {
            matter: Matter::Roll,
            reason: HoldReason::Fleet(self.to_string()),
            until,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Looking => f.write_str("every cluster is looked at first"),
            Self::Closed(_) => f.write_str("it is not time for maintenance"),
            Self::Canary(cluster) => write!(f, "{cluster} goes first, as the canary"),
            Self::Failing { cluster, trouble } => write!(f, "stopped, because {cluster} fails: {trouble}"),
            Self::Budget(1) => f.write_str("one cluster rolls at a time"),
            Self::Budget(budget) => write!(f, "{budget} clusters roll at a time"),
        }
    }
}

/// Out of the plan of this turn, made without regard to others. `edited`: the manifest's own edit rolls it, which waits for nobody.
pub fn roll(
    cluster: &Cluster,
    config: &OperatorConfig,
    observed: &Observed,
    plan: &Plan,
    edited: bool,
    now: Timestamp,
) -> Roll {
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let stays = |member: &Member<'_>| i64::from(member.ordinal) < i64::from(cluster.instances);
    let mut members = observed.members(&names);
    members.retain(stays);
    let (rolled, is_read) = (plan.rolled(), plan.knows_templates());
    let (old, fresh): (Vec<Member<'_>>, Vec<Member<'_>>) = members
        .iter()
        .partition(|member| rolled.contains(&member.pod.name));
    // Nobody misses what does not run.
    let serves = |member: &Member<'_>| member.database_defect().is_none() || member.serves();
    // Nor does a new template come in because the old ones could not be read.
    let is_wanted = old.iter().any(serves) || !is_read && plan.changes_stateful_set();
    let wanted = usize::try_from(cluster.instances).unwrap_or_default();
    let is_whole = members.len() >= wanted && members.iter().all(Member::is_up);
    let is_known = is_read && observed.patroni.known().is_some();
    let is_up = wanted > 0 && is_known && is_whole && rolled.is_empty();
    let is_going = |member: &Member<'_>| member.pod.terminating;
    let is_on_its_way = members.len() < wanted || old.iter().any(is_going);
    let is_coming = is_on_its_way || fresh.iter().any(|member| !member.is_up());
    let (windows, status) = (&cluster.windows, &observed.cluster.status);
    let trouble = trouble(&fresh, status, now).or_else(|| self::trouble(&old, status, now));
    let is_closed = !window::is_open(windows, now);
    let volunteers = observed.cluster.annotations.get(annotations::CANARY);
    let part = part(cluster, config, observed, edited);
    let is_as_stored = !plan.changes_stateful_set();
    let is_left = is_coming && trouble.is_some() && is_as_stored && says(status, &[roll_reason::MODE]);
    let was_under_way = (is_left || says(status, &UNDER_WAY)) && !is_up;
    let is_in_it = is_wanted && is_as_stored && members.iter().any(is_marked);
    Roll {
        part,
        is_due: part == Part::Fleet && is_wanted,
        has_begun: part != Part::Own && wanted > 0 && (was_under_way || is_in_it),
        is_up,
        is_coming,
        is_closed,
        opens: window::next_start(windows, now).filter(|_| is_closed),
        trouble,
        is_rewritten: false,
        is_volunteer: volunteers.is_some_and(|value| value == "true"),
        members: cluster.instances,
    }
}

fn part(cluster: &Cluster, config: &OperatorConfig, observed: &Observed, edited: bool) -> Part {
    let is_acted_on = Mode::of(&observed.cluster, config) == Mode::Live && cluster.instances > 0;
    match edited {
        _ if !is_acted_on || observed.is_deleting() => Part::Nothing,
        true => Part::Own,
        false => Part::Fleet,
    }
}

/// By us, which is done with the turn and not before.
fn is_marked(member: &Member<'_>) -> bool {
    member.pod.annotations.contains_key(annotations::ROLL_MARKED)
}

fn trouble(members: &[Member<'_>], status: &PostgresqlStatus, now: Timestamp) -> Option<String> {
    let found = |member: &Member<'_>| Some(format!("{}: {}", member.pod.name, member.database_defect()?));
    let mut defects = members.iter().filter_map(found);
    defects.next().or_else(|| silence(members, status, now))
}

/// A member of whom Patroni says nothing for long, as the stored status has it: its pod runs, and nothing else tells that it will not come up.
/// One that copies the database Patroni knows, however long that takes.
fn silence(members: &[Member<'_>], status: &PostgresqlStatus, now: Timestamp) -> Option<String> {
    let mut conditions = status.conditions.iter();
    let ready = conditions.find(|condition| condition.type_ == READY)?;
    let since = ready.last_transition_time.0;
    if ready.status == "True" || now.duration_since(since) < SILENT {
        return None;
    }
    let silent = members
        .iter()
        .find(|member| !member.is_up() && member.view.is_none())?;
    Some(format!(
        "{}: patroni has not answered since {since:.0}",
        silent.pod.name
    ))
}

/// Every pod that is made anew has somebody's mark on it: `pgherd restart`, or a roll that Zalando's operator began. It is for this cluster
/// alone, and waits for no other.
pub fn is_asked(observed: &Observed, rolled: &[String]) -> bool {
    let Some(pods) = observed.pods.known() else {
        return false;
    };
    let is_asked = |name: &String| {
        let mut pods = pods.iter();
        pods.find(|pod| pod.name == *name).is_some_and(|pod| {
            pod.annotations.contains_key(annotations::ROLLING_UPDATE_REQUIRED)
                && !pod.annotations.contains_key(annotations::ROLL_MARKED)
                && !pod.annotations.contains_key(annotations::PASSWORD_CHANGED)
        })
    };
    !rolled.is_empty() && rolled.iter().all(is_asked)
}

/// The stored status says that the roll that is under way is the manifest's own.
pub fn is_edited(status: &PostgresqlStatus) -> bool {
    says(status, &[roll_reason::EDITED])
}

fn says(status: &PostgresqlStatus, reasons: &[&str]) -> bool {
    pending(status).is_some_and(|condition| reasons.contains(&condition.reason.as_str()))
}

fn pending(status: &PostgresqlStatus) -> Option<&Condition> {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.type_ == roll_reason::CONDITION && condition.status == "True")
}

#[cfg(test)]
mod tests;
