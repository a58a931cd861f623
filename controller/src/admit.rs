//! Whether a cluster may roll now, in a fleet that rolls by turns. Lives here: what a turn asks of the book, and what becomes of its plan.
//! Must not: whose turn it is (`pgherd_planner::fleet`).

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use pgherd_planner::adopt::refuse;
use pgherd_planner::assess::Outcome;
use pgherd_planner::build::{Desired, build};
use pgherd_planner::fleet::{self, Roll, Verdict};
use pgherd_planner::observed::{Observed, PodEnvironment, Source};
use pgherd_planner::plan::{Plan, beside_refusal, plan_waiting, shape};

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::fleet::Round;
use crate::manifest::{Found, Meaning};
use crate::observe::Question;
use crate::queue::Lane;

/// A turn that has its plan and has not acted yet.
#[derive(Debug)]
pub struct Turn<'a> {
    pub question: &'a Question<'a>,
    pub found: &'a Found,
    pub meaning: &'a Meaning,
    pub environment: &'a Source<PodEnvironment>,
    pub observed: &'a Observed,
    pub now: Timestamp,
    /// Since before anything else was looked at.
    pub round: Round,
}

/// Makes another plan where the roll has to wait for others. True when somebody wants this cluster's pods to roll.
pub fn admit(context: &Context, turn: &Turn<'_>, plan: &mut Plan) -> bool {
    let question = turn.question;
    let (Some(cluster), false) = (turn.meaning.cluster(), question.deleting) else {
        skip(context, question.cluster);
        return false;
    };
    let is_rewritten = is_rewritten(turn);
    let is_edited = is_edited(context, turn, plan, is_rewritten);
    let roll = fleet::roll(cluster, question.config, turn.observed, plan, is_edited, turn.now);
    let roll = Roll { is_rewritten, ..roll };
    let known = known(context);
    let answer = context
        .fleet
        .hear(question.cluster, &roll, known, turn.round, || context.config());
    wake(context, &answer.wake);
    match answer.verdict {
        Verdict::Go => {}
        Verdict::Finish => plan.keep_turn(missing(question, turn.observed)),
        Verdict::Wait(why) => {
            // One that nothing may be done to waits with everything, not only with its roll.
            let refused = |desired: &&Desired| refuse(cluster, desired, turn.observed).is_some();
            if let Some(desired) = question.desired.filter(|desired| !refused(desired)) {
                *plan = plan_waiting(
                    cluster,
                    desired,
                    turn.observed,
                    question.config,
                    turn.now,
                    why.hold(),
                );
            }
        }
    }
    if let Some(desired) = question.desired {
        let (observed, config) = (turn.observed, question.config);
        *plan = beside_refusal(std::mem::take(plan), cluster, desired, observed, config, turn.now);
    }
    is_edited
}

/// The cluster will not roll.
fn skip(context: &Context, cluster: &ClusterRef) {
    if is_gone(context, cluster) {
        return dismiss(context, cluster);
    }
    let (known, config) = (known(context), context.config());
    wake(context, &context.fleet.skip(cluster, known, &config));
}

/// The cluster could not be looked at, and so has no plan.
pub fn lose(context: &Context, cluster: &ClusterRef, why: &str) {
    if is_gone(context, cluster) {
        return dismiss(context, cluster);
    }
    let (known, config) = (known(context), context.config());
    wake(context, &context.fleet.lose(cluster, why, known, &config));
}

/// What came of a turn: a cluster that rolls and cannot go on keeps others from following it.
pub fn account(context: &Context, cluster: &ClusterRef, outcome: &Outcome) {
    let (known, config) = (known(context), context.config());
    wake(
        context,
        &context.fleet.acted(cluster, outcome.hindrance(), known, &config),
    );
}

/// The cluster is gone: others may roll in its place.
pub fn dismiss(context: &Context, cluster: &ClusterRef) {
    let known = known(context);
    wake(context, &context.fleet.forget(cluster, known, &context.config()));
}

/// How many clusters there are. One that has gone since it was looked at stands for none of them.
fn known(context: &Context) -> usize {
    // Before: one that goes meanwhile is missed, and not counted for another.
    let known = context.cache.manifests.len();
    context.fleet.strike(|cluster| is_gone(context, cluster));
    known
}

/// What belonged to it may still be there.
fn is_gone(context: &Context, cluster: &ClusterRef) -> bool {
    context.cache.manifests.get(cluster).is_none()
}

fn wake(context: &Context, clusters: &[ClusterRef]) {
    for cluster in clusters {
        context.queue.wake(cluster, Lane::Resync);
    }
}

/// Whether it is somebody's own wish for this cluster that rolls the pods: an edit of the manifest, or marks on the pods; this one, or the one
/// whose roll is under way.
fn is_edited(context: &Context, turn: &Turn<'_>, plan: &Plan, is_rewritten: bool) -> bool {
    let view = turn.question.view;
    let rolls = !plan.rolled().is_empty();
    let is_asked = fleet::is_asked(turn.observed, &plan.rolled());
    context.memories.with(turn.question.cluster, |memory| {
        let was_edited = memory.is_edited || fleet::is_edited(&view.status);
        memory.is_edited = rolls && (is_rewritten || is_asked || was_edited);
        memory.is_edited
    })
}

/// An edit that has not been looked at yet asks for other pods.
fn is_rewritten(turn: &Turn<'_>) -> bool {
    let view = turn.question.view;
    view.status.observed_generation != Some(view.generation) && changes_template(turn)
}

/// The last spec that was looked at and the present one ask for different pods, under the same configuration.
fn changes_template(turn: &Turn<'_>) -> bool {
    let Question {
        config,
        view,
        desired: Some(desired),
        ..
    } = *turn.question
    else {
        return false;
    };
    let Some(before) = turn.meaning.before(&turn.found.manifest, &view.status, config) else {
        return false;
    };
    let before = build(&before, config, turn.environment);
    match (before.stateful_set.known(), desired.stateful_set.known()) {
        (Some(before), Some(after)) => {
            let asked_for = |set: &StatefulSet| set.spec.as_ref().map(|spec| shape(&spec.template));
            asked_for(before) != asked_for(after)
        }
        _ => false,
    }
}

fn missing(question: &Question<'_>, observed: &Observed) -> Vec<String> {
    let members = observed.members(question.names);
    let missing = members.iter().filter(|member| !member.is_up());
    missing.map(|member| member.pod.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use pgherd_model::cluster::RoleSources;
    use pgherd_model::names::Names;
    use pgherd_planner::fleet::Why;
    use pgherd_planner::observed::PodView;
    use pgherd_planner::plan::{Hold, HoldReason, Matter};

    use super::*;
    use crate::reconcile::reconcile;
    use crate::testing::{FakeApi, manifest};

    /// A cluster that rolls, and another that waits for it.
    fn two(context: &Context, api: &FakeApi) -> [ClusterRef; 2] {
        let clusters = [
            api.submit(context, &manifest()),
            ClusterRef::new("apps", "acid-other"),
        ];
        let due = Roll {
            is_due: true,
            members: 1,
            ..Roll::default()
        };
        let (_, round) = context.fleet.begin(|| context.config());
        for cluster in &clusters {
            context.fleet.hear(cluster, &due, 1, round, || context.config());
        }
        assert_eq!(context.fleet.counts(), (1, 1, 0));
        clusters
    }

    #[tokio::test]
    async fn a_cluster_that_is_deleted_in_the_middle_of_its_roll_lets_others_go_on() {
        let api = FakeApi::default();
        let context = api.context();
        let [cluster, other] = two(&context, &api);
        api.remove("/apis/acid.zalan.do/v1/namespaces/apps/postgresqls/acid-demo");
        context.cache.manifests.note_gone(&cluster);
        reconcile(&context, &cluster).await;
        assert_eq!(context.fleet.counts(), (0, 1, 0));
        assert_eq!(context.queue.next().await.cluster, other);
    }

    type End = fn(&Context, &ClusterRef);

    #[tokio::test]
    async fn one_that_was_deleted_does_not_stand_for_one_that_was_not_looked_at() {
        let api = FakeApi::default();
        let context = api.context();
        let named = |name: &str| {
            let mut manifest = manifest();
            manifest["metadata"]["name"] = name.into();
            api.submit(&context, &manifest)
        };
        let [first, second, going] = ["acid-first", "acid-second", "acid-going"].map(named);
        let due = Roll {
            is_due: true,
            members: 2,
            ..Roll::default()
        };
        let (_, round) = context.fleet.begin(|| context.config());
        let hear = |cluster: &ClusterRef| {
            let known = known(&context);
            let answer = context
                .fleet
                .hear(cluster, &due, known, round, || context.config());
            answer.verdict
        };
        hear(&first);
        // It goes after it was looked at; then it is cleared away, and that fails.
        hear(&going);
        context.cache.manifests.note_gone(&going);
        let ends: [Option<End>; 3] = [
            None,
            Some(skip),
            Some(|context, cluster| lose(context, cluster, "no answer")),
        ];
        for end in ends {
            if let Some(end) = end {
                end(&context, &going);
            }
            assert_eq!(
                hear(&first),
                Verdict::Wait(Why::Looking),
                "the second may be the canary"
            );
        }
        hear(&second);
        assert_eq!(hear(&first), Verdict::Go);
    }

    #[tokio::test]
    async fn what_keeps_a_cluster_from_going_on_is_said_to_those_that_wait_for_it() {
        let api = FakeApi::default();
        let context = api.context();
        let [cluster, other] = two(&context, &api);
        let failed = Outcome::failed("check template of acid-demo-0", "forbidden");
        account(&context, &cluster, &failed);
        assert_eq!(context.fleet.counts(), (1, 1, 1));
        assert_eq!(context.queue.next().await.cluster, other);
        account(&context, &cluster, &Outcome::Done);
        assert_eq!(context.fleet.counts(), (1, 1, 0));
        lose(&context, &cluster, "its turn ended in a panic");
        assert_eq!(context.fleet.counts(), (1, 1, 1));
    }

    /// What is said of a turn in which this manifest and these pods are found.
    async fn judged<T>(
        manifest: &serde_json::Value,
        pods: Vec<PodView>,
        judge: impl FnOnce(&Context, &Turn<'_>) -> T,
    ) -> T {
        let api = FakeApi::default();
        let context = api.context();
        let cluster = api.submit(&context, manifest);
        let (config, round) = context.fleet.begin(|| context.config());
        let now = Timestamp::UNIX_EPOCH;
        let found = Found::look(&context, &cluster, now).await.unwrap().unwrap();
        let meaning = Meaning::of(&found.manifest, &found.view.status, &config);
        let environment = Source::Known(PodEnvironment::default());
        let desired = meaning.cluster().map(|it| build(it, &config, &environment));
        let question = Question {
            cluster: &cluster,
            view: &found.view,
            names: &Names::of("apps", "acid-demo", &config),
            config: &config,
            desired: desired.as_ref(),
            sources: &RoleSources::default(),
            inside: crate::sql::catalog::Inside::default(),
            catalog_unwanted: None,
            deleting: false,
            spared: None,
        };
        let observed = Observed {
            pods: Source::Known(pods),
            ..Observed::default()
        };
        let turn = Turn {
            question: &question,
            found: &found,
            meaning: &meaning,
            environment: &environment,
            observed: &observed,
            now,
            round,
        };
        judge(&context, &turn)
    }

    /// Whether a roll of this pod is said to be this cluster's own affair.
    async fn is_own_affair(marks: &[&str]) -> bool {
        let pod = PodView {
            name: "acid-demo-0".to_owned(),
            annotations: marks
                .iter()
                .map(|key| ((*key).to_owned(), String::new()))
                .collect(),
            ..PodView::default()
        };
        let mut plan = Plan::default();
        plan.holds.push(Hold {
            matter: Matter::Roll,
            reason: HoldReason::RollPending(vec!["acid-demo-0".to_owned()]),
            until: None,
        });
        judged(&manifest(), vec![pod], |context, turn| {
            admit(context, turn, &mut plan)
        })
        .await
    }

    /// Between a pod's end and its return no pod is old, and the edit is one all the same.
    #[tokio::test]
    async fn an_edit_that_asks_for_other_pods_is_seen_while_there_are_none() {
        let seen = |image: &'static str, observed: i64| async move {
            let mut edited = manifest();
            edited["status"] = serde_json::json!({"PostgresClusterStatus": "Running", "observedGeneration": observed,
                "lastGoodSpec": edited["spec"]});
            edited["metadata"]["generation"] = 2.into();
            edited["spec"]["dockerImage"] = image.into();
            judged(&edited, Vec::new(), |context, turn| {
                let is_edited = is_edited(context, turn, &Plan::default(), is_rewritten(turn));
                (is_rewritten(turn), is_edited)
            })
            .await
        };
        assert_eq!(seen("another", 1).await, (true, false));
        assert_eq!(seen("another", 2).await, (false, false), "it was looked at");
    }

    #[tokio::test]
    async fn a_roll_that_somebody_asked_for_with_a_mark_waits_for_no_other_cluster() {
        use pgherd_model::names::annotations::{ROLL_MARKED, ROLLING_UPDATE_REQUIRED};

        assert!(is_own_affair(&[ROLLING_UPDATE_REQUIRED]).await);
        assert!(!is_own_affair(&[ROLLING_UPDATE_REQUIRED, ROLL_MARKED]).await);
        assert!(!is_own_affair(&[]).await);
    }
}
