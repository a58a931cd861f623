//! Rotation over time: the vectors of zalando-behaviour A.23 and the timeline of G.5.

use pgherd_model::config::{Form, OperatorConfig};
use serde_json::{Value, json};

use super::*;
use crate::build::build;
use crate::observed::catalog::{Membership, RoleView};
use crate::observed::{PodEnvironment, PodView, Source};
use crate::plan::provision::tests::cluster_under;

mod dates;

/// Of a secret that has no head start.
const UID: &str = "uid-8556";
const DAYS: SignedDuration = SignedDuration::from_hours(24);

struct World {
    cluster: Cluster,
    config: OperatorConfig,
    observed: Observed,
    now: Timestamp,
}

fn config() -> OperatorConfig {
    let mut config = OperatorConfig::default_for(Form::ConfigMap);
    config.users.password_rotation_interval = 30;
    config.users.password_rotation_user_retention = 60;
    config
}

impl World {
    fn new(spec: &Value, config: OperatorConfig) -> Self {
        let cluster = cluster_under(spec, &config);
        let desired = build(&cluster, &config, &Source::Known(PodEnvironment::default()));
        let secrets = desired.secrets.iter().map(|draft| SecretView {
            namespace: draft.namespace.clone(),
            name: draft.name.clone(),
            uid: UID.to_owned(),
            resource_version: "1".to_owned(),
            labels: draft.labels.clone(),
            annotations: draft.annotations.clone(),
            owner_references: draft.owner_references.clone(),
            username: Some(draft.username.clone()),
            has_password: true,
            ..SecretView::default()
        });
        let mut catalog = provision::settled::catalog(&cluster, "postgres");
        catalog.version = 17;
        let observed = Observed {
            secrets: Source::Known(secrets.collect()),
            catalog: Source::Known(catalog),
            pods: Source::Known(vec![PodView::default()]),
            ..Observed::default()
        };
        Self {
            cluster,
            config,
            observed,
            now: "2026-01-01T12:00:00Z".parse().unwrap(),
        }
    }

    fn plan(&self) -> Plan {
        let desired = build(
            &self.cluster,
            &self.config,
            &Source::Known(PodEnvironment::default()),
        );
        let mut plan = Plan::default();
        ensure(
            &self.cluster,
            &desired,
            &self.observed,
            &self.config,
            self.now,
            &mut plan,
        );
        plan
    }

    fn secret(&mut self, role: &str) -> &mut SecretView {
        let place = self.cluster.role(role).unwrap().secret.clone().unwrap();
        let Source::Known(secrets) = &mut self.observed.secrets else {
            panic!("secrets are known")
        };
        secrets.iter_mut().find(|view| view.name == place.name).unwrap()
    }

    fn catalog(&mut self) -> &mut Catalog {
        match &mut self.observed.catalog {
            Source::Known(catalog) => catalog,
            Source::Unknown(why) => panic!("{why}"),
        }
    }

    /// The only step that the plan has for this role's secret.
    fn change_of(&self, role: &str) -> SecretChange {
        let changes = self
            .plan()
            .steps
            .into_iter()
            .filter_map(|step| match step.action {
                Action::ChangeSecret(change) if change.draft.username == role => Some(*change),
                _ => None,
            });
        let changes: Vec<SecretChange> = changes.collect();
        assert_eq!(changes.len(), 1, "{changes:?}");
        changes.into_iter().next().unwrap()
    }

    /// Somebody wants a rotation now.
    fn force(&mut self, role: &str) {
        self.secret(role).next_rotation = Some("2025-01-01T00:00:00Z".to_owned());
    }

    /// What the executor does with the secrets, and the server with what comes before that.
    fn turn(&mut self) -> Vec<String> {
        let plan = self.plan();
        for step in &plan.steps {
            let Action::ChangeSecret(change) = &step.action else {
                continue;
            };
            for statement in &change.before {
                match statement {
                    Statement::CreateRole { role, .. } => {
                        self.catalog().roles.insert(role.clone(), RoleView::default());
                    }
                    Statement::GrantRole { role, member, .. } => {
                        let view = self.catalog().roles.get_mut(member).unwrap();
                        view.member_of.insert(role.clone(), Membership::plain());
                    }
                    _ => {}
                }
            }
            let stored = self.secret(&change.draft.username);
            stored.username = Some(change.username.clone());
            match &change.next_rotation {
                NextRotation::At(date) => stored.next_rotation = Some(date.clone()),
                NextRotation::Clear => stored.next_rotation = Some(String::new()),
                NextRotation::Keep => {}
            }
        }
        plan.steps.iter().map(ToString::to_string).collect()
    }
}

fn foo() -> Value {
    json!({ "users": { "foo_user": ["createdb"] }, "usersWithSecretRotation": ["foo_user"] })
}

#[test]
fn g5_timeline() {
    let mut world = World::new(&foo(), config());
    // Day 0: only the date.
    world.turn();
    assert_eq!(
        world.secret("foo_user").next_rotation.as_deref(),
        Some("2026-01-31T12:00:00Z")
    );
    assert_eq!(world.turn(), Vec::<String>::new(), "said once");
    // A day before: nothing.
    world.now += DAYS * 29;
    assert_eq!(world.turn(), Vec::<String>::new());
    // Day 30 and a bit: another role, and the next date counts from now.
    world.now += DAYS + SignedDuration::from_hours(2);
    let plan = world.plan();
    let Action::ChangeSecret(change) = &plan.steps[0].action else {
        panic!("{plan:?}")
    };
    assert_eq!(
        (change.username.as_str(), &change.password),
        ("foo_user260131", &NewPassword::Draw)
    );
    let before: Vec<String> = change.before.iter().map(ToString::to_string).collect();
    assert!(before[0].starts_with("CREATE ROLE \"foo_user260131\"") && before[0].contains(" CREATEDB"));
    assert!(
        before.contains(&"GRANT \"foo_user\" TO \"foo_user260131\"".to_owned()),
        "{before:?}"
    );
    assert_eq!(
        plan.steps[0].precondition,
        Precondition::Unchanged("1".to_owned())
    );
    world.turn();
    assert_eq!(
        world.secret("foo_user").next_rotation.as_deref(),
        Some("2026-03-02T14:00:00Z")
    );
    assert_eq!(world.turn(), Vec::<String>::new());
    // Day 60: the next one.
    world.now += DAYS * 30;
    world.turn();
    assert_eq!(
        world.secret("foo_user").username.as_deref(),
        Some("foo_user260302")
    );
    // Switched off: the name of the first, at once, and no date.
    world.cluster = cluster_under(&json!({ "users": { "foo_user": [] } }), &world.config);
    let plan = world.plan();
    let Action::ChangeSecret(change) = &plan.steps[0].action else {
        panic!("{plan:?}")
    };
    assert_eq!(
        (change.why, change.username.as_str(), &change.next_rotation),
        (Why::NameRestored, "foo_user", &NextRotation::Clear)
    );
    assert_eq!(
        change.before.len(),
        1,
        "the server knows the password before anybody else does"
    );
    world.turn();
    assert_eq!(world.turn(), Vec::<String>::new());
}

#[test]
fn a23_who_rotates_and_how() {
    let spec = json!({
        "users": { "alpha": [], "beta": [], "gamma": [], "owner_role": [] },
        "databases": { "shop": "owner_role" },
        "usersWithInPlaceSecretRotation": ["beta"],
        "usersIgnoringSecretRotation": ["gamma"],
    });
    let mut config = config();
    config.users.enable_password_rotation = true;
    let mut world = World::new(&spec, config);
    world.turn();
    world.now += DAYS * 31;
    world.turn();
    let mut name = |role: &str| world.secret(role).username.clone().unwrap();
    assert_eq!(name("alpha"), "alpha260201");
    assert_eq!(name("beta"), "beta");
    assert_eq!(name("gamma"), "gamma");
    assert_eq!(name("owner_role"), "owner_role");
    assert_eq!(name("postgres"), "postgres");
    assert_eq!(world.secret("gamma").next_rotation, None);
    assert_eq!(
        world.secret("beta").next_rotation.as_deref(),
        Some("2026-03-03T12:00:00Z")
    );
    // Moved to rotation in place: the name comes back at once.
    let spec = json!({ "users": { "alpha": [] }, "usersWithInPlaceSecretRotation": ["alpha"] });
    world.cluster = cluster_under(&spec, &world.config);
    world.turn();
    assert_eq!(world.secret("alpha").username.as_deref(), Some("alpha"));
    // And back: the name changes at the next date only.
    let spec = json!({ "users": { "alpha": [] } });
    world.cluster = cluster_under(&spec, &world.config);
    assert_eq!(world.turn(), Vec::<String>::new());
}

#[test]
fn a_date_beyond_the_interval_comes_closer() {
    let mut world = World::new(&foo(), config());
    world.secret("foo_user").next_rotation = Some("2027-01-01T00:00:00Z".to_owned());
    world.turn();
    assert_eq!(
        world.secret("foo_user").next_rotation.as_deref(),
        Some("2026-01-31T12:00:00Z")
    );
    world.secret("foo_user").next_rotation = Some("tomorrow".to_owned());
    assert_eq!(world.turn().len(), 1);
}

#[test]
fn without_the_database_nothing_rotates() {
    let mut world = World::new(&foo(), config());
    world.secret("foo_user").next_rotation = Some("2025-01-01T00:00:00Z".to_owned());
    world.observed.catalog = Source::Unknown("away".to_owned());
    assert!(world.plan().steps.is_empty());
}

#[test]
fn the_superusers_pods_are_marked_and_its_old_password_stays_at_hand() {
    let spec =
        json!({ "usersWithInPlaceSecretRotation": ["postgres"], "usersWithSecretRotation": ["standby"] });
    let mut world = World::new(&spec, config());
    world.secret("postgres").next_rotation = Some("2025-01-01T00:00:00Z".to_owned());
    let plan = world.plan();
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.action.kind()).collect();
    // The replication user has no dated names: pods know it by its own.
    assert_eq!(kinds, ["Relabel", "ChangeSecret", "RunSql"]);
    let Action::ChangeSecret(change) = &plan.steps[1].action else {
        panic!("{plan:?}")
    };
    assert!(change.previous == Previous::Keep && change.before.is_empty());
    // A turn that comes again, because the secret could not be written, marks nobody twice.
    let Source::Known(pods) = &mut world.observed.pods else {
        panic!("pods are known")
    };
    let Action::Relabel { annotations, .. } = &plan.steps[0].action else {
        panic!("{plan:?}")
    };
    let marks = annotations
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().unwrap()));
    pods[0].annotations.extend(marks);
    let plan = world.plan();
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.action.kind()).collect();
    assert_eq!(kinds, ["ChangeSecret", "RunSql"]);
}

#[test]
fn a_given_password_is_copied_when_it_changes() {
    let spec = json!({ "users": { "app": [] }, "userOptions": { "app": { "passwordFrom": { "name": "vault", "key": "pw" } } } });
    let mut world = World::new(&spec, config());
    assert_eq!(world.turn(), Vec::<String>::new(), "not known to differ");
    world.secret("app").given_matches = Some(false);
    let plan = world.plan();
    let Action::ChangeSecret(change) = &plan.steps[0].action else {
        panic!("{plan:?}")
    };
    let NewPassword::Copy(key) = &change.password else {
        panic!("{change:?}")
    };
    assert_eq!((key.name.as_str(), key.key.as_str()), ("vault", "pw"));
}

#[test]
fn a_secret_of_another_cluster_is_not_written() {
    let mut world = World::new(&foo(), config());
    let other = "pgherd.io/cluster".to_owned();
    world
        .secret("foo_user")
        .annotations
        .insert(other, "elsewhere/demo".to_owned());
    assert!(world.plan().steps.is_empty());
}

fn sets_password_of(change: &SecretChange) -> Vec<&str> {
    let roles = change.before.iter().filter_map(|statement| match statement {
        Statement::SetPassword { role, .. } => Some(role.as_str()),
        _ => None,
    });
    roles.collect()
}

#[test]
fn a_role_of_today_that_is_there_already_gets_the_password_that_is_given_out() {
    let mut world = World::new(&foo(), config());
    world.force("foo_user");
    // The statements were carried out, and the secret could not be written.
    let lost = world.change_of("foo_user");
    assert_eq!(sets_password_of(&lost), Vec::<&str>::new(), "it is made with it");
    world.turn();
    world.secret("foo_user").username = Some("foo_user".to_owned());
    world.force("foo_user");
    assert_eq!(sets_password_of(&world.change_of("foo_user")), ["foo_user260101"]);
    // It is in the secret, and another rotation is wanted on the same day; whatever is known of its password, it is said once.
    world.turn();
    for matches in [None, Some(true), Some(false)] {
        world.force("foo_user");
        let found = world.catalog().roles.get_mut("foo_user260101").unwrap();
        found.password_matches = matches;
        let change = world.change_of("foo_user");
        assert_eq!(
            (change.username.as_str(), sets_password_of(&change).as_slice()),
            ("foo_user260101", ["foo_user260101"].as_slice()),
            "{matches:?}"
        );
    }
}

#[test]
fn a_strangers_role_of_todays_name_is_not_taken_over() {
    let mut world = World::new(&foo(), config());
    world.force("foo_user");
    world
        .catalog()
        .roles
        .insert("foo_user260101".to_owned(), RoleView::default());
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let hold = plan.holds[0].to_string();
    assert!(
        hold.contains("foo_user260101") && hold.contains("rotate role foo_user"),
        "{hold}"
    );
    // Nor another user of the manifest, who was made one of its members besides.
    let spec = json!({
        "users": { "foo_user": [], "foo_user260101": [] }, "usersWithSecretRotation": ["foo_user"],
        "userOptions": { "foo_user260101": { "memberOf": ["foo_user"] } },
    });
    let mut world = World::new(&spec, config());
    world.force("foo_user");
    let plan = world.plan();
    assert!(plan.steps.is_empty() && !plan.holds.is_empty(), "{plan:?}");
}

#[test]
fn a_secret_that_is_written_otherwise_in_the_same_plan_rotates_in_the_next() {
    let mut world = World::new(&foo(), config());
    world.force("foo_user");
    let labels = std::mem::take(&mut world.secret("foo_user").labels);
    let kinds = |world: &World| -> Vec<&str> {
        let drafts = build(
            &world.cluster,
            &world.config,
            &Source::Known(PodEnvironment::default()),
        );
        let plan = crate::plan::plan(&world.cluster, &drafts, &world.observed, &world.config, world.now);
        let kinds = plan.steps.iter().map(|step| step.action.kind());
        kinds.filter(|kind| kind.ends_with("Secret")).collect()
    };
    assert_eq!(kinds(&world), ["LabelSecret"]);
    world.secret("foo_user").labels = labels;
    assert_eq!(kinds(&world), ["ChangeSecret"]);
}

#[test]
fn a_password_without_a_name_is_kept_and_gets_one() {
    let specs = [
        json!({ "users": { "app": [] } }),
        json!({ "users": { "app": [] }, "usersWithSecretRotation": ["app"] }),
        json!({ "users": { "app": [] }, "usersWithInPlaceSecretRotation": ["app"] }),
    ];
    for spec in specs {
        let mut world = World::new(&spec, config());
        world.secret("app").username = None;
        let change = world.change_of("app");
        assert_eq!(
            (
                change.why,
                &change.password,
                change.username.as_str(),
                &change.next_rotation
            ),
            (Why::Named, &NewPassword::Keep, "app", &NextRotation::Keep)
        );
        assert!(change.before.is_empty());
        world.turn();
        assert_eq!(world.secret("app").username.as_deref(), Some("app"));
        world.turn();
        assert_eq!(world.turn(), Vec::<String>::new());
    }
}

#[test]
fn the_password_before_goes_when_the_server_has_the_new_one() {
    let mut world = World::new(
        &json!({ "usersWithInPlaceSecretRotation": ["postgres"] }),
        config(),
    );
    world.turn();
    world.secret("postgres").has_previous = true;
    for (matches, steps) in [(None, 0), (Some(false), 0), (Some(true), 1)] {
        let found = world.catalog().roles.get_mut("postgres").unwrap();
        found.password_matches = matches;
        let plan = world.plan();
        assert_eq!(plan.steps.len(), steps, "{matches:?}");
    }
    let change = world.change_of("postgres");
    assert_eq!((change.why, change.previous), (Why::Over, Previous::Forget));
    assert_eq!(change.password, NewPassword::Keep);
}

#[test]
fn a_rotation_that_rolls_waits_for_its_window_and_wakes_then() {
    let spec = json!({
        "usersWithInPlaceSecretRotation": ["postgres"], "maintenanceWindows": ["13:00-14:00"],
    });
    let mut world = World::new(&spec, config());
    world.force("postgres");
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert_eq!(plan.holds[0].until, Some("2026-01-01T13:00:00Z".parse().unwrap()));
    assert_eq!(plan.wake_after, Some(SignedDuration::from_hours(1)));
}

/// The server has the one before, which only this process knows: another write of the secret would be one too many.
#[test]
fn a_superuser_whose_password_is_not_in_force_does_not_rotate() {
    let mut world = World::new(
        &json!({ "usersWithInPlaceSecretRotation": ["postgres"] }),
        config(),
    );
    world.force("postgres");
    for (matches, rotates) in [(Some(false), false), (None, false), (Some(true), true)] {
        world
            .catalog()
            .roles
            .get_mut("postgres")
            .unwrap()
            .password_matches = matches;
        let writes = world
            .plan()
            .steps
            .iter()
            .any(|step| step.action.kind() == "ChangeSecret");
        assert_eq!(writes, rotates, "{matches:?}");
    }
}
