//! The built program on the shipped examples and on what goes wrong: what it prints, and its exit code.
#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples")
}

fn example(name: &str) -> String {
    examples().join(name).display().to_string()
}

fn pgherd(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgherd"));
    command
        .args(args)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    told(&pgherd(args).output().unwrap())
}

fn run_with_input(args: &[&str], input: &str) -> (i32, String, String) {
    feed(&mut pgherd(args), input)
}

fn feed(command: &mut Command, input: &str) -> (i32, String, String) {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    told(&child.wait_with_output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

const LEAST: &str =
    "{apiVersion: acid.zalan.do/v1, kind: postgresql, metadata: {name: acid-x}, spec: {volume: {size: 1Gi}}}";

#[test]
fn five_mistakes_are_five_refusals() {
    let (code, out, _) = run(&["lint", &example("broken.yaml")]);
    assert_eq!(code, 1);
    assert_has(
        &out,
        &[
            "broken.yaml, document 1: postgresql demo-broken\n",
            "broken.yaml:16:5 refused spec.databases.9orders: ",
            "refused spec.maintenanceWindows[0]: ",
            "refused spec.sidecars[1].name: ",
            "refused spec.users.Orders-Owner: ",
            "refused spec.users.reporting: ",
            "(PGV-022)",
            "5 would be refused, 0 warnings",
        ],
    );
}

#[test]
fn good_examples_pass() {
    let (code, out, err) = run(&["lint", &example("minimal.yaml"), &example("full.yaml")]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_has(
        &out,
        &[
            "demo-orders ok",
            "acid-billing ok",
            "0 would be refused, 0 warnings",
        ],
    );
}

#[test]
fn programs_get_json() {
    let (code, out, _) = run(&["lint", "--format", "json", &example("broken.yaml")]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    let findings = answer["documents"][0]["findings"].as_array().unwrap();
    assert_eq!(
        (code, answer["refused"].as_u64(), findings.len()),
        (1, Some(5), 5)
    );
    assert_eq!(findings[0]["path"], "spec.databases.9orders");
    assert_eq!(findings[0]["rule"], "PGV-027");
    assert_eq!(findings[0]["severity"], "refused");
    assert_eq!(
        (&findings[0]["line"], &findings[0]["column"]),
        (&16.into(), &5.into())
    );
    assert_eq!((&answer["format"], &answer["checked"]), (&1.into(), &1.into()));
}

#[test]
fn every_document_is_looked_at() {
    let manifests = format!(
        "{LEAST}\n---\n---\n{{apiVersion: v1, kind: Service, metadata: {{name: web}}}}\n---\n\
         {{apiVersion: v1, kind: List, items: [{}]}}\n---\n{{apiVersion: acid.zalan.do/v1, kind: Postgresql, metadata: {{name: z}}}}\n",
        LEAST.replace("volume: {size: 1Gi}", "volume: {size: 1Gi}, numberOfInstance: 2")
    );
    let (code, out, _) = run_with_input(&["lint", "-"], &manifests);
    assert_eq!(code, 1);
    assert_has(
        &out,
        &[
            "-, document 1: postgresql acid-x ok",
            "-, document 4: postgresql acid-x\n",
            "warning spec.numberOfInstance: is not known and is ignored; did you mean numberOfInstances? (PGV-052)",
            "refused kind: acid.zalan.do/v1 has no kind Postgresql",
            "1 would be refused, 1 warning; 1 object of another kind skipped;",
        ],
    );
}

#[test]
fn the_operators_configuration_is_looked_at_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let map = |name: &str, data: &str| {
        let text = format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: operator}}, data: {data}}}");
        write(&folder, name, &text)
    };
    let bad = map("bad.yaml", r#"{workers: "many", pod_role_label: role}"#);
    let (code, out, _) = run(&["lint", &bad]);
    assert_eq!(code, 1, "{out}");
    assert_has(&out, &["refused workers: ", "(PGC-001)"]);
    let (code, _, err) = run(&["lint", "--config", &bad, &example("minimal.yaml")]);
    assert_eq!(code, 2);
    assert_has(&err, &["configures no operator: workers: ", "pgherd lint"]);

    let strict = map("strict.yaml", r#"{max_instances: "1"}"#);
    let (code, out, _) = run(&["lint", "--config", &strict, &example("full.yaml")]);
    assert_eq!(code, 0);
    assert_has(&out, &["warning spec.numberOfInstances: ", "(PGV-007)"]);
    let (code, _, err) = run(&["lint", "--config", &example("full.yaml"), &example("full.yaml")]);
    assert_eq!(code, 2);
    assert_has(&err, &["holds neither an OperatorConfiguration nor"]);
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn what_the_schema_refuses_is_refused_once() {
    let manifest = LEAST.replace(
        "volume: {size: 1Gi}",
        "volume: {size: 1K, iops: 90000}, standby: {}, clone: {cluster: a}",
    );
    let (code, out, _) = run_with_input(&["lint", "-"], &manifest);
    assert_eq!(code, 1);
    assert_has(
        &out,
        &[
            "refused spec.volume.size: ",
            "(PGV-012)",
            "refused spec.volume.iops: is 90000; the most is 80000 (CRD)",
            "refused spec.clone: ",
            "(PGV-036)",
        ],
    );
    for path in ["spec.volume.size", "spec.clone"] {
        assert_eq!(out.matches(&format!(" {path}: ")).count(), 1, "{out}");
    }
}

#[test]
fn a_change_is_held_against_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let item = LEAST.replace(
        "volume: {size: 1Gi}",
        "volume: {size: 5Gi, iops: 90000}, users: {BAD: []}",
    );
    let old = write(
        &folder,
        "old.yaml",
        &format!("{{apiVersion: v1, kind: List, items: [{item}]}}"),
    );
    let (code, out, _) = run_with_input(&["lint", "--old", &old, "-"], &item);
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = run_with_input(&["lint", "--old", &old, "-"], &item.replace("5Gi", "1Gi"));
    assert_eq!(code, 1);
    assert_has(
        &out,
        &["refused spec.volume.size: ", "(PGV-013)", "1 would be refused"],
    );
    let other = item.replace("acid-x", "acid-y");
    assert_has(
        &run_with_input(&["lint", "--old", &old, "-"], &other).1,
        &["2 would be refused", "(PGV-022)", "(CRD)"],
    );
    let (code, _, err) = run_with_input(&["lint", "--old", "no-such-file.yaml", "-"], &item);
    assert_eq!(code, 2);
    assert_has(&err, &["cannot read no-such-file.yaml"]);
}

#[test]
fn teams_and_the_named_config_map_are_looked_at() {
    let team = "{apiVersion: acid.zalan.do/v1, kind: PostgresTeam, metadata: {name: t}, spec: {additionalTeams: {a: [a]}}}";
    let (code, out, _) = run_with_input(&["lint", "-"], team);
    assert_eq!(code, 0, "{out}");
    assert_has(&out, &["warning spec.additionalTeams", "(PGT-"]);
    let (code, out, _) = run_with_input(&["lint", "-"], &team.replace("[a]", "a"));
    assert_eq!(code, 1, "{out}");

    let map =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: pgo}, data: {foo: x, bar: y, workers: many}}";
    let lint = |args: &[&str]| run_with_input(&[&["lint", "-"], args].concat(), map);
    assert_has(
        &lint(&[]).1,
        &["0 would be refused, 0 warnings; 1 object of another kind skipped"],
    );
    for name in ["pgo", "default/pgo"] {
        let (code, out, _) = lint(&["--config-map", name]);
        assert_eq!(code, 1);
        assert_has(&out, &["refused workers: "]);
    }
    assert_eq!(lint(&["--config-map", "other/pgo"]).0, 0);
}

#[test]
fn code_hosts_get_sarif() {
    let (code, out, _) = run(&[
        "lint",
        "--format",
        "sarif",
        &example("broken.yaml"),
        "no-such-file.yaml",
    ]);
    assert_eq!(code, 2);
    let log: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "ids are unique");
    for rule in rules {
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{rule}");
        }
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result["level"], "error");
        let place = &result["locations"][0]["physicalLocation"];
        assert!(
            place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .ends_with("/broken.yaml")
        );
        assert!(place["region"]["startLine"].as_u64().unwrap() > 10);
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn what_admission_fills_in_is_shown() {
    let (code, out, err) = run(&["default", &example("minimal.yaml")]);
    assert_eq!((code, err.as_str()), (0, ""));
    let object: Value = serde_yaml::from_str(&out).unwrap();
    assert_eq!(object["spec"]["teamId"], "demo");
    assert_eq!(object["spec"]["users"]["orders_owner"], serde_json::json!([]));

    let nulls = LEAST.replace("volume:", "tls: {secretName: a}, patroni: null, volume:");
    let (_, out, _) = run_with_input(&["default", "--diff", "-"], &nulls);
    assert_has(
        &out,
        &[
            "postgresql acid-x\n",
            "  + spec.teamId: \"acid\"\n",
            "  + spec.tls.certificateFile: \"tls.crt\"\n",
            "  - spec.patroni: null\n",
        ],
    );
    let (_, out, _) = run_with_input(&["default", "--patch", "-"], &nulls);
    let patch: json_patch::Patch = serde_json::from_str(&out).unwrap();
    let mut patched: Value = serde_yaml::from_str(&nulls).unwrap();
    json_patch::patch(&mut patched, &patch).unwrap();
    assert_eq!(patched["spec"]["tls"]["privateKeyFile"], "tls.key");

    let folder = tempfile::tempdir().unwrap();
    let old = write(
        &folder,
        "old.yaml",
        &LEAST.replace("volume:", "numberOfInstances: 7, volume:"),
    );
    let (_, out, _) = run_with_input(&["default", "--old", &old, "--diff", "-"], LEAST);
    assert_has(&out, &["+ spec.numberOfInstances: 7\n"]);
    assert_eq!(
        run_with_input(&["default", "-"], "{apiVersion: v1, kind: Service}").0,
        2
    );
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_looked_at() {
    let (code, out, err) = run(&["lint", "no-such-file.yaml", &example("broken.yaml")]);
    assert_eq!(code, 2);
    assert_has(&out, &["5 would be refused"]);
    assert_has(
        &err,
        &["cannot read no-such-file.yaml", "name a file that can be read"],
    );

    for (text, says) in [
        ("spec: [", "as YAML or JSON, document 1"),
        ("a: 1\na: 2\n", "duplicate"),
        ("", "holds no document"),
    ] {
        let (code, _, err) = run_with_input(&["lint", "-"], text);
        assert_eq!(code, 2, "{text:?}: {err}");
        assert_has(&err, &[says]);
    }
    assert_eq!(run(&["lint"]).0, 2);
    assert_eq!(run(&["lnit"]).0, 2);
}

#[test]
fn rules_are_listed_and_explained() {
    let (code, out, _) = run(&["rules"]);
    assert_eq!(code, 0);
    let ids: Vec<&str> = out
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(ids.len(), pgherd_model::validate::rules().count());
    let (_, rows, _) = run(&["rules", "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let listed: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(listed, ids);
    for id in ids {
        let (code, page, _) = run(&["explain", id]);
        assert_eq!(code, 0, "{id}");
        assert!(page.starts_with(id) && page.lines().count() > 2, "{page}");
    }
    let (_, page, _) = run(&["explain", "17"]);
    assert_eq!(page, run(&["explain", "pgv-017"]).1);
    assert_has(
        &page,
        &[
            "PGV-017",
            "additionalVolumes",
            "Severity:       deny",
            "Keeps it:",
            "Breaks it:",
        ],
    );
    for id in ["PGC-001", "PGT-001", "CRD", "KIND"] {
        assert_eq!(run(&["explain", id]).0, 0, "{id}");
    }
    let (code, _, err) = run(&["explain", "PVG-017"]);
    assert_eq!(code, 2);
    assert_has(&err, &["did you mean PGV-017?", "pgherd rules"]);
}

#[test]
fn objects_are_shown_without_secrets() {
    let (code, out, err) = run(&["objects", &example("full.yaml")]);
    assert_eq!((code, err.as_str()), (0, ""));
    let mut kinds = Vec::new();
    for document in serde_yaml::Deserializer::from_str(&out) {
        let object: Value = serde::Deserialize::deserialize(document).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        if kind == "Secret" {
            assert_eq!(
                object["stringData"].as_object().unwrap().len(),
                1,
                "a username and no more"
            );
        }
        kinds.push(kind);
    }
    for kind in [
        "ServiceAccount",
        "RoleBinding",
        "Service",
        "Secret",
        "PodDisruptionBudget",
        "StatefulSet",
    ] {
        assert!(kinds.iter().any(|found| found == kind), "no {kind} in {kinds:?}");
    }

    let key = "standby: {s3_wal_path: 's3://b/p'}, env: [{name: AWS_SECRET_ACCESS_KEY, value: hunter2}]";
    let manifest = LEAST.replace("volume:", &format!("{key}, volume:"));
    let (code, out, err) = run_with_input(&["objects", "-"], &manifest);
    assert_eq!(code, 0, "{err}");
    assert_has(&out, &["AWS_SECRET_ACCESS_KEY", "(hidden)"]);
    assert!(!out.contains("hunter2"));
}

#[test]
fn there_are_no_objects_of_what_would_be_refused() {
    let (code, out, err) = run(&["objects", &example("broken.yaml")]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_has(&err, &["would be refused", "spec.users.Orders-Owner"]);
    let (code, _, err) = run_with_input(&["objects", "-"], "{apiVersion: v1, kind: Service}");
    assert_eq!(code, 2);
    assert_has(&err, &["holds no postgresql object"]);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let lint = |variables: &[(&str, &str)]| {
        let mut command = pgherd(&["lint", &example("broken.yaml")]);
        told(&command.envs(variables.iter().copied()).output().unwrap()).1
    };
    assert!(!lint(&[]).contains('\x1b'));
    assert!(lint(&[("CLICOLOR_FORCE", "1")]).contains("\x1b[31m"));
    assert!(!lint(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
    let sly = LEAST.replace("acid-x", "\"\\e[31macid\"");
    let (_, out, _) = feed(pgherd(&["lint", "-"]).env("CLICOLOR_FORCE", "1"), &sly);
    assert!(
        !out.contains("\x1b[31macid"),
        "a manifest must not steer the terminal: {out:?}"
    );
}

#[cfg(unix)]
#[test]
fn it_is_a_plug_in_of_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kubectl-pgherd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pgherd"), &link).unwrap();
    let (code, out, _) = told(&Command::new(link).args(["lint", "--help"]).output().unwrap());
    assert_eq!(code, 0);
    assert_has(&out, &["Usage: kubectl pgherd lint"]);
}
