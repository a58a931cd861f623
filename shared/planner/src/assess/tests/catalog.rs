//! What the status says of roles and databases that are not as they are wanted, or of which that is not known.

use pgherd_model::cluster::RoleSources;
use pgherd_model::cluster::role::infrastructure::{GivenRole, InfrastructureRoles};

use super::*;
use crate::plan::Purpose;
use crate::sql::Subject;

fn held(matter: Matter, reason: HoldReason) -> World {
    let mut world = World::steady().later();
    world.plan.holds.push(Hold {
        matter,
        reason,
        until: None,
    });
    world
}

/// Its name is a word that lines for people have as well.
fn secret_of_app() -> Matter {
    Matter::RoleSecret {
        role: "app".to_owned(),
        namespace: "default".to_owned(),
        name: "database".to_owned(),
    }
}

fn granted(role: &str, member: &str) -> Statement {
    Statement::GrantRole {
        role: role.to_owned(),
        member: member.to_owned(),
        admin: false,
    }
}

/// `Ready`, `RolesInSync`, `DatabasesInSync`
fn three(status: &PostgresqlStatus) -> [&str; 3] {
    ["Ready", "RolesInSync", "DatabasesInSync"].map(|kind| said(status, kind))
}

fn conflict(text: &str) -> HoldReason {
    HoldReason::Conflict(text.to_owned())
}

fn unread(source: &str) -> HoldReason {
    HoldReason::SourceUnknown {
        source: source.to_owned(),
        why: "closed".to_owned(),
    }
}

#[test]
fn what_is_missing_is_never_called_in_sync() {
    let not_ours = || HoldReason::NotOurs("role root".to_owned());
    let lacking = || HoldReason::Lacking("role nobody".to_owned());
    let another = "another role has the secret default/x";
    let role = |name: &str| Subject::Role(name.to_owned());
    let trigger = || conflict("an event trigger");
    let of_roles = [
        (make_app(), not_ours()),
        (make_app(), conflict(another)),
        (Matter::Object(Verb::Make, role("database_reader")), lacking()),
        (secret_of_app(), not_ours()),
        (
            Matter::Statement(role("app"), Box::new(granted("schema", "app"))),
            lacking(),
        ),
    ];
    let shop = Subject::Database("shop".to_owned());
    let of_databases = [
        (create("role"), lacking()),
        (Matter::Object(Verb::Prepare, shop), lacking()),
        (
            Matter::Inside(Purpose::Prepare, Some("shop".to_owned())),
            trigger(),
        ),
    ];
    let of_roles = of_roles.map(|held| (held, ["False", "False", "True"]));
    let of_databases = of_databases.map(|held| (held, ["False", "True", "False"]));
    for ((matter, reason), expected) in of_roles.into_iter().chain(of_databases) {
        let status = held(matter.clone(), reason.clone()).status();
        assert_eq!(three(&status), expected, "{matter}: {reason}");
    }
    // Of something else.
    let status = held(Matter::RoleBinding, not_ours()).status();
    assert_eq!(three(&status), ["False", "True", "True"]);
}

#[test]
fn what_does_not_keep_anybody_from_working_is_a_remark() {
    let status = held(
        Matter::Object(Verb::Drop, Subject::Role("app260101".to_owned())),
        conflict("it owns objects in database shop"),
    )
    .status();
    assert_eq!(three(&status), ["True"; 3]);
    let conditions = &status.conditions;
    let roles = conditions.iter().find(|it| it.type_ == "RolesInSync").unwrap();
    assert!(roles.message.contains("it owns objects"), "{}", roles.message);
    let lookup = || Matter::Inside(Purpose::Lookup, Some("shop".to_owned()));
    let status = held(lookup(), conflict("schema pooler belongs to app")).status();
    assert_eq!(three(&status), ["True"; 3]);
    let databases = status.conditions.iter().find(|it| it.type_ == "DatabasesInSync");
    let message = &databases.unwrap().message;
    assert!(message.contains("schema pooler belongs to app"), "{message}");
    let status = held(lookup(), unread("content of database shop")).status();
    assert_eq!(three(&status), ["True", "True", "Unknown"]);
}

/// A database that nobody could look into is not called in sync; a cluster that was ready stays so for a while.
#[test]
fn what_could_not_be_read_is_not_known() {
    let mut world = held(
        Matter::Inside(Purpose::Prepare, None),
        unread("content of database shop"),
    );
    let status = world.status();
    assert_eq!(three(&status), ["True", "True", "Unknown"]);
    world.observed.cluster.status = status;
    world.now += SignedDuration::from_mins(4);
    assert_eq!(three(&world.status()), ["True", "True", "Unknown"]);
    world.now += SignedDuration::from_mins(1);
    assert_eq!(three(&world.status()), ["False", "True", "Unknown"], "too long");
    let never_ready = World {
        plan: world.plan.clone(),
        ..World::steady()
    };
    assert_eq!(three(&never_ready.status()), ["False", "True", "Unknown"]);
}

#[test]
fn silence_of_the_catalog_is_no_success() {
    let mut world = World::steady().later();
    world.observed.catalog = Source::Unknown("timed out".to_owned());
    assert_eq!(three(&world.status()), ["True", "Unknown", "Unknown"]);
    world.observed.cluster.status = world.status();
    world.now += SignedDuration::from_mins(6);
    assert_eq!(three(&world.status()), ["False", "Unknown", "Unknown"]);
    assert_eq!(said(&World::empty().status(), "RolesInSync"), "Unknown");
}

#[test]
fn who_is_locked_out_does_not_say_that_all_is_well() {
    let mut world = World::steady().later();
    let why = "postgres at 10.0.0.3:5432 did not let postgres into database postgres: password authentication failed for user \"postgres\" (SQLSTATE 28P01)";
    world.observed.catalog = Source::Unknown(why.to_owned());
    let status = world.status();
    assert_eq!(three(&status), ["False"; 3]);
    let ready = status.conditions.iter().find(|it| it.type_ == "Ready").unwrap();
    assert_eq!(
        (ready.reason.as_str(), ready.message.as_str()),
        ("LoginRefused", why)
    );
}

/// Nobody leads, so that nobody could be asked: other conditions tell of that.
#[test]
fn who_could_not_be_asked_is_as_he_was() {
    let mut world = World::steady().later();
    let mut patroni = world.observed.patroni.known().unwrap().clone();
    patroni.members.remove(0);
    world.observed.patroni = Source::Known(patroni);
    world.observed.catalog = Source::Unknown("not asked: no primary".to_owned());
    assert_eq!(three(&world.status()), ["False", "True", "True"]);
}

/// A robot and a person with one name: the definition that does not count is told of, also when it comes without an edit.
#[test]
fn definitions_that_do_not_count_are_in_the_status() {
    let mut world = World::steady();
    world.manifest.spec.users = [("robot".to_owned(), Vec::new())].into();
    let mut world = world.later();
    let judged = |world: &World| {
        let robots = InfrastructureRoles {
            roles: vec![GivenRole {
                name: "robot".to_owned(),
                ..GivenRole::default()
            }],
            findings: Vec::new(),
        };
        let sources = RoleSources {
            infrastructure: vec![Source::Known(robots)],
            ..RoleSources::none()
        };
        let cluster = Cluster::parse(&world.manifest, &world.config).unwrap();
        let cluster = cluster.with_roles_of(&sources, &world.config);
        world.judge(Manifest::Valid {
            cluster: &cluster,
            spec: &world.manifest.spec,
        })
    };
    let message = |status: &PostgresqlStatus| {
        let roles = status.conditions.iter().find(|it| it.type_ == "RolesInSync");
        roles.unwrap().message.clone()
    };
    let status = judged(&world);
    assert_eq!(three(&status), ["True"; 3]);
    let said = message(&status);
    let is_told = |text: &str| text.contains("spec.users.robot") && text.contains("infrastructure role");
    assert!(is_told(&said), "{said}");
    // What else is missing does not hide it.
    world.plan.holds.push(Hold {
        matter: make_app(),
        reason: HoldReason::NotOurs("cluster x".to_owned()),
        until: None,
    });
    let lacking = judged(&world);
    assert_eq!(three(&lacking), ["False", "False", "True"]);
    assert!(is_told(&message(&lacking)), "{}", message(&lacking));
    // Nor does it grow while nobody can be asked.
    world.plan.holds.clear();
    world.observed.cluster.status = status;
    let mut patroni = world.observed.patroni.known().unwrap().clone();
    patroni.members.remove(0);
    world.observed.patroni = Source::Known(patroni);
    world.observed.catalog = Source::Unknown("not asked: no primary".to_owned());
    assert_eq!(message(&judged(&world)), said);
}
