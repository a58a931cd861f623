//! Carries a plan out, step by step, until a precondition no longer holds; what relies on a step that failed is left out (the planner says what
//! does). Every kind of action is one function in a file below, idempotent, and knows no policy. What is left of the plan is not kept: the next turn observes and plans anew.

use std::collections::BTreeSet;

use pgherd_model::config::OperatorConfig;
use pgherd_model::names::{Names, Role};
use pgherd_planner::assess::{Failure, Outcome};
use pgherd_planner::observed::{ClusterView, PodView, RefusedStep};
use pgherd_planner::plan::{Action, Plan, Precondition, Reason, Step};
use pgherd_planner::sql::Subject;
use pgherd_runtime::tasks::chain;
use tokio::time::Instant;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{Retry, TurnError};

mod apply;
mod change;
mod finalizer;
mod handover;
mod ownership;
mod patroni;
mod pod;
mod remove;
mod secret;
pub mod sql;

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
    /// What was refused a short while ago, and so was not tried, is a failure as if it had been.
    #[must_use]
    pub fn beside(mut self, declined: Option<Failure>) -> Self {
        if let Some(failure) = declined {
            self.outcome = match self.outcome {
                Outcome::Failed(mut failures) => {
                    failures.push(failure);
                    Outcome::Failed(failures)
                }
                Outcome::Done => Outcome::Failed(vec![failure]),
                other => other,
            };
        }
        self
    }

    /// Nothing was done, although something may be wanted.
    pub fn observed() -> Self {
        Self {
            done: Vec::new(),
            outcome: Outcome::Observed,
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

/// Walks the steps. One that fails keeps only those from being taken that rely on it: a role or a claim that cannot be had is no reason to leave
/// a cluster as it is.
pub async fn execute<'a>(context: &Context, scene: &Scene<'_>, plan: &'a Plan) -> Executed<'a> {
    let mut walk = Walk::default();
    let mut rest = plan.steps.as_slice();
    while let Some(step) = rest.first() {
        if let Some(cause) = walk.hindrance(step, scene) {
            context.metrics.count_step(step.action.kind(), "left_out");
            tracing::info!(step = %step, %cause, "step left out");
            rest = &rest[1..];
            continue;
        }
        let denial = context.authority.denies().map(str::to_owned);
        if let Some(reason) = denial.or_else(|| broken(context, scene, &step.precondition)) {
            context.metrics.count_step(step.action.kind(), "stopped");
            tracing::info!(step = %step, reason, "step not taken");
            let step = step.to_string();
            return walk.ended(Some(Outcome::Stopped { step, reason }));
        }
        let (now, later) = rest.split_at(sql::run_length(rest));
        rest = later;
        if !matches!(step.action, Action::ChangeSecret(_)) {
            walk.door.shut();
        }
        let results = match &step.action {
            Action::RunSql { .. } => sql::run(context, scene, now, &mut walk.refused, &mut walk.door).await,
            _ => vec![take(context, scene, step, &mut walk.door).await],
        };
        for (step, result) in now.iter().zip(results) {
            if let Some(overtaken) = walk.note(context, scene, step, result) {
                return walk.ended(Some(overtaken));
            }
        }
    }
    walk.ended(None)
}

/// What came of the steps so far.
#[derive(Default)]
struct Walk<'a> {
    done: Vec<&'a Step>,
    failures: Vec<Failure>,
    /// Those that failed for another reason than that the server refused a statement.
    failed: Vec<&'a Step>,
    /// One that failed because the API server does not work: nor would others.
    outage: Option<&'a Step>,
    retry: Option<Retry>,
    /// What the statements were about that were refused.
    refused: BTreeSet<Subject>,
    /// To the database.
    door: sql::Door,
}

impl<'a> Walk<'a> {
    /// A step that has failed and without which this one is not tried.
    fn hindrance(&self, step: &Step, scene: &Scene<'_>) -> Option<&'a Step> {
        let mut failed = self.failed.iter().copied();
        let relied_on = failed.find(|failed| failed.hinders(step, &scene.cluster.namespace));
        let needs_api_server = !matches!(step.action, Action::RunSql { .. });
        relied_on.or(self.outage.filter(|_| needs_api_server))
    }

    /// Whether the step may be followed by any other.
    fn note(
        &mut self,
        context: &Context,
        scene: &Scene<'_>,
        step: &'a Step,
        result: Result<(), TurnError>,
    ) -> Option<Outcome> {
        let error = match result {
            Ok(()) => {
                context.metrics.count_step(step.action.kind(), "done");
                tracing::info!(step = %step, "step taken");
                self.done.push(step);
                return None;
            }
            Err(error) => error,
        };
        context.metrics.count_step(step.action.kind(), error.category());
        let (text, problem) = (step.to_string(), chain(&error));
        let mut retry = error.retry();
        if step.shapes_members() && retry == Retry::OnChange {
            let refused = RefusedStep {
                step: text.clone(),
                why: problem.clone(),
            };
            context.memories.with(scene.cluster, |memory| {
                memory.note_refusal(refused, scene.view.generation, Instant::now());
            });
            // There is a plan beside it.
            retry = Retry::Backoff;
        }
        // The sooner one counts.
        if self.retry != Some(Retry::Backoff) {
            self.retry = Some(retry);
        }
        if error.is_overtaken() {
            tracing::info!(step = text, reason = problem, "step overtaken");
            return Some(Outcome::Stopped {
                step: text,
                reason: problem,
            });
        }
        tracing::warn!(step = text, error = problem, "step failed");
        if !error.is_refusal() {
            self.failed.push(step);
        }
        if error.is_outage() {
            self.outage = Some(step);
        }
        let is_alone = error.is_refusal() || step.is_aside(&scene.cluster.namespace);
        self.failures.push(Failure {
            step: text,
            subject: subject_of(&step.action),
            error: problem,
            hinders: error.is_outage() || !is_alone,
        });
        None
    }

    fn ended(self, stopped: Option<Outcome>) -> Executed<'a> {
        let outcome = if self.failures.is_empty() {
            stopped.unwrap_or(Outcome::Done)
        } else {
            Outcome::Failed(self.failures)
        };
        Executed {
            done: self.done,
            outcome,
            retry: self.retry,
        }
    }
}

fn subject_of(action: &Action) -> Option<Subject> {
    match action {
        Action::RunSql { subject, .. } => Some(subject.clone()),
        Action::ChangeSecret(change) => Some(Subject::Role(change.username.clone())),
        _ => None,
    }
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

async fn take(
    context: &Context,
    scene: &Scene<'_>,
    step: &Step,
    door: &mut sql::Door,
) -> Result<(), TurnError> {
    let precondition = &step.precondition;
    match &step.action {
        Action::AddFinalizer(name) => finalizer::add(context, scene, name).await,
        Action::RemoveFinalizer(name) => finalizer::remove(context, scene, name).await,
        Action::Apply(object) if step.reason == Reason::Missing => {
            apply::create(context, scene, object).await
        }
        Action::Apply(object) => apply::apply(context, scene, object, precondition).await,
        Action::CreateSecret(draft) => secret::create(context, scene, draft).await,
        Action::LabelSecret(draft) => secret::label(context, scene, draft, precondition).await,
        Action::FillSecret(draft) => secret::fill(context, scene, draft, precondition).await,
        Action::ChangeSecret(change) => secret::rewrite(context, scene, change, precondition, door).await,
        Action::Patch { target, operations } if step.reason == Reason::Deleted => {
            remove::begin(context, scene, target, operations).await
        }
        Action::Patch { target, operations } => change::patch(context, scene, target, operations).await,
        Action::Scale { target, replicas } => {
            change::scale(context, scene, target, *replicas, precondition).await
        }
        Action::GrowClaim { target, size } => change::grow(context, scene, target, size, precondition).await,
        Action::PatchPatroni(patch) => patroni::patch(context, scene, patch).await,
        Action::RunSql { .. } => {
            let many = sql::run(
                context,
                scene,
                std::slice::from_ref(step),
                &mut BTreeSet::new(),
                door,
            )
            .await;
            many.into_iter().collect()
        }
        Action::CheckTemplate { stateful_set, pod } => pod::check_template(context, stateful_set, pod).await,
        Action::CheckObject(object) => apply::check(context, scene, object).await,
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
        Action::TakeBackHandover { target, .. } => patroni::take_back(context, target, precondition).await,
        Action::RestartPostgres { member } => patroni::restart(context, scene, member).await,
        Action::Delete { target, propagation } => {
            remove::delete(context, scene, target, *propagation, precondition).await
        }
    }
}
