//! What the status says of a cluster, from its first moment to its last.

use jiff::{SignedDuration, Timestamp};
use pgherd_model::{
    api::{
        postgresql::{DatabaseOptions, Postgresql},
        status::ClusterStatus,
    },
    config::{Form, OperatorConfig},
};
use serde_json::json;

use super::*;
use crate::observed::{Catalog, ClusterView, MemberRole, MemberView, PatroniView, PodView, Source};
use crate::plan::{Action, HoldReason, Matter, Object, Precondition, Reason, Step, Verb};
use crate::sql::{self, Statement};

mod catalog;

struct World {
    manifest: Postgresql,
    config: OperatorConfig,
    observed: Observed,
    plan: Plan,
    outcome: Outcome,
    now: Timestamp,
}

fn pod(ordinal: usize) -> PodView {
    PodView {
        name: format!("demo-{ordinal}"),
        phase: "Running".to_owned(),
        ready: true,
        role_label: if ordinal == 0 { "master" } else { "replica" }.to_owned(),
        ..PodView::default()
    }
}

fn member(ordinal: usize, role: MemberRole, state: &str) -> MemberView {
    MemberView {
        name: format!("demo-{ordinal}"),
        role,
        state: state.to_owned(),
        timeline: Some(1),
        ..MemberView::default()
    }
}

fn make_app() -> Matter {
    Matter::Object(Verb::Make, sql::Subject::Role("app".to_owned()))
}

/// Its name is a word that lines for people have as well.
fn create(database: &str) -> Matter {
    let statement = Statement::CreateDatabase {
        database: database.to_owned(),
        owner: "nobody".to_owned(),
        options: DatabaseOptions::default(),
    };
    Matter::Statement(sql::Subject::Database(database.to_owned()), Box::new(statement))
}

impl World {
    /// Two members that run, nothing to do.
    fn steady() -> Self {
        let manifest = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": { "name": "demo", "namespace": "default", "uid": "u", "generation": 1 },
            "spec": { "teamId": "demo", "numberOfInstances": 2, "postgresql": { "version": "17" }, "volume": { "size": "1Gi" } },
        });
        let members = vec![
            member(0, MemberRole::Leader, "running"),
            member(1, MemberRole::Replica, "streaming"),
        ];
        Self {
            manifest: serde_json::from_value(manifest).unwrap(),
            config: OperatorConfig::default_for(Form::ConfigMap),
            observed: Observed {
                cluster: ClusterView {
                    name: "demo".to_owned(),
                    generation: 1,
                    ..ClusterView::default()
                },
                pods: Source::Known(vec![pod(0), pod(1)]),
                patroni: Source::Known(PatroniView {
                    members,
                    ..PatroniView::default()
                }),
                catalog: Source::Known(Catalog::default()),
                ..Observed::default()
            },
            plan: Plan::default(),
            outcome: Outcome::Done,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    fn empty() -> Self {
        let mut world = Self::steady();
        world.observed.pods = Source::Known(Vec::new());
        world.observed.patroni = Source::Unknown("no pod has an address".to_owned());
        world.observed.catalog = Source::Unknown("no primary".to_owned());
        world
    }

    fn status(&self) -> PostgresqlStatus {
        let cluster = Cluster::parse(&self.manifest, &self.config).unwrap();
        self.judge(Manifest::Valid {
            cluster: &cluster,
            spec: &self.manifest.spec,
        })
    }

    fn judge(&self, manifest: Manifest<'_>) -> PostgresqlStatus {
        assess(&Subject {
            manifest,
            config: &self.config,
            observed: &self.observed,
            plan: &self.plan,
            outcome: &self.outcome,
            is_edited: false,
            now: self.now,
        })
    }

    /// A minute later, with the last status stored.
    fn later(mut self) -> Self {
        self.observed.cluster.status = self.status();
        self.now += SignedDuration::from_mins(1);
        self
    }
}

fn said<'a>(status: &'a PostgresqlStatus, kind: &str) -> &'a str {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .map_or("", |condition| &condition.status)
}

#[test]
fn scale_has_the_members_that_exist_and_what_finds_them() {
    let mut world = World::steady().later();
    let status = world.status();
    assert_eq!(status.number_of_instances, Some(2));
    assert_eq!(
        status.label_selector.as_deref(),
        Some("application=spilo,cluster-name=demo")
    );
    world.observed.pods = Source::Unknown("no answer".to_owned());
    assert_eq!(world.status().number_of_instances, Some(2));
    assert_eq!(World::empty().status().number_of_instances, Some(0));
}

#[test]
fn steady_cluster_is_running_and_ready() {
    let status = World::steady().status();
    assert_eq!(status.postgres_cluster_status, ClusterStatus::Running);
    assert_eq!(said(&status, "Ready"), "True");
    assert_eq!(status.primary.as_deref(), Some("demo-0"));
    assert_eq!(status.members[1].role.as_deref(), Some("replica"));
}

#[test]
fn new_cluster_is_creating_until_its_members_are_up() {
    let status = World::empty().status();
    assert_eq!(status.postgres_cluster_status, ClusterStatus::Creating);
    assert_eq!(said(&status, "Ready"), "False");
    assert_eq!(said(&status, "PrimaryAvailable"), "Unknown");
}

#[test]
fn same_facts_give_the_same_status_a_minute_later() {
    let world = World::steady().later();
    assert_eq!(world.status(), world.observed.cluster.status);
}

#[test]
fn small_lag_is_not_written() {
    let mut world = World::steady().later();
    let mut members = world.observed.patroni.known().unwrap().clone();
    members.members[1].lag = Some(1_000_000);
    world.observed.patroni = Source::Known(members.clone());
    assert_eq!(world.status(), world.observed.cluster.status);
    members.members[1].lag = Some(100_000_000);
    world.observed.patroni = Source::Known(members);
    assert_eq!(world.status().members[1].lag_bytes, Some(67_108_864));
}

#[test]
fn lost_member_makes_a_running_cluster_updating() {
    let mut world = World::steady().later();
    world.observed.pods = Source::Known(vec![pod(0)]);
    let status = world.status();
    assert_eq!(status.postgres_cluster_status, ClusterStatus::Updating);
    assert_eq!(said(&status, "ReplicasStreaming"), "False");
}

#[test]
fn change_of_a_condition_is_dated() {
    let mut world = World::steady().later();
    world.observed.pods = Source::Known(vec![pod(0)]);
    let status = world.status();
    let dated = |kind: &str| {
        let found = status.conditions.iter().find(|condition| condition.type_ == kind);
        found.unwrap().last_transition_time.0
    };
    assert_eq!(dated("Ready"), world.now);
    assert_eq!(dated("PrimaryAvailable"), Timestamp::UNIX_EPOCH);
}

#[test]
fn failure_is_named_after_what_was_tried() {
    let failed = Outcome::failed("apply service", "refused");
    let mut world = World::empty();
    world.outcome = failed.clone();
    assert_eq!(
        world.status().postgres_cluster_status,
        ClusterStatus::CreateFailed
    );
    let mut world = World::steady().later();
    world.outcome = failed.clone();
    assert_eq!(world.status().postgres_cluster_status, ClusterStatus::SyncFailed);
    world.observed.cluster.generation = 2;
    assert_eq!(
        world.status().postgres_cluster_status,
        ClusterStatus::UpdateFailed
    );
}

#[test]
fn invalid_manifest_keeps_the_last_good_spec() {
    let world = World::steady().later();
    let violations = [Violation::new(
        "PGV-000",
        "spec.users.X".to_owned(),
        "no".to_owned(),
    )];
    let nothing = world.judge(Manifest::Invalid {
        violations: &violations,
        in_force: None,
    });
    assert_eq!(nothing.postgres_cluster_status, ClusterStatus::Invalid);
    let cluster = Cluster::parse(&world.manifest, &world.config).unwrap();
    let status = world.judge(Manifest::Invalid {
        violations: &violations,
        in_force: Some(&cluster),
    });
    assert_eq!(status.postgres_cluster_status, ClusterStatus::UpdateFailed);
    assert_eq!(said(&status, "Normalized"), "False");
    assert_eq!(said(&status, "Stalled"), "True");
    assert!(status.last_good_spec.is_some());
}

#[test]
fn deferred_roll_leaves_the_cluster_ready() {
    let mut world = World::steady();
    let reason = HoldReason::RollPending(vec!["demo-1".to_owned()]);
    world.plan.holds.push(Hold {
        matter: Matter::Roll,
        reason,
        until: Some(Timestamp::MAX),
    });
    let status = world.status();
    assert_eq!(
        (said(&status, "Ready"), said(&status, "RollPending")),
        ("True", "True")
    );
}

#[test]
fn missing_role_keeps_the_cluster_from_ready() {
    let mut world = World::steady();
    let reason = HoldReason::Lacking("role nobody".to_owned());
    world.plan.holds.push(Hold {
        matter: create("shop"),
        reason,
        until: None,
    });
    let status = world.status();
    assert_eq!(
        (said(&status, "Ready"), said(&status, "DatabasesInSync")),
        ("False", "False")
    );
    assert_eq!(said(&status, "RolesInSync"), "True");
}

#[test]
fn silence_of_patroni_changes_nothing() {
    let mut world = World::steady().later();
    world.observed.patroni = Source::Unknown("timed out".to_owned());
    assert_eq!(world.status(), world.observed.cluster.status);
}

#[test]
fn silence_proves_nothing_about_an_edit() {
    let mut world = World::steady().later();
    world.observed.catalog = Source::Unknown("timed out".to_owned());
    world.observed.cluster.generation = 2;
    let status = world.status();
    assert_eq!(
        (said(&status, "RolesInSync"), said(&status, "Ready")),
        ("Unknown", "False")
    );
}

#[test]
fn copy_of_a_pod_is_no_member() {
    let mut world = World::steady();
    let mut pods = world.observed.pods.known().unwrap().clone();
    pods.push(PodView {
        name: "demo-0-debug".to_owned(),
        ..pod(0)
    });
    world.observed.pods = Source::Known(pods);
    let status = world.status();
    assert_eq!((said(&status, "Ready"), status.members.len()), ("True", 2));
}

#[test]
fn standby_cluster_is_ready_when_its_leader_streams() {
    let mut world = World::steady();
    world.manifest.spec.standby =
        Some(serde_json::from_value(json!({ "standby_host": "elsewhere" })).unwrap());
    let members = vec![
        member(0, MemberRole::StandbyLeader, "streaming"),
        member(1, MemberRole::Replica, "streaming"),
    ];
    world.observed.patroni = Source::Known(PatroniView {
        members,
        ..PatroniView::default()
    });
    assert_eq!(said(&world.status(), "Ready"), "True");
}

#[test]
fn keys_of_a_clone_are_not_kept() {
    let mut spec = World::steady().manifest.spec;
    let clone = json!({ "cluster": "old", "s3_access_key_id": "id", "s3_secret_access_key": "key" });
    spec.clone = Some(serde_json::from_value(clone).unwrap());
    let kept = last_good::remember(&spec);
    assert!(!serde_json::to_string(&kept).unwrap().contains("key\":\"key"));
    assert_eq!(last_good::recall(&kept, &spec), spec);
}

/// A roll that would begin and a role that is missing are told; the word and Ready stay what they were.
#[test]
fn who_only_looks_changes_neither_the_word_nor_ready() {
    let mut world = World::steady().later();
    let reasons = [
        HoldReason::RollPending(vec!["demo-1".to_owned()]),
        HoldReason::Lacking("role nobody".to_owned()),
    ];
    world.plan.holds = reasons
        .into_iter()
        .map(|reason| Hold {
            matter: make_app(),
            reason,
            until: None,
        })
        .collect();
    let said_by = |world: &World| {
        let status = world.status();
        let ready = said(&status, "Ready").to_owned();
        (status.postgres_cluster_status, ready)
    };
    let (running, updating) = (ClusterStatus::Running, ClusterStatus::Updating);
    assert_eq!(said_by(&world), (updating, "False".to_owned()), "live");
    world.outcome = Outcome::Observed;
    assert_eq!(said_by(&world), (running, "True".to_owned()));
    let status = world.status();
    assert_eq!(said(&status, "RolesInSync"), "False", "is told all the same");
    let mut conditions = status.conditions.iter();
    let pending = conditions.find(|it| it.type_ == roll_reason::CONDITION).unwrap();
    assert_eq!(pending.reason, roll_reason::MODE, "it has not begun");

    world.observed.cluster.status.postgres_cluster_status = ClusterStatus::SyncFailed;
    assert_eq!(
        said_by(&world).0,
        ClusterStatus::SyncFailed,
        "the word of whoever acts"
    );
    world.observed.pods = Source::Known(vec![pod(0)]);
    assert_eq!(
        said_by(&world),
        (ClusterStatus::SyncFailed, "False".to_owned()),
        "a fact"
    );
}

#[test]
fn a_template_is_remembered_once_it_is_carried_out() {
    let record = |inputs: &str| TemplateRecord {
        builder: "1".to_owned(),
        inputs: inputs.to_owned(),
        deferred: None,
    };
    let mut world = World::steady();
    world.observed.cluster.status.template = Some(record("before"));
    assert_eq!(
        world.status().template,
        Some(record("before")),
        "nothing is known"
    );
    world.plan.template = Some(record("after"));
    assert_eq!(world.status().template, Some(record("after")));
    let object = Object::StatefulSet(Box::default());
    world.plan.steps.push(Step {
        action: Action::Apply(Box::new(object)),
        reason: Reason::Differs(vec!["/spec/template".to_owned()]),
        impact: Impact::None,
        precondition: Precondition::None,
    });
    assert_eq!(world.status().template, Some(record("after")));
    world.outcome = Outcome::Paused;
    assert_eq!(
        world.status().template,
        Some(record("before")),
        "it was not applied"
    );
}

#[test]
fn steps_that_were_all_taken_are_no_plan_any_more() {
    let mut world = World::steady();
    world.plan.steps.push(Step {
        action: Action::Apply(Box::new(Object::StatefulSet(Box::default()))),
        reason: Reason::Missing,
        impact: Impact::None,
        precondition: Precondition::None,
    });
    assert_eq!(world.status().plan, None);
    let failed = Outcome::failed("apply service", "refused");
    for outcome in [failed, Outcome::Observed, Outcome::Paused] {
        world.outcome = outcome;
        assert_eq!(world.status().plan.map(|plan| plan.steps.len()), Some(1));
    }
}
