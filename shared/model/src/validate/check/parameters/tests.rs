//! What reviews say of parameters, beyond the examples of the rules.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    config::{OperatorConfig, source},
    validate::{Review, review},
};

fn manifest(version: &str, parameters: &Value) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-test", "namespace": "test"},
        "spec": {
            "teamId": "acid", "numberOfInstances": 2, "volume": {"size": "1Gi"},
            "postgresql": {"version": version, "parameters": parameters},
        },
    })
}

fn config() -> OperatorConfig {
    let data = BTreeMap::from([("enable_teams_api".to_owned(), "false".to_owned())]);
    source::from_config_map(&data, "default").unwrap().0
}

/// What is said of a new manifest with these parameters.
fn said(version: &str, parameters: &Value) -> Review {
    review(&manifest(version, parameters), None, &config())
}

/// The warnings about parameters, the common part of their paths left out.
fn warnings(version: &str, parameters: &Value) -> Vec<String> {
    let mut review = said(version, parameters);
    assert_eq!(review.violations, []);
    review.warnings.retain(|line| line.contains("(PGV-1"));
    let of_parameters = |line: &String| {
        let rest = line.strip_prefix("spec.postgresql.parameters.");
        rest.unwrap_or(line).to_owned()
    };
    review.warnings.iter().map(of_parameters).collect()
}

#[test]
fn good_parameters_are_not_remarked_on() {
    let tuned = json!({
        "shared_buffers": "32MB", "max_connections": "10_0".replace('_', ""), "log_statement": "all", "work_mem": "10MB",
        "TimeZone": "Europe/Berlin", "datestyle": "ISO, DMY", "password_encryption": "scram-sha-256", "jit": "off",
        "autovacuum_work_mem": "-1", "cron.database_name": "postgres", "pg_stat_statements.max": "10000",
        "archive_command": "envdir /run/etc/wal-e.d/env wal-g wal-push '%p'", "huge_pages": "try", "wal_level": "hot_standby",
        "archive_mode": "on", "idle_in_transaction_session_timeout": "1h", "max_wal_size": "1.5GB",
    });
    for version in ["14", "15", "16", "17", "18"] {
        assert_eq!(warnings(version, &tuned), [""; 0], "{version}");
    }
}

#[test]
fn what_patroni_does_is_said() {
    let parameters = json!({
        "max_conections": "100", "Listen_Addresses": "*", "work_mem": "1kB", "maintenance_work_mem": "64mb", "block_size": "8192",
        "max_connections": "20", "max_wal_senders": "ten", "fsync": "t", "wal_level": "minimal", "old_snapshot_threshold": "1min",
        "wal_keep_segments": "8", "max_locks_per_transaction": "9999999999", "max_worker_processes": "300000",
    });
    assert_eq!(
        warnings("17", &parameters),
        [
            "Listen_Addresses: is set by Patroni: this value is not used (PGV-107)",
            "block_size: cannot be set: the server only reports it; this line is left out (PGV-106)",
            "fsync: \"t\" is left out: write on or off (PGV-104)",
            "maintenance_work_mem: \"64mb\" is left out: write it with B, kB, MB, GB or TB (PGV-104)",
            "max_conections: is unknown and left out; did you mean max_connections? (PGV-102)",
            "max_connections: 20 is less than 25 and is replaced by 100 (PGV-109)",
            "max_locks_per_transaction: \"9999999999\" is replaced by 64: it is too large (PGV-104)",
            "max_wal_senders: \"ten\" is replaced by 10: write a number (PGV-104)",
            "max_worker_processes: 300000 is beyond 262143: the server does not start with it (PGV-105)",
            "old_snapshot_threshold: ended with PostgreSQL 16 (PGV-103)",
            "wal_keep_segments: is unknown and left out; did you mean wal_keep_size? (PGV-102)",
            "wal_level: minimal is too little for replicas and is replaced by replica (PGV-109)",
            "work_mem: 1kB is beyond 64kB, which counts instead (PGV-105)",
        ]
    );
}

#[test]
fn majors_differ() {
    assert_eq!(
        warnings("15", &json!({"transaction_timeout": "1s"})),
        ["transaction_timeout: came with PostgreSQL 17; 15 has no such parameter (PGV-103)"]
    );
    assert_eq!(
        warnings("18", &json!({"ssl_ecdh_curve": "prime256v1"})),
        ["ssl_ecdh_curve: ended with PostgreSQL 17; use ssl_groups (PGV-103)"]
    );
    assert_eq!(
        warnings("14", &json!({"wal_compression": "zstd"})),
        ["wal_compression: \"zstd\" is left out: write on or off (PGV-104)"]
    );
    assert_eq!(warnings("15", &json!({"wal_compression": "zstd"})), [""; 0]);
}

#[test]
fn what_would_break_the_servers_file_is_refused_whatever_the_profile() {
    for (name, value) in [
        ("a.b = 1\nfsync", "off"),
        ("a.b.c", "x"),
        ("a-b.c", "x"),
        ("a.", "x"),
        (".a", "x"),
        ("a.b#", "x"),
        ("work_mem", "64MB\n"),
        ("search_path", "a\0b"),
        ("any\nthing", "x"),
    ] {
        let parameters = json!({ name: value });
        let review = said("17", &parameters);
        let rules: Vec<_> = review.violations.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, ["PGV-101"], "{name:?} = {value:?}");
        let path = &review.violations[0].path;
        assert!(!path.contains(['\n', '\0']), "{path:?}");
        let stored = manifest("17", &parameters);
        let mut changed = stored.clone();
        changed["spec"]["numberOfInstances"] = json!(3);
        assert_eq!(
            crate::validate::review(&changed, Some(&stored), &config()).violations,
            []
        );
    }
    // Patroni takes a number out of the text first.
    assert_eq!(warnings("17", &json!({"max_connections": "100\n"})), [""; 0]);
}

#[test]
fn texts_are_never_shown() {
    let secret = "hunter2";
    let parameters = json!({
        "ssl_passphrase_command": format!("echo {secret}"), "primary_conninfo": format!("password={secret}"),
        "archive_command": format!("push --key {secret}\n"), "hba_file": secret, "my.password": format!("{secret}\n"),
        "pasword": secret, "synchronous_standby_names": secret, "server_version": secret, "shared_preload_libraries": secret,
        format!("bad name.{}", 1): secret,
    });
    let review = said("17", &parameters);
    assert!(review.violations.len() >= 3 && review.warnings.len() >= 4);
    assert!(!format!("{review:?}").contains(secret), "{review:?}");
}

#[test]
fn twins_are_named() {
    assert_eq!(
        warnings("17", &json!({"work_mem": "4MB", "WORK_MEM": "8MB"})),
        [
            "WORK_MEM: is the same parameter as work_mem, and only one counts (PGV-114)",
            "work_mem: is the same parameter as WORK_MEM, and only one counts (PGV-114)",
        ]
    );
    assert_eq!(
        warnings("17", &json!({"SSL": "on"})),
        ["SSL: does not replace the image's value: write ssl (PGV-114)"]
    );
}

proptest! {
    #[test]
    fn no_parameter_breaks_a_review(name in "\\PC*|[a-z_]{0,12}\\.?[a-z_]{0,8}", value in "\\PC*|[-0-9a-zA-Z. \n]{0,8}") {
        let _ = said("17", &json!({ name: value }));
    }

    #[test]
    fn any_value_of_a_number_is_read_or_remarked_on(value in "[0-9]{1,4}(kB|MB|mb|B|s| GB|k|)") {
        let parameters = json!({"work_mem": &value});
        let lines = warnings("17", &parameters);
        let fine = crate::postgres_parameters::canonical("work_mem", crate::units::PgVersion::parse("17").unwrap(), &value);
        prop_assert!(fine.is_some() != lines.iter().any(|line| line.contains("PGV-104")), "{lines:?}");
    }
}
