//! Carries a plan out, step by step, until one fails or its precondition no longer holds. Every kind of action is one function in a file
//! below, idempotent, and knows no policy. What is left of the plan is not kept: the next turn observes and plans anew.

use pgherd_model::config::OperatorConfig;
use pgherd_model::names::{Names, Role};
use pgherd_planner::assess::Outcome;
use pgherd_planner::observed::{ClusterView, PodView};
use pgherd_planner::plan::{Action, Plan, Precondition, Step};
use pgherd_runtime::tasks::chain;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{Retry, TurnError};

mod apply;
mod change;
mod finalizer;
mod handover;
mod patroni;
mod pod;
mod remove;
mod secret;
mod sql;

/// What the steps of one plan act on.
#[derive(Debug)]
pub struct Scene<'a> {
    pub cluster: &'a ClusterRef,
    pub names: &'a Names,
    pub config: &'a OperatorConfig,
    /// The manifest's metadata as observed.
    pub view: &'a ClusterView,
    /// The pods as observed.
    pub pods: &'a [PodView],
}

/// What came of a plan.
#[derive(Debug)]
pub struct Executed<'a> {
    /// The steps that were taken.
    pub done: Vec<&'a Step>,
    pub outcome: Outcome,
    /// When to try again, if a step failed.
    pub retry: Option<Retry>,
}

impl Executed<'_> {
    /// Nothing was done, although something may be wanted.
    pub fn held_back(plan: &Plan, reason: &str) -> Self {
        let outcome = match plan.steps.first() {
            Some(step) => Outcome::Stopped {
                step: step.to_string(),
                reason: reason.to_owned(),
            },
            None => Outcome::Done,
        };
        Self {
            done: Vec::new(),
            outcome,
            retry: None,
        }
    }

    /// Nothing was to be done.
    pub fn paused() -> Self {
        Self {
            done: Vec::new(),
            outcome: Outcome::Paused,
            retry: None,
        }
    }
}

/// Walks the steps.
pub async fn execute<'a>(context: &Context, scene: &Scene<'_>, plan: &'a Plan) -> Executed<'a> {
    let mut done = Vec::new();
    for step in &plan.steps {
        let denial = context.authority.denies().map(str::to_owned);
        if let Some(reason) = denial.or_else(|| broken(context, scene, &step.precondition)) {
            context.metrics.count_step(step.action.kind(), "stopped");
            tracing::info!(step = %step, reason, "step not taken");
            return Executed {
                done,
                outcome: Outcome::Stopped {
                    step: step.to_string(),
                    reason,
                },
                retry: None,
            };
        }
        match take(context, scene, step).await {
            Ok(()) => {
                context.metrics.count_step(step.action.kind(), "done");
                tracing::info!(step = %step, "step taken");
                done.push(step);
            }
            Err(error) => {
                context.metrics.count_step(step.action.kind(), error.category());
                return Executed {
                    done,
                    outcome: unfinished(step, &error),
                    retry: Some(error.retry()),
                };
            }
        }
    }
    Executed {
        done,
        outcome: Outcome::Done,
        retry: None,
    }
}

/// That somebody was faster is no failure: the next turn plans with what is there now.
fn unfinished(step: &Step, error: &TurnError) -> Outcome {
    let (step, problem) = (step.to_string(), chain(error));
    if error.is_overtaken() {
        tracing::info!(step, reason = problem, "step overtaken");
        return Outcome::Stopped {
            step,
            reason: problem,
        };
    }
    tracing::warn!(step, error = problem, "step failed");
    Outcome::Failed { step, error: problem }
}

/// What no request can check is checked here.
fn broken(context: &Context, scene: &Scene<'_>, precondition: &Precondition) -> Option<String> {
    let Precondition::StillPrimary(pod) = precondition else {
        return None;
    };
    let pods = context.cache.pods.of(scene.cluster);
    let leads = pods
        .iter()
        .any(|it| it.name == *pod && it.role_label == Role::Primary.label());
    (!leads).then(|| format!("{pod} is no longer the primary"))
}

async fn take(context: &Context, scene: &Scene<'_>, step: &Step) -> Result<(), TurnError> {
    let precondition = &step.precondition;
    match &step.action {
        Action::AddFinalizer(name) => finalizer::add(context, scene, name).await,
        Action::RemoveFinalizer(name) => finalizer::remove(context, scene, name).await,
        Action::Apply(object) => apply::apply(context, scene, object, precondition).await,
        Action::CreateSecret(draft) => secret::create(context, scene, draft).await,
        Action::LabelSecret(draft) => secret::label(context, scene, draft, precondition).await,
        Action::FillSecret(draft) => secret::fill(context, scene, draft, precondition).await,
        Action::Patch { target, operations } => change::patch(context, scene, target, operations).await,
        Action::Scale { target, replicas } => {
            change::scale(context, scene, target, *replicas, precondition).await
        }
        Action::GrowClaim { target, size } => change::grow(context, scene, target, size, precondition).await,
        Action::PatchPatroni(patch) => patroni::patch(context, scene, patch).await,
        Action::RunSql { database, statements } => sql::run(context, scene, database, statements).await,
        Action::CheckTemplate { stateful_set, pod } => pod::check_template(context, stateful_set, pod).await,
        Action::CheckObject(object) => apply::check(context, object).await,
        Action::Relabel {
            target,
            labels,
            annotations,
        } => change::relabel(context, scene, target, (labels, annotations), precondition).await,
        Action::DeletePod { target } => pod::delete(context, scene, target).await,
        Action::Checkpoint { .. } => {
            sql::checkpoint(context, scene).await;
            Ok(())
        }
        Action::Switchover { leader, candidate } => {
            patroni::switch_over(context, scene, leader, candidate).await
        }
        Action::RestartPostgres { member } => patroni::restart(context, scene, member).await,
        Action::Delete { target, propagation } => {
            remove::delete(context, scene, target, *propagation, precondition).await
        }
    }
}
