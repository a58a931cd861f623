//! What to do next, as a value. Lives here: the plan and its parts, in the order in which an executor meets them. Must not: how a step is
//! carried out (controller).
//!
//! A plan is made from one snapshot and thrown away after use: nothing in it is remembered. The executor walks the steps in order and stops
//! at the first whose precondition does not hold any more; of those after one that fails it leaves out what relies on that. The next snapshot
//! gives the next plan.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pgherd_model::api::status::TemplateRecord;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use serde::{Deserialize, Serialize};

use crate::build::Desired;
use crate::observed::{Observed, Source};

mod account;
mod action;
mod claims;
mod deferral;
mod deletion;
pub(crate) mod dynamic;
mod earlier;
mod ensure;
mod finalizer;
mod fleet;
mod handover;
mod hold;
mod matter;
mod members;
mod mode;
mod network;
mod object;
mod owners;
pub(crate) mod pod_passwords;
pub(crate) mod provision;
mod refusal;
mod reliance;
pub(crate) mod roll;
mod rotation;
mod secret_change;
mod secrets;
mod shape;
mod stateful_set;
mod swift;
mod text;

pub use crate::build::SecretDraft;
pub use action::{Action, Propagation};
pub use deferral::spec_inputs;
pub use deletion::{DeletionMark, goes_along, plan_deletion, spare};
pub use hold::{Hold, HoldReason};
pub use matter::{Matter, Purpose, Verb};
pub use mode::Mode;
pub use object::Object;
pub(crate) use provision::leave::words as leave_words;
pub use provision::unwanted as catalog_unwanted;
pub use refusal::beside_refusal;
pub use secret_change::{NewPassword, NextRotation, Previous, SecretChange, Why};
pub use shape::shape;
pub use stateful_set::rewritten;

/// What changes without that a watch tells of it (Patroni, Postgres) is asked again after this.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(3);
/// A source that did not answer is asked again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(10);
/// What a watch tells of is looked at again after this, should the watch fail to.
const NO_NEWS: SignedDuration = SignedDuration::from_mins(1);

/// Steps to take now, what is wanted but has to wait, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// In order; each relies on those before it.
    pub steps: Vec<Step>,
    /// What is wanted and not done now.
    pub holds: Vec<Hold>,
    /// Look again after this time although nothing is seen to change; `None`: at the next resync.
    pub wake_after: Option<SignedDuration>,
    /// What is to be remembered of the pods' template once the steps are taken; `None`: what is remembered stays.
    #[serde(skip)]
    pub template: Option<TemplateRecord>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What it does to the running database.
    pub impact: Impact,
    /// What must still be true right before it is done.
    pub precondition: Precondition,
}

impl Step {
    /// Where the StatefulSet differs, if that is what the step is for.
    pub(crate) fn stateful_set_paths(&self) -> Option<&[String]> {
        match &self.reason {
            Reason::Differs(paths) if self.action.is_of_stateful_set() => Some(paths),
            _ => None,
        }
    }
}

/// Why a step is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// It is wanted and not there.
    Missing,
    /// It is there and differs from what is wanted, at these paths.
    Differs(Vec<String>),
    /// It was there before us and becomes part of the cluster.
    Adopted,
    /// The number of members changes.
    Scaled {
        /// Members now.
        from: i32,
        /// Members wanted.
        to: i32,
    },
    /// The volumes grow.
    Grown {
        /// Size now, a quantity.
        from: String,
        /// Size wanted, a quantity.
        to: String,
    },
    /// The operator's configuration asks for it.
    Configured,
    /// A pod runs an older template than the one that is wanted.
    Outdated,
    /// A pod runs an older template, and does not run: why.
    Broken(String),
    /// The primary's pod goes with a scale-down.
    Leaves(String),
    /// This node is at the end of its life.
    Drained(String),
    /// Zalando's mark: a pod that has to be made anew, also should Zalando's operator take over in the middle of it.
    Marked,
    /// Kubernetes does not let it change, so that it is made anew; its pods stay.
    Replaced(Vec<String>),
    /// These parameters wait for a restart; empty when Patroni does not say which.
    Pending(Vec<String>),
    /// Nobody leads, and nobody will as long as it is asked for.
    Hangs,
    /// The cluster is being deleted.
    Deleted,
    /// It left the manifest, or the team.
    Left,
    /// It is of an earlier cluster of this name, whose database is gone.
    Earlier,
}

/// What a step does to the running database, from harmless to grave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Impact {
    /// Nobody notices.
    #[default]
    None,
    /// Postgres reads its configuration again.
    Reload,
    /// A replica restarts or goes.
    ReplicaRestart,
    /// Another member becomes primary.
    Switchover,
    /// The primary restarts.
    PrimaryRestart,
    /// Data is rewritten or removed.
    DataRewrite,
}

/// What must still be true right before a step is done. The executor sends it with the request where Kubernetes can check it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Precondition {
    /// Nothing: the step is right whenever it is done.
    #[default]
    None,
    /// The object was not changed since it was read: its `resourceVersion`.
    Unchanged(String),
    /// It still is the same object: its `uid`.
    SameObject(String),
    /// This pod still leads.
    StillPrimary(String),
}

impl Plan {
    /// Nothing to do and nothing wanted.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty()
    }

    /// The gravest impact of its steps.
    pub fn impact(&self) -> Impact {
        self.steps
            .iter()
            .map(|step| step.impact)
            .max()
            .unwrap_or_default()
    }

    /// Pods that are made anew: by its steps now, or by those that it holds back; sorted.
    pub fn rolled(&self) -> Vec<String> {
        let held = self.holds.iter().filter_map(|hold| match &hold.reason {
            HoldReason::RollPending(pods) => Some(pods),
            _ => None,
        });
        let names: BTreeSet<String> = held.flatten().cloned().collect();
        names.into_iter().collect()
    }

    /// Looks again after `delay`, or earlier.
    pub(crate) fn wake(&mut self, delay: SignedDuration) {
        self.wake_after = Some(self.wake_after.map_or(delay, |earlier| earlier.min(delay)));
    }

    /// Adds a step that nobody notices.
    fn quiet(&mut self, action: Action, reason: Reason, precondition: Precondition) {
        let impact = Impact::None;
        self.steps.push(Step {
            action,
            reason,
            impact,
            precondition,
        });
    }

    /// Adds something that has to wait.
    fn hold(&mut self, matter: Matter, reason: HoldReason) {
        self.holds.push(Hold {
            matter,
            reason,
            until: None,
        });
    }

    /// Adds something that has to wait because a source did not answer, which is asked again.
    pub(crate) fn hold_unknown(&mut self, matter: Matter, source: &str, why: &str) {
        self.hold(
            matter,
            HoldReason::SourceUnknown {
                source: source.to_owned(),
                why: why.to_owned(),
            },
        );
        self.wake(ASK_AGAIN);
    }
}

/// What brings a cluster from what was observed to what is desired. Nothing to do: the plan is empty.
///
/// The order is that of creation (zalando-behaviour 4.2). A step that fails keeps those after it from being taken that rely on it
/// ([`Step::hinders`]).
pub fn plan(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
) -> Plan {
    walk(cluster, desired, observed, config, now, roll::Turn::Taken)
}

/// As [`plan()`], for a cluster that has to wait with the roll that others than its own manifest ask for. Its StatefulSet stays as it is, so that
/// a pod which dies comes back as it was, and no pod goes for a newer template. All else goes on: a primary leaves a node that is drained,
/// members come and go, Postgres restarts, and what does not run is mended. `wait` says what it waits for.
pub fn plan_waiting(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
    wait: Hold,
) -> Plan {
    let stored = match (&desired.stateful_set, &observed.stateful_set) {
        (Source::Known(_), Source::Known(Some(stored))) => Source::Known(stored.clone()),
        _ => desired.stateful_set.clone(),
    };
    let desired = Desired {
        stateful_set: stored,
        ..desired.clone()
    };
    let mut plan = walk(cluster, &desired, observed, config, now, roll::Turn::Waiting);
    plan.wait_for_turn(wait, now);
    // What is wanted now is not carried out.
    plan.template = None;
    plan
}

fn walk(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
    turn: roll::Turn,
) -> Plan {
    let mut plan = Plan::default();
    deletion::withdraw(observed, &mut plan);
    let desired = &*deferral::settle(desired, observed, config, &mut plan);
    finalizer::keep(observed, config, &mut plan);
    account::ensure(desired, observed, &mut plan);
    network::ensure(desired, observed, &mut plan);
    secrets::ensure(
        cluster,
        desired,
        observed,
        config,
        secrets::Place::Home,
        &mut plan,
    );
    network::ensure_budgets(desired, observed, &mut plan);
    owners::ensure(desired, observed, &mut plan);
    stateful_set::ensure(cluster, desired, observed, config, now, &mut plan);
    secrets::ensure(
        cluster,
        desired,
        observed,
        config,
        secrets::Place::Elsewhere,
        &mut plan,
    );
    members::wait(cluster, observed, config, &mut plan);
    handover::take_back(observed, now, &mut plan);
    dynamic::ensure(cluster, observed, config, &mut plan);
    claims::annotate(cluster, desired, observed, config, &mut plan);
    claims::grow(cluster, observed, config, &mut plan);
    provision::provision(cluster, config, observed, now, &mut plan);
    rotation::ensure(cluster, desired, observed, config, now, &mut plan);
    // Last: what fails before it is a reason not to disturb anything.
    roll::ensure(cluster, desired, observed, config, now, turn, &mut plan);
    swift::take_back(observed, &mut plan);
    mode::hold(&observed.cluster, config, &mut plan);
    plan
}
