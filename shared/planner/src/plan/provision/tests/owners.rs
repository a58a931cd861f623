//! Whose a database is that was there before.

use super::leaving::{NOW, lines, set, settled_catalog, with};
use super::*;
use pgherd_model::api::status::{Provisioned, ProvisionedRole};

/// What is said of a prepared database that belongs to this role, and what is held.
fn said(owner: &str, provisioned: Option<Provisioned>) -> (Vec<String>, Vec<String>) {
    let spec = json!({"users": {"shop_app": []}, "preparedDatabases": {"shop": {}, "other": {}},
        "databaseOptions": {"shop": {"connectionLimit": 7}}});
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    for (name, superuser) in [("dba", false), ("root", true)] {
        let role = RoleView {
            superuser,
            ..RoleView::default()
        };
        catalog.roles.insert(name.to_owned(), role);
    }
    let shop = catalog.databases.get_mut("shop").unwrap();
    (shop.owner, shop.connection_limit) = (owner.to_owned(), Some(7));
    let mut observed = with(catalog);
    observed.cluster.status.provisioned = provisioned;
    let (lines, plan) = lines(&cluster, &config(), &observed, NOW);
    let holds = plan.holds.iter().map(|hold| hold.reason.to_string());
    (lines, holds.collect())
}

#[test]
fn a_prepared_database_is_not_taken_from_who_works_with_it() {
    for owner in ["shop_app", "dba"] {
        let (lines, holds) = said(owner, None);
        assert_eq!(lines, Vec::<String>::new(), "{owner}");
        let told = format!("it belongs to {owner}");
        assert!(holds.len() == 1 && holds[0].contains(&told), "{holds:?}");
    }
    for owner in ["root", "postgres", "other_owner"] {
        let (lines, holds) = said(owner, None);
        assert_eq!(
            lines,
            ["ALTER DATABASE \"shop\" OWNER TO \"shop_owner\""],
            "{owner}"
        );
        assert_eq!(holds, Vec::<String>::new());
    }
}

#[test]
fn what_the_manifest_gave_to_who_left_is_taken() {
    let given = |name: &str| Provisioned {
        roles: [(name.to_owned(), ProvisionedRole::default())].into(),
        databases: set(&["shop"]),
    };
    assert_eq!(said("dba", Some(given("dba"))).0.len(), 1);
    // It is remembered, and wanted still.
    assert_eq!(said("shop_app", Some(given("shop_app"))).1.len(), 1);
}

/// It may be a role of the source that does not answer, since the manifest has given it up.
#[test]
fn nobody_has_left_as_long_as_a_source_is_silent() {
    let cluster = cluster(&json!({"preparedDatabases": {"shop": {}}}));
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.insert("dba".to_owned(), RoleView::default());
    catalog.databases.get_mut("shop").unwrap().owner = "dba".to_owned();
    let mut observed = with(catalog);
    observed.cluster.status.provisioned = Some(Provisioned {
        roles: [("dba".to_owned(), ProvisionedRole::default())].into(),
        databases: set(&["shop"]),
    });
    let config = config();
    let taken = lines(&cluster, &config, &observed, NOW).0;
    assert_eq!(taken, ["ALTER DATABASE \"shop\" OWNER TO \"shop_owner\""]);
    let why = Source::Unknown("500".to_owned());
    observed.role_sources.members = [("demo".to_owned(), why)].into();
    let mut asking = config.clone();
    asking.teams_api.enable_teams_api = true;
    assert_eq!(lines(&cluster, &asking, &observed, NOW).0, Vec::<String>::new());
}

/// What else is wanted of such a database is done.
#[test]
fn a_stranger_s_database_has_its_limit() {
    let spec =
        json!({"preparedDatabases": {"shop": {}}, "databaseOptions": {"shop": {"connectionLimit": 9}}});
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.insert("dba".to_owned(), RoleView::default());
    let shop = catalog.databases.get_mut("shop").unwrap();
    (shop.owner, shop.connection_limit) = ("dba".to_owned(), None);
    let (lines, _) = lines(&cluster, &config(), &with(catalog), NOW);
    assert_eq!(lines, ["ALTER DATABASE \"shop\" CONNECTION LIMIT 9"]);
}
