//! Would Zalando's operator find something to do? Its rules of comparison, as far as they decide over pods and objects. What it would generate
//! is what it was recorded to generate.

use std::collections::BTreeMap;

use serde_json::Value;

/// What it would do about one object, and why.
pub(crate) fn wants(recorded: &Value, stored: &Value) -> Vec<String> {
    let mut found = match recorded["kind"].as_str() {
        Some("StatefulSet") => stateful_set(recorded, stored),
        Some("Service") => service(&recorded["spec"], &stored["spec"]),
        Some("PodDisruptionBudget") => differing(recorded, stored, &["/spec"]),
        _ => Vec::new(),
    };
    found.extend(owners(recorded, stored));
    found.extend(annotations(recorded, stored));
    let metadata = &recorded["metadata"]["name"];
    found
        .into_iter()
        .map(|what| format!("{} {metadata}: {what}", recorded["kind"]))
        .collect()
}

fn stateful_set(recorded: &Value, stored: &Value) -> Vec<String> {
    let (recorded, stored) = (&recorded["spec"], &stored["spec"]);
    let mut found = differing(
        recorded,
        stored,
        &[
            "/replicas",
            "/podManagementPolicy",
            "/persistentVolumeClaimRetentionPolicy",
            "/selector",
            "/template/metadata/labels",
            "/template/metadata/annotations",
            "/template/spec/serviceAccountName",
            "/template/spec/terminationGracePeriodSeconds",
            "/template/spec/affinity",
            "/template/spec/topologySpreadConstraints",
            "/template/spec/securityContext",
            "/template/spec/priorityClassName",
        ],
    );
    let counted = [
        "/template/spec/tolerations",
        "/template/spec/volumes",
        "/volumeClaimTemplates",
    ];
    found.extend(
        counted
            .iter()
            .filter(|path| count(recorded, path) != count(stored, path))
            .map(|path| format!("number of {path}")),
    );
    found.extend(claims(recorded, stored));
    for list in ["/template/spec/containers", "/template/spec/initContainers"] {
        found.extend(containers(items(recorded, list), items(stored, list), list));
    }
    found
}

fn claims(recorded: &Value, stored: &Value) -> Vec<String> {
    let (recorded, stored) = (
        items(recorded, "/volumeClaimTemplates"),
        items(stored, "/volumeClaimTemplates"),
    );
    let pairs = recorded.iter().zip(stored);
    pairs
        .flat_map(|(recorded, stored)| {
            differing(
                recorded,
                stored,
                &["/metadata/name", "/metadata/annotations", "/spec"],
            )
        })
        .collect()
}

fn containers(recorded: &[Value], stored: &[Value], list: &str) -> Vec<String> {
    if recorded.len() != stored.len() {
        return vec![format!("number of {list}")];
    }
    let parts = [
        "/name",
        "/image",
        "/readinessProbe",
        "/livenessProbe",
        "/resources",
        "/envFrom",
        "/securityContext",
    ];
    let mut found = Vec::new();
    for (recorded, stored) in recorded.iter().zip(stored) {
        found.extend(differing(recorded, stored, &parts));
        if variables(recorded) != variables(stored) {
            found.push(format!("env of {}", recorded["name"]));
        }
        for set in ["/ports", "/volumeMounts"] {
            if !same_set(items(recorded, set), items(stored, set)) {
                found.push(format!("{set} of {}", recorded["name"]));
            }
        }
    }
    found
}

/// By name; of the image's configuration all but what it starts Patroni with.
fn variables(container: &Value) -> BTreeMap<String, Value> {
    let variables = items(container, "/env").iter().map(|variable| {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        let mut variable = variable.clone();
        if name == "SPILO_CONFIGURATION"
            && let Some(mut value) = variable["value"]
                .as_str()
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
        {
            if let Some(bootstrap) = value["bootstrap"].as_object_mut() {
                bootstrap.remove("dcs");
            }
            variable["value"] = value;
        }
        (name, variable)
    });
    variables.collect()
}

fn service(recorded: &Value, stored: &Value) -> Vec<String> {
    let mut found = differing(
        recorded,
        stored,
        &["/type", "/selector", "/externalTrafficPolicy"],
    );
    let ranges = "/loadBalancerSourceRanges";
    if !same_set(items(recorded, ranges), items(stored, ranges)) {
        found.push("/loadBalancerSourceRanges".to_owned());
    }
    let wanted = &recorded["ports"][0]["nodePort"];
    if !wanted.is_null() && *wanted != stored["ports"][0]["nodePort"] {
        found.push("/ports/0/nodePort".to_owned());
    }
    found
}

fn owners(recorded: &Value, stored: &Value) -> Option<String> {
    let owners = |object: &Value| -> Vec<(Value, Value)> {
        let all = items(object, "/metadata/ownerReferences").iter();
        all.map(|owner| (owner["kind"].clone(), owner["name"].clone()))
            .collect()
    };
    (owners(recorded) != owners(stored)).then(|| "owner references".to_owned())
}

/// Those that it wants are there; others are not its business.
fn annotations(recorded: &Value, stored: &Value) -> Vec<String> {
    let wanted = recorded["metadata"]["annotations"].as_object();
    let missing = wanted.into_iter().flatten();
    missing
        .filter(|(key, value)| stored["metadata"]["annotations"].get(*key) != Some(*value))
        .map(|(key, _)| format!("annotation {key}"))
        .collect()
}

fn items<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value
        .pointer(path)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// In whatever order.
fn same_set(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len() && one.iter().all(|item| other.contains(item))
}

fn count(value: &Value, path: &str) -> usize {
    items(value, path).len()
}

fn differing(recorded: &Value, stored: &Value, paths: &[&str]) -> Vec<String> {
    let differs = |path: &&&str| {
        recorded.pointer(path).unwrap_or(&Value::Null) != stored.pointer(path).unwrap_or(&Value::Null)
    };
    paths
        .iter()
        .filter(differs)
        .map(|path| (*path).to_owned())
        .collect()
}
