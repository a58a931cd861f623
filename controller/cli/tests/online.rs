//! The verbs about clusters that run, as far as they need none: plans from files, and what is said when there is no API server to ask.
#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// Exit code and both outputs.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pgherd"))
        .args(args)
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env_remove("CONFIG_MAP_NAME")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn manifest(instances: u32) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-shop", "namespace": "shop", "uid": "u"},
        "spec": {"teamId": "acid", "numberOfInstances": instances, "volume": {"size": "1Gi"},
            "postgresql": {"version": "17"}},
    })
}

/// A cluster of which nothing is there yet.
fn snapshot(directory: &Path) -> PathBuf {
    let nothing = json!({"known": null});
    let none = json!({"known": []});
    let snapshot = json!({
        "format": 1,
        "manifest": manifest(2),
        "observed": {
            "cluster": {"namespace": "shop", "name": "acid-shop", "uid": "u"},
            "statefulSet": nothing, "services": none, "disruptionBudgets": none, "serviceAccount": nothing,
            "roleBinding": nothing, "secrets": none, "pods": none, "claims": none,
            "podEnvironment": {"known": {}},
        },
    });
    let path = directory.join("now.json");
    fs::write(&path, snapshot.to_string()).unwrap();
    path
}

#[test]
fn a_snapshot_is_planned_for_without_an_api_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = snapshot(directory.path());
    let (code, told, notes) = run(&["plan", "--snapshot", file.to_str().unwrap()]);
    assert_eq!((code, notes.as_str()), (0, ""), "{told}");
    assert!(told.starts_with("shop/acid-shop\n  1. "), "{told}");
    assert!(
        told.contains("apply StatefulSet shop/acid-shop (missing)"),
        "{told}"
    );
}

#[test]
fn another_manifest_is_planned_for_in_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = snapshot(directory.path());
    let other = directory.path().join("new.yaml");
    fs::write(&other, manifest(0).to_string()).unwrap();
    let args = [
        "plan",
        "--format",
        "json",
        "--snapshot",
        file.to_str().unwrap(),
        "--manifest",
        other.to_str().unwrap(),
    ];
    let (code, told, _) = run(&args);
    let answer: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, answer["format"].as_u64()), (0, Some(1)));
    let cluster = &answer["clusters"][0];
    assert_eq!(
        (&cluster["namespace"], &cluster["name"]),
        (&json!("shop"), &json!("acid-shop"))
    );
    let waits = cluster["holds"].as_array().unwrap();
    assert!(
        waits.iter().all(|hold| hold["step"] != "members"),
        "nobody is waited for: {waits:?}"
    );

    let mut stranger = manifest(1);
    stranger["metadata"]["name"] = json!("acid-other");
    fs::write(&other, stranger.to_string()).unwrap();
    let (code, _, notes) = run(&args);
    assert_eq!(code, 2);
    assert!(
        notes.contains("holds no cluster acid-shop; it holds acid-other"),
        "{notes}"
    );
}

/// Roles that others define are of the file like everything else; what it does not hold is said, not passed over.
#[test]
fn roles_of_others_are_those_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = snapshot(directory.path());
    let config = directory.path().join("config.yaml");
    let data = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "postgres-operator"},
        "data": {"infrastructure_roles_secret_name": "ops/robots", "enable_teams_api": "false"},
    });
    fs::write(&config, data.to_string()).unwrap();
    let args = [
        "plan",
        "--config",
        config.to_str().unwrap(),
        "--snapshot",
        file.to_str().unwrap(),
    ];
    let (code, told, notes) = run(&args);
    assert_eq!(code, 0, "{notes}");
    let silent = "infrastructure roles of ops/robots are not known: the file does not hold it";
    assert!(told.contains(silent) && !told.contains("robot."), "{told}");

    let mut given: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    given["observed"]["roleSources"] = json!({
        "infrastructure": [{"known": {"roles": [{
            "name": "robot", "login": true, "password": {"namespace": "ops", "name": "robots", "key": "password1"},
        }]}}],
        "teams": {"known": {}},
    });
    fs::write(&file, given.to_string()).unwrap();
    let (code, told, notes) = run(&args);
    assert_eq!(code, 0, "{notes}");
    let secret = "create secret shop/robot.acid-shop.credentials.postgresql.acid.zalan.do";
    assert!(told.contains(secret) && !told.contains("are not known"), "{told}");
}

#[test]
fn a_manifest_without_meaning_is_no_plan() {
    let directory = tempfile::tempdir().unwrap();
    let file = snapshot(directory.path());
    let other = directory.path().join("new.yaml");
    let mut bad = manifest(2);
    bad["spec"]["volume"]["size"] = json!("much");
    fs::write(&other, bad.to_string()).unwrap();
    let args = [
        "plan",
        "--snapshot",
        file.to_str().unwrap(),
        "--manifest",
        other.to_str().unwrap(),
    ];
    let (code, told, _) = run(&args);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("cannot be used: spec.volume.size"), "{told}");
}

#[test]
fn what_is_no_snapshot_is_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.json");
    for (text, said) in [
        ("{", "is no snapshot"),
        (
            "{\"format\":2,\"manifest\":{},\"observed\":{}}",
            "its format is 2",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let (code, told, notes) = run(&["plan", "--snapshot", file.to_str().unwrap()]);
        assert_eq!((code, told.as_str()), (2, ""));
        assert!(notes.contains(said), "{notes}");
    }
}

#[test]
fn without_an_api_server_every_verb_says_what_to_do() {
    for verb in [
        &["plan"][..],
        &["status"],
        &["snapshot", "acid-shop"],
        &["adopt", "-A"],
        &["switchover", "acid-shop"],
        &["restart", "acid-shop"],
        &["pause", "acid-shop"],
        &["resume", "acid-shop"],
    ] {
        let (code, told, notes) = run(verb);
        assert_eq!((code, told.as_str()), (2, ""), "{verb:?}");
        assert!(notes.contains("--kubeconfig"), "{verb:?}: {notes}");
    }
}

#[test]
fn every_verb_teaches_by_examples_and_exit_codes() {
    for verb in ["plan", "status", "adopt", "switchover", "restart"] {
        let (code, told, _) = run(&[verb, "--help"]);
        assert_eq!(code, 0);
        assert!(
            told.contains(&format!("pgherd {verb}")) && told.contains("Exit code:"),
            "{told}"
        );
    }
}
