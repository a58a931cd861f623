//! What must hold for the shape of the tree: pure packages stay pure, files stay small, folders follow one scheme.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Crates that bring a runtime, a client, a clock or randomness. None may stand under a pure package.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "kube-client",
    "kube-runtime",
    "axum",
    "rand",
    "rustls",
    "tokio-postgres",
    "async-trait",
];

const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests package is in the workspace")
        .to_owned()
}

/// Every crate that `package` is built with, its build scripts and tests left out.
fn crates_under(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--package", package])
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn assert_pure(package: &str) {
    let crates = crates_under(package);
    assert!(
        crates.iter().any(|name| name == "serde"),
        "cargo tree listed nothing for {package}"
    );
    let found: Vec<_> = crates
        .iter()
        .filter(|name| IMPURE.contains(&name.as_str()))
        .collect();
    assert!(
        found.is_empty(),
        "{package} must stay pure, but is built with {found:?}"
    );
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder can be read") {
        let path = entry.expect("entry can be read").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    source_files(&root(), &mut found);
    assert!(found.len() > 20, "found only {} source files", found.len());
    found
}

#[test]
fn model_is_pure() {
    assert_pure("pgherd-model");
}

#[test]
fn planner_is_pure() {
    assert_pure("pgherd-planner");
}

#[test]
fn impurity_is_noticed() {
    assert!(
        crates_under("pgherd-controller")
            .iter()
            .any(|name| IMPURE.contains(&name.as_str()))
    );
}

#[test]
fn files_are_short_unless_they_are_tables() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).expect("source is UTF-8");
            let is_table = text
                .lines()
                .take(12)
                .any(|line| line.trim().ends_with("// table"));
            let lines = text
                .lines()
                .take_while(|line| line.trim() != "#[cfg(test)]")
                .count();
            (lines > MAX_LINES && !is_table).then(|| format!("{}: {lines}", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:#?}");
}

#[test]
fn files_say_what_lives_in_them() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("source is UTF-8");
            !text.lines().take(12).any(|line| line.starts_with("//!"))
        })
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "tests"))
        .collect();
    assert!(silent.is_empty(), "no //! at the top: {silent:#?}");
}

#[test]
fn modules_have_no_mod_rs() {
    let old: Vec<_> = sources()
        .into_iter()
        .filter(|path| path.ends_with("mod.rs"))
        .collect();
    assert!(old.is_empty(), "use foo.rs beside foo/: {old:#?}");
}
