//! `pgherd impact` on files: which clusters are held against each other, and what is printed.
#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;

fn manifest(namespace: &str, name: &str, instances: u32, image: &str) -> String {
    format!(
        "---\napiVersion: acid.zalan.do/v1\nkind: postgresql\nmetadata: {{name: {name}{namespace}}}\nspec:\n  teamId: acid\n  \
         numberOfInstances: {instances}\n  dockerImage: {image}\n  volume: {{size: 1Gi}}\n  postgresql: {{version: \"17\"}}\n"
    )
}

/// Exit code and both outputs.
fn run(directory: &Path, old: &str, new: &str, config: Option<&str>) -> (i32, String, String) {
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgherd"));
    command.arg("impact");
    command.arg("--old").arg(file("old.yaml", old));
    command.arg("--new").arg(file("new.yaml", new));
    if let Some(config) = config {
        command.arg("--config").arg(file("config.yaml", config));
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn clusters_are_matched_by_namespace_and_name() {
    let directory = tempfile::tempdir().unwrap();
    let old = [
        manifest("", "acid-shop", 3, "a"),
        manifest(", namespace: other", "acid-shop", 3, "a"),
        manifest("", "acid-old", 1, "a"),
    ];
    let new = [
        "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n".to_owned(),
        manifest(", namespace: other", "acid-shop", 5, "a"),
        manifest(", namespace: default", "acid-shop", 3, "b"),
        manifest("", "acid-new", 1, "a"),
    ];
    let (code, told, notes) = run(directory.path(), &old.concat(), &new.concat(), None);
    assert_eq!((code, notes.as_str()), (0, ""));
    let expected = "default/acid-new\n  is created\n\
                    default/acid-shop\n  rolls 3 pods: replicas first, then 1 switchover (image)\n\
                    other/acid-shop\n  adds 2 members (from 3 to 5)\n\
                    default/acid-old\n  is not in ";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn the_operators_configuration_counts() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (
        manifest("", "acid-shop", 3, "a"),
        manifest("", "acid-shop", 5, "a"),
    );
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pgherd}\ndata: {max_instances: \"3\"}\n";
    let (code, told, _) = run(directory.path(), &old, &new, Some(config));
    assert_eq!(
        (code, told.as_str()),
        (0, "default/acid-shop\n  does nothing\n"),
        "the operator allows no more"
    );
}

#[test]
fn a_file_without_a_cluster_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let (code, told, notes) = run(directory.path(), other, &manifest("", "acid-shop", 3, "a"), None);
    assert_eq!((code, told.as_str()), (2, ""));
    assert!(notes.contains("old.yaml holds no postgresql object"), "{notes}");
}
