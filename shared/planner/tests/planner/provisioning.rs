//! Roles and databases through edits and time: the catalog changes as the statements say and refuses what Postgres refuses.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::cluster::role::infrastructure::InfrastructureRoles;
use pgherd_model::cluster::{Cluster, RoleOrigin, RoleSources};
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::annotations::SECRET_OF;
use pgherd_planner::assess::{Manifest, Outcome, Subject, assess};
use pgherd_planner::observed::catalog::Membership;
use pgherd_planner::observed::{Catalog, DatabaseView, RoleView, SecretView, Source};
use pgherd_planner::plan::{Action, Plan, plan};
use pgherd_planner::sql::Statement;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded::{config, environment, manifest};
use crate::world::{World, known};

const USERS: [&str; 4] = ["alpha", "beta", "beta_two", "gamma"];
/// Turns in which everything has to be done.
const TURNS: usize = 12;

/// One version of a manifest.
#[derive(Debug, Clone)]
struct Edit {
    users: Vec<Option<Vec<&'static str>>>,
    joins: Vec<bool>,
    limits: Vec<Option<i32>>,
    settings: Vec<bool>,
    rotates: Vec<u8>,
    owner: Option<usize>,
    prepared: Option<(bool, bool)>,
    /// What somebody does to the secrets of the users.
    secrets: Vec<Mischief>,
    removal: Value,
}

/// What becomes of a secret for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mischief {
    None,
    Renamed,
    Foreign,
    Gone,
}

fn edits() -> impl Strategy<Value = Edit> {
    let flags = prop::sample::subsequence(vec!["createdb", "createrole", "nologin", "noinherit"], 0..=2);
    let policies = prop::sample::select(vec![
        json!(null),
        json!({ "users": "revoke", "memberships": "revoke" }),
        json!({ "flags": "revoke", "databases": "drop" }),
        json!({ "users": "drop", "memberships": "revoke", "flags": "revoke", "databases": "drop", "reassignOwnedTo": "keeper" }),
    ]);
    (
        prop::collection::vec(prop::option::weighted(0.7, flags), 4),
        prop::collection::vec(any::<bool>(), 4),
        prop::collection::vec(prop::option::of(-1..5_i32), 4),
        prop::collection::vec(any::<bool>(), 4),
        prop::collection::vec(0..3_u8, 4),
        prop::option::of(0..4_usize),
        prop::option::of((any::<bool>(), any::<bool>())),
        prop::collection::vec(mischief(), 5),
        policies,
    )
        .prop_map(
            |(users, joins, limits, settings, rotates, owner, prepared, secrets, removal)| Edit {
                users,
                joins,
                limits,
                settings,
                rotates,
                owner,
                prepared,
                secrets,
                removal,
            },
        )
}

fn mischief() -> impl Strategy<Value = Mischief> {
    prop_oneof![
        3 => Just(Mischief::None),
        1 => Just(Mischief::Renamed),
        1 => Just(Mischief::Foreign),
        1 => Just(Mischief::Gone),
    ]
}

impl Edit {
    fn manifest(&self) -> Postgresql {
        let mut raw = serde_json::to_value(manifest("minimal")).unwrap();
        let spec = &mut raw["spec"];
        spec["users"] = json!({ "keeper": [] });
        spec["userOptions"] = json!({});
        for (index, name) in USERS.iter().enumerate() {
            let Some(flags) = &self.users[index] else { continue };
            spec["users"][*name] = json!(flags);
            let mut options = json!({});
            if self.joins[index] {
                options["memberOf"] = json!(["cron_admin", "pg_monitor"]);
            }
            if let Some(limit) = self.limits[index] {
                options["connectionLimit"] = json!(limit);
                options["validUntil"] = json!("2030-01-01T00:00:00+01:00");
            }
            if self.settings[index] {
                options["parameters"] = json!({ "work_mem": "8MB", "search_path": "\"$user\", data" });
            }
            spec["userOptions"][*name] = options;
            match self.rotates[index] {
                1 => push(&mut spec["usersWithSecretRotation"], name),
                2 => push(&mut spec["usersWithInPlaceSecretRotation"], name),
                _ => {}
            }
        }
        let owner = self.owner.filter(|owner| self.users[*owner].is_some());
        let owner = owner.map_or("keeper", |owner| USERS[owner]);
        spec["databases"] = json!({ "shop": owner });
        if let Some((whole, schema)) = self.prepared {
            let schemas = json!({ "data": { "defaultUsers": schema }, "public": {} });
            spec["preparedDatabases"] = json!({ "ledger": { "defaultUsers": whole, "schemas": schemas } });
        }
        spec["removalPolicy"] = self.removal.clone();
        pgherd_model::api::decode(&raw).unwrap()
    }

    fn drops(&self) -> bool {
        self.removal["users"] == "drop" || self.removal["databases"] == "drop"
    }
}

fn push(list: &mut Value, name: &str) {
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().unwrap().push(json!(name));
}

/// Secrets are edited and deleted, and after a few turns they are as they were.
fn meddle(world: &mut World, edit: &Edit, raw: &Postgresql, now: Timestamp) {
    let whole = known(&mut world.observed.secrets).clone();
    let names = USERS.iter().copied().chain(["keeper"]);
    for (name, mischief) in names.zip(&edit.secrets) {
        let place = world.cluster.role(name).and_then(|role| role.secret.clone());
        let Some(place) = place else { continue };
        let secrets = known(&mut world.observed.secrets);
        let found = |view: &SecretView| view.namespace == place.namespace && view.name == place.name;
        for view in secrets.iter_mut().filter(|view| found(view)) {
            match mischief {
                Mischief::Renamed => view.username = Some("root".to_owned()),
                Mischief::Foreign => {
                    view.annotations
                        .insert(SECRET_OF.to_owned(), "apps/another".to_owned());
                }
                Mischief::None | Mischief::Gone => {}
            }
        }
        if *mischief == Mischief::Gone {
            secrets.retain(|view| !found(view));
        }
    }
    for _ in 0..3 {
        turn(world, raw, now);
    }
    *known(&mut world.observed.secrets) = whole;
}

/// Nothing is taken from a role that is wanted.
fn robs_nobody(world: &World, plan: &Plan) {
    for step in &plan.steps {
        let Action::RunSql { statements, .. } = &step.action else {
            continue;
        };
        for statement in statements {
            if let Statement::DropOwned { role } | Statement::DropRole { role } = statement {
                assert!(world.cluster.role(role).is_none(), "{statement}, which is wanted");
            }
        }
    }
}

/// One turn: plan, execute, judge.
fn turn(world: &mut World, raw: &Postgresql, now: Timestamp) -> Plan {
    let made = plan(
        &world.cluster,
        &world.desired(),
        &world.observed,
        &world.config,
        now,
    );
    let status = assess(&Subject {
        manifest: Manifest::Valid {
            cluster: &world.cluster,
            spec: &raw.spec,
        },
        config: &world.config,
        observed: &world.observed,
        plan: &made,
        outcome: &Outcome::Done,
        is_edited: false,
        now,
    });
    robs_nobody(world, &made);
    world.execute(&made);
    world.observed.cluster.status = status;
    made
}

/// Everything that is wanted is there.
fn complete(world: &World, catalog: &Catalog) -> Result<(), String> {
    for role in &world.cluster.roles {
        let Some(found) = catalog.roles.get(&role.name) else {
            return Err(format!("{} is not there", role.name));
        };
        if role.login && !found.login && role.origin != RoleOrigin::System {
            return Err(format!("{} cannot log in", role.name));
        }
        if let Some(group) = role
            .member_of
            .iter()
            .find(|group| !found.member_of.contains_key(*group))
        {
            return Err(format!("{} is no member of {group}", role.name));
        }
        if let Some(limit) = role.connection_limit
            && limit != found.connection_limit.unwrap_or(-1)
        {
            return Err(format!(
                "{} has the limit {:?}",
                role.name, found.connection_limit
            ));
        }
    }
    let wanted = world.cluster.databases.iter().map(|database| &database.name);
    match wanted.clone().find(|name| !catalog.databases.contains_key(*name)) {
        Some(missing) => Err(format!("database {missing} is not there")),
        None => Ok(()),
    }
}

fn strangers(catalog: &mut Catalog) {
    let mut stranger = RoleView {
        login: true,
        createrole: true,
        ..RoleView::default()
    };
    stranger
        .member_of
        .insert("cron_admin".to_owned(), Membership::plain());
    catalog.roles.insert("beta210101".to_owned(), stranger.clone());
    catalog.roles.insert("stranger".to_owned(), stranger);
    catalog
        .databases
        .insert("foreign".to_owned(), DatabaseView::default());
}

fn operator() -> OperatorConfig {
    let mut config = config("A");
    config.users.password_rotation_interval = 30;
    config.users.password_rotation_user_retention = 60;
    config.teams_api.enable_teams_api = false;
    config
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_and_time_come_to_rest_and_strangers_stay(versions in prop::collection::vec((edits(), 0..50_i64), 1..5)) {
        let config = operator();
        let first = versions[0].0.manifest();
        let cluster = Cluster::parse(&first, &config).unwrap();
        let heard = config.infrastructure_role_secrets().len();
        let mut world = World::new(cluster, config, environment("A"));
        world.observed.role_sources = RoleSources {
            infrastructure: vec![Source::Known(InfrastructureRoles::default()); heard],
            ..RoleSources::none()
        };
        world.settle();
        strangers(known(&mut world.observed.catalog));
        let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut made: BTreeSet<String> = BTreeSet::new();
        let never_drops = versions.iter().all(|(edit, _)| !edit.drops());
        for (edit, days) in &versions {
            now += SignedDuration::from_hours(24 * days);
            let raw = edit.manifest();
            world.cluster = Cluster::parse(&raw, &world.config).unwrap();
            meddle(&mut world, edit, &raw, now);
            let quiet = (0..TURNS).find(|_| turn(&mut world, &raw, now).steps.is_empty());
            prop_assert!(quiet.is_some(), "does not come to rest: {:?}", turn(&mut world, &raw, now));
            let catalog = world.observed.catalog.known().unwrap().clone();
            if let Err(why) = complete(&world, &catalog) {
                return Err(TestCaseError::fail(why));
            }
            prop_assert!(catalog.roles.contains_key("stranger") && catalog.roles.contains_key("beta210101"));
            prop_assert_eq!(catalog.roles["stranger"].member_of.len(), 1);
            prop_assert!(catalog.databases.contains_key("foreign"));
            if never_drops {
                let plain = |name: &&String| !name.ends_with(|last: char| last.is_ascii_digit());
                prop_assert!(made.iter().filter(plain).all(|name| catalog.roles.contains_key(name)));
            }
            made.extend(catalog.roles.keys().cloned());
        }
    }
}
