//! The recorded manifests under review and parsed: what upstream's operator ran is let through and understood, but for what it quietly
//! left out or failed on.

use std::{collections::BTreeMap, fs, path::Path};

use pgherd_model::{
    api::{self, postgresql::Postgresql},
    cluster::Cluster,
    config::{OperatorConfig, source},
    validate,
};
use serde_json::Value;

fn data(folder: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(folder);
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the folder is committed")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a file has a name")
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path).expect("a manifest is text");
            (name, serde_yaml::from_str(&text).expect("a manifest is YAML"))
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// One of the ConfigMaps that the recordings were made under.
fn config(name: &str) -> OperatorConfig {
    let (_, map) = data("config")
        .into_iter()
        .find(|(found, _)| found == name)
        .expect("the configuration is there");
    let data: BTreeMap<String, String> = serde_json::from_value(map["data"].clone()).expect("data are texts");
    source::from_config_map(&data, "default")
        .expect("the operator accepted it")
        .0
}

/// Manifest, configuration, and the rules that refuse it.
const REFUSED: &[(&str, &str, &[&str])] = &[
    // Upstream skips the database of an owner that nobody defines; under B its owner might come from infrastructure secrets.
    ("accounts", "A", &["PGV-028"]),
    ("bad-user", "A", &["PGV-022"]),
    ("bad-user", "B", &["PGV-022"]),
    ("boxes", "A", &["PGV-033"]),
    ("boxes", "B", &["PGV-033"]),
    // Without leave for other namespaces upstream keeps these secrets at home, against what the manifest says.
    ("cross-namespace", "A", &["PGV-078"]),
    ("cross-namespace", "B", &["PGV-078"]),
    // Made up for its fields, never run.
    ("everything-else", "A", &["PGV-036"]),
    ("everything-else", "B", &["PGV-036"]),
    ("volume-clash", "A", &["PGV-017", "PGV-017"]),
    ("volume-clash", "B", &["PGV-017", "PGV-017"]),
];

/// Manifests that cannot be parsed either.
const IMPOSSIBLE: &[&str] = &["bad-user", "everything-else"];

fn refused(name: &str, config: &str) -> &'static [&'static str] {
    let found = REFUSED
        .iter()
        .find(|(manifest, under, _)| (*manifest, *under) == (name, config));
    found.map_or(&[], |(_, _, rules)| rules)
}

#[test]
fn a_review_refuses_only_what_upstream_drops_or_fails_on() {
    for under in ["A", "B"] {
        let config = config(under);
        for (name, manifest) in data("manifests") {
            let review = validate::review(&manifest, None, &config);
            let rules: Vec<_> = review.violations.iter().map(|violation| violation.rule).collect();
            assert_eq!(
                rules,
                refused(&name, under),
                "{name} under {under}: {:#?}",
                review.violations
            );
        }
    }
}

#[test]
fn every_manifest_that_upstream_ran_can_be_parsed() {
    for under in ["A", "B"] {
        let config = config(under);
        for (name, manifest) in data("manifests") {
            let decoded: Postgresql = api::decode(&manifest).expect("the API server took it");
            let parsed = Cluster::parse(&decoded, &config);
            assert_eq!(
                parsed.is_err(),
                IMPOSSIBLE.contains(&name.as_str()),
                "{name} under {under}: {:#?}",
                parsed.err()
            );
        }
    }
}

#[test]
fn no_recorded_manifest_has_an_unknown_field() {
    let config = config("A");
    for (name, manifest) in data("manifests") {
        let warnings = validate::review(&manifest, None, &config).warnings;
        assert!(
            warnings.iter().all(|warning| !warning.contains("PGV-052")),
            "{name}: {warnings:#?}"
        );
    }
}
