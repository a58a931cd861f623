//! What must hold for the shape of the tree: pure packages stay pure, files stay small, siblings import each other one way, folders follow one
//! scheme.

mod modules;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use modules::Modules;

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

/// What reads the world around the process. None may stand in a pure package, where it would compile: the standard library has it all.
const WORLDLY: &[&str] = &[
    "::now()",
    "std::env",
    "env::var",
    "SystemTime",
    "Instant",
    "RandomState",
    "std::fs",
    "fs::read",
    "std::process",
    "std::thread",
    "std::net::Tcp",
    "TimeZone::system",
    "Zoned::now",
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

/// What of `folder` reads the world.
fn worldly(folder: &str) -> Vec<String> {
    let folder = root().join(folder).join("src");
    let mut files = Vec::new();
    source_files(&folder, &mut files);
    assert!(
        files.len() > 5,
        "found only {} files in {}",
        files.len(),
        folder.display()
    );
    let is_test = |path: &PathBuf| path.iter().any(|part| part == "tests" || part == "tests.rs");
    files.retain(|path| !is_test(path));
    let found = files.into_iter().flat_map(|path| {
        let code = text::of_production(&fs::read_to_string(&path).expect("source is UTF-8"));
        let words = WORLDLY.iter().filter(move |word| code.contains(**word));
        words
            .map(move |word| format!("{}: {word}", path.display()))
            .collect::<Vec<_>>()
    });
    found.collect()
}

#[test]
fn pure_packages_read_no_clock_no_environment_and_no_randomness() {
    for folder in ["shared/model", "shared/planner"] {
        let found = worldly(folder);
        assert!(found.is_empty(), "what is read has to be an argument: {found:#?}");
    }
    assert!(
        !worldly("controller").is_empty(),
        "the controller reads a clock, which is not seen"
    );
}

/// Packages whose modules are looked at.
const PACKAGES: [&str; 10] = [
    "shared/model",
    "shared/planner",
    "shared/runtime",
    "certs",
    "webhook",
    "controller",
    "controller/cli",
    "tests",
    "tests/bench",
    "tests/fuzz",
];

#[test]
fn siblings_do_not_import_each_other() {
    for package in PACKAGES {
        let folder = root().join(package).join("src");
        let mut files = Vec::new();
        source_files(&folder, &mut files);
        assert!(files.len() > 3, "{package} has {} files", files.len());
        let cycles = Modules::read(&folder, &files).cycles();
        assert!(
            cycles.is_empty(),
            "{package}: move what both need to where both may import it: {cycles:#?}"
        );
    }
}

#[test]
fn siblings_that_import_each_other_are_noticed() {
    let cycles = |files: &[(&[&str], &str)]| {
        let mut modules = Modules::default();
        for (name, content) in files {
            modules.add(name.iter().map(|part| (*part).to_owned()).collect(), content);
        }
        let cycles = modules.cycles().into_iter();
        cycles
            .map(|edge| format!("{}-{}", edge.from, edge.to))
            .collect::<Vec<_>>()
    };
    let uses: &[(&[&str], &str)] = &[
        (&[], "mod a; mod b; mod c;"),
        (&["a"], "use super::{b::{self, Thing}, c};"),
        (&["b"], "// crate::a::Comment\nconst TEXT: &str = \"crate::a\";"),
        (&["c"], "use crate::b::Thing;"),
    ];
    assert_eq!(cycles(uses), Vec::<String>::new());
    let back = [uses, &[(&["b", "inner"], "fn f() { let _ = crate::a::g(); }")]].concat();
    assert_eq!(cycles(&back), ["a-b", "a-c", "b-a", "c-b"]);
    let of_tests = [uses, &[(&["b"], "#[cfg(test)]\nmod tests { use crate::a::g; }")]].concat();
    assert_eq!(cycles(&of_tests), Vec::<String>::new());
    let with_parent: &[(&[&str], &str)] = &[(&["a"], "use self::b::B;"), (&["a", "b"], "use super::A;")];
    assert_eq!(cycles(with_parent), Vec::<String>::new());
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
