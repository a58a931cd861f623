//! How a cluster is doing, for its status. Lives here: the judgement. Must not: when the status is written (controller).
//!
//! The same facts give the same status, byte for byte: nothing in it moves by itself, so that a steady cluster is never written to.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use pgherd_model::{
    api::{
        postgresql::PostgresqlSpec,
        status::{self, PlanSummary, PostgresqlStatus, Provisioned, TemplateRecord},
    },
    cluster::Cluster,
    config::OperatorConfig,
    finding::Violation,
};

use crate::observed::Observed;
use crate::plan::{Hold, HoldReason, Impact, Plan, dynamic};
use crate::sql;

mod conditions;
pub mod last_good;
mod members;
pub(crate) mod provisioned;
mod word;

pub(crate) use conditions::READY;
pub use conditions::{newly_skipped, roll_reason};

#[cfg(test)]
mod tests;

/// Lines of a plan that a status shows; the whole is for the command line.
const STEPS_SHOWN: usize = 20;

/// How the execution of the plan went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken (there may have been none).
    Done,
    /// A precondition did not hold any more: later steps were not taken.
    Stopped {
        /// The step that was not taken, as displayed.
        step: String,
        /// Why.
        reason: String,
    },
    /// Steps failed: one, or several of those that do not keep each other from being taken. Never empty.
    Failed(Vec<Failure>),
    /// The operator only looks: no step was taken, and none is missing for it.
    Observed,
    /// The operator is told not to touch this cluster.
    Paused,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step, as displayed.
    pub step: String,
    /// What in the database it was about, if it was that.
    pub subject: Option<sql::Subject>,
    /// The error with its sources in one line, without secrets.
    pub error: String,
    /// Others relied on it, so that the cluster does not get on before it is mended.
    pub hinders: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.error)
    }
}

impl Plan {
    /// What was refused and is not tried now, as the failure that it is.
    pub fn declined(&self) -> Option<Failure> {
        self.holds.iter().find_map(|hold| match &hold.reason {
            HoldReason::Declined(why) => Some(Failure {
                step: hold.matter.to_string(),
                subject: None,
                error: why.clone(),
                hinders: true,
            }),
            _ => None,
        })
    }
}

impl Outcome {
    /// One step failed.
    pub fn failed(step: impl Into<String>, error: impl Into<String>) -> Self {
        Self::Failed(vec![Failure {
            step: step.into(),
            subject: None,
            error: error.into(),
            hinders: true,
        }])
    }

    /// What failed.
    pub fn failures(&self) -> &[Failure] {
        match self {
            Self::Failed(failures) => failures,
            Self::Done | Self::Stopped { .. } | Self::Observed | Self::Paused => &[],
        }
    }

    /// Who was asked only to look says nothing of what it would do as if it did.
    pub fn is_hands_off(&self) -> bool {
        matches!(self, Self::Observed | Self::Paused)
    }

    /// The first failure, and how many more there are; `None` where nothing failed.
    pub fn trouble(&self) -> Option<String> {
        told(self.failures().iter())
    }

    /// The same, of failures on which others relied.
    pub fn hindrance(&self) -> Option<String> {
        told(self.failures().iter().filter(|failure| failure.hinders))
    }
}

fn told<'a>(mut failures: impl Iterator<Item = &'a Failure>) -> Option<String> {
    let first = failures.next()?;
    Some(match failures.count() {
        0 => first.to_string(),
        more => format!("{first}; and {more} more"),
    })
}

/// What the manifest turned out to be.
#[derive(Debug, Clone, Copy)]
pub enum Manifest<'a> {
    /// It has a meaning, which is in force.
    Valid {
        /// The meaning.
        cluster: &'a Cluster,
        /// The spec as written, remembered for the day when a later one is not valid.
        spec: &'a PostgresqlSpec,
    },
    /// It has none; the last one that had stays in force, if there was one.
    Invalid {
        /// All that is wrong.
        violations: &'a [Violation],
        /// What is in force instead.
        in_force: Option<&'a Cluster>,
    },
}

impl<'a> Manifest<'a> {
    /// The cluster in force.
    pub fn cluster(self) -> Option<&'a Cluster> {
        match self {
            Self::Valid { cluster, .. } => Some(cluster),
            Self::Invalid { in_force, .. } => in_force,
        }
    }

    fn violations(self) -> &'a [Violation] {
        match self {
            Self::Valid { .. } => &[],
            Self::Invalid { violations, .. } => violations,
        }
    }
}

/// All that the judgement is made of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What is wanted.
    pub manifest: Manifest<'a>,
    /// The operator's configuration.
    pub config: &'a OperatorConfig,
    /// What was found, before the plan was executed.
    pub observed: &'a Observed,
    /// What was to be done.
    pub plan: &'a Plan,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// An edit of the manifest is what rolls its pods, if they roll.
    pub is_edited: bool,
    /// For the time at which a condition changed.
    pub now: Timestamp,
}

/// The status to store. It differs from the stored one only where the facts do.
pub fn assess(subject: &Subject<'_>) -> PostgresqlStatus {
    let previous = &subject.observed.cluster.status;
    let conditions = conditions::all(subject);
    PostgresqlStatus {
        postgres_cluster_status: word::of(subject, conditions::is_ready(&conditions)),
        observed_generation: Some(subject.observed.cluster.generation),
        number_of_instances: members::number(subject.observed, subject.config),
        label_selector: Some(members::selector(subject.observed, subject.config)),
        primary: members::primary(subject.observed, subject.config),
        members: members::all(subject.observed, subject.config),
        effective: subject.manifest.cluster().map(Cluster::effective),
        plan: summary(subject),
        holds: subject.plan.holds.iter().map(written).collect(),
        patroni_settings: patroni_settings(subject),
        provisioned: provisioned(subject),
        template: template(subject),
        last_good_spec: match subject.manifest {
            Manifest::Valid { spec, .. } => Some(Box::new(last_good::remember(spec))),
            Manifest::Invalid { .. } => previous.last_good_spec.clone(),
        },
        conditions,
    }
}

/// As long as no manifest is in force, what was remembered stays.
fn patroni_settings(subject: &Subject<'_>) -> Option<BTreeSet<String>> {
    let Some(cluster) = subject.manifest.cluster() else {
        return subject.observed.cluster.status.patroni_settings.clone();
    };
    dynamic::remember(cluster, subject.observed, subject.config)
}

/// As long as no manifest is in force, what was remembered stays.
fn provisioned(subject: &Subject<'_>) -> Option<Provisioned> {
    let previous = subject.observed.cluster.status.provisioned.as_ref();
    match subject.manifest.cluster() {
        Some(cluster) => provisioned::remember(cluster, subject.observed.catalog.known(), previous),
        None => previous.cloned(),
    }
}

/// What stands there was not made of what is wanted now as long as a change of it has not been carried out.
fn template(subject: &Subject<'_>) -> Option<TemplateRecord> {
    let is_carried_out = *subject.outcome == Outcome::Done || !subject.plan.changes_stateful_set();
    let news = subject.plan.template.as_ref().filter(|_| is_carried_out);
    news.or(subject.observed.cluster.status.template.as_ref())
        .cloned()
}

/// Steps that were all taken are no plan any more.
fn summary(subject: &Subject<'_>) -> Option<PlanSummary> {
    let plan = subject.plan;
    if plan.steps.is_empty() || *subject.outcome == Outcome::Done {
        return None;
    }
    let mut steps: Vec<String> = plan
        .steps
        .iter()
        .take(STEPS_SHOWN)
        .map(ToString::to_string)
        .collect();
    if let Some(more) = plan.steps.len().checked_sub(STEPS_SHOWN).filter(|more| *more > 0) {
        steps.push(format!("and {more} more"));
    }
    let impact = plan.impact();
    Some(PlanSummary {
        steps,
        impact: (impact > Impact::None).then(|| impact.to_string()),
    })
}

fn written(hold: &Hold) -> status::Hold {
    status::Hold {
        step: hold.matter.to_string(),
        reason: hold.reason.to_string(),
        until: hold.until.map(Time),
    }
}
