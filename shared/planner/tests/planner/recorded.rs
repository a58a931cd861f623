//! The recordings and the configurations under which they were made. Lives here: reading them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::cluster::role::infrastructure;
use pgherd_model::cluster::{Cluster, RoleSources};
use pgherd_model::config::{NamespacedName, OperatorConfig, source};
use pgherd_model::secret::Secret;
use pgherd_planner::observed::{PodEnvironment, Source};
use serde_json::{Value, json};

pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

pub(crate) fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect()
}

pub(crate) fn config(name: &str) -> OperatorConfig {
    let file = if name == "C" { "C-stored" } else { name };
    let object = documents(&data().join(format!("config/{file}.yaml"))).remove(0);
    let read = if name == "C" {
        source::from_object(&object, "default")
    } else {
        let values: BTreeMap<String, String> = serde_json::from_value(object["data"].clone()).unwrap();
        source::from_config_map(&values, "default")
    };
    read.unwrap().0
}

/// What the operator found in the ConfigMap and the Secret that configuration B names.
pub(crate) fn environment(config: &str) -> Source<PodEnvironment> {
    if config != "B" {
        return Source::Known(PodEnvironment::default());
    }
    let entries = [
        ("FROM_OPERATOR_CM", "cm-value"),
        ("APP_MODE", "from-operator-cm"),
        ("ZZZ", "last"),
        ("AAA", "first"),
        ("LOG_S3_BUCKET", "log-bucket-from-cm"),
    ];
    Source::Known(PodEnvironment {
        secret_keys: ["FROM_OPERATOR_SECRET", "AAA", "PGPASSWORD"]
            .map(str::to_owned)
            .into(),
        config_map: entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    })
}

/// What the operator found of infrastructure roles: the secrets and ConfigMaps that were there when the recordings were made.
pub(crate) fn role_sources(config: &OperatorConfig) -> RoleSources {
    let deps: BTreeMap<String, Value> = documents(&data().join("golden/deps.yaml"))
        .into_iter()
        .map(|object| (key(&object), object))
        .collect();
    let texts = |kind: &str, part: &str, name: &NamespacedName| -> Option<BTreeMap<String, String>> {
        let object = deps.get(&format!("{kind}/{}/{}", name.namespace, name.name))?;
        serde_json::from_value(object[part].clone()).ok()
    };
    let definitions = config.infrastructure_role_secrets();
    let infrastructure = definitions.iter().map(|definition| {
        let name = &definition.secret_name;
        let Some(secret) = texts("Secret", "stringData", name) else {
            return Source::Unknown(format!("{name} does not exist"));
        };
        let secret = secret
            .into_iter()
            .map(|(key, text)| (key, Secret::new(text)))
            .collect();
        let config_map = texts("ConfigMap", "data", name);
        Source::Known(infrastructure::read(definition, &secret, config_map.as_ref()))
    });
    RoleSources {
        infrastructure: infrastructure.collect(),
        ..RoleSources::none()
    }
}

pub(crate) fn manifest(case: &str) -> Postgresql {
    let mut object = documents(&data().join(format!("golden/manifests/{case}.yaml"))).remove(0);
    object["metadata"]["uid"] = json!("<uid>");
    object["metadata"]["namespace"] = json!("default");
    pgherd_model::api::decode(&object).unwrap()
}

/// `<kind>/<namespace>/<name>` to object, as sent.
pub(crate) type Objects = BTreeMap<String, Value>;

pub(crate) fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    [&object["kind"], &metadata["namespace"], &metadata["name"]]
        .map(|value| value.as_str().unwrap_or_default())
        .join("/")
}

/// Every case that has a meaning under a configuration: its name and its cluster.
pub(crate) fn clusters(config: &OperatorConfig) -> Vec<(String, Cluster)> {
    let sources = role_sources(config);
    let mut clusters: Vec<(String, Cluster)> = std::fs::read_dir(data().join("golden/manifests"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter_map(|case| {
            let cluster = Cluster::parse(&manifest(&case), config).ok()?;
            let cluster = cluster.with_roles_of(&sources, config);
            Some((case, cluster))
        })
        .collect();
    clusters.sort_by(|one, other| one.0.cmp(&other.0));
    clusters
}
