//! The conditions. `Ready` is what `kubectl wait` and deployment tools look at; the others say which part of it is missing.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Outcome, Subject, members};
use crate::observed::{Member, Source};
use crate::plan::{Hold, HoldReason};

mod catalog;

pub use catalog::newly_skipped;

pub(crate) const READY: &str = "Ready";
const PRIMARY: &str = "PrimaryAvailable";
const REPLICAS: &str = "ReplicasStreaming";
const ROLES: &str = "RolesInSync";
const DATABASES: &str = "DatabasesInSync";
/// What `RollPending` says, for those who read it back.
pub mod roll_reason {
    /// The condition.
    pub const CONDITION: &str = "RollPending";
    /// The type of the condition that tells of restarts of Postgres, with the same reasons.
    pub const RESTART: &str = "RestartPending";
    /// An edit of the manifest rolls the pods.
    pub const EDITED: &str = "Edited";
    /// They are rolled for another reason.
    pub const IN_PROGRESS: &str = "InProgress";
    /// They are in part, and the rest waits for its time.
    pub const HELD: &str = "Held";
    /// Other clusters go first.
    pub const WAITING: &str = "Waiting";
    /// They would be, if the operator were not told to leave them. It has not begun: who is let go again waits for its turn.
    pub const MODE: &str = "Mode";
}

/// How long a cluster that was ready stays so although its database does not say what is in it.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);
/// Violations that a message names; all of them are in the events.
const VIOLATIONS_SHOWN: usize = 10;

/// What one condition says.
struct Verdict {
    status: &'static str,
    reason: String,
    message: String,
}

impl Verdict {
    fn yes(reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "True",
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn no(reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "False",
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "Unknown",
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// All conditions, `Ready` first.
pub(super) fn all(subject: &Subject<'_>) -> Vec<Condition> {
    let parts = [
        ("Normalized", normalized(subject)),
        (PRIMARY, primary_available(subject)),
        (REPLICAS, replicas_streaming(subject)),
        (ROLES, catalog::roles_in_sync(subject)),
        (DATABASES, catalog::databases_in_sync(subject)),
    ];
    let ready = ready(subject, &parts);
    let stalled = stalled(subject);
    let pending = [
        (roll_reason::CONDITION, roll_pending(subject)),
        (roll_reason::RESTART, restart_pending(subject)),
    ];
    std::iter::once((READY, ready))
        .chain(parts)
        .chain([("Stalled", stalled)])
        .chain(pending)
        .map(|(kind, verdict)| condition(subject, kind, verdict))
        .collect()
}

/// Whether the list that [`all`] made says that all is well.
pub(super) fn is_ready(conditions: &[Condition]) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == READY && condition.status == "True")
}

/// Keeps the time of the last change as long as the condition says the same.
fn condition(subject: &Subject<'_>, kind: &str, verdict: Verdict) -> Condition {
    let previous = previous(subject, kind).filter(|previous| previous.status == verdict.status);
    Condition {
        type_: kind.to_owned(),
        status: verdict.status.to_owned(),
        reason: verdict.reason,
        message: verdict.message,
        observed_generation: Some(subject.observed.cluster.generation),
        last_transition_time: previous.map_or(Time(subject.now), |previous| {
            previous.last_transition_time.clone()
        }),
    }
}

fn previous<'a>(subject: &Subject<'a>, kind: &str) -> Option<&'a Condition> {
    subject
        .observed
        .cluster
        .status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
}

/// What the stored condition says, if it is true and speaks of the present spec: then nothing is concluded from a source's silence.
fn kept(subject: &Subject<'_>, kind: &str) -> Option<Verdict> {
    let generation = Some(subject.observed.cluster.generation);
    let previous = previous(subject, kind)?;
    let holds = previous.status == "True" && previous.observed_generation == generation;
    holds.then(|| Verdict {
        status: "True",
        reason: previous.reason.clone(),
        message: previous.message.clone(),
    })
}

fn normalized(subject: &Subject<'_>) -> Verdict {
    let violations = subject.manifest.violations();
    if violations.is_empty() {
        return Verdict::yes("Valid", "the manifest is valid");
    }
    let shown = violations.iter().take(VIOLATIONS_SHOWN);
    let mut text = shown
        .map(|violation| format!("{}: {}", violation.path, violation.message))
        .collect::<Vec<_>>()
        .join("; ");
    if violations.len() > VIOLATIONS_SHOWN {
        text = format!("{text}; and {} more", violations.len() - VIOLATIONS_SHOWN);
    }
    Verdict::no("Invalid", text)
}

/// The manifest has to be edited before anything can go on.
fn stalled(subject: &Subject<'_>) -> Verdict {
    if subject.manifest.violations().is_empty() {
        return Verdict::no("Progressing", "");
    }
    Verdict::yes(
        "Invalid",
        "the manifest is not valid; see the condition Normalized",
    )
}

fn wanted(subject: &Subject<'_>) -> usize {
    let instances = subject.manifest.cluster().map_or(0, |cluster| cluster.instances);
    usize::try_from(instances).unwrap_or_default()
}

fn primary_available(subject: &Subject<'_>) -> Verdict {
    if wanted(subject) == 0 {
        return Verdict::no("NoMembersWanted", "the cluster is scaled to 0");
    }
    match &subject.observed.patroni {
        Source::Known(patroni) => match patroni.running_leader() {
            Some(leader) => Verdict::yes("Running", format!("{} leads", leader.name)),
            None => Verdict::no("NoLeader", "no member leads and accepts connections"),
        },
        Source::Unknown(why) => kept(subject, PRIMARY)
            .filter(|_| members::all_pods_ready(subject.observed, subject.config))
            .unwrap_or_else(|| Verdict::unknown("PatroniUnknown", why.clone())),
    }
}

fn replicas_streaming(subject: &Subject<'_>) -> Verdict {
    let wanted = wanted(subject);
    if subject.observed.patroni.known().is_none()
        && members::all_pods_ready(subject.observed, subject.config)
        && let Some(kept) = kept(subject, REPLICAS)
    {
        return kept;
    }
    // What Patroni does not say is not known to be so.
    let answered = subject.observed.patroni.known().is_some();
    let (up, behind): (Vec<Member<'_>>, Vec<Member<'_>>) = members::of(subject.observed, subject.config)
        .into_iter()
        .partition(|member| answered && member.is_up());
    let up = up.len();
    let behind: Vec<&str> = behind.iter().map(|member| member.pod.name.as_str()).collect();
    if up == wanted && behind.is_empty() {
        return Verdict::yes("AllUp", format!("{up} of {wanted} members are up"));
    }
    let mut text = format!("{up} of {wanted} members are up");
    if !behind.is_empty() {
        text = format!("{text}, not {}", behind.join(", "));
    }
    Verdict::no("MembersMissing", text)
}

fn roll_pending(subject: &Subject<'_>) -> Verdict {
    let is_of_fleet = |hold: &&Hold| matches!(hold.reason, HoldReason::Fleet(_));
    if let Some(hold) = subject.plan.holds.iter().find(is_of_fleet) {
        return Verdict::yes(roll_reason::WAITING, hold.to_string());
    }
    let verdict = held(subject, |reason| {
        matches!(reason, HoldReason::RollPending(_) | HoldReason::Remade(_))
    });
    if subject.is_edited && verdict.is_true() {
        return Verdict::yes(roll_reason::EDITED, verdict.message);
    }
    verdict
}

fn restart_pending(subject: &Subject<'_>) -> Verdict {
    held(subject, |reason| matches!(reason, HoldReason::RestartPending(_)))
}

fn held(subject: &Subject<'_>, kind: impl Fn(&HoldReason) -> bool) -> Verdict {
    match subject.plan.holds.iter().find(|hold| kind(&hold.reason)) {
        Some(hold) if subject.outcome.is_hands_off() => Verdict::yes(roll_reason::MODE, hold.to_string()),
        Some(hold) if hold.until.is_some() => Verdict::yes(roll_reason::HELD, hold.to_string()),
        Some(hold) => Verdict::yes(roll_reason::IN_PROGRESS, hold.to_string()),
        None => Verdict::no("UpToDate", ""),
    }
}

/// The first thing that keeps the cluster from being as it shall be.
fn ready(subject: &Subject<'_>, parts: &[(&str, Verdict)]) -> Verdict {
    if subject.observed.is_deleting() {
        return Verdict::no("Deleting", "the cluster is being deleted");
    }
    if let Some((kind, verdict)) = parts
        .iter()
        .find(|(kind, verdict)| *kind == "Normalized" && !verdict.is_true())
    {
        return Verdict::no("Invalid", format!("{kind}: {}", verdict.message));
    }
    match subject.outcome {
        Outcome::Failed(_) => {
            let trouble = subject.outcome.trouble().unwrap_or_default();
            return Verdict::no("StepFailed", trouble);
        }
        Outcome::Stopped { step, reason } => return Verdict::no("Reconciling", format!("{step}: {reason}")),
        Outcome::Done | Outcome::Observed | Outcome::Paused => {}
    }
    let scaled_to_zero = wanted(subject) == 0;
    let observed = matches!(subject.outcome, Outcome::Observed);
    // What is seen to run counts for who only looks, not what it would change in there.
    let counts = |kind: &str| match kind {
        PRIMARY => !scaled_to_zero,
        ROLES | DATABASES => !observed,
        _ => true,
    };
    let was_ready = kept(subject, READY).is_some();
    let missing = parts
        .iter()
        .filter(|(kind, _)| counts(kind))
        .filter(|(_, verdict)| !verdict.is_true())
        .find(|(kind, verdict)| !was_ready || !is_short_silence(subject, kind, verdict));
    if let Some((_, verdict)) = missing {
        return Verdict::no(&verdict.reason, verdict.message.clone());
    }
    if observed {
        return Verdict::yes(
            "Observed",
            "the members are up; what would be done is in the plan",
        );
    }
    match subject
        .plan
        .holds
        .iter()
        .find(|hold| keeps_from_ready(hold, was_ready))
    {
        Some(hold) => Verdict::no("Held", hold.to_string()),
        None => Verdict::yes("AsWanted", "the cluster is as the manifest has it"),
    }
}

/// The database was not read, and not for long.
fn is_short_silence(subject: &Subject<'_>, kind: &str, verdict: &Verdict) -> bool {
    if verdict.status != "Unknown" || !matches!(kind, ROLES | DATABASES) {
        return false;
    }
    let since = previous(subject, kind).filter(|previous| previous.status == verdict.status);
    since.is_none_or(|previous| subject.now.duration_since(previous.last_transition_time.0) < SILENCE)
}

/// A change that is deferred leaves a cluster ready; one that is missing does not.
fn keeps_from_ready(hold: &Hold, was_ready: bool) -> bool {
    match hold.reason {
        // In progress, unless it waits for its time.
        HoldReason::RollPending(_) | HoldReason::NoCandidate(_) => hold.until.is_none(),
        HoldReason::RestartPending(_)
        | HoldReason::OutsideWindows
        | HoldReason::PatroniPaused
        | HoldReason::Mode(_)
        | HoldReason::Lagging(_)
        | HoldReason::Immutable(_)
        | HoldReason::Rewritten(_)
        | HoldReason::Fleet(_)
        | HoldReason::Deferred
        | HoldReason::Conflict(_)
        | HoldReason::Unheard { .. }
        | HoldReason::NodeLeaves { .. }
        | HoldReason::SwitchedOff(_) => false,
        // What was seen of this spec stays true as long as nothing else is seen.
        HoldReason::SourceUnknown { .. } => !was_ready,
        HoldReason::MembersNotReady { .. }
        | HoldReason::Remade(_)
        | HoldReason::NoPrimary
        | HoldReason::HandoverPending(_)
        | HoldReason::PodsTerminating(_)
        | HoldReason::HealthyWouldGo(_)
        | HoldReason::PrimaryWouldGo(_)
        | HoldReason::Lacking(_)
        | HoldReason::NotOurs(_)
        | HoldReason::Refused(_)
        | HoldReason::Declined(_)
        | HoldReason::DeletionGate(_) => true,
    }
}
