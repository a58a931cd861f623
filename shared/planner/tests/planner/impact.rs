//! What is said about an edit beside what the plan then does in a world in which the old manifest is in force.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use pgherd_model::api;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::default;
use pgherd_planner::impact::{LINE_LIMIT, of_edit};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded::{config, data, documents, environment};
use crate::world::{NOW, World};

mod fleet;
mod restarts;
pub(crate) mod rolled;
mod taken_back;

use rolled::carry_out;

/// Stands in every value that could be secret.
const SECRET: &str = "swordfish";

fn manifest(case: &str) -> Value {
    let mut object = documents(&data().join(format!("golden/manifests/{case}.yaml"))).remove(0);
    object["metadata"]["uid"] = json!("0b1f");
    object["metadata"]["namespace"] = json!("default");
    object
}

/// A cluster of three with a bit of everything.
fn demo() -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-demo", "namespace": "default", "uid": "0b1f"},
        "spec": {
            "teamId": "acid", "numberOfInstances": 3, "volume": {"size": "1Gi"},
            "postgresql": {"version": "17", "parameters": {"work_mem": "4MB"}},
            "users": {"shop": []}, "databases": {"shop": "shop"},
        },
    })
}

/// The same with what `patch` (RFC 7396) says.
fn with(base: &Value, patch: &Value) -> Value {
    let mut object = base.clone();
    json_patch::merge(&mut object, patch);
    object
}

fn under(config: &OperatorConfig, old: &Value, new: &Value) -> Vec<String> {
    of_edit(old, new, config, NOW)
}

/// What is said about a patch of the spec of [`demo`].
fn said(patch: &Value) -> Vec<String> {
    under(&config("A"), &demo(), &with(&demo(), &json!({ "spec": patch })))
}

#[test]
fn pods_roll_for_their_template() {
    assert_eq!(
        said(&json!({"dockerImage": "registry.example/spilo:2"})),
        ["rolls 3 pods: replicas first, then 1 switchover (image)"]
    );
    assert_eq!(
        said(&json!({
            "resources": {"requests": {"cpu": "2"}},
            "env": [{"name": "LOG_LEVEL", "value": SECRET}],
            "postgresql": {"parameters": {"shared_buffers": "1GB"}},
        })),
        ["rolls 3 pods: replicas first, then 1 switchover (LOG_LEVEL, shared_buffers, resources)"]
    );
    let lines = said(&json!({"patroni": {"pg_hba": ["hostssl all all 10.0.0.0/8 scram-sha-256"]}}));
    assert_eq!(
        lines[..2],
        [
            "rolls 3 pods: replicas first, then 1 switchover (pg_hba)",
            "pg_hba cannot be reloaded: members read it from their pods' environment, which wins over Patroni's configuration"
        ]
    );
    let one = with(&demo(), &json!({"spec": {"numberOfInstances": 1}}));
    let image = with(
        &one,
        &json!({"spec": {"dockerImage": "registry.example/spilo:2"}}),
    );
    assert_eq!(
        under(&config("A"), &one, &image),
        ["rolls 1 pod: the database is away until it is back (image)"]
    );
    let none = with(&demo(), &json!({"spec": {"numberOfInstances": 0}}));
    let image = with(
        &none,
        &json!({"spec": {"dockerImage": "registry.example/spilo:2"}}),
    );
    assert_eq!(
        under(&config("A"), &none, &image),
        ["updates in place: 1 stateful set"]
    );
}

#[test]
fn who_takes_over_is_told() {
    let image = json!({"spec": {"dockerImage": "registry.example/spilo:2"}});
    let told = |old: &Value, patch: &Value| under(&config("A"), old, &with(&with(old, &image), patch));
    let one = with(&demo(), &json!({"spec": {"numberOfInstances": 1}}));
    assert_eq!(
        told(&one, &json!({"spec": {"numberOfInstances": 3}})),
        [
            "rolls 1 pod: when the new members are up, after 1 switchover (image)",
            "adds 2 members (from 1 to 3)"
        ]
    );
    assert_eq!(
        told(&demo(), &json!({"spec": {"numberOfInstances": 1}}))[0],
        "rolls 1 pod: the database is away until it is back (image)"
    );
    let standby = with(
        &demo(),
        &json!({"spec": {"standby": {"standby_host": "10.0.0.1"}}}),
    );
    assert_eq!(
        told(&standby, &json!({})),
        ["rolls 3 pods: replicas first, then 1 switchover of the standby leader (image)"]
    );
}

#[test]
fn a_cluster_that_is_not_live_is_left_alone_for_now() {
    let roll = "rolls 3 pods: replicas first, then 1 switchover (image)";
    let told = |before: &str, after: &str| {
        let old = with(
            &demo(),
            &json!({"metadata": {"annotations": {"pgherd.io/mode": before}}}),
        );
        let patch = json!({
            "metadata": {"annotations": {"pgherd.io/mode": after}}, "spec": {"dockerImage": "registry.example/spilo:2"},
        });
        under(&config("A"), &old, &with(&old, &patch))
    };
    let paused = "nothing is done now: the cluster is paused (pgherd.io/mode); when it is live again:";
    assert_eq!(told("paused", "paused"), [paused, roll]);
    assert_eq!(told("live", "paused"), [paused, roll]);
    assert!(told("observe", "observe")[0].starts_with("nothing is done now: the cluster is only observed"));
    assert_eq!(told("paused", "live"), [roll]);
}

#[test]
fn what_reloads_does_not_roll() {
    assert_eq!(
        said(&json!({"postgresql": {"parameters": {"work_mem": "16MB"}}, "patroni": {"ttl": 60}})),
        ["reload only (ttl, work_mem)"]
    );
}

#[test]
fn postgres_restarts_for_some_parameters() {
    let parameters = |parameters: &Value| said(&json!({"postgresql": {"parameters": parameters}}));
    assert_eq!(
        parameters(&json!({"max_connections": "200", "work_mem": "8MB"})),
        [
            "restarts Postgres on 3 pods, primary last (max_connections)",
            "reloads Postgres (work_mem)"
        ]
    );
    assert_eq!(
        parameters(&json!({"max_connections": "50"})),
        ["restarts Postgres on 3 pods, primary first (max_connections)"]
    );
    assert_eq!(
        parameters(&json!({"max_connections": "100"})),
        ["reload only (max_connections)"],
        "it is what Patroni sets without being told"
    );
    let both = said(&json!({
        "dockerImage": "registry.example/spilo:2", "postgresql": {"parameters": {"max_connections": "200"}},
    }));
    assert_eq!(
        both,
        ["rolls 3 pods: replicas first, then 1 switchover (image, max_connections)"],
        "a pod that is made anew needs no other restart"
    );
}

#[test]
fn an_image_that_is_put_off_rolls_nothing() {
    let mut lazy = config("A");
    lazy.general.enable_lazy_spilo_upgrade = true;
    let new = with(
        &demo(),
        &json!({"spec": {"dockerImage": "registry.example/spilo:2"}}),
    );
    assert_eq!(
        under(&lazy, &demo(), &new),
        [
            "keeps the running pods on their image until they roll for another reason (enable_lazy_spilo_upgrade)",
            "updates in place: 1 stateful set"
        ]
    );
}

#[test]
fn members_come_and_go() {
    assert_eq!(
        said(&json!({"numberOfInstances": 5})),
        ["adds 2 members (from 3 to 5)"]
    );
    assert_eq!(
        said(&json!({"numberOfInstances": 1})),
        ["removes 2 members (acid-demo-2, acid-demo-1), volumes stay"]
    );
    assert_eq!(
        said(&json!({"numberOfInstances": 0})),
        ["removes all 3 members: the database stops, volumes stay"]
    );
}

#[test]
fn volumes_services_roles_and_databases_are_named() {
    assert_eq!(
        said(&json!({"volume": {"size": "2Gi"}})),
        ["grows 3 volumes from 1Gi to 2Gi"]
    );
    assert_eq!(
        said(&json!({
            "users": {"shop": ["createdb"], "audit": [], "report": []}, "databases": {"audit": "audit"},
        })),
        [
            "creates roles audit, report",
            "changes role shop",
            "creates database audit"
        ]
    );
    assert_eq!(
        said(&json!({"enableMasterLoadBalancer": false})),
        ["changes service acid-demo (source ranges, type)"]
    );
    assert_eq!(
        said(&json!({"users": null, "databases": null})),
        [""; 0],
        "a rule says what becomes of them"
    );
    assert_eq!(
        said(&json!({"postgresql": {"parameters": null}})),
        [
            "reload only (work_mem)",
            "goes back to its default, no longer named here: work_mem"
        ]
    );
    assert_eq!(
        said(&json!({"preparedDatabases": {"stock": {"schemas": {"raw": {}}}}}))
            .last()
            .unwrap(),
        "creates database stock"
    );
}

#[test]
fn a_roll_waits_for_its_window() {
    let old = with(
        &demo(),
        &json!({"spec": {"maintenanceWindows": ["Sat:02:00-04:00", "Sun:01:00-01:30"]}}),
    );
    let new = with(
        &old,
        &json!({"spec": {"dockerImage": "registry.example/spilo:2"}}),
    );
    let at = |text: &str| of_edit(&old, &new, &config("A"), text.parse::<Timestamp>().unwrap());
    assert_eq!(
        at("2026-11-24T12:00:00Z"),
        [
            "rolls 3 pods: replicas first, then 1 switchover (image)",
            "waits for the window Sat 02:00-04:00 UTC, opens 2026-11-28T02:00Z"
        ]
    );
    assert_eq!(at("2026-11-28T03:00:00Z").len(), 1, "the window is open");
    assert!(at("2026-11-28T05:00:00Z")[1].contains("Sun 01:00-01:30 UTC, opens 2026-11-29T01:00Z"));
}

#[test]
fn a_file_without_what_the_api_server_adds_is_the_same_cluster() {
    let mut stored = demo();
    stored["metadata"]["generation"] = json!(4);
    stored["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    stored["status"] = json!({"PostgresClusterStatus": "Running"});
    let mut file = demo();
    file["metadata"] = json!({"name": "acid-demo"});
    file["spec"].as_object_mut().unwrap().remove("teamId");
    let config = config("B");
    assert_eq!(under(&config, &stored, &file), [""; 0]);
    assert_eq!(under(&config, &file, &stored), [""; 0]);
}

#[test]
fn manifests_that_cannot_be_used_are_not_guessed_at() {
    let broken = with(&demo(), &json!({"spec": {"volume": {"size": "much"}}}));
    let of = |old: &Value, new: &Value| under(&config("A"), old, new);
    assert!(of(&broken, &demo())[0].starts_with("what this does is not known"));
    assert!(of(&demo(), &broken)[0].starts_with("takes no effect"));
    let going = with(
        &demo(),
        &json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"dockerImage": "x"}}),
    );
    assert_eq!(of(&demo(), &going), [""; 0]);
    for odd in [json!(null), json!([]), json!({"spec": []})] {
        assert_eq!(of(&odd, &demo()).len(), 1);
        assert_eq!(of(&demo(), &odd).len(), 1);
    }
}

/// One change of a manifest; the number varies it.
type Edit = fn(u8) -> Value;

/// Patches of the spec, over everything that reaches an object, a role or Patroni.
const EDITS: &[Edit] = &[
    |n| json!({"dockerImage": format!("registry.example/spilo:{n}")}),
    |n| json!({"numberOfInstances": n % 5}),
    |n| json!({"resources": {"requests": {"cpu": format!("{}m", 100 + u16::from(n))}}}),
    |n| json!({"resources": {"limits": {"memory": format!("{}Mi", 500 + u16::from(n))}}}),
    |n| json!({"volume": {"size": format!("{}Gi", 1 + n % 20)}}),
    |n| json!({"volume": {"storageClass": format!("class-{}", n % 3)}}),
    |n| json!({"postgresql": {"version": (15 + n % 3).to_string()}}),
    |n| json!({"postgresql": {"parameters": {"work_mem": format!("{n}MB")}}}),
    |n| json!({"postgresql": {"parameters": {"max_connections": (100 + u16::from(n)).to_string()}}}),
    |n| json!({"postgresql": {"parameters": {"shared_buffers": format!("{n}MB")}}}),
    |n| json!({"postgresql": {"parameters": {"archive_command": format!("{SECRET} {n}")}}}),
    |_| json!({"postgresql": {"parameters": null}}),
    |n| json!({"patroni": {"ttl": 30 + n % 90, "loop_wait": 5 + n % 10}}),
    |n| json!({"patroni": {"pg_hba": [format!("hostssl all all 10.{n}.0.0/16 scram-sha-256")]}}),
    |n| json!({"patroni": {"synchronous_mode": n % 2 == 0, "failsafe_mode": n % 3 == 0}}),
    |n| json!({"patroni": {"slots": {format!("slot_{}", n % 3): {"type": "physical"}}}}),
    |n| json!({"patroni": {"initdb": {"locale": format!("l{}", n % 3)}}}),
    |n| json!({"users": {format!("user_{}", n % 7): if n % 2 == 0 { json!(["createdb"]) } else { json!([]) }}}),
    |n| json!({"users": {"shop": []}, "databases": {format!("db_{}", n % 5): "shop"}}),
    |n| json!({"preparedDatabases": {format!("ready_{}", n % 3): {"extensions": {"hstore": "public"}, "defaultUsers": n % 2 == 0}}}),
    |n| json!({"preparedDatabases": {"ready_0": {"schemas": {format!("part_{}", n % 3): {}}}}}),
    |n| json!({"usersWithSecretRotation": [format!("user_{}", n % 7)]}),
    |n| json!({"env": [{"name": format!("OWN_{}", n % 3), "value": format!("{SECRET}{n}")}]}),
    |n| json!({"sidecars": [{"name": format!("side-{}", n % 2), "image": format!("registry.example/side:{n}")}]}),
    |n| json!({"initContainers": [{"name": "first", "image": format!("registry.example/first:{n}")}]}),
    |n| json!({"tolerations": [{"key": format!("key-{}", n % 3), "operator": "Exists"}]}),
    |n| {
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": [format!("z{}", n % 3)]}]}]}}})
    },
    |n| json!({"podAnnotations": {"note": format!("n{n}")}}),
    |n| json!({"podPriorityClassName": format!("class-{}", n % 3)}),
    |n| json!({"schedulerName": format!("scheduler-{}", n % 3)}),
    |n| json!({"spiloRunAsUser": 100 + u16::from(n % 4), "spiloFSGroup": 100 + u16::from(n % 3)}),
    |n| json!({"enableShmVolume": n % 2 == 0}),
    |n| json!({"tls": {"secretName": format!("tls-{}", n % 2)}}),
    |n| json!({"additionalVolumes": [{"name": "more", "mountPath": format!("/more{}", n % 3), "volumeSource": {"emptyDir": {}}}]}),
    |n| json!({"enableMasterLoadBalancer": n % 2 == 0, "enableReplicaLoadBalancer": n % 3 == 0}),
    |n| json!({"enableMasterLoadBalancer": true, "allowedSourceRanges": [format!("10.{n}.0.0/16")]}),
    |n| json!({"serviceAnnotations": {"note": format!("n{}", n % 3)}}),
    |n| json!({"enableMasterNodePort": n % 2 == 0}),
    |n| json!({"maintenanceWindows": [format!("{:02}:00-{:02}:30", n % 24, n % 24)]}),
    |n| json!({"teamId": format!("team{}", n % 3)}),
    |n| json!({"clone": {"cluster": format!("source-{}", n % 2)}}),
    |n| json!({"standby": {"standby_host": format!("10.0.0.{n}")}}),
    |_| json!({"standby": null}),
    |n| json!({"enableConnectionPooler": n % 2 == 0, "enableLogicalBackup": n % 3 == 0}),
    |_| json!({"users": null, "databases": null, "preparedDatabases": null}),
];

static CONFIGS: LazyLock<Vec<(&str, OperatorConfig)>> =
    LazyLock::new(|| ["A", "B", "C"].map(|name| (name, config(name))).into());

static BASES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut cases: Vec<String> = std::fs::read_dir(data().join("golden/manifests"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    cases.sort();
    let recorded = cases.iter().map(|case| manifest(case));
    std::iter::once(demo()).chain(recorded).collect()
});

fn edited(base: &Value, edits: &[(usize, u8)]) -> Value {
    edits.iter().fold(base.clone(), |object, (edit, number)| {
        with(&object, &json!({ "spec": EDITS[edit % EDITS.len()](*number) }))
    })
}

fn parse(manifest: &Value, stored: Option<&Value>, config: &OperatorConfig) -> Option<Cluster> {
    let object = default::complete(manifest, stored, config);
    Cluster::parse(&api::decode(&object).ok()?, config).ok()
}

/// How many pods are made anew where the old manifest is in force, until nothing is left to do; none when one of the two cannot be used.
fn does_roll(which: &str, config: &OperatorConfig, old: &Value, new: &Value) -> Option<usize> {
    let (before, mut after) = (parse(old, None, config)?, parse(new, Some(old), config)?);
    // Windows say when, and not whether.
    after.windows.clear();
    let mut world = World::new(before, config.clone(), environment(which));
    world.settle();
    let anew: BTreeSet<String> = carry_out(&mut world, after).anew.into_iter().collect();
    Some(anew.len())
}

/// The pods that one of the lines says are rolled.
fn told_to_roll(lines: &[String]) -> usize {
    let mut numbers = lines.iter().filter_map(|line| line.strip_prefix("rolls "));
    let number = numbers.next().and_then(|rest| rest.split(' ').next());
    number.map_or(0, |number| number.parse().unwrap())
}

fn is_disruptive(line: &str) -> bool {
    ["rolls ", "restarts ", "removes ", "waits "]
        .iter()
        .any(|start| line.starts_with(start))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_roll_is_told_exactly_when_the_plan_has_one(
        which in 0_usize..3, base in 0_usize..64,
        first in prop::collection::vec((0_usize..64, any::<u8>()), 0..4),
        then in prop::collection::vec((0_usize..64, any::<u8>()), 1..4),
    ) {
        let (name, config) = &CONFIGS[which];
        let old = edited(&BASES[base % BASES.len()], &first);
        let new = edited(&old, &then);
        let lines = under(config, &old, &new);
        prop_assert_eq!(&lines, &under(config, &old, &new), "not the same twice");
        for line in &lines {
            prop_assert!(line.chars().count() <= LINE_LIMIT, "{}", line);
            prop_assert!(!line.contains(SECRET), "{}", line);
        }
        if let Some(does) = does_roll(name, config, &old, &new) {
            prop_assert_eq!(told_to_roll(&lines), does, "{:?}", lines);
        }
    }

    #[test]
    fn no_edit_no_lines(
        which in 0_usize..3, base in 0_usize..64, edits in prop::collection::vec((0_usize..64, any::<u8>()), 0..6),
    ) {
        let (_, config) = &CONFIGS[which];
        let object = edited(&BASES[base % BASES.len()], &edits);
        // What is stored has its defaults; and what no cluster is made of does not count.
        let stored = with(&default::complete(&object, None, config), &json!({"metadata": {"annotations": {"note": "x"}}}));
        prop_assume!(parse(&object, None, config).is_some());
        prop_assert_eq!(under(config, &stored, &object), [""; 0]);
        prop_assert_eq!(under(config, &object, &stored), [""; 0]);
    }

    #[test]
    fn metadata_never_disturbs_the_database(
        which in 0_usize..3, base in 0_usize..64, key in "[a-z]{1,8}(\\.example/[a-z]{1,8})?", value in "[a-z0-9]{0,12}",
    ) {
        let (_, config) = &CONFIGS[which];
        let old = &BASES[base % BASES.len()];
        prop_assume!(!config.kubernetes.inherited_labels.contains(&key));
        let new = with(old, &json!({"metadata": {"labels": {&key: &value}, "annotations": {&key: &value}}}));
        prop_assume!(parse(old, None, config).is_some());
        let lines = under(config, old, &new);
        prop_assert!(!lines.iter().any(|line| is_disruptive(line)), "{:?}", lines);
    }
}
