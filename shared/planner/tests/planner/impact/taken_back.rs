//! What leaves the manifest goes from Patroni's configuration, and what others set stays; a follower becomes a primary.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_planner::observed::MemberRole;
use pgherd_planner::plan::{Action, HoldReason, Plan};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{carry_out, demo, is_disruptive, parse, under, with};
use crate::recorded::{config, environment};
use crate::world::{World, known};

fn manifest(spec: &Value) -> Value {
    with(&demo(), &json!({ "spec": spec }))
}

/// A cluster of this manifest that runs.
fn running(spec: &Value) -> World {
    let config = config("A");
    let cluster = parse(&manifest(spec), None, &config).unwrap();
    let mut world = World::new(cluster, config, environment("A"));
    world.settle();
    world
}

impl World {
    fn edit(&mut self, spec: &Value) {
        self.cluster = parse(&manifest(spec), None, &self.config).unwrap();
    }

    fn patroni_config(&mut self) -> &mut Value {
        &mut known(&mut self.observed.patroni).config
    }
}

fn patch(plan: &Plan) -> Value {
    let mut patches = plan.steps.iter().filter_map(|step| match &step.action {
        Action::PatchPatroni(patch) => Some(patch.clone()),
        _ => None,
    });
    patches.next().unwrap_or_default()
}

fn tuned() -> Value {
    json!({
        "postgresql": {"parameters": {"max_connections": "300", "archive_mode": "always", "wal_level": "logical"}},
        "patroni": {"ttl": 60, "maximum_lag_on_failover": 1000, "synchronous_node_count": 2, "slots": {"feed": {"type": "physical"}}},
    })
}

fn plain() -> Value {
    json!({"postgresql": {"parameters": null}, "patroni": null})
}

#[test]
fn what_left_goes_and_what_others_set_stays() {
    let mut world = running(&tuned());
    let others = json!({
        "pause": false, "check_timeline": true, "slots": {"theirs": {"type": "physical"}},
        "postgresql": {"use_pg_rewind": true, "parameters": {"random_page_cost": "1.1"}},
    });
    json_patch::merge(world.patroni_config(), &others);
    world.settle();
    world.edit(&plain());
    let plan = world.plan();
    assert_eq!(
        patch(&plan),
        json!({
            "ttl": null, "synchronous_node_count": null, "maximum_lag_on_failover": 33_554_432, "slots": {"feed": null},
            "postgresql": {"parameters": {"max_connections": null, "work_mem": null, "archive_mode": "on"}},
        }),
        "and the level of the wal stays, whatever the slots of it"
    );
    world.settle();
    let mut left = world.patroni_config().clone();
    json_patch::merge(&mut left, &others);
    assert_eq!(left, *world.patroni_config());
    assert!(world.observed.cluster.status.patroni_settings.is_none());
    assert!(world.plan().is_empty());
}

#[test]
fn nothing_is_forgotten_before_it_is_gone() {
    let mut world = running(&tuned());
    world.edit(&plain());
    // Time passes, and no step is taken: Patroni refused it, or nobody was there to do it.
    world.pass();
    world.pass();
    assert_eq!(patch(&world.plan())["ttl"], Value::Null);
    assert!(patch(&world.plan()).as_object().unwrap().contains_key("ttl"));
    let silent = pgherd_planner::observed::Source::Unknown("does not answer".to_owned());
    let view = std::mem::replace(&mut world.observed.patroni, silent);
    world.remember();
    world.observed.patroni = view;
    assert!(patch(&world.plan()).as_object().unwrap().contains_key("ttl"));
}

#[test]
fn a_cluster_that_is_taken_over_or_only_watched_loses_nothing() {
    let mut world = running(&tuned());
    world.observed.cluster.status.patroni_settings = None;
    world.edit(&plain());
    assert_eq!(patch(&world.plan()), Value::Null, "nobody knows who set it");
    let annotations = &mut world.observed.cluster.annotations;
    annotations.insert("pgherd.io/mode".to_owned(), "observe".to_owned());
    world.edit(&tuned());
    world.pass();
    assert_eq!(world.observed.cluster.status.patroni_settings, None);
}

#[test]
fn what_somebody_changed_while_nobody_looked_is_theirs() {
    let mut world = running(&tuned());
    let last: pgherd_model::api::postgresql::Postgresql =
        pgherd_model::api::decode(&manifest(&tuned())).unwrap();
    world.observed.cluster.status.last_good_spec = Some(Box::new(last.spec));
    world.patroni_config()["ttl"] = json!(45);
    world.patroni_config()["postgresql"]["parameters"]["work_mem"] = json!("1GB");
    world.edit(&plain());
    let sent = patch(&world.plan());
    assert!(!sent.as_object().unwrap().contains_key("ttl"), "{sent}");
    let parameters = sent["postgresql"]["parameters"].as_object().unwrap();
    assert!(!parameters.contains_key("work_mem") && parameters.contains_key("max_connections"));
    world.remember();
    let kept = world.observed.cluster.status.patroni_settings.clone().unwrap();
    assert!(!kept.contains("/ttl") && kept.contains("/postgresql/parameters/max_connections"));
}

#[test]
fn a_follower_becomes_a_primary_without_a_roll() {
    let mut world = running(&json!({"standby": {"standby_host": "10.0.0.1", "standby_port": "5433"}}));
    let section = world.patroni_config()["standby_cluster"].clone();
    assert_eq!(
        (&section["host"], &section["port"]),
        (&json!("10.0.0.1"), &json!("5433"))
    );
    world.edit(&json!({"standby": {"standby_host": "10.0.0.2"}}));
    assert_eq!(
        patch(&world.plan()),
        json!({"standby_cluster": {"host": "10.0.0.2", "port": null}})
    );
    world.edit(&json!({}));
    let plan = world.plan();
    assert_eq!(patch(&plan), json!({"standby_cluster": null}));
    let speaks = |plan: &Plan| {
        let mut steps = plan.steps.iter();
        steps.any(|step| matches!(step.action, Action::RunSql { .. } | Action::ChangeSecret(_)))
    };
    assert!(!speaks(&plan), "a follower takes no writes");
    world.patroni_config()["standby_cluster"] = Value::Null;
    let plan = world.plan();
    assert!(
        !speaks(&plan) && plan.wake_after.is_some(),
        "nor does it before it leads"
    );
    known(&mut world.observed.patroni).members[0].role = MemberRole::Leader;
    assert!(speaks(&world.plan()));
}

#[test]
fn a_promotion_comes_to_its_end() {
    let mut world = running(&json!({"standby": {"standby_host": "10.0.0.1"}}));
    let wanted = parse(&demo(), None, &world.config).unwrap();
    let record = carry_out(&mut world, wanted);
    assert_eq!((record.anew.len(), record.switchovers), (0, 0));
    assert_eq!(world.patroni_config()["standby_cluster"], Value::Null);
    assert_eq!(
        known(&mut world.observed.patroni).members[0].role,
        MemberRole::Leader
    );
    let catalog = known(&mut world.observed.catalog);
    assert!(catalog.roles.contains_key("shop") && catalog.databases.contains_key("shop"));
}

#[test]
fn who_leads_is_never_told_to_follow_and_who_was_told_by_hand_is_not_told_otherwise() {
    let conflict = |plan: &Plan| {
        let mut holds = plan.holds.iter();
        holds.any(|hold| matches!(hold.reason, HoldReason::Conflict(_)))
    };
    let mut world = running(&json!({}));
    assert!(!conflict(&world.plan()));
    world.edit(&json!({"standby": {"standby_host": "10.0.0.1"}}));
    let plan = world.plan();
    assert!(patch(&plan).is_null() && conflict(&plan));
    let mut world = running(&json!({}));
    world.patroni_config()["standby_cluster"] = json!({"host": "10.0.0.1"});
    world.pass();
    let plan = world.plan();
    assert!(plan.steps.is_empty() && conflict(&plan));
}

#[test]
fn what_is_no_longer_named_goes_back() {
    let base = json!({"spec": {
        "postgresql": {"parameters": {"max_connections": "300", "wal_level": "logical"}},
        "patroni": {"ttl": 60, "slots": {"feed": {"type": "physical"}}},
    }});
    let gone = json!({"spec": {"postgresql": {"parameters": null}, "patroni": null}});
    let old = with(&demo(), &base);
    assert_eq!(
        under(&config("A"), &old, &with(&old, &gone)),
        [
            "restarts Postgres on 3 pods, primary first (max_connections)",
            "reloads Postgres (work_mem, slot feed, ttl)",
            "goes back to its default, no longer named here: max_connections, work_mem, slot feed, ttl",
            "stays set in Patroni, no longer named here: wal_level",
        ]
    );
}

#[test]
fn a_promotion_is_told_and_rolls_nothing() {
    let section = |section: Value| with(&demo(), &json!({"spec": {"standby": section}}));
    let standby = section(json!({"standby_host": "10.0.0.1"}));
    let told = under(&config("A"), &standby, &demo());
    assert_eq!(
        told,
        [
            "promotes the standby cluster: it follows no more and takes writes, for good",
            "updates in place: 1 stateful set"
        ]
    );
    let other = section(json!({"standby_host": "10.0.0.2"}));
    assert_eq!(
        under(&config("A"), &standby, &other),
        ["reload only (host)", "updates in place: 1 stateful set"]
    );
    let lines = under(&config("A"), &demo(), &standby);
    assert!(!lines.iter().any(|line| is_disruptive(line)), "{lines:?}");
    let image = json!({"spec": {"dockerImage": "registry.example/spilo:2"}});
    let both = under(&config("A"), &standby, &with(&demo(), &image));
    assert!(
        both[0].starts_with("promotes ") && both[1].starts_with("rolls 3 pods"),
        "{both:?}"
    );
}

const NAMES: [&str; 6] = [
    "work_mem",
    "log_statement",
    "max_connections",
    "random_page_cost",
    "archive_mode",
    "a.b",
];
const VALUES: [&str; 3] = ["on", "7", "100"];

/// What each of the names is set to, if it is.
fn settings() -> impl Strategy<Value = BTreeMap<usize, usize>> {
    prop::collection::btree_map(0..NAMES.len(), 0..VALUES.len(), 0..NAMES.len())
}

fn spec(set: &BTreeMap<usize, usize>) -> Value {
    let named = |(name, value): (&usize, &usize)| (NAMES[*name].to_owned(), json!(VALUES[*value]));
    let parameters: serde_json::Map<String, Value> = set.iter().map(named).collect();
    let mut spec = json!({"postgresql": {"parameters": parameters}});
    if !set.contains_key(&0) {
        spec["postgresql"]["parameters"]["work_mem"] = Value::Null;
    }
    spec
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was edited, by whom, and whether somebody looked in between.
    #[test]
    fn only_what_a_manifest_named_is_ever_taken_back(
        edits in prop::collection::vec((settings(), settings(), any::<bool>()), 1..5),
    ) {
        let mut world = running(&plain());
        let mut named: BTreeSet<usize> = BTreeSet::new();
        let mut theirs: BTreeMap<usize, usize> = BTreeMap::new();
        for (manifest, others, is_seen) in edits {
            for (name, value) in &others {
                if !named.contains(name) && !manifest.contains_key(name) {
                    theirs.insert(*name, *value);
                    world.patroni_config()["postgresql"]["parameters"][NAMES[*name]] = json!(VALUES[*value]);
                }
            }
            if is_seen {
                named.extend(manifest.keys());
                theirs.retain(|name, _| !named.contains(name));
                world.edit(&spec(&manifest));
                world.settle();
                prop_assert!(world.plan().is_empty());
                let found = world.patroni_config()["postgresql"]["parameters"].clone();
                for (name, value) in &manifest {
                    prop_assert_eq!(&found[NAMES[*name]], &json!(VALUES[*value]));
                }
                for name in named.iter().filter(|name| !manifest.contains_key(name)) {
                    let back = if NAMES[*name] == "archive_mode" {
                        json!("on")
                    } else {
                        match NAMES[*name] { "log_statement" => json!("ddl"), _ => Value::Null }
                    };
                    prop_assert_eq!(&found[NAMES[*name]], &back, "{}", NAMES[*name]);
                }
            }
            let found = world.patroni_config()["postgresql"]["parameters"].clone();
            for (name, value) in &theirs {
                prop_assert_eq!(&found[NAMES[*name]], &json!(VALUES[*value]), "{}", NAMES[*name]);
            }
        }
    }
}
