//! Laws of plans, tried on every recorded manifest, from every other, and after every kind of damage.

use std::sync::LazyLock;

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::units::Quantity;
use pgherd_planner::observed::{Observed, Source};
use pgherd_planner::plan::{Action, HoldReason, Plan, Propagation};
use proptest::prelude::*;
use serde_json::json;

use crate::deletion::allow_deletion;
use crate::recorded::{clusters, config, environment, manifest};
use crate::world::{World, known};

/// A configuration by name, and every cluster under it.
struct Setting {
    name: &'static str,
    config: OperatorConfig,
    clusters: Vec<(String, Cluster)>,
}

static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    ["A", "B", "C"]
        .map(|name| {
            let config = config(name);
            let clusters = clusters(&config);
            Setting {
                name,
                config,
                clusters,
            }
        })
        .into()
});

impl Setting {
    fn world(&self, cluster: &Cluster) -> World {
        World::new(cluster.clone(), self.config.clone(), environment(self.name))
    }
}

pub(crate) fn worlds() -> Vec<(String, World)> {
    let of = |setting: &'static Setting| {
        let world = |(case, cluster): &(String, Cluster)| {
            (format!("{}/{case}", setting.name), setting.world(cluster))
        };
        setting.clusters.iter().map(world)
    };
    SETTINGS.iter().flat_map(of).collect()
}

fn settled(config_name: &str, case: &str) -> World {
    let config = config(config_name);
    let cluster = Cluster::parse(&manifest(case), &config).unwrap();
    let mut world = World::new(cluster, config, environment(config_name));
    world.settle();
    world
}

pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(ToString::to_string).collect()
}

/// Nothing of a living cluster is ever deleted, and nothing that is there is filled anew.
/// A StatefulSet goes without its pods.
fn is_harmless(action: &Action) -> bool {
    match action {
        Action::Delete { target, propagation } => {
            target.kind == "StatefulSet" && *propagation == Propagation::Orphan
        }
        _ => !matches!(action, Action::FillSecret(_)),
    }
}

#[test]
fn every_cluster_is_made_and_then_left_alone() {
    for (case, mut world) in worlds() {
        let plans = world.settle();
        assert!(
            plans
                .iter()
                .flat_map(|plan| &plan.steps)
                .all(|step| is_harmless(&step.action)),
            "{case}"
        );
        assert!(plans[0].steps.len() >= 7, "{case}: {:?}", lines(&plans[0]));
        assert_eq!(lines(&world.plan()), [""; 0], "{case}");
        let mut holds = world.plan().holds;
        // An owner that nobody defines is the manifest's fault.
        holds.retain(|hold| !matches!(hold.reason, HoldReason::Lacking(_)));
        assert_eq!(holds, [], "{case}");
    }
}

#[test]
fn creation_is_in_order() {
    let plan = World::new(
        Cluster::parse(&manifest("accounts"), &config("B")).unwrap(),
        config("B"),
        environment("B"),
    )
    .plan();
    let kinds: Vec<String> = plan
        .steps
        .iter()
        .map(|step| match &step.action {
            Action::Apply(object) => object.kind().to_owned(),
            other => other.kind().to_owned(),
        })
        .collect();
    let mut order = kinds.clone();
    order.dedup();
    assert_eq!(
        order,
        [
            "AddFinalizer",
            "ServiceAccount",
            "RoleBinding",
            "Endpoints",
            "Service",
            "CreateSecret",
            "PodDisruptionBudget",
            "StatefulSet"
        ]
    );
    assert!(
        plan.holds
            .iter()
            .any(|hold| matches!(hold.reason, HoldReason::MembersNotReady { .. }))
    );
    assert!(plan.wake_after.is_some());
}

#[test]
fn a_plan_depends_on_nothing_but_its_inputs() {
    let all = worlds().into_iter().filter(|(case, _)| case.starts_with('B'));
    for (case, mut world) in all {
        for _ in 0..3 {
            let (plan, again) = (world.plan(), world.plan());
            assert_eq!(plan, again, "{case}");
            let snapshot = serde_json::to_string(&world.observed).unwrap();
            let observed: Observed = serde_json::from_str(&snapshot).unwrap();
            let live = std::mem::replace(&mut world.observed, observed);
            assert_eq!(
                lines(&plan),
                lines(&world.plan()),
                "{case}: from the printed snapshot"
            );
            world.observed = live;
            world.execute(&plan);
            world.pass();
        }
    }
}

#[test]
fn no_key_is_shown() {
    let config = config("A");
    let mut raw = manifest("clone-bucket");
    raw.spec.clone.as_mut().unwrap().s3_secret_access_key = Some("swordfish".to_owned().into());
    let cluster = Cluster::parse(&raw, &config).unwrap();
    let mut world = World::new(cluster, config, environment("A"));
    let plan = world.plan();
    let desired = world.desired();
    world.execute(&plan);
    let observed = &world.observed;
    let shown = [
        format!("{plan:?} {desired:?} {observed:?} {:?}", lines(&plan)),
        serde_json::to_string(&(&plan, &desired, observed)).unwrap(),
    ];
    assert!(shown.iter().all(|text| !text.contains("swordfish")));
    let sent = plan.steps.iter().any(|step| match &step.action {
        Action::Apply(object) => object.to_value().to_string().contains("swordfish"),
        _ => false,
    });
    assert!(sent, "the pods need it");
}

#[test]
fn secrets_that_are_there_are_adopted_and_keep_their_passwords() {
    let config = config("A");
    let cluster = Cluster::parse(&manifest("adopted"), &config).unwrap();
    let mut world = World::new(cluster, config, environment("A"));
    for draft in world.desired().secrets {
        let view = pgherd_planner::observed::SecretView {
            namespace: draft.namespace,
            name: draft.name,
            username: Some(draft.username),
            has_password: true,
            ..Default::default()
        };
        known(&mut world.observed.secrets).push(view);
    }
    let plan = world.plan();
    let secrets: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| step.action.kind())
        .filter(|kind| kind.ends_with("Secret"))
        .collect();
    assert!(
        !secrets.is_empty() && secrets.iter().all(|kind| *kind == "LabelSecret"),
        "{secrets:?}"
    );
}

#[test]
fn a_secret_of_another_role_is_not_ours() {
    let mut world = settled("A", "minimal");
    known(&mut world.observed.secrets)[0].username = Some("somebody".to_owned());
    let plan = world.plan();
    assert_eq!(lines(&plan), [""; 0]);
    assert!(matches!(plan.holds[0].reason, HoldReason::NotOurs(_)));
    known(&mut world.observed.secrets)[0].username = Some("postgres260102".to_owned());
    assert!(world.plan().is_empty(), "a rotated name is the role's own");
}

#[test]
fn more_members_are_a_plain_patch_and_fewer_wait_for_the_primary() {
    let mut world = settled("A", "minimal");
    world.cluster.instances = 3;
    assert_eq!(
        lines(&world.plan()),
        ["scale StatefulSet default/minimal to 3 (from 2 to 3 members)"]
    );
    world.settle();
    world.cluster.instances = 1;
    for (pod, role) in known(&mut world.observed.pods)
        .iter_mut()
        .zip(["replica", "replica", "master"])
    {
        pod.role_label = role.to_owned();
    }
    let plan = world.plan();
    assert_eq!(lines(&plan), [""; 0]);
    assert!(
        plan.holds
            .iter()
            .any(|hold| hold.reason == HoldReason::PrimaryWouldGo("minimal-2".to_owned()))
    );
    world.pass();
    assert_eq!(
        lines(&world.plan()),
        ["scale StatefulSet default/minimal to 1 (from 3 to 1 members) [replica restart]"]
    );
}

#[test]
fn members_that_are_up_do_not_go_for_one_that_is_broken() {
    let mut world = settled("A", "minimal");
    world.cluster.instances = 3;
    world.settle();
    world.cluster.instances = 2;
    known(&mut world.observed.pods)[1].trouble = "CrashLoopBackOff".to_owned();
    let plan = world.plan();
    assert_eq!(lines(&plan), [""; 0]);
    let broken = HoldReason::HealthyWouldGo(vec!["minimal-1".to_owned()]);
    assert!(plan.holds.iter().any(|hold| hold.reason == broken), "{plan:?}");
    for (members, why) in [(1, "the broken one goes itself"), (0, "all go")] {
        world.cluster.instances = members;
        let mut steps = world.plan().steps.into_iter();
        assert!(
            steps.any(|step| matches!(step.action, Action::Scale { .. })),
            "{why}"
        );
    }
}

#[test]
fn members_that_are_up_do_not_go_for_one_that_has_no_pod() {
    let mut world = settled("A", "minimal");
    world.cluster.instances = 3;
    world.settle();
    world.cluster.instances = 2;
    known(&mut world.observed.pods).remove(1);
    let plan = world.plan();
    let missing = HoldReason::HealthyWouldGo(vec!["minimal-1".to_owned()]);
    assert!(plan.holds.iter().any(|hold| hold.reason == missing), "{plan:?}");
    let mut steps = plan.steps.iter();
    assert!(!steps.any(|step| matches!(step.action, Action::Scale { .. })));
}

#[test]
fn the_labels_by_which_pods_keep_apart_make_none_anew() {
    let mut world = settled("A", "minimal");
    world.config.kubernetes.enable_pod_antiaffinity = true;
    assert!(
        !world.plan().rolled().is_empty(),
        "to keep apart is another thing"
    );
    world.settle();
    world.cluster.identity.team = "another".to_owned();
    let plan = world.plan();
    assert!(
        plan.changes_stateful_set() && plan.rolled().is_empty(),
        "{plan:?}"
    );
    world.settle();
    assert!(world.plan().steps.is_empty());
}

#[test]
fn volumes_grow_claim_by_claim_and_never_shrink() {
    let mut world = settled("A", "minimal");
    world.cluster.storage.size = Quantity::parse("2Gi").unwrap();
    assert_eq!(
        lines(&world.plan()),
        [
            "grow PersistentVolumeClaim default/pgdata-minimal-0 to 2Gi (from 1Gi to 2Gi)",
            "grow PersistentVolumeClaim default/pgdata-minimal-1 to 2Gi (from 1Gi to 2Gi)"
        ]
    );
    world.settle();
    world.cluster.storage.size = Quantity::parse("1Gi").unwrap();
    let plan = world.plan();
    assert_eq!(lines(&plan), [""; 0]);
    assert!(
        plan.holds
            .iter()
            .any(|hold| matches!(hold.reason, HoldReason::Immutable(_)))
    );
}

#[test]
fn parameters_go_through_patroni_and_only_those_that_differ() {
    let mut world = settled("A", "tuned");
    assert_eq!(lines(&world.plan()), [""; 0]);
    world
        .cluster
        .postgres
        .dynamic_parameters
        .insert("work_mem".to_owned(), "16MB".to_owned());
    let plan = world.plan();
    assert_eq!(
        lines(&plan),
        ["patch patroni's configuration: work_mem (differs at /postgresql/parameters/work_mem) [reload]"]
    );
    let Action::PatchPatroni(patch) = &plan.steps[0].action else {
        panic!()
    };
    assert_eq!(
        *patch,
        json!({ "postgresql": { "parameters": { "work_mem": "16MB" } } })
    );
}

#[test]
fn a_pod_of_an_older_template_is_made_anew() {
    let mut world = settled("A", "minimal");
    let stateful_set = known(&mut world.observed.stateful_set).as_mut().unwrap();
    stateful_set.status =
        Some(serde_json::from_value(json!({ "replicas": 2, "updateRevision": "new" })).unwrap());
    for (pod, revision) in known(&mut world.observed.pods).iter_mut().zip(["new", "old"]) {
        pod.revision = revision.to_owned();
    }
    let plan = world.plan();
    assert_eq!(
        lines(&plan),
        [
            "relabel Pod default/minimal-1: pgherd.io/roll-marked, \
             zalando-postgres-operator-rolling-update-required (a roll is under way)",
            "try the template of StatefulSet default/minimal for minimal-1 (older template)",
            "make Pod default/minimal-1 anew (older template) [replica restart]"
        ]
    );
    assert_eq!(plan.rolled(), ["minimal-1"]);
}

/// Damage to a cluster that was as it should be.
fn damage(world: &mut World, what: usize) {
    let observed = &mut world.observed;
    match what {
        0 => observed.stateful_set = Source::Known(None),
        1 => known(&mut observed.services).clear(),
        2 => _ = known(&mut observed.secrets).pop(),
        3 => known(&mut observed.disruption_budgets).truncate(1),
        4 => {
            for service in known(&mut observed.services) {
                service.spec.as_mut().unwrap().type_ = Some("ExternalName".to_owned());
            }
        }
        5 => known(&mut observed.services)
            .iter_mut()
            .for_each(|service| service.metadata.labels = None),
        6 => {
            if let Some(stateful_set) = known(&mut observed.stateful_set) {
                let pod = stateful_set
                    .spec
                    .as_mut()
                    .unwrap()
                    .template
                    .spec
                    .as_mut()
                    .unwrap();
                pod.containers[0].env.as_mut().unwrap().clear();
            }
        }
        7 => known(&mut observed.secrets)[0].labels.clear(),
        8 => observed.service_account = Source::Known(None),
        9 => observed.endpoints = Source::Known(None),
        10 => known(&mut observed.disruption_budgets)[0].spec = None,
        11 => {
            let roles = observed.catalog.known().map(|catalog| catalog.roles.clone());
            if let (Some(roles), Source::Known(catalog)) = (roles, &mut observed.catalog) {
                catalog.roles = roles.into_iter().take(1).collect();
            }
        }
        _ => observed.role_binding = Source::Known(None),
    }
}

/// A source that does not answer.
fn silence(observed: &mut Observed, which: usize) {
    let reason = || "does not answer".to_owned();
    match which {
        0 => observed.stateful_set = Source::Unknown(reason()),
        1 => observed.services = Source::Unknown(reason()),
        2 => observed.secrets = Source::Unknown(reason()),
        3 => observed.pods = Source::Unknown(reason()),
        4 => observed.claims = Source::Unknown(reason()),
        5 => observed.patroni = Source::Unknown(reason()),
        6 => observed.catalog = Source::Unknown(reason()),
        _ => observed.disruption_budgets = Source::Unknown(reason()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edit_and_any_damage_settle(
        setting in 0_usize..3, from in 0_usize..28, to in 0_usize..28, hits in prop::collection::vec(0_usize..13, 0..3),
    ) {
        let setting = &SETTINGS[setting];
        let mut world = setting.world(&setting.clusters[from].1);
        world.settle();
        // The same cluster, with the spec of another one.
        let mut raw = manifest(&setting.clusters[to].0);
        raw.metadata = manifest(&setting.clusters[from].0).metadata;
        world.cluster = Cluster::parse(&raw, &setting.config).unwrap();
        for what in hits {
            damage(&mut world, what);
        }
        let plans = world.settle();
        prop_assert!(plans.iter().flat_map(|plan| &plan.steps).all(|step| is_harmless(&step.action)));
        prop_assert_eq!(lines(&world.plan()), [""; 0]);
    }

    #[test]
    fn nothing_is_concluded_from_silence(setting in 0_usize..3, case in 0_usize..28, quiet in 0_usize..8) {
        let setting = &SETTINGS[setting];
        let mut world = setting.world(&setting.clusters[case].1);
        world.settle();
        silence(&mut world.observed, quiet);
        prop_assert_eq!(lines(&world.plan()), [""; 0]);
        allow_deletion(&mut world);
        // Patroni and the database are not asked when a cluster goes.
        if quiet != 5 && quiet != 6 {
            let plan = world.plan_deletion();
            prop_assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::RemoveFinalizer(_))));
        }
    }
}
