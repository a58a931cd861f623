//! What pods are given as they run, and what of it is taken back: annotations that came to the manifest after a pod was made, and left it again.

use pgherd_model::cluster::Cluster;
use pgherd_planner::observed::PodView;
use pgherd_planner::plan::{Action, Plan};
use serde_json::json;

use crate::recorded::{config, environment, manifest};
use crate::world::{World, known};

const NOTE: &str = "example.org/note";

/// A cluster that runs, whose pods were made before the note came to the manifest.
fn given() -> World {
    let (config, manifest) = (config("A"), manifest("tuned"));
    let cluster = Cluster::parse(&manifest, &config).unwrap();
    let mut world = World::new(cluster, config, environment("A"));
    world.settle();
    note(&mut world, Some("1"));
    world.settle();
    assert!(pods(&mut world).iter().all(|pod| pod.annotations[NOTE] == "1"));
    // Kubernetes remembers that we wrote it.
    let stored = known(&mut world.observed.stateful_set).as_mut().unwrap();
    let fields = json!([{"manager": "pgherd", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {format!("f:{NOTE}"): {}}}}}}}]);
    stored.metadata.managed_fields = serde_json::from_value(fields).unwrap();
    world
}

fn note(world: &mut World, value: Option<&str>) {
    let mut object = serde_json::to_value(manifest("tuned")).unwrap();
    if let Some(value) = value {
        object["spec"]["podAnnotations"][NOTE] = value.into();
    }
    world.cluster = Cluster::parse(&serde_json::from_value(object).unwrap(), &world.config).unwrap();
}

fn pods(world: &mut World) -> &mut Vec<PodView> {
    known(&mut world.observed.pods)
}

fn has_it(world: &mut World) -> usize {
    let has = |pod: &&PodView| pod.annotations.contains_key(NOTE);
    pods(world).iter().filter(has).count()
}

#[test]
fn what_a_pod_was_given_as_it_ran_is_taken_back() {
    let mut world = given();
    note(&mut world, None);
    world.settle();
    assert_eq!(has_it(&mut world), 0);
    assert!(world.plan().steps.is_empty(), "{:#?}", world.plan());
}

/// Nothing but the stored template tells that it was given: that is changed last.
#[test]
fn who_is_interrupted_leaves_enough_for_the_next_one() {
    let mut taken = 0;
    loop {
        let mut world = given();
        note(&mut world, None);
        let plan = world.plan();
        if taken == plan.steps.len() {
            break;
        }
        let steps = plan.steps.into_iter().take(taken).collect();
        world.execute(&Plan {
            steps,
            ..Plan::default()
        });
        world.settle();
        assert_eq!(has_it(&mut world), 0, "after {taken} steps");
        taken += 1;
    }
    assert!(taken > 2, "a step for each pod, and the StatefulSet");
}

#[test]
fn what_somebody_else_wrote_stays() {
    let mut world = given();
    pods(&mut world)[0]
        .annotations
        .insert(NOTE.to_owned(), "by hand".to_owned());
    pods(&mut world)[1].terminating = true;
    note(&mut world, None);
    let plan = world.plan();
    assert!(plan.changes_stateful_set());
    let taken = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Relabel {
            target, annotations, ..
        } if annotations.get(NOTE) == Some(&None) => Some(target.name.as_str()),
        _ => None,
    });
    assert_eq!(
        taken.collect::<Vec<_>>(),
        ["tuned-2"],
        "not by hand, and not one that goes"
    );
}

/// Kubernetes refuses a template without it; the pods would have lost it all the same.
#[test]
fn what_a_stateful_set_finds_its_pods_by_stays_on_them() {
    let mut world = given();
    let one = || (NOTE.to_owned(), "1".to_owned());
    let stored = known(&mut world.observed.stateful_set).as_mut().unwrap();
    let fields = json!([{"manager": "pgherd", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:metadata": {"f:labels": {format!("f:{NOTE}"): {}}}}}}}]);
    stored.metadata.managed_fields = serde_json::from_value(fields).unwrap();
    let template = &mut stored.spec.as_mut().unwrap().template;
    let labels = &mut template.metadata.as_mut().unwrap().labels;
    labels.get_or_insert_default().extend([one()]);
    for pod in pods(&mut world) {
        pod.labels.extend([one()]);
    }
    let loses = |world: &mut World| {
        let plan = world.plan();
        assert!(plan.changes_stateful_set());
        let is_lost =
            |action: &Action| matches!(action, Action::Relabel { labels, .. } if labels.contains_key(NOTE));
        plan.steps.iter().any(|step| is_lost(&step.action))
    };
    assert!(loses(&mut world));
    let stored = known(&mut world.observed.stateful_set).as_mut().unwrap();
    let selector = &mut stored.spec.as_mut().unwrap().selector.match_labels;
    selector.get_or_insert_default().extend([one()]);
    assert!(!loses(&mut world));
}
