//! Who is held back, or spoken of by a source that is silent, has not left. Nothing of his is taken.

use pgherd_model::api::status::{Provisioned, ProvisionedRole};
use pgherd_model::cluster::RoleSources;
use pgherd_model::cluster::role::infrastructure::{GivenRole, InfrastructureRoles};
use pgherd_model::config::NamespacedName;

use super::leaving::{NOW, lines, person, set, settled_catalog, with};
use super::*;
use crate::assess::provisioned::remember;
use crate::build::build;
use crate::observed::{PodEnvironment, SecretView};
use crate::plan::secrets::is_ours;

/// What the manifest gave to each, which is a login.
fn given(names: &[&str]) -> Provisioned {
    let role = ProvisionedRole {
        flags: set(&["LOGIN"]),
        ..ProvisionedRole::default()
    };
    Provisioned {
        roles: names
            .iter()
            .map(|name| ((*name).to_owned(), role.clone()))
            .collect(),
        databases: set(&[]),
    }
}

fn secret(cluster: &Cluster, role: &str) -> SecretView {
    let place = cluster.role(role).unwrap().secret.clone().unwrap();
    SecretView {
        namespace: place.namespace,
        name: place.name,
        username: Some(role.to_owned()),
        has_password: true,
        ..SecretView::default()
    }
}

/// Two with one secret, one whose secret is in a namespace that may be away, one whose secret is his own.
fn team(policy: &Value) -> (Cluster, OperatorConfig) {
    let mut config = config();
    config.kubernetes.enable_cross_namespace_secret = true;
    let spec = json!({
        "users": { "app_one": [], "app-one": [], "apps.shop": [], "free": [], "keeper": [] },
        "removalPolicy": policy,
    });
    (cluster_under(&spec, &config), config)
}

fn everything_owned(cluster: &Cluster) -> Catalog {
    let mut catalog = settled_catalog(cluster);
    for view in catalog.roles.values_mut() {
        view.owns_in = set(&["shop"]);
    }
    catalog
}

#[test]
fn who_is_held_back_has_not_left() {
    for policy in [
        json!({ "users": "drop", "reassignOwnedTo": "keeper" }),
        json!({ "users": "revoke", "memberships": "revoke", "flags": "revoke" }),
    ] {
        let (cluster, config) = team(&policy);
        let mut foreign = secret(&cluster, "free");
        foreign.username = Some("somebody".to_owned());
        let mut observed = Observed {
            secrets: Source::Known(vec![foreign]),
            ..with(everything_owned(&cluster))
        };
        let names = ["app_one", "app-one", "apps.shop", "free", "keeper"];
        observed.cluster.status.provisioned = Some(given(&names));
        let (lines, plan) = lines(&cluster, &config, &observed, NOW);
        assert_eq!(lines, Vec::<String>::new(), "{policy}");
        assert_eq!(plan.holds.len(), 3, "all of them are held: {:#?}", plan.holds);
    }
}

/// The heir's secret was edited: nothing that it owns is dropped, and nobody's goes to it who has left.
#[test]
fn an_heir_that_is_held_back_keeps_what_it_owns() {
    let (cluster, config) = team(&json!({ "users": "drop", "reassignOwnedTo": "keeper" }));
    let mut edited = secret(&cluster, "keeper");
    edited.username = Some("root".to_owned());
    let mut catalog = everything_owned(&cluster);
    let mut observed = Observed {
        secrets: Source::Known(vec![edited]),
        ..with(catalog.clone())
    };
    observed.cluster.status.provisioned = Some(given(&["keeper"]));
    let (said, _) = lines(&cluster, &config, &observed, NOW);
    assert_eq!(said, Vec::<String>::new());
    // Neither there nor to be made: who has left waits.
    catalog.roles.remove("keeper");
    catalog.roles.insert("old".to_owned(), person(&[]));
    observed.catalog = Source::Known(catalog);
    observed.cluster.status.provisioned = Some(given(&["old"]));
    let (said, plan) = lines(&cluster, &config, &observed, NOW);
    assert_eq!(said, Vec::<String>::new());
    let waits = |hold: &Hold| {
        hold.matter.to_string() == "drop role old" && matches!(hold.reason, HoldReason::Lacking(_))
    };
    assert!(plan.holds.iter().any(waits), "{:#?}", plan.holds);
}

/// A rule refuses such a manifest; one that came around it is read all the same.
#[test]
fn nobody_inherits_from_himself_or_from_who_leaves_with_him() {
    let config = config();
    let policy = json!({ "users": "drop", "reassignOwnedTo": "keeper" });
    let cluster = cluster_under(
        &json!({ "users": { "app": [] }, "removalPolicy": policy }),
        &config,
    );
    let mut catalog = settled_catalog(&cluster);
    for name in ["keeper", "old"] {
        let mut view = person(&[]);
        view.owns_in = set(&["", "shop"]);
        catalog.roles.insert(name.to_owned(), view);
    }
    let mut observed = with(catalog);
    observed.cluster.status.provisioned = Some(given(&["app", "keeper", "old"]));
    let (lines, plan) = lines(&cluster, &config, &observed, NOW);
    assert_eq!(lines, Vec::<String>::new());
    let steps: Vec<String> = plan.holds.iter().map(|hold| hold.matter.to_string()).collect();
    assert_eq!(steps, ["drop role keeper", "drop role old"]);
}

#[test]
fn who_is_to_own_a_database_is_not_dropped() {
    let config = config();
    let policy = json!({ "users": "drop", "reassignOwnedTo": "keeper" });
    let spec = json!({ "users": { "keeper": [] }, "databases": { "shop": "old" }, "removalPolicy": policy });
    let cluster = cluster_under(&spec, &config);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.insert("old".to_owned(), person(&[]));
    let mut observed = with(catalog);
    observed.cluster.status.provisioned = Some(given(&["old"]));
    let (lines, plan) = lines(&cluster, &config, &observed, NOW);
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("old\"") && line.starts_with("DROP"))
    );
    assert!(
        plan.holds
            .iter()
            .any(|hold| hold.matter.to_string() == "drop role old"),
        "{:#?}",
        plan.holds
    );
}

/// The role is defined elsewhere: from the moment on at which that was heard it is not the manifest's any more. Until then nobody says that it
/// left.
#[test]
fn what_only_a_silent_source_knows_of_has_not_left() {
    let mut config = config();
    config.kubernetes.infrastructure_roles_secret_name = Some(NamespacedName {
        namespace: "default".to_owned(),
        name: "robots".to_owned(),
    });
    config.teams_api.enable_teams_api = false;
    let policy = json!({ "users": "drop", "reassignOwnedTo": "keeper" });
    let spec = json!({ "users": { "keeper": [] }, "removalPolicy": policy });
    let heard = |roles: Vec<GivenRole>| RoleSources {
        infrastructure: vec![Source::Known(InfrastructureRoles {
            roles,
            findings: Vec::new(),
        })],
        ..RoleSources::none()
    };
    let robot = GivenRole {
        name: "robot".to_owned(),
        login: true,
        ..GivenRole::default()
    };
    let with_robot = heard(vec![robot]);
    let cluster = |sources: &RoleSources| cluster_under(&spec, &config).with_roles_of(sources, &config);
    let catalog = settled_catalog(&cluster(&with_robot));
    let silent = RoleSources {
        infrastructure: vec![Source::Unknown("503".to_owned())],
        ..RoleSources::none()
    };
    let look = |sources: &RoleSources| {
        let mut observed = Observed {
            role_sources: sources.clone(),
            ..with(catalog.clone())
        };
        observed.cluster.status.provisioned = Some(given(&["robot", "keeper"]));
        lines(&cluster(sources), &config, &observed, NOW)
    };
    let (said, plan) = look(&silent);
    assert_eq!(said, Vec::<String>::new());
    let unheard = |hold: &&Hold| matches!(hold.reason, HoldReason::Unheard { .. });
    assert_eq!(plan.holds.iter().filter(unheard).count(), 2, "{:#?}", plan.holds);
    assert_eq!(
        look(&RoleSources::none()).0,
        Vec::<String>::new(),
        "nobody asked it"
    );
    assert_eq!(look(&heard(Vec::new())).0, ["DROP ROLE \"robot\""]);
    let next = remember(&cluster(&with_robot), Some(&catalog), Some(&given(&["robot"]))).unwrap();
    assert_eq!(next.roles.keys().collect::<Vec<_>>(), ["keeper"]);
}

/// Rotation copied the flags; what the application logs in as loses them, too, and they are remembered until it has.
#[test]
fn flags_go_from_what_rotation_made_as_well() {
    let config = config();
    let spec = json!({
        "users": { "app": [] }, "usersWithSecretRotation": ["app"], "removalPolicy": { "flags": "revoke" },
    });
    let cluster = cluster_under(&spec, &config);
    let mut catalog = settled_catalog(&cluster);
    let mut dated = person(&["app"]);
    dated.superuser = true;
    dated.settings = [("work_mem".to_owned(), "8MB".to_owned())].into();
    catalog.roles.insert("app260501".to_owned(), dated.clone());
    // Another's, and one that is made by hand.
    catalog.roles.insert("app_two260501".to_owned(), dated.clone());
    dated.member_of.clear();
    catalog.roles.insert("app260502".to_owned(), dated);
    let before = Provisioned {
        roles: [(
            "app".to_owned(),
            ProvisionedRole {
                flags: set(&["LOGIN", "SUPERUSER"]),
                parameters: set(&["work_mem"]),
                ..ProvisionedRole::default()
            },
        )]
        .into(),
        databases: set(&[]),
    };
    let mut current = secret(&cluster, "app");
    current.username = Some("app260501".to_owned());
    let mut observed = Observed {
        secrets: Source::Known(vec![current]),
        ..with(catalog.clone())
    };
    observed.cluster.status.provisioned = Some(before.clone());
    let (lines, _) = lines(&cluster, &config, &observed, NOW);
    assert_eq!(
        lines,
        [
            "ALTER ROLE \"app260501\" NOSUPERUSER",
            "ALTER ROLE \"app260501\" RESET \"work_mem\""
        ]
    );
    let kept =
        |catalog: &Catalog| remember(&cluster, Some(catalog), Some(&before)).unwrap().roles["app"].clone();
    assert!(kept(&catalog).flags.contains("SUPERUSER") && kept(&catalog).parameters.contains("work_mem"));
    let clean = catalog.roles.get_mut("app260501").unwrap();
    clean.superuser = false;
    clean.settings.clear();
    assert!(!kept(&catalog).flags.contains("SUPERUSER") && kept(&catalog).parameters.is_empty());
}

/// A secret that somebody may read names it.
#[test]
fn a_role_that_a_secret_names_is_in_use() {
    let mut config = config();
    config.users.password_rotation_interval = 30;
    config.users.password_rotation_user_retention = 60;
    let spec = json!({
        "users": { "foo": [], "other": [] }, "usersWithSecretRotation": ["foo"],
        "removalPolicy": { "users": "drop", "reassignOwnedTo": "other" },
    });
    let cluster = cluster_under(&spec, &config);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.insert("foo260101".to_owned(), person(&["foo"]));
    let mut named = secret(&cluster, "foo");
    named.username = Some("foo260101".to_owned());
    let mut foreign = named.clone();
    foreign.annotations = [(
        pgherd_model::names::annotations::SECRET_OF.to_owned(),
        "a/b".to_owned(),
    )]
    .into();
    let mut observed = with(catalog);
    observed.cluster.status.provisioned = Some(given(&["foo", "other"]));
    for secret in [named, foreign] {
        observed.secrets = Source::Known(vec![secret]);
        let (lines, _) = lines(&cluster, &config, &observed, NOW);
        assert_eq!(lines, Vec::<String>::new());
    }
    observed.secrets = Source::Known(Vec::new());
    let (lines, _) = lines(&cluster, &config, &observed, NOW);
    assert_eq!(lines, ["DROP ROLE \"foo260101\""]);
}

/// What its clients read is no text: whatever its role has stays as it is.
#[test]
fn a_role_whose_secret_holds_no_text_is_left_alone_and_told() {
    let config = config();
    let cluster = cluster_under(&json!({ "users": { "foo": ["createdb"], "other": [] } }), &config);
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.get_mut("foo").unwrap().createdb = false;
    let mut observed = with(catalog);
    let mut views = vec![secret(&cluster, "foo"), secret(&cluster, "other")];
    for illegible in [true, false] {
        views[0].password_illegible = illegible;
        observed.secrets = Source::Known(views.clone());
        let (lines, plan) = lines(&cluster, &config, &observed, NOW);
        assert_eq!(lines.is_empty(), illegible, "{lines:?}");
        let holds: Vec<String> = plan.holds.iter().map(ToString::to_string).collect();
        let told = |hold: &&String| hold.contains("role foo") && hold.contains("UTF-8");
        assert_eq!(
            holds.iter().filter(told).count(),
            usize::from(illegible),
            "{holds:?}"
        );
    }
}

/// The secret of one login is another's, so that its role is not made: all others get their privileges.
#[test]
fn one_role_that_is_held_does_not_keep_a_database_from_being_prepared() {
    let config = config();
    let spec = json!({ "preparedDatabases": { "bar": { "defaultUsers": true, "schemas": { "data": {} } } } });
    let cluster = cluster_under(&spec, &config);
    let mut foreign = secret(&cluster, "bar_owner_user");
    foreign.username = Some("somebody".to_owned());
    let mut catalog = settled_catalog(&cluster);
    catalog.roles.remove("bar_owner_user");
    let database = catalog.databases.get_mut("bar").unwrap();
    database.content = Some(ContentView::default());
    let mut observed = Observed {
        secrets: Source::Known(vec![foreign]),
        ..with(catalog)
    };
    let look = |observed: &Observed| lines(&cluster, &config, observed, NOW);
    let (said, plan) = look(&observed);
    let text = said.join("\n");
    assert!(!text.contains("bar_owner_user"), "{text}");
    for grant in [
        "FOR ROLE \"bar_owner\" GRANT SELECT ON TABLES TO \"bar_reader\"",
        "CREATE SCHEMA \"data\"",
        "FOR ROLE \"bar_data_owner\" IN SCHEMA \"data\" GRANT SELECT ON TABLES TO \"bar_data_reader\"",
    ] {
        assert!(text.contains(grant), "{grant} is missing:\n{text}");
    }
    let held: Vec<String> = plan.holds.iter().map(|hold| hold.matter.to_string()).collect();
    assert_eq!(
        held,
        [
            "make role bar_owner_user",
            "prepare database bar",
            "prepare schema data of database bar"
        ]
    );
    // Without its owner there is no schema, and nothing to grant in it.
    known_catalog(&mut observed).roles.remove("bar_data_owner");
    let mut foreign = cluster.clone();
    foreign.roles.retain(|role| role.name != "bar_data_owner");
    let (said, _) = lines(&foreign, &config, &observed, NOW);
    assert!(!said.join("\n").contains("SCHEMA \"data\""), "{said:?}");
}

fn known_catalog(observed: &mut Observed) -> &mut Catalog {
    match &mut observed.catalog {
        Source::Known(catalog) => catalog,
        Source::Unknown(why) => panic!("{why}"),
    }
}

/// Two clusters of one name, one of which sends its secrets to where the other lives: names and labels are the same.
#[test]
fn who_sends_his_secrets_does_not_get_those_that_are_there() {
    let mut config = config();
    config.kubernetes.enable_cross_namespace_secret = true;
    let of = |namespace: &str| {
        let bar = json!({ "defaultUsers": true, "secretNamespace": "default" });
        let mut cluster = cluster_under(&json!({ "preparedDatabases": { "bar": bar } }), &config);
        cluster.identity.namespace = namespace.to_owned();
        let desired = build(&cluster, &config, &Source::Known(PodEnvironment::default()));
        let mut drafts = desired.secrets.into_iter();
        let draft = drafts.find(|it| it.username == "bar_reader_user").unwrap();
        (cluster, draft)
    };
    let (home, mine) = of("default");
    let (sender, theirs) = of("dev");
    assert_eq!((&mine.name, &mine.labels), (&theirs.name, &theirs.labels));
    let stored = SecretView {
        labels: mine.labels.clone(),
        annotations: mine.annotations.clone(),
        ..secret(&home, "bar_reader_user")
    };
    assert!(is_ours(&mine, &stored, &home));
    assert!(!is_ours(&theirs, &stored, &sender));
    // A copy in a namespace with a cluster of that name is this one's, and no sweep of the other's finds it.
    let mut copied = stored.clone();
    copied.namespace = "dev".to_owned();
    let (mut local, mut wanted) = (home.clone(), mine.clone());
    (local.identity.namespace, wanted.namespace) = ("dev".to_owned(), "dev".to_owned());
    assert!(is_ours(&wanted, &copied, &local));
    let key = pgherd_model::names::annotations::SECRET_OF;
    assert!(!copied.annotations.contains_key(key) && theirs.annotations[key] == "dev/demo");
}
