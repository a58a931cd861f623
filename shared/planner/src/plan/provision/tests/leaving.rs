//! What leaves: rotated roles, users and databases under a removal policy; and owner cycles.

use std::collections::BTreeSet;

use super::people::people;
use super::*;
use crate::observed::SecretView;
use pgherd_model::api::status::{Provisioned, ProvisionedRole};

pub(super) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn person(groups: &[&str]) -> RoleView {
    let direct = |name: &&str| ((*name).to_owned(), Membership::plain());
    RoleView {
        login: true,
        inherit: true,
        member_of: groups.iter().map(direct).collect(),
        ..RoleView::default()
    }
}

pub(super) fn lines(
    cluster: &Cluster,
    config: &OperatorConfig,
    observed: &Observed,
    now: &str,
) -> (Vec<String>, Plan) {
    let mut plan = Plan::default();
    provision(cluster, config, observed, now.parse().unwrap(), &mut plan);
    (statements(&plan), plan)
}

/// Everybody was heard; no secret is there but for those that the test puts there.
pub(super) fn with(catalog: Catalog) -> Observed {
    Observed {
        catalog: Source::Known(catalog),
        secrets: Source::Known(Vec::new()),
        role_sources: people(&[]),
        ..Observed::default()
    }
}

pub(super) fn settled_catalog(cluster: &Cluster) -> Catalog {
    Catalog {
        version: 17,
        ..settled::catalog(cluster, "postgres")
    }
}

pub(super) const NOW: &str = "2026-06-01T00:00:00Z";

#[test]
fn a23_what_rotation_left_behind_goes_in_time_and_nothing_else_does() {
    let mut config = config();
    config.users.password_rotation_interval = 30;
    config.users.password_rotation_user_retention = 60;
    let cluster = cluster_under(
        &json!({ "users": { "foo": [], "foo_bar": [] }, "usersWithSecretRotation": ["foo"] }),
        &config,
    );
    let mut catalog = settled_catalog(&cluster);
    let rotated = |catalog: &mut Catalog, name: &str, groups: &[&str]| {
        catalog.roles.insert(name.to_owned(), person(groups));
    };
    for name in ["foo260101", "foo260301", "foo260501"] {
        rotated(&mut catalog, name, &["foo"]);
    }
    // Strangers: another user's, no member, no day.
    rotated(&mut catalog, "foo_bar210101", &["foo_bar"]);
    rotated(&mut catalog, "foo210101", &[]);
    rotated(&mut catalog, "foo219999", &["foo"]);
    let owner = catalog.roles.get_mut("foo260301").unwrap();
    owner.owns_in = set(&["shop"]);
    catalog.roles.get_mut("foo260101").unwrap().granted_in = set(&["shop"]);
    let place = cluster.role("foo").unwrap().secret.clone().unwrap();
    let secret = SecretView {
        namespace: place.namespace,
        name: place.name,
        username: Some("foo260501".to_owned()),
        has_password: true,
        ..SecretView::default()
    };
    let observed = Observed {
        secrets: Source::Known(vec![secret]),
        ..with(catalog)
    };
    let (lines, plan) = lines(&cluster, &config, &observed, NOW);
    assert_eq!(
        lines,
        [
            "REASSIGN OWNED BY \"foo260101\" TO \"foo\"",
            "DROP OWNED BY \"foo260101\"",
            "DROP ROLE \"foo260101\""
        ],
        "what it has made since it was looked at stays"
    );
    assert_eq!(plan.holds.len(), 1);
    assert!(
        plan.holds[0].to_string().contains("foo260301"),
        "{}",
        plan.holds[0]
    );
}

#[test]
fn the_role_that_a_secret_names_is_made_again_when_it_is_gone() {
    let config = config();
    let cluster = cluster_under(
        &json!({ "users": { "foo": ["createdb"] }, "usersWithSecretRotation": ["foo"] }),
        &config,
    );
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("foo").unwrap().password_matches = Some(false);
    let place = cluster.role("foo").unwrap().secret.clone().unwrap();
    let secret = SecretView {
        namespace: place.namespace,
        name: place.name,
        username: Some("foo260501".to_owned()),
        has_password: true,
        ..SecretView::default()
    };
    let observed = Observed {
        secrets: Source::Known(vec![secret]),
        ..with(catalog)
    };
    let (lines, _) = lines(&cluster, &config, &observed, NOW);
    assert!(lines[0].starts_with("CREATE ROLE \"foo260501\""), "{lines:?}");
    assert_eq!(lines[1], "GRANT \"foo\" TO \"foo260501\"");
    assert_eq!(lines.len(), 2, "the first keeps its password: {lines:?}");
}

#[test]
fn an_owner_that_was_granted_to_an_owner_role_is_taken_back_first() {
    let mut config = config();
    config.users.additional_owner_roles = vec!["cron_admin".to_owned()];
    let cluster = cluster_under(
        &json!({ "users": { "owner": [] }, "databases": { "shop": "owner" } }),
        &config,
    );
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("owner").unwrap().member_of.clear();
    let membership = Membership {
        grantors: set(&["postgres"]),
        ..Membership::plain()
    };
    let mut group = RoleView::default();
    group.member_of.insert("owner".to_owned(), membership);
    catalog.roles.insert("cron_admin".to_owned(), group);
    let (lines, _) = lines(&cluster, &config, &with(catalog), NOW);
    assert_eq!(
        lines,
        [
            "REVOKE \"owner\" FROM \"cron_admin\" GRANTED BY \"postgres\"",
            "GRANT \"cron_admin\" TO \"owner\""
        ]
    );
}

fn provisioned() -> Provisioned {
    let app = ProvisionedRole {
        flags: set(&["LOGIN", "CREATEDB"]),
        member_of: set(&["staff"]),
        parameters: set(&["work_mem"]),
    };
    Provisioned {
        roles: [("app".to_owned(), app.clone()), ("old".to_owned(), app)].into(),
        databases: set(&["shop", "stale"]),
    }
}

/// `old` and `stale` have left; `app` has lost everything but its login.
fn leaving(policy: &Value) -> (Vec<String>, Plan) {
    let spec = json!({
        "users": { "app": [], "keeper": [] }, "databases": { "shop": "keeper" }, "removalPolicy": policy,
    });
    let cluster = cluster(&spec);
    let mut catalog = settled_catalog(&cluster);
    for name in ["app", "old"] {
        let view = RoleView {
            createdb: true,
            createrole: true,
            settings: [
                ("work_mem".to_owned(), "8MB".to_owned()),
                ("jit".to_owned(), "off".to_owned()),
            ]
            .into(),
            password_matches: Some(true),
            ..person(&["staff", "others"])
        };
        catalog.roles.insert(name.to_owned(), view);
    }
    catalog.roles.insert("staff".to_owned(), RoleView::default());
    catalog.roles.get_mut("old").unwrap().owns_in = set(&["shop", ""]);
    catalog.roles.get_mut("old").unwrap().granted_in = set(&["stock"]);
    catalog
        .databases
        .insert("stale".to_owned(), DatabaseView::default());
    catalog
        .databases
        .insert("foreign".to_owned(), DatabaseView::default());
    let mut observed = with(catalog);
    observed.cluster.status.provisioned = Some(provisioned());
    lines(&cluster, &config(), &observed, NOW)
}

#[test]
fn without_a_policy_everything_stays() {
    assert_eq!(leaving(&json!(null)).0, Vec::<String>::new());
    assert_eq!(leaving(&json!({ "users": "keep" })).0, Vec::<String>::new());
}

#[test]
fn only_what_the_manifest_gave_is_taken_back() {
    let (lines, _) = leaving(&json!({ "flags": "revoke", "memberships": "revoke" }));
    assert_eq!(
        lines,
        [
            "ALTER ROLE \"app\" NOCREATEDB",
            "ALTER ROLE \"app\" RESET \"work_mem\"",
            "REVOKE \"staff\" FROM \"app\""
        ]
    );
}

#[test]
fn who_leaves_loses_login_and_groups_or_goes_with_an_heir() {
    let (lines, _) = leaving(&json!({ "users": "revoke" }));
    assert_eq!(
        lines,
        ["ALTER ROLE \"old\" NOLOGIN", "REVOKE \"staff\" FROM \"old\""]
    );
    let (lines, plan) = leaving(&json!({ "users": "drop", "reassignOwnedTo": "keeper" }));
    assert_eq!(
        lines,
        [
            "REASSIGN OWNED BY \"old\" TO \"keeper\"",
            "DROP OWNED BY \"old\"",
            "REASSIGN OWNED BY \"old\" TO \"keeper\"",
            "DROP OWNED BY \"old\"",
            "REASSIGN OWNED BY \"old\" TO \"keeper\"",
            "DROP OWNED BY \"old\"",
            "DROP ROLE \"old\""
        ]
    );
    let databases: Vec<String> = plan
        .steps
        .iter()
        .map(|step| match &step.action {
            Action::RunSql { database, .. } => database.clone(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(databases, ["shop", "stock", "postgres", "postgres"]);
}

#[test]
fn databases_go_only_where_the_policy_says_so() {
    let (lines, plan) = leaving(&json!({ "databases": "drop" }));
    assert_eq!(lines, ["DROP DATABASE \"stale\""]);
    assert_eq!(plan.impact(), Impact::DataRewrite);
}

#[test]
fn a_role_whose_secret_is_anothers_is_not_made_with_that_password() {
    let mut config = config();
    config.kubernetes.enable_cross_namespace_secret = true;
    let cluster = cluster_under(
        &json!({ "users": { "app_one": [], "app-one": [], "apps.shop": [], "free": [] } }),
        &config,
    );
    let (made, plan) = lines(
        &cluster,
        &config,
        &Observed {
            secrets: Source::Known(Vec::new()),
            ..with(fresh())
        },
        NOW,
    );
    let created: Vec<&String> = made.iter().filter(|line| line.starts_with("CREATE")).collect();
    assert_eq!(created.len(), 2, "{created:?}");
    assert!(created[0].contains("\"app-one\"") && created[1].contains("\"free\""));
    let held: Vec<String> = plan.holds.iter().map(ToString::to_string).collect();
    assert!(
        held[0].contains("app_one") && held[0].contains("another role"),
        "{held:?}"
    );
    assert!(
        held[1].contains("apps.shop") && held[1].contains("does not exist"),
        "{held:?}"
    );
}

#[test]
fn a_failure_is_that_of_one_role_and_of_what_needs_it() {
    let cluster = cluster(&json!({
        "users": { "app": [], "owner": [] }, "databases": { "shop": "owner" },
        "userOptions": { "app": { "memberOf": ["owner", "pg_monitor"] } },
    }));
    let plan = plan(&cluster, fresh());
    let needs = |wanted: &str| {
        plan.steps.iter().find_map(|step| match &step.action {
            Action::RunSql { subject, needs, .. } if subject.to_string() == wanted => {
                Some(needs.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            _ => None,
        })
    };
    assert_eq!(needs("role owner"), Some(Vec::new()));
    assert_eq!(needs("role app"), Some(vec!["role owner".to_owned()]));
    assert_eq!(needs("database shop"), Some(vec!["role owner".to_owned()]));
}
