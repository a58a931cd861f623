//! A newer pgherd, which makes templates otherwise than the one before: nothing restarts for that.

use k8s_openapi::api::apps::v1::StatefulSetStatus;
use k8s_openapi::api::core::v1::PodSpec;
use pgherd_model::cluster::Cluster;
use pgherd_model::names::annotations::ROLLING_UPDATE_REQUIRED;
use pgherd_planner::observed::Source;
use pgherd_planner::plan::{Action, HoldReason, Object, Plan, spec_inputs};

use crate::recorded::{config, environment, manifest};
use crate::world::{World, known};

fn pods(world: &mut World) -> &mut PodSpec {
    let stored = known(&mut world.observed.stateful_set).as_mut().unwrap();
    stored.spec.as_mut().unwrap().template.spec.as_mut().unwrap()
}

/// A cluster as an older pgherd left it: without the last variable that this one gives.
fn left_by_an_older_one() -> World {
    let (config, manifest) = (config("A"), manifest("tuned"));
    let cluster = Cluster::parse(&manifest, &config).unwrap();
    let mut world = World::new(cluster, config, environment("A"));
    world.observed.cluster.inputs = spec_inputs(&serde_json::to_value(&manifest.spec).unwrap());
    world.settle();
    let plan = world.plan();
    let mut record = plan.template.expect("a settled cluster is remembered");
    assert_eq!(record.deferred, None);
    "0.0.1".clone_into(&mut record.builder);
    world.observed.cluster.status.template = Some(record);
    pods(&mut world).containers[0]
        .env
        .as_mut()
        .unwrap()
        .pop()
        .unwrap();
    at_revision(&mut world, "first");
    world
}

fn at_revision(world: &mut World, revision: &str) {
    let stored = known(&mut world.observed.stateful_set).as_mut().unwrap();
    stored.status = Some(StatefulSetStatus {
        update_revision: Some(revision.to_owned()),
        ..StatefulSetStatus::default()
    });
}

fn is_deferred(plan: &Plan) -> bool {
    let is_held = plan.holds.iter().any(|hold| hold.reason == HoldReason::Deferred);
    let is_remembered = plan
        .template
        .as_ref()
        .is_some_and(|record| record.deferred.is_some());
    assert_eq!(is_held, is_remembered);
    is_held && !plan.changes_stateful_set() && plan.rolled().is_empty()
}

fn rolls(plan: &Plan) -> bool {
    plan.changes_stateful_set() && !plan.rolled().is_empty() && !is_deferred(plan)
}

/// This one has seen it, and waits.
fn waiting() -> World {
    let mut world = left_by_an_older_one();
    let plan = world.plan();
    assert!(is_deferred(&plan), "{plan:#?}");
    world.observed.cluster.status.template = plan.template;
    world
}

#[test]
fn a_template_that_only_this_one_makes_otherwise_waits() {
    let world = waiting();
    let again = world.plan();
    assert!(is_deferred(&again) && again.steps.is_empty(), "{again:#?}");
    assert_eq!(
        again.template, world.observed.cluster.status.template,
        "a fixpoint"
    );
}

#[test]
fn what_rolls_nothing_is_done_meanwhile() {
    let mut world = waiting();
    world.cluster.instances += 1;
    let plan = world.plan();
    assert!(is_deferred(&plan) && plan.steps.len() == 1, "{plan:#?}");
}

/// The world's manifest with an edit; the record of what decides the template is that of the edited one.
fn edited(world: &mut World, edit: impl FnOnce(&mut serde_json::Value)) {
    let mut object = serde_json::to_value(manifest("tuned")).unwrap();
    edit(&mut object);
    let manifest = serde_json::from_value(object).unwrap();
    world.cluster = Cluster::parse(&manifest, &world.config).unwrap();
    world.observed.cluster.inputs = spec_inputs(&serde_json::to_value(&manifest.spec).unwrap());
}

/// Its pods go on while it is made anew for a label of its claims, or because somebody deleted it: it is made as they are.
#[test]
fn a_stateful_set_that_is_made_anew_keeps_what_waits() {
    for found in [waiting as fn() -> World, left_by_an_older_one] {
        let mut world = found();
        let kept = pods(&mut world).clone();
        let stored = known(&mut world.observed.stateful_set).take().unwrap();
        let template = stored.spec.unwrap().template;
        world.observed.templates = [("first".to_owned(), Source::Known(Some(template)))].into();
        for pod in known(&mut world.observed.pods) {
            pod.revision = "first".to_owned();
        }
        let plan = world.plan();
        assert!(is_deferred(&plan), "{plan:#?}");
        let made = plan.steps.iter().find_map(|step| match &step.action {
            Action::Apply(object) => match &**object {
                Object::StatefulSet(made) => made.spec.as_ref()?.template.spec.clone(),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(made.unwrap().containers[0].env, kept.containers[0].env);
        world.observed.cluster.status.template.clone_from(&plan.template);
        world.execute(&plan);
        at_revision(&mut world, "first");
        assert!(is_deferred(&world.plan()), "{:#?}", world.plan());
        // What they were made of is not known any more.
        world.observed.stateful_set = Source::Known(None);
        world.observed.templates.clear();
        assert!(!is_deferred(&world.plan()));
    }
}

#[test]
fn settings_and_annotations_are_changed_meanwhile() {
    let mut world = waiting();
    edited(&mut world, |object| {
        object["spec"]["podAnnotations"]["note"] = "x".into();
        object["spec"]["postgresql"]["parameters"]["work_mem"] = "64MB".into();
    });
    let wanted = world.desired();
    for _ in 0..6 {
        let plan = world.plan();
        assert!(plan.rolled().is_empty(), "{plan:#?}");
        world.observed.cluster.status.template.clone_from(&plan.template);
        world.execute(&plan);
    }
    let plan = world.plan();
    assert!(is_deferred(&plan), "{plan:#?}");
    let metadata = |set: &mut Option<k8s_openapi::api::apps::v1::StatefulSet>| {
        let template = set.as_ref().unwrap().spec.as_ref().unwrap().template.clone();
        template.metadata
    };
    let mut stored = known(&mut world.observed.stateful_set).clone();
    let mut wanted = Some(wanted.stateful_set.known().unwrap().clone());
    assert_eq!(metadata(&mut stored), metadata(&mut wanted));
}

#[test]
fn the_next_change_that_rolls_takes_it_along() {
    let mut world = waiting();
    world.cluster.image = "another".to_owned();
    assert!(rolls(&world.plan()));
    world.settle();
    assert!(world.plan().steps.is_empty());
    let stored = pods(&mut world).containers[0].env.clone();
    assert_eq!(stored, {
        let mut desired = world.desired();
        let wanted = known(&mut desired.stateful_set);
        wanted
            .spec
            .as_mut()
            .unwrap()
            .template
            .spec
            .as_mut()
            .unwrap()
            .containers[0]
            .env
            .clone()
    });
}

#[test]
fn a_roll_that_is_asked_for_takes_it_along() {
    let mut world = waiting();
    let mark = (ROLLING_UPDATE_REQUIRED.to_owned(), "true".to_owned());
    known(&mut world.observed.pods)[1].annotations.extend([mark]);
    assert!(rolls(&world.plan()));
}

#[test]
fn an_edit_made_while_nobody_was_there_is_carried_out() {
    let mut world = left_by_an_older_one();
    let template = world.observed.cluster.status.template.as_mut().unwrap();
    template.inputs = "others".to_owned();
    assert!(rolls(&world.plan()));
}

#[test]
fn a_template_changed_by_hand_is_repaired_all_the_same() {
    let mut world = waiting();
    pods(&mut world).containers[0].image = Some("by hand".to_owned());
    at_revision(&mut world, "by-hand");
    assert!(world.plan().changes_stateful_set());
}

#[test]
fn without_a_memory_every_difference_is_wanted() {
    let mut world = left_by_an_older_one();
    world.observed.cluster.status.template = None;
    assert!(rolls(&world.plan()));
}

#[test]
fn what_is_beside_the_template_is_no_input() {
    let mut spec = serde_json::to_value(&manifest("tuned").spec).unwrap();
    let before = spec_inputs(&spec);
    spec["numberOfInstances"] = 7.into();
    spec["users"]["new"] = serde_json::json!([]);
    assert_eq!(spec_inputs(&spec), before);
    spec["dockerImage"] = "another".into();
    assert_ne!(spec_inputs(&spec), before);
}
