//! Laws of the end of a cluster: what goes, what stays, and that whoever is interrupted leaves enough for the next one to finish.

use pgherd_model::names::annotations::DELETION;
use pgherd_planner::observed::ClusterView;
use pgherd_planner::plan::{Action, Impact};

use crate::laws::{lines, worlds};
use crate::world::{World, known};

#[test]
fn deletion_takes_all_and_keeps_the_namespaces_account() {
    for (case, mut world) in worlds() {
        world.settle();
        world.observed.cluster.deletion_timestamp = Some("1970-01-01T00:00:00Z".to_owned());
        allow_deletion(&mut world);
        for _ in 0..5 {
            let plan = world.plan_deletion();
            world.execute(&plan);
        }
        assert_eq!(lines(&world.plan_deletion()), [""; 0], "{case}");
        let observed = &mut world.observed;
        assert!(
            known(&mut observed.secrets).is_empty() && known(&mut observed.claims).is_empty(),
            "{case}"
        );
        assert!(known(&mut observed.services).is_empty(), "{case}");
        assert!(known(&mut observed.disruption_budgets).is_empty(), "{case}");
        assert!(known(&mut observed.stateful_set).is_none(), "{case}");
        assert!(known(&mut observed.patroni_objects).is_empty(), "{case}");
        assert!(observed.cluster.finalizers.is_empty(), "{case}");
        assert!(known(&mut observed.service_account).is_some(), "{case}");
        assert!(known(&mut observed.role_binding).is_some(), "{case}");
    }
}

/// Whoever carries a deletion out can end between any two steps, and with it what it knows of an object that is gone.
#[test]
fn a_deletion_that_is_interrupted_is_finished_by_whoever_finds_its_mark() {
    for (case, mut world) in worlds() {
        // There Kubernetes removes it.
        if world.config.kubernetes.enable_owner_references {
            continue;
        }
        world.settle();
        let mut taken = 1;
        while let Some(mut world) = interrupted(world.clone(), taken) {
            let Some(mark) = mark_of(&mut world) else {
                assert!(
                    is_bare(&mut world),
                    "{case} after {taken} steps: nothing tells of the rest"
                );
                taken += 1;
                continue;
            };
            let identity = &world.cluster.identity;
            world.observed.cluster = ClusterView {
                namespace: identity.namespace.clone(),
                name: identity.name.clone(),
                annotations: [(DELETION.to_owned(), mark)].into(),
                ..ClusterView::default()
            };
            for _ in 0..5 {
                let plan = world.plan_deletion();
                world.execute(&plan);
            }
            assert!(is_bare(&mut world), "{case} after {taken} steps");
            assert_eq!(
                lines(&world.plan_deletion()),
                [""; 0],
                "{case} after {taken} steps"
            );
            taken += 1;
        }
        assert!(taken > 5, "{case}");
    }
}

/// After so many steps of its deletion; none when it has fewer.
fn interrupted(mut world: World, mut steps: usize) -> Option<World> {
    world.observed.cluster.finalizers.clear();
    allow_deletion(&mut world);
    loop {
        let mut plan = world.plan_deletion();
        if plan.steps.is_empty() {
            return None;
        }
        let ends = plan.steps.len() >= steps;
        plan.steps.truncate(steps);
        steps -= plan.steps.len();
        world.execute(&plan);
        if ends {
            return Some(world);
        }
    }
}

fn mark_of(world: &mut World) -> Option<String> {
    let set = known(&mut world.observed.stateful_set).as_ref()?;
    set.metadata.annotations.as_ref()?.get(DELETION).cloned()
}

fn is_bare(world: &mut World) -> bool {
    let observed = &mut world.observed;
    known(&mut observed.stateful_set).is_none()
        && known(&mut observed.pods).is_empty()
        && known(&mut observed.claims).is_empty()
        && known(&mut observed.secrets).is_empty()
        && known(&mut observed.services).is_empty()
        && known(&mut observed.disruption_budgets).is_empty()
        && known(&mut observed.patroni_objects).is_empty()
}

#[test]
fn an_object_that_comes_again_takes_the_mark_of_the_one_before_away() {
    for (case, mut world) in worlds() {
        world.settle();
        let members = world.cluster.instances;
        let mut world = interrupted(world, 1).unwrap();
        assert!(mark_of(&mut world).is_some(), "{case}");
        let plan = world.plan();
        let first = &plan.steps[0].action;
        assert!(matches!(first, Action::Patch { .. }), "{case}: {first}");
        world.execute(&plan);
        assert_eq!(mark_of(&mut world), None, "{case}");
        world.settle();
        let set = known(&mut world.observed.stateful_set).clone().unwrap();
        assert_eq!(set.spec.unwrap().replicas, Some(members), "{case}");
    }
}

pub(crate) fn allow_deletion(world: &mut World) {
    let kubernetes = &world.config.kubernetes;
    let annotations = &mut world.observed.cluster.annotations;
    let name = world.cluster.identity.name.clone();
    for (key, value) in [
        (&kubernetes.delete_annotation_date_key, "1970-01-01".to_owned()),
        (&kubernetes.delete_annotation_name_key, name),
    ] {
        annotations.extend(key.clone().map(|key| (key, value)));
    }
}

#[test]
fn without_its_switch_no_data_is_deleted() {
    for (case, mut world) in worlds() {
        world.settle();
        world.config.kubernetes.enable_persistent_volume_claim_deletion = false;
        world.config.kubernetes.enable_secrets_deletion = false;
        allow_deletion(&mut world);
        let (claims, secrets) = (world.observed.claims.clone(), world.observed.secrets.clone());
        for _ in 0..5 {
            let plan = world.plan_deletion();
            assert!(plan.impact() < Impact::DataRewrite, "{case}");
            world.execute(&plan);
        }
        assert_eq!(
            (&world.observed.claims, &world.observed.secrets),
            (&claims, &secrets),
            "{case}"
        );
    }
}
