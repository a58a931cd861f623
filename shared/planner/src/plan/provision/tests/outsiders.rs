//! Who has prepared a role of a name that is wanted later gains nothing by it.

use super::leaving::{NOW, lines, person, settled_catalog, with};
use super::people::people;
use super::*;

/// A membership that was granted by these.
fn by(grantors: &[&str]) -> Membership {
    Membership {
        grantors: grantors.iter().map(|name| (*name).to_owned()).collect(),
        ..Membership::plain()
    }
}

/// As whoever makes a role gets it from version 16 on.
fn maker() -> Membership {
    Membership {
        admin: true,
        inherit: false,
        set: false,
        ..by(&["postgres"])
    }
}

fn said(cluster: &Cluster, config: &OperatorConfig, catalog: &Catalog) -> (Vec<String>, Vec<String>) {
    let observed = Observed {
        role_sources: people(&["jane"]),
        ..with(catalog.clone())
    };
    let (lines, plan) = lines(cluster, config, &observed, NOW);
    let holds = plan
        .holds
        .iter()
        .filter(|hold| hold.matter.makes() && hold.matter.is_of_roles());
    (lines, holds.map(|hold| hold.reason.to_string()).collect())
}

/// What is said to `boss`, who is there and shall have the flag, where `member` is a member of it.
fn of_boss(flag: &str, member: &str, membership: &Membership) -> (Vec<String>, Vec<String>) {
    let spec = json!({"users": {"boss": [flag, "createdb"], "app": ["createrole"], "deputy": []},
        "userOptions": {"deputy": {"memberOf": ["boss"]}}});
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("postgres").unwrap().superuser = true;
    catalog.roles.insert("dba".to_owned(), person(&[]));
    let boss = catalog.roles.get_mut("boss").unwrap();
    (
        boss.superuser,
        boss.createrole,
        boss.replication,
        boss.bypassrls,
        boss.createdb,
    ) = Default::default();
    let groups = &mut catalog.roles.get_mut(member).unwrap().member_of;
    groups.insert("boss".to_owned(), membership.clone());
    said(&cluster, &config(), &catalog)
}

#[test]
fn no_power_is_laid_on_a_role_that_somebody_prepared() {
    for flag in ["superuser", "createrole", "replication", "bypassrls"] {
        for (member, membership) in [
            ("app", by(&["app"])),
            ("app", maker()),
            ("dba", by(&["app", "postgres"])),
        ] {
            let (lines, holds) = of_boss(flag, member, &membership);
            assert_eq!(lines, ["ALTER ROLE \"boss\" CREATEDB"], "{flag} {member}");
            let told = format!("{member} is a member of boss already");
            assert!(holds.len() == 1 && holds[0].contains(&told), "{holds:?}");
        }
    }
    // Anything else is no power over others.
    assert_eq!(of_boss("nologin", "app", &by(&["app"])).1, Vec::<String>::new());
}

#[test]
fn whom_the_manifest_or_a_superuser_let_keeps_nobody_from_his_rights() {
    for (member, membership) in [
        ("deputy", by(&["app"])),
        ("admin", by(&["app"])),
        ("app", by(&["postgres"])),
        ("dba", by(&["postgres"])),
        ("postgres", by(&["app"])),
    ] {
        let (lines, holds) = of_boss("superuser", member, &membership);
        assert_eq!(lines[0], "ALTER ROLE \"boss\" SUPERUSER CREATEDB", "{member}");
        assert_eq!(holds, Vec::<String>::new(), "{member}");
    }
}

/// Through somebody who may.
#[test]
fn a_long_way_is_a_way() {
    let spec = json!({"users": {"boss": ["superuser"], "app": [], "deputy": []},
        "userOptions": {"deputy": {"memberOf": ["boss"]}}});
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("boss").unwrap().superuser = false;
    let app = catalog.roles.get_mut("app").unwrap();
    app.member_of.insert("deputy".to_owned(), by(&["app"]));
    let (lines, holds) = said(&cluster, &config(), &catalog);
    assert_eq!(lines, Vec::<String>::new());
    assert!(holds[0].contains("app is a member of deputy"), "{holds:?}");
}

/// All owners of databases are in such a role by the manifest, and anybody may let it in.
#[test]
fn an_owner_role_is_a_way() {
    let mut config = config();
    config.users.additional_owner_roles = vec!["cron_admin".to_owned()];
    let spec = json!({"users": {"boss": ["superuser"], "app": ["createrole"]}, "databases": {"shop": "app"}});
    let cluster = cluster_under(&spec, &config);
    let look = |of_boss: &Membership, of_group: &Membership| {
        let mut catalog = settled_catalog(&cluster);
        catalog.roles.get_mut("postgres").unwrap().superuser = true;
        catalog.roles.get_mut("boss").unwrap().superuser = false;
        let mut group = person(&[]);
        group.member_of.insert("boss".to_owned(), of_boss.clone());
        catalog.roles.insert("cron_admin".to_owned(), group);
        let mut guest = person(&[]);
        guest.member_of.insert("cron_admin".to_owned(), of_group.clone());
        catalog.roles.insert("guest".to_owned(), guest);
        said(&cluster, &config, &catalog)
    };
    let (lines, holds) = look(&by(&["app"]), &by(&["postgres"]));
    assert_eq!(lines, Vec::<String>::new());
    assert!(holds[0].contains("cron_admin is a member of boss"), "{holds:?}");
    let (lines, holds) = look(&by(&["postgres"]), &by(&["app"]));
    assert_eq!(lines, Vec::<String>::new());
    assert!(holds[0].contains("guest is a member of cron_admin"), "{holds:?}");
    // As Zalando's operator grants it.
    let (lines, holds) = look(&by(&["postgres"]), &by(&["postgres"]));
    assert_eq!(lines, ["ALTER ROLE \"boss\" SUPERUSER"]);
    assert_eq!(holds, Vec::<String>::new());
}

#[test]
fn nobody_is_fetched_back_who_was_never_put_away() {
    let mut config = config();
    config.teams_api.enable_teams_api = true;
    let cluster = cluster_under(&json!({}), &config).with_roles_of(&people(&["jane"]), &config);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("postgres").unwrap().superuser = true;
    catalog.roles.remove("jane");
    let mut away = person(&[]);
    away.login = false;
    catalog.roles.insert("jane_deleted".to_owned(), away);
    let mut app = person(&[]);
    app.member_of.insert("jane_deleted".to_owned(), by(&["app"]));
    catalog.roles.insert("app".to_owned(), app);
    let (lines, holds) = said(&cluster, &config, &catalog);
    assert_eq!(lines, Vec::<String>::new());
    assert!(holds[0].contains("app is a member of jane_deleted"), "{holds:?}");
    // An administrator needs leave as well; who can become him is no matter of hers.
    let app = catalog.roles.get_mut("app").unwrap();
    app.member_of = [("admin".to_owned(), by(&["app"]))].into();
    let look = |membership: Membership| {
        let mut catalog = catalog.clone();
        let mut admin = person(&[]);
        admin.member_of.insert("jane_deleted".to_owned(), membership);
        catalog.roles.insert("admin".to_owned(), admin);
        said(&cluster, &config, &catalog)
    };
    let (lines, holds) = look(by(&["app"]));
    assert_eq!(lines, Vec::<String>::new());
    assert!(
        holds[0].contains("admin is a member of jane_deleted"),
        "{holds:?}"
    );
    let (lines, holds) = look(by(&["postgres"]));
    assert!(
        lines[0].contains("RENAME TO \"jane\"") && holds.is_empty(),
        "{lines:?}"
    );
}

#[test]
fn a_pooler_that_somebody_prepared_sees_no_passwords() {
    let cluster = cluster(
        &json!({"users": {"app": []}, "databases": {"shop": "app", "more": "app"},
        "enableConnectionPooler": true}),
    );
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("postgres").unwrap().superuser = true;
    let app = catalog.roles.get_mut("app").unwrap();
    app.member_of.insert("pooler".to_owned(), by(&["app"]));
    let look = |catalog: &Catalog| {
        let (lines, plan) = lines(&cluster, &config(), &with(catalog.clone()), NOW);
        let told = plan.holds.iter().filter(|hold| hold.to_string().contains("app"));
        assert!(told.clone().all(|hold| !hold.matter.makes()), "{:?}", plan.holds);
        (lines, told.count())
    };
    // What it has it has.
    assert_eq!(look(&catalog), (Vec::new(), 0));
    for database in catalog.databases.values_mut() {
        database.content = Some(ContentView::default());
    }
    let (lines, told) = look(&catalog);
    assert_eq!(told, 1, "told once");
    assert!(!lines.iter().any(|line| line.starts_with("GRANT")), "{lines:?}");
    let hides = lines
        .iter()
        .filter(|line| line.starts_with("REVOKE ALL ON FUNCTION"));
    assert!(hides.count() >= 2, "in each: {lines:?}");
}
