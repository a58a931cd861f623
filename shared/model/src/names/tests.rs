//! Names as Zalando's operator gives them: vectors of zalando-behaviour A.1, A.17, A.26 and of recordings of the real operator.

use super::*;
use crate::config::{Form, OperatorConfig, Template};
use labels::Role::{Primary, Replica};
use objects::PatroniObject;

fn config() -> OperatorConfig {
    OperatorConfig::default_for(Form::ConfigMap)
}

fn names(cluster: &str) -> Names {
    Names::of("test", cluster, &config())
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn objects_have_upstream_names() {
    let names = names("acid-test");
    assert_eq!(names.stateful_set(), "acid-test");
    assert_eq!(names.pod(0), "acid-test-0");
    assert_eq!(names.claim(10), "pgdata-acid-test-10");
    assert_eq!(names.service(Primary), "acid-test");
    assert_eq!(names.service(Replica), "acid-test-repl");
    assert_eq!(names.config_service(), "acid-test-config");
    assert_eq!(
        PatroniObject::ALL.map(|object| names.patroni(object)),
        [
            "acid-test-config",
            "acid-test-leader",
            "acid-test-failover",
            "acid-test-sync"
        ]
    );
    assert_eq!(names.primary_budget(), "postgres-acid-test-pdb");
    assert_eq!(names.critical_budget(), "postgres-acid-test-critical-op-pdb");
    assert_eq!(names.pooler(Primary), "acid-test-pooler");
    assert_eq!(names.pooler(Replica), "acid-test-pooler-repl");
    assert_eq!(names.pooler_user_list(Replica), "acid-test-pooler-repl-u");
    assert_eq!(names.event_stream("x1y2z"), "acid-test-x1y2z");
    assert_eq!(names.service_account(), "postgres-pod");
    assert_eq!(names.host(Replica), "acid-test-repl.test.svc.cluster.local");
}

#[test]
fn only_members_have_an_ordinal() {
    let names = names("acid-test");
    assert_eq!(names.ordinal("acid-test-0"), Some(0));
    assert_eq!(names.ordinal("acid-test-12"), Some(12));
    for other in [
        "acid-test",
        "acid-test-",
        "acid-test-repl-0",
        "acid-test-01",
        "acid-test-+1",
        "acid-test2-0",
    ] {
        assert_eq!(names.ordinal(other), None, "{other}");
    }
}

#[test]
fn a26_cron_job_is_cut_to_52_without_trailing_dash() {
    assert_eq!(names("minimal").backup_job(), "logical-backup-minimal");
    assert_eq!(
        names("dumped-with-a-name-that-is-rather-long-x").backup_job(),
        "logical-backup-dumped-with-a-name-that-is-rather-lon"
    );
    assert_eq!(
        names(&format!("{}-b", "a".repeat(36))).backup_job(),
        format!("logical-backup-{}", "a".repeat(36))
    );
}

#[test]
fn longest_cluster_name_fits_its_services() {
    let names = names(&"a".repeat(objects::CLUSTER_NAME_LIMIT));
    assert_eq!(names.service(Replica).len(), objects::LABEL_LIMIT);
}

#[test]
fn secrets_follow_the_template() {
    let names = names("accounts");
    assert_eq!(
        names.secret("under_score"),
        "under-score.accounts.credentials.postgresql.acid.zalan.do"
    );
    assert_eq!(
        names.secret_of("source", "standby"),
        "standby.source.credentials.postgresql.acid.zalan.do"
    );
    assert_eq!(
        names.secret("with-dash.and-dot"),
        "with-dash.and-dot.accounts.credentials.postgresql.acid.zalan.do"
    );
    assert_eq!(secrets::namespace_of("appspace.dot.user"), Some("appspace"));
    assert_eq!(secrets::namespace_of("db_user"), None);
}

#[test]
fn labels_are_nested_sets() {
    let names = names("minimal");
    let inherited = map([("environment", "live"), ("team", "not-this")]);
    let selector = map([("application", "spilo"), ("cluster-name", "minimal")]);
    assert_eq!(names.selector(), selector);
    assert_eq!(
        labels::selector_text(&selector),
        "application=spilo,cluster-name=minimal"
    );
    let mut role = selector.clone();
    role.insert("spilo-role".to_owned(), "master".to_owned());
    assert_eq!(names.role_selector(Primary), role);
    let full = map([
        ("application", "spilo"),
        ("cluster-name", "minimal"),
        ("environment", "live"),
        ("team", "core"),
    ]);
    assert_eq!(names.labels("core", &inherited), full);
    assert_eq!(names.critical_selector()["critical-operation"], "true");
    assert_eq!(
        names.backup_labels("core", &inherited)["application"],
        "spilo-logical-backup"
    );
}

#[test]
fn pooler_labels_as_recorded() {
    let names = names("pooled");
    let base = map([
        ("application", "db-connection-pooler"),
        ("cluster-name", "pooled"),
        ("connection-pooler", "pooled-pooler-repl"),
    ]);
    assert_eq!(names.pooler_selector(Replica), base);
    let mut full = base;
    full.extend(map([("spilo-role", "replica"), ("team", "core")]));
    assert_eq!(names.pooler_labels(Replica, "core", &Labels::new()), full);
    assert_eq!(
        names.pooler_service_selector(Primary),
        map([("connection-pooler", "pooled-pooler")])
    );
}

#[test]
fn a1_short_name_is_what_follows_the_team() {
    assert_eq!(dns::without_team("acid-test", "acid"), Some("test"));
    assert_eq!(dns::without_team("test-my-name", "test"), Some("my-name"));
    assert_eq!(
        dns::without_team("my-team-another-test", "my-team"),
        Some("another-test")
    );
    assert_eq!(dns::without_team("core-legacy", "Core"), Some("legacy"));
    for (cluster, team) in [
        ("acid-test", "test"),
        ("-test", ""),
        ("foo-bar", "qwerty"),
        ("acid-", "acid"),
        ("", "-"),
    ] {
        assert_eq!(dns::without_team(cluster, team), None, "{cluster} {team}");
    }
    assert_eq!(dns::without_team("ä-test", "aa"), None);
}

#[test]
fn a17_external_names_have_a_legacy_part() {
    let mut config = config();
    config.load_balancer.master_dns_name_format = Template::new("{cluster}-stg.{namespace}.{hostedzone}");
    config.load_balancer.master_legacy_dns_name_format = Template::new("{cluster}-stg.{team}.{hostedzone}");
    let names = Names::of("test", "acid-test", &config);
    assert_eq!(
        names.external(Primary, "acid", &config),
        "acid-test-stg.test.db.example.com,test-stg.acid.db.example.com"
    );
    assert_eq!(
        names.external(Primary, "other", &config),
        "acid-test-stg.test.db.example.com"
    );
    assert_eq!(
        names.external_pooler(Primary, "acid", &config),
        "acid-test-pooler-stg.test.db.example.com"
    );
    assert_eq!(
        names.external_pooler(Replica, "acid", &config),
        "acid-test-pooler-repl.test.db.example.com"
    );
}

#[test]
fn external_names_are_lower_case() {
    let config = config();
    let names = Names::of("test", "core-legacy", &config);
    assert_eq!(
        names.external(Replica, "Core", &config),
        "core-legacy-repl.test.db.example.com,legacy-repl.core.db.example.com"
    );
}

#[test]
fn prepared_roles_have_upstream_names() {
    use roles::{Access, prepared_role, prepared_user, schema_scope};
    assert_eq!(roles::default_prepared_database("acid-test-2"), "acid_test_2");
    assert_eq!(prepared_role("foo", Access::Owner), "foo_owner");
    assert_eq!(
        prepared_user(&schema_scope("foo", "bar"), Access::Writer),
        "foo_bar_writer_user"
    );
}

#[test]
fn reserved_variables_depend_on_the_configuration() {
    let mut config = config();
    assert!(env::is_reserved("scope", &config));
    assert!(env::is_reserved("PGVERSION", &config));
    assert!(!env::is_reserved("WAL_S3_BUCKET", &config));
    assert!(!env::is_reserved("ETCD_HOST", &config));
    config.general.etcd_host = Some("etcd:2379".to_owned());
    assert!(env::is_reserved("ETCD_HOST", &config));
    assert!(!env::is_reserved("KUBERNETES_BOOTSTRAP_LABELS", &config));
}

/// Files whose code may hold parts of names: this module, and what quotes them to users.
fn may_format_names(path: &std::path::Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "names" || part.as_os_str() == "tests")
        || path
            .file_name()
            .is_some_and(|file| file == "names.rs" || file == "tests.rs")
}

fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_other_file_formats_a_name() {
    const PARTS: &[&str] = &[
        "-repl\"",
        "-repl.",
        "\"pgdata-",
        "-pooler\"",
        "-critical-op-pdb",
        "-leader\"",
        "-failover\"",
        "-config\"",
        "-sync\"",
        ".credentials.",
        "logical-backup-{",
        "spilo-role",
        "\"cluster-name\"",
        "postgres-operator.acid",
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [
        "src/cluster",
        "src/validate",
        "src/default",
        "../planner/src",
        "../../controller/src",
    ] {
        sources(&root.join(folder), &mut files);
    }
    assert!(root.join("../planner/src").is_dir(), "the planner has moved");
    let mut offences = Vec::new();
    for path in files.iter().filter(|path| !may_format_names(path)) {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for part in PARTS.iter().filter(|part| line.contains(**part)) {
                offences.push(format!("{}:{}: {part}", path.display(), number + 1));
            }
        }
    }
    assert!(
        offences.is_empty(),
        "names are made in `names` only:\n{}",
        offences.join("\n")
    );
}
