//! What a roll waits for, whom the primary hands over to, and what is no reason to roll: one snapshot and its plan at a time.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::api::status::ClusterStatus;
use pgherd_planner::observed::{MemberRole, Observed, PatroniView, PodView, Source};
use pgherd_planner::plan::{Action, HoldReason, Plan, Step};
use serde_json::json;

use crate::simulation::{Simulation, Template, pod_template};
use crate::world::known;

/// Two replicas run the new template, the primary does not yet.
pub(crate) fn before_the_switchover() -> (Simulation, Observed) {
    let mut simulation = Simulation::new(3);
    simulation.wanted = Template {
        version: 2,
        ..Template::default()
    };
    let truth = &mut simulation.truth;
    truth.template = simulation.wanted.clone();
    truth.templates.insert(2, simulation.wanted.clone());
    truth.seen = (truth.generation, 2);
    for member in [1, 2] {
        truth.pods.get_mut(&member).unwrap().revision = 2;
    }
    simulation.remember();
    let observed = simulation.observe();
    (simulation, observed)
}

fn candidate(plan: &Plan) -> Option<&str> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Switchover { candidate, .. } => Some(candidate.as_str()),
        _ => None,
    })
}

/// Pods may be marked for the roll; nothing happens to them.
fn is_quiet(plan: &Plan) -> bool {
    let marks = |step: &Step| matches!(step.action, Action::Relabel { .. });
    plan.steps.iter().all(marks)
}

fn holds(plan: &Plan, reason: &HoldReason) -> bool {
    plan.holds.iter().any(|hold| hold.reason == *reason)
}

/// Who is chosen after this change of what Patroni says.
fn chosen(change: fn(&mut PatroniView)) -> Option<String> {
    let (simulation, mut observed) = before_the_switchover();
    change(known(&mut observed.patroni));
    candidate(&simulation.plan(&observed)).map(str::to_owned)
}

#[test]
fn the_nearest_replica_takes_over() {
    assert_eq!(
        chosen(|_| ()).as_deref(),
        Some("minimal-1"),
        "the first of equals"
    );
    let nearest = chosen(|patroni| patroni.members[1].lag = Some(5));
    assert_eq!(nearest.as_deref(), Some("minimal-2"));
    let archive = chosen(|patroni| {
        patroni.members[1].lag = Some(5);
        patroni.members[2].lag = Some(2);
        "in archive recovery".clone_into(&mut patroni.members[2].state);
    });
    assert_eq!(archive.as_deref(), Some("minimal-2"));
    let preferred = chosen(|patroni| patroni.members[2].priority = 2);
    assert_eq!(preferred.as_deref(), Some("minimal-2"), "the preferred of equals");
    let tagged = chosen(|patroni| patroni.members[1].never_leads = true);
    assert_eq!(tagged.as_deref(), Some("minimal-2"));
}

#[test]
fn one_in_sync_is_preferred_and_in_synchronous_mode_demanded() {
    let preferred = chosen(|patroni| {
        patroni.members[2].role = MemberRole::SyncStandby;
        patroni.members[2].lag = Some(9);
    });
    assert_eq!(preferred.as_deref(), Some("minimal-2"));
    let (simulation, mut observed) = before_the_switchover();
    for mode in [json!(true), json!("quorum")] {
        known(&mut observed.patroni).config["synchronous_mode"] = mode;
        let plan = simulation.plan(&observed);
        assert_eq!(candidate(&plan), None);
        let why = HoldReason::NoCandidate("no replica is synchronous".to_owned());
        assert!(holds(&plan, &why), "{:?}", plan.holds);
    }
    known(&mut observed.patroni).members[2].role = MemberRole::QuorumStandby;
    assert_eq!(candidate(&simulation.plan(&observed)), Some("minimal-2"));
}

#[test]
fn nobody_is_disturbed_while_a_replica_is_behind_or_patroni_is_paused() {
    let (simulation, mut observed) = before_the_switchover();
    for lag in [Some(1001), None] {
        known(&mut observed.patroni).members[2].lag = lag;
        let plan = simulation.plan(&observed);
        assert_eq!(candidate(&plan), None);
        assert!(holds(&plan, &HoldReason::Lagging(vec!["minimal-2".to_owned()])));
    }
    known(&mut observed.patroni).members[2].lag = Some(1000);
    assert!(candidate(&simulation.plan(&observed)).is_some());
    known(&mut observed.patroni).config["pause"] = json!(true);
    let plan = simulation.plan(&observed);
    assert!(is_quiet(&plan) && holds(&plan, &HoldReason::PatroniPaused));
}

fn deleted(plan: &Plan) -> Vec<&str> {
    let pods = plan.steps.iter().filter_map(|step| match &step.action {
        Action::DeletePod { target } => Some(target.name.as_str()),
        _ => None,
    });
    pods.collect()
}

/// All members at work; the manifest's template is stored, and was not when they were made.
fn before_the_roll() -> (Simulation, Observed) {
    let (mut simulation, _) = before_the_switchover();
    for pod in simulation.truth.pods.values_mut() {
        pod.revision = 1;
    }
    simulation.remember();
    let observed = simulation.observe();
    (simulation, observed)
}

#[test]
fn a_lazy_upgrade_stores_the_image_and_rolls_nothing() {
    let (mut simulation, observed) = before_the_roll();
    assert_eq!(deleted(&simulation.plan(&observed)), ["minimal-1"]);
    simulation.config.general.enable_lazy_spilo_upgrade = true;
    let plan = simulation.plan(&observed);
    assert!(is_quiet(&plan) && plan.rolled().is_empty());
    let off = HoldReason::SwitchedOff("enable_lazy_spilo_upgrade".to_owned());
    assert!(holds(&plan, &off), "{:?}", plan.holds);
    // With another change beside the image it is no matter of laziness.
    let mut other = pod_template(&simulation.truth.templates[&1]);
    other.spec.as_mut().unwrap().priority_class_name = Some("low".to_owned());
    let mut observed = observed;
    observed
        .templates
        .insert("minimal-r1".to_owned(), Source::Known(Some(other)));
    assert_eq!(deleted(&simulation.plan(&observed)), ["minimal-1"]);
}

#[test]
fn a_revision_that_means_the_same_is_no_reason() {
    let (simulation, mut observed) = before_the_roll();
    let mut same = pod_template(&simulation.wanted);
    let annotations = [("note".to_owned(), "made by somebody else".to_owned())];
    same.metadata = Some(ObjectMeta {
        annotations: Some(annotations.into()),
        ..ObjectMeta::default()
    });
    let templates = &mut observed.templates;
    templates.insert("minimal-r1".to_owned(), Source::Known(Some(same)));
    assert!(simulation.plan(&observed).is_empty());
    let unread = Source::Unknown("timed out".to_owned());
    observed.templates.insert("minimal-r1".to_owned(), unread);
    let plan = simulation.plan(&observed);
    assert!(is_quiet(&plan) && plan.rolled().is_empty(), "{:?}", plan.steps);
    assert!(plan.wake_after.is_some());
}

#[test]
fn before_kubernetes_names_the_first_revision_nobody_asks_for_an_earlier_one() {
    let (simulation, mut observed) = before_the_roll();
    observed.templates.clear();
    if let Source::Known(Some(stored)) = &mut observed.stateful_set {
        stored.status = None;
    }
    let mut is_held = |word| {
        observed.cluster.status.postgres_cluster_status = word;
        let plan = simulation.plan(&observed);
        assert!(plan.rolled().is_empty(), "{word:?} {:?}", plan.steps);
        plan.holds
            .iter()
            .any(|hold| hold.to_string().contains("revision"))
    };
    assert!(is_held(ClusterStatus::Running));
    assert!(!is_held(ClusterStatus::Creating) && !is_held(ClusterStatus::Unknown));
}

#[test]
fn zalandos_mark_is_heeded() {
    let mut simulation = Simulation::new(2);
    simulation.truth.pods.get_mut(&0).unwrap().marked = true;
    simulation.remember();
    let plan = simulation.plan(&simulation.observe());
    assert_eq!(plan.rolled(), ["minimal-0"]);
    assert_eq!(candidate(&plan), Some("minimal-1"), "it leads");
}

fn pod<'a>(observed: &'a mut Observed, name: &str) -> &'a mut PodView {
    let mut pods = known(&mut observed.pods).iter_mut();
    pods.find(|pod| pod.name == name).unwrap()
}

#[test]
fn what_does_not_run_is_mended_although_nobody_can_be_asked() {
    let (mut simulation, mut observed) = before_the_roll();
    simulation.cluster.windows = vec!["Sun:00:00-00:01".parse().unwrap()];
    observed.patroni = Source::Unknown("no pod runs".to_owned());
    assert_eq!(deleted(&simulation.plan(&observed)), [""; 0]);
    for name in ["minimal-0", "minimal-2"] {
        let pod = pod(&mut observed, name);
        pod.ready = false;
        "CrashLoopBackOff".clone_into(&mut pod.trouble);
    }
    assert_eq!(
        deleted(&simulation.plan(&observed)),
        ["minimal-0"],
        "one at a time"
    );
}

#[test]
fn a_broken_sidecar_does_not_cost_the_primary_a_switchover() {
    let (simulation, mut observed) = before_the_switchover();
    let primary = pod(&mut observed, "minimal-0");
    primary.ready = false;
    "CrashLoopBackOff".clone_into(&mut primary.trouble);
    let plan = simulation.plan(&observed);
    assert_eq!(deleted(&plan), [""; 0], "postgres runs in it");
    assert_eq!(candidate(&plan), Some("minimal-1"));
    let replica = pod(&mut observed, "minimal-2");
    replica.ready = false;
    assert!(is_quiet(&simulation.plan(&observed)), "the other one is not up");
}

#[test]
fn restarts_whose_reasons_nobody_tells_are_left_to_people() {
    let mut simulation = Simulation::new(2);
    simulation.truth.connections = 200;
    let mut observed = simulation.observe();
    observed.catalog = Source::Unknown("not asked".to_owned());
    for member in &mut known(&mut observed.patroni).members {
        member.restart_reasons.clear();
    }
    let plan = simulation.plan(&observed);
    assert!(is_quiet(&plan), "{:?}", plan.steps);
    let both = ["minimal-0", "minimal-1"].map(str::to_owned).into();
    assert!(holds(&plan, &HoldReason::RestartPending(both)));
}

#[test]
fn replicas_wait_for_a_primary_that_has_not_taken_up_the_change_yet() {
    let mut simulation = Simulation::new(3);
    simulation.truth.connections = 50;
    let mut observed = simulation.observe();
    let mut primary = known(&mut observed.patroni).members[0].clone();
    primary.pending_restart = false;
    primary.restart_reasons.clear();
    known(&mut observed.patroni).members[0] = primary;
    let plan = simulation.plan(&observed);
    assert!(
        is_quiet(&plan),
        "they would come back as they were: {:?}",
        plan.steps
    );
    assert!(plan.wake_after.is_some());
    let settings = &mut known(&mut observed.catalog).settings;
    settings.insert("max_connections".to_owned(), "50".to_owned());
    let plan = simulation.plan(&observed);
    assert!(!is_quiet(&plan), "the primary has been restarted");
}

#[test]
fn a_mode_holds_what_would_be_done() {
    let (simulation, mut observed) = before_the_roll();
    let annotations = &mut observed.cluster.annotations;
    annotations.insert("pgherd.io/mode".to_owned(), "observe".to_owned());
    let plan = simulation.plan(&observed);
    assert_eq!(deleted(&plan), ["minimal-1"], "the plan says what would be done");
    assert!(holds(&plan, &HoldReason::Mode("observe".to_owned())));
}

#[test]
fn members_go_before_a_roll_goes_on() {
    let (mut simulation, _) = before_the_roll();
    simulation.cluster.instances = 1;
    let plan = simulation.plan(&simulation.observe());
    assert!(matches!(plan.steps[0].action, Action::Scale { replicas: 1, .. }));
    assert_eq!(deleted(&plan), [""; 0], "replicas still serve");
    assert_eq!(plan.rolled(), ["minimal-0"]);
    simulation.truth.replicas = 1;
    let mut observed = simulation.observe();
    let plan = simulation.plan(&observed);
    assert!(is_quiet(&plan), "they have not gone: {:?}", plan.steps);
    known(&mut observed.pods).truncate(1);
    assert_eq!(deleted(&simulation.plan(&observed)), ["minimal-0"]);
}

#[test]
fn a_leader_that_leaves_moves_although_others_leave_with_it() {
    let mut simulation = Simulation::new(3);
    simulation.truth.leader = Some(2);
    simulation.remember();
    simulation.cluster.instances = 1;
    assert_eq!(
        candidate(&simulation.plan(&simulation.observe())),
        Some("minimal-0")
    );
}

#[test]
fn a_sidecar_that_fails_is_no_reason_while_nobody_can_be_asked() {
    let (simulation, mut observed) = before_the_roll();
    observed.patroni = Source::Unknown("timed out".to_owned());
    for pod in known(&mut observed.pods) {
        pod.ready = false;
        "CrashLoopBackOff".clone_into(&mut pod.trouble);
        pod.trouble_beside = true;
    }
    assert_eq!(deleted(&simulation.plan(&observed)), [""; 0]);
    pod(&mut observed, "minimal-2").trouble_beside = false;
    assert_eq!(deleted(&simulation.plan(&observed)), ["minimal-2"]);
    pod(&mut observed, "minimal-1").terminating = true;
    assert_eq!(deleted(&simulation.plan(&observed)), [""; 0], "one is on its way");
}

#[test]
fn a_primary_that_recovers_beside_a_broken_sidecar_is_not_down() {
    let (simulation, mut observed) = before_the_switchover();
    let primary = pod(&mut observed, "minimal-0");
    primary.ready = false;
    primary.trouble_beside = true;
    "CrashLoopBackOff".clone_into(&mut primary.trouble);
    "starting".clone_into(&mut known(&mut observed.patroni).members[0].state);
    assert!(is_quiet(&simulation.plan(&observed)));
    "crashed".clone_into(&mut known(&mut observed.patroni).members[0].state);
    assert_eq!(deleted(&simulation.plan(&observed)), ["minimal-0"]);
}

#[test]
fn a_standby_cluster_has_no_synchronous_replica_to_wait_for() {
    let by_config = chosen(|patroni| {
        patroni.config["synchronous_mode"] = json!(true);
        patroni.config["standby_cluster"] = json!({"host": "elsewhere"});
    });
    assert_eq!(by_config.as_deref(), Some("minimal-1"));
    // Told to follow no more, and not yet a primary.
    let promoted = chosen(|patroni| patroni.members[0].role = MemberRole::StandbyLeader);
    assert_eq!(promoted, None, "it becomes a primary first");
}

#[test]
fn a_hold_without_an_end_is_looked_at_less_often_than_what_is_under_way() {
    let (simulation, mut observed) = before_the_switchover();
    let wake = |observed: &Observed| simulation.plan(observed).wake_after.unwrap().as_secs();
    pod(&mut observed, "minimal-2").terminating = true;
    assert_eq!(wake(&observed), 1, "it comes back");
    pod(&mut observed, "minimal-2").terminating = false;
    known(&mut observed.patroni).config["pause"] = json!(true);
    assert_eq!(wake(&observed), 10);
}

#[test]
fn values_of_patronis_configuration_are_not_printed() {
    let patch = json!({"ttl": 30, "postgresql": {"parameters": {"archive_command": "hush"}}, "slots": null});
    let action = Action::PatchPatroni(patch);
    let (debug, json) = (format!("{action:?}"), serde_json::to_string(&action).unwrap());
    for shown in [&debug, &json] {
        assert!(shown.contains("archive_command") && !shown.contains("hush") && !shown.contains("30"));
    }
}
