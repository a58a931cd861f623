//! One turn of one cluster: the lines to read first. Must not: know Postgres, Kubernetes or Patroni.

use std::time::Duration;

use jiff::Timestamp;
use pgherd_model::api::status::ClusterStatus;
use pgherd_model::cluster::RoleSources;
use pgherd_model::names::Names;
use pgherd_planner::adopt;
use pgherd_planner::assess::{Outcome, Subject, assess};
use pgherd_planner::build::build;
use pgherd_planner::observed::{Observed, Source};
use pgherd_planner::plan::{Action, HoldReason, Mode, Plan, Step, plan, plan_deletion, spare};
use pgherd_runtime::tasks::chain;
use tokio::time::Instant;

use crate::admit::{Turn, account, admit, lose};
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{Retry, TurnError};
use crate::execute::{Executed, Scene, execute};
use crate::manifest::{Found, Meaning};
use crate::memory::{Memory, Waits};
use crate::observe::{Question, environment, observe, role_sources};
use crate::report::{Report, report};

/// How a turn ended, and when the next one is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// One word for metrics.
    pub word: &'static str,
    pub next: Next,
}

impl Ending {
    /// Nothing can be said about the cluster.
    fn failed(error: &TurnError) -> Self {
        tracing::warn!(error = chain(error), "turn failed");
        Self {
            word: "failed",
            next: Next::Backoff,
        }
    }
}

/// When the cluster wants its next turn, unless something happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Something was done, or the world moved: see whether it is as wanted now.
    Now,
    /// The plan asks to look again; `None`: at the next resync.
    After(Option<Duration>),
    /// Something failed: with growing pauses.
    Backoff,
    /// It will fail until somebody changes something.
    LastResort,
    /// Something failed on which nothing else relies: that is tried again as ever, and the rest goes on as if it had not.
    Despite(Retry, Rest),
    /// There is no such cluster (any more).
    Never,
}

/// A wake-up that comes so early is a good time to try again what could not be told.
const SOON: Duration = Duration::from_secs(30);

/// What a turn leaves to the next one beside what has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Something was done: see whether it is as wanted now.
    Done,
    /// The plan asks to look again.
    Waits(Option<Duration>),
}

/// Observe, parse, build, plan, execute, report.
pub async fn reconcile(context: &Context, cluster: &ClusterRef) -> Ending {
    let (config, round) = context.fleet.begin(|| context.config());
    let now = Timestamp::now();
    let names = Names::of(&cluster.namespace, &cluster.name, &config);
    let found = match Found::look(context, cluster, now).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            return Ending {
                word: "gone",
                next: Next::Never,
            };
        }
        Err(error) => {
            lose(context, cluster, &error.to_string());
            return Ending::failed(&error);
        }
    };
    let meaning = Meaning::of(&found.manifest, &found.view.status, &config);
    let sources = match meaning.cluster() {
        Some(wanted) if !found.going => role_sources(context, wanted, &config).await,
        _ => RoleSources::default(),
    };
    let meaning = meaning.with_roles_of(&sources, &config);
    let environment = environment(context, &cluster.namespace, &config).await;
    let desired = meaning
        .cluster()
        .map(|wanted| build(wanted, &config, &environment));

    let question = Question {
        cluster,
        view: &found.view,
        names: &names,
        config: &config,
        desired: desired.as_ref(),
        sources: &sources,
        inside: meaning.inside(),
        catalog_unwanted: meaning.catalog_unwanted(&config),
        deleting: found.going,
        spared: found.spared,
    };
    // Boxed: the largest futures of a turn.
    let mut observed = Box::pin(observe(context, &question)).await;
    observed.pod_environment = environment.clone();
    let mut plan = decide(&question, &meaning, &observed, now);
    let turn = Turn {
        question: &question,
        found: &found,
        meaning: &meaning,
        environment: &environment,
        observed: &observed,
        now,
        round,
    };
    let is_edited = restrain(context, &turn, &mut plan);
    let executed = Box::pin(act(context, &question, &observed, &plan)).await;
    let executed = executed.beside(plan.declined());
    account(context, cluster, &executed.outcome);

    let reported = Box::pin(tell(context, &turn, &plan, &executed, is_edited)).await;
    ending(&plan, &executed, &reported, &found)
}

/// Takes out of the plan what has to wait for other clusters, and what somebody undoes again and again. True when an edit rolls the pods.
fn restrain(context: &Context, turn: &Turn<'_>, plan: &mut Plan) -> bool {
    let is_edited = admit(context, turn, plan);
    let postpone = |memory: &mut Memory| memory.postpone(plan, Instant::now());
    context.memories.with(turn.question.cluster, postpone);
    is_edited
}

/// Of an object that is gone there is no status.
async fn tell(
    context: &Context,
    turn: &Turn<'_>,
    plan: &Plan,
    executed: &Executed<'_>,
    is_edited: bool,
) -> Result<(), TurnError> {
    let subject = Subject {
        manifest: turn.meaning.judged(),
        config: turn.question.config,
        observed: turn.observed,
        plan,
        outcome: &executed.outcome,
        is_edited,
        now: turn.now,
    };
    let status = assess(&subject);
    let untold = is_begun(context, turn, executed);
    let waits = Waits::of(plan, &status);
    context.memories.with(turn.question.cluster, |memory| {
        memory.note_waits(waits);
        memory.did(executed.done.iter().copied(), Instant::now());
    });
    let told = Report {
        cluster: turn.question.cluster,
        view: turn.question.view,
        status: (!turn.found.gone && !untold).then_some(status),
        done: &executed.done,
        outcome: &executed.outcome,
        holds: &plan.holds,
        remarks: if untold {
            Vec::new()
        } else {
            turn.meaning.remarks()
        },
    };
    report(context, told).await
}

/// All objects of a new cluster were made in this turn, so that the next one follows at once: it has more to tell, and is the first to tell.
/// Should there be none, the next process finds a cluster that nobody has looked at, and everything it needs.
fn is_begun(context: &Context, turn: &Turn<'_>, executed: &Executed<'_>) -> bool {
    let status = &turn.question.view.status;
    let is_new =
        status.observed_generation.is_none() && status.postgres_cluster_status == ClusterStatus::Unknown;
    let was_missing = matches!(turn.observed.stateful_set, Source::Known(None));
    let makes =
        |step: &&Step| matches!(&step.action, Action::Apply(object) if object.kind() == "StatefulSet");
    let is_made = executed.outcome == Outcome::Done && executed.done.iter().any(makes);
    is_new && was_missing && is_made && context.authority.denies().is_none()
}

/// A manifest without meaning, and without an earlier one in force, is not acted on; nor is a cluster whose members are told to be something
/// else than they are.
pub(crate) fn decide(
    question: &Question<'_>,
    meaning: &Meaning,
    observed: &Observed,
    now: Timestamp,
) -> Plan {
    if let Some(why) = question.spared {
        return spare(why);
    }
    match (meaning.cluster(), question.desired) {
        _ if question.deleting => plan_deletion(question.names, observed, question.config, now),
        (Some(wanted), Some(desired)) => adopt::refuse(wanted, desired, observed)
            .unwrap_or_else(|| plan(wanted, desired, observed, question.config, now)),
        _ => Plan::default(),
    }
}

async fn act<'a>(
    context: &Context,
    question: &Question<'_>,
    observed: &Observed,
    plan: &'a Plan,
) -> Executed<'a> {
    let pods = observed.pods.known().map(Vec::as_slice).unwrap_or_default();
    let Question {
        cluster,
        names,
        config,
        view,
        ..
    } = *question;
    let scene = Scene {
        cluster,
        names,
        config,
        view,
        pods,
    };
    match Mode::of(view, config) {
        Mode::Live => execute(context, &scene, plan).await,
        Mode::Observe => Executed::observed(),
        Mode::Paused => Executed::paused(),
    }
}

fn ending(plan: &Plan, executed: &Executed<'_>, reported: &Result<(), TurnError>, found: &Found) -> Ending {
    let unreported = reported.as_ref().err().map(|error| {
        tracing::warn!(error = chain(error), "cannot report");
        error.retry()
    });
    let retry = executed.retry.or(unreported);
    let word = match &executed.outcome {
        _ if reported.is_err() => "unreported",
        Outcome::Done => "done",
        Outcome::Stopped { .. } => "stopped",
        Outcome::Failed(_) => "failed",
        Outcome::Observed => "observed",
        Outcome::Paused => "paused",
    };
    let wake = plan.wake_after.and_then(|delay| Duration::try_from(delay).ok());
    let finished = found.going && (plan.is_empty() || is_refused(plan, found)) && retry.is_none();
    if finished && plan.is_empty() {
        tracing::info!("deletion complete");
    }
    let rest = if executed.done.is_empty() {
        Rest::Waits(wake)
    } else {
        Rest::Done
    };
    let next = match retry {
        // What is to be done does not wait for what could not be told.
        Some(_) if executed.retry.is_none() && !executed.done.is_empty() => Next::Now,
        Some(_) if executed.retry.is_none() && wake.is_some_and(|wake| wake <= SOON) => Next::After(wake),
        Some(retry) if is_alone(executed) => Next::Despite(retry, rest),
        Some(Retry::Backoff) => Next::Backoff,
        Some(Retry::OnChange) => Next::LastResort,
        None if finished => Next::Never,
        None if executed.done.is_empty() => Next::After(wake),
        None => Next::Now,
    };
    Ending { word, next }
}

/// Steps failed, and none on which others rely.
fn is_alone(executed: &Executed<'_>) -> bool {
    matches!(executed.outcome, Outcome::Failed(_)) && executed.outcome.hindrance().is_none()
}

/// The object is gone, and what it was made of does not follow it: as with Zalando's operator the members go on without an object, until
/// one of the same name takes them over.
fn is_refused(plan: &Plan, found: &Found) -> bool {
    let gate = plan
        .holds
        .iter()
        .find(|hold| matches!(hold.reason, HoldReason::DeletionGate(_)));
    if let Some(hold) = gate.filter(|_| found.gone) {
        tracing::warn!(%hold, "the object is gone; everything else stays");
    }
    gate.is_some() && found.gone
}

#[cfg(test)]
mod tests;
