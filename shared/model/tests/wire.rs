//! The wire types against manifests that a real API server accepted, and against what old operators left behind.

use std::{fs, path::Path};

use pgherd_model::api::{
    DecodeError, decode,
    postgresql::{Postgresql, PostgresqlSpec, PostgresqlStatus},
    status::ClusterStatus,
    team::PostgresTeam,
};
use serde_json::{Value, json};

fn manifests() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/manifests");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the folder is committed")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a manifest is text");
            (
                path.file_stem()
                    .expect("a file has a name")
                    .to_string_lossy()
                    .into_owned(),
                serde_yaml::from_str(&text).expect("a manifest is YAML"),
            )
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn manifest(name: &str) -> Value {
    manifests()
        .into_iter()
        .find(|(found, _)| found == name)
        .expect("the manifest is there")
        .1
}

/// Nulls and empty lists and maps mean nothing to Zalando's decoder, but for an empty `preparedDatabases`.
fn without_empty(value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(fields) if fields.is_empty() && key != "preparedDatabases" => None,
        Value::Array(items) => Some(
            items
                .iter()
                .map(|item| without_empty(item, "").unwrap_or_default())
                .collect(),
        ),
        Value::Object(fields) => Some(Value::Object(
            fields
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), without_empty(value, key)?)))
                .collect(),
        )),
        plain => Some(plain.clone()),
    }
}

#[test]
fn every_accepted_manifest_is_read_and_written_without_loss() {
    let all = manifests();
    assert!(all.len() >= 30, "only {} manifests", all.len());
    for (name, raw) in all.iter().filter(|(name, _)| name != "of-version-1") {
        let cluster: Postgresql = decode(raw).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = serde_json::to_value(&cluster).unwrap();
        assert_eq!(without_empty(&written, ""), without_empty(raw, ""), "{name}");
        assert_eq!(decode::<Postgresql>(&written).unwrap(), cluster, "{name}");
    }
}

/// Types of Kubernetes' own: what is in them is not ours to prove.
const EMBEDDED: &[&str] = &[
    "nodeAffinity",
    "topologySpreadConstraints",
    "tolerations",
    "livenessProbe",
    "env",
    "envFrom",
    "sidecars",
    "initContainers",
    "init_containers",
    "selector",
    "volumeSource",
];

/// Fields of the schema that none of the values has.
fn unmet(schema: &Value, values: &[&Value], path: &str) -> Vec<String> {
    let below: Vec<&Value> = match (schema.get("items"), schema.get("additionalProperties")) {
        (Some(_), _) => values
            .iter()
            .filter_map(|value| value.as_array())
            .flatten()
            .collect(),
        (_, Some(_)) => values
            .iter()
            .filter_map(|value| value.as_object())
            .flat_map(|map| map.values())
            .collect(),
        _ => Vec::new(),
    };
    let mut missing = Vec::new();
    for child in [schema.get("items"), schema.get("additionalProperties")]
        .into_iter()
        .flatten()
    {
        missing.extend(unmet(child, &below, path));
    }
    for (name, child) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let path = format!("{path}.{name}");
        let below: Vec<&Value> = values.iter().filter_map(|value| value.get(name)).collect();
        if below.is_empty() {
            missing.push(path);
        } else if !EMBEDDED.contains(&name.as_str()) {
            missing.extend(unmet(child, &below, &path));
        }
    }
    missing
}

#[test]
fn every_field_of_the_spec_is_met_by_some_manifest() {
    let crd = serde_json::to_value(pgherd_model::crd::postgresql()).unwrap();
    let schema = crd
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .unwrap();
    let all = manifests();
    let specs: Vec<&Value> = all.iter().map(|(_, raw)| &raw["spec"]).collect();
    assert_eq!(unmet(schema, &specs, "spec"), Vec::<String>::new());
}

#[test]
fn what_version_1_stored_is_read() {
    let cluster: Postgresql = decode(&manifest("of-version-1")).unwrap();
    let spec = cluster.spec;
    assert_eq!(
        cluster.status.unwrap().postgres_cluster_status,
        ClusterStatus::Running
    );
    assert_eq!(
        (spec.use_load_balancer, spec.replica_load_balancer),
        (Some(true), Some(false))
    );
    assert_eq!(spec.pod_priority_class_name_v1.as_deref(), Some("important"));
    assert_eq!(spec.init_containers_v1.len(), 1);
    assert!(spec.env.is_empty() && spec.init_containers.is_empty() && spec.allowed_source_ranges.is_empty());
    assert_eq!(spec.users.get("reporting"), Some(&Vec::new()));
    assert!(spec.users_with_secret_rotation.is_empty() && spec.postgresql.parameters.is_empty());
    assert!(spec.prepared_databases.unwrap()["ledger"].schemas.is_empty());
    assert_eq!(spec.sidecars[0].name, "");
    assert_eq!(
        spec.sidecars[0].volume_mounts.as_ref().unwrap()[0].mount_path,
        "/data"
    );
}

#[test]
fn empty_prepared_databases_are_not_absent_ones() {
    let read = |spec: Value| decode::<PostgresqlSpec>(&spec).unwrap().prepared_databases;
    assert_eq!(read(json!({})), None);
    assert_eq!(read(json!({"preparedDatabases": null})), None);
    assert_eq!(
        read(json!({"preparedDatabases": {}})),
        Some(std::collections::BTreeMap::new())
    );
    let written = serde_json::to_value(decode::<PostgresqlSpec>(&json!({"preparedDatabases": {}})).unwrap());
    assert_eq!(written.unwrap()["preparedDatabases"], json!({}));
}

#[test]
fn a_wrong_type_is_an_error_with_its_path() {
    let error = |spec: Value| -> DecodeError {
        let object = json!({"metadata": {"name": "x"}, "spec": spec});
        decode::<Postgresql>(&object).unwrap_err()
    };
    for (spec, path) in [
        (json!({"teamId": 100}), "spec.teamId"),
        (json!({"users": {"app": [1]}}), "spec.users.app[0]"),
        (json!({"users": ["app"]}), "spec.users"),
        (
            json!({"postgresql": {"parameters": {"max_connections": 100}}}),
            "spec.postgresql.parameters.max_connections",
        ),
        (json!({"volume": {"iops": "many"}}), "spec.volume.iops"),
        (json!({"patroni": {"ttl": -1}}), "spec.patroni.ttl"),
        (
            json!({"sidecars": [{"env": [{"name": 5}]}]}),
            "spec.sidecars[0].env[0].name",
        ),
        (json!([]), "spec"),
    ] {
        assert_eq!(error(spec).path, path);
    }
    assert_eq!(
        error(json!({"numberOfInstances": "2"})).to_string(),
        "cannot read spec.numberOfInstances: invalid type: string \"2\", expected i32"
    );
}

#[test]
fn kind_and_unknown_fields_do_not_matter() {
    let object =
        json!({"kind": "Postgresql", "metadata": {"name": "x"}, "spec": {"teamId": "t", "typo": {}}});
    let cluster: Postgresql = decode(&object).unwrap();
    assert_eq!(cluster.spec.team_id.as_deref(), Some("t"));
    let written = serde_json::to_value(&cluster).unwrap();
    assert_eq!(
        (&written["kind"], &written["apiVersion"]),
        (&json!("postgresql"), &json!("acid.zalan.do/v1"))
    );
}

#[test]
fn a_status_never_hides_its_object() {
    let word = |status: Value| {
        decode::<PostgresqlStatus>(&status)
            .unwrap()
            .postgres_cluster_status
    };
    assert_eq!(
        word(json!({"PostgresClusterStatus": "Running"})),
        ClusterStatus::Running
    );
    assert_eq!(word(json!({"PostgresClusterStatus": ""})), ClusterStatus::Unknown);
    assert_eq!(word(json!("Running")), ClusterStatus::Running);
    for odd in [
        json!(""),
        json!("Dancing"),
        json!(5),
        json!([]),
        json!({}),
        json!({"PostgresClusterStatus": 7}),
    ] {
        assert_eq!(word(odd), ClusterStatus::Unknown);
    }
    let partly: PostgresqlStatus = decode(&json!({
        "PostgresClusterStatus": "Updating",
        "primary": "x-0",
        "members": "of another version",
        "lastGoodSpec": {"teamId": 100},
    }))
    .unwrap();
    assert_eq!(partly.postgres_cluster_status, ClusterStatus::Updating);
    assert_eq!(
        (partly.primary.as_deref(), partly.members.len()),
        (Some("x-0"), 0)
    );
    assert_eq!(partly.last_good_spec, None);
}

#[test]
fn a_status_is_written_under_zalandos_key_and_read_back() {
    let status = PostgresqlStatus {
        observed_generation: Some(3),
        primary: Some("x-0".to_owned()),
        last_good_spec: Some(Box::default()),
        ..PostgresqlStatus::from(ClusterStatus::SyncFailed)
    };
    let written = serde_json::to_value(&status).unwrap();
    assert_eq!(written["PostgresClusterStatus"], "SyncFailed");
    assert_eq!(decode::<PostgresqlStatus>(&written).unwrap(), status);
    for word in ClusterStatus::ALL {
        let bare = serde_json::to_value(PostgresqlStatus::from(word)).unwrap();
        assert_eq!(bare, json!({"PostgresClusterStatus": word.as_str()}));
    }
}

#[test]
fn a_clones_key_is_in_the_manifest_and_in_no_debug_output() {
    let spec = json!({"clone": {"cluster": "source", "s3_secret_access_key": "swordfish"}});
    let read: PostgresqlSpec = decode(&spec).unwrap();
    assert!(!format!("{read:?}").contains("swordfish"));
    assert_eq!(serde_json::to_value(&read).unwrap()["clone"], spec["clone"]);
}

#[test]
fn teams_may_be_empty_or_null() {
    let team: PostgresTeam = decode(&json!({
        "metadata": {"name": "x"},
        "spec": {"additionalTeams": {"a": ["b"], "c": null}, "additionalMembers": null},
    }))
    .unwrap();
    assert_eq!(team.spec.additional_teams["a"], ["b"]);
    assert!(team.spec.additional_teams["c"].is_empty() && team.spec.additional_members.is_empty());
}
