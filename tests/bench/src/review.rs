//! Reviews as an API server sends them: a manifest that grows to the wanted size, with all that the API server adds to it, in its envelope.

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

/// Identifies the question; every answer has it.
pub const UID: &str = "3f2b6a52-93ad-4b6e-a8b9-3d7cb4a8e1c5";

const MANIFEST: &str = include_str!("manifest.yaml");

/// Every piece of a growing manifest takes more bytes than this.
const LEAST_PIECE: usize = 16;

/// Parameters that a growing manifest gets, one after the other.
const PARAMETERS: &[(&str, &str)] = &[
    ("log_min_duration_statement", "500"),
    ("work_mem", "8MB"),
    ("maintenance_work_mem", "128MB"),
    ("effective_cache_size", "1GB"),
    ("random_page_cost", "1.1"),
    ("checkpoint_timeout", "15min"),
    ("max_wal_size", "4GB"),
    ("autovacuum_naptime", "30s"),
    ("statement_timeout", "60s"),
    ("idle_in_transaction_session_timeout", "5min"),
    ("log_lock_waits", "on"),
    ("track_io_timing", "on"),
    ("default_statistics_target", "200"),
    ("autovacuum_vacuum_cost_limit", "1000"),
];

/// What the API server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Rules, for an object that is new.
    Create,
    /// Rules, for an object that changes: both are in the review.
    Update,
    /// Defaults, for an object that is new and leaves them out.
    Default,
}

/// One request, as often as wanted.
#[derive(Debug, Clone)]
pub struct Review {
    /// The operation, and how large.
    pub name: String,
    /// Where it is sent.
    pub path: &'static str,
    /// The bytes.
    pub body: Bytes,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Default];

    const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Default => "default",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Create | Self::Update => "/validate/postgresql",
            Self::Default => "/mutate/postgresql",
        }
    }
}

impl Review {
    /// A review of exactly this many KiB.
    ///
    /// # Errors
    ///
    /// Not even the least manifest fits.
    pub fn of(operation: Operation, kib: usize) -> Result<Self> {
        let bytes = kib << 10;
        let least = body(operation, 0, 0)?.len();
        ensure!(
            least <= bytes,
            "the least {} takes {least} bytes",
            operation.word()
        );
        let pieces = most_that_fit(operation, bytes)?;
        let missing = bytes - body(operation, pieces, 0)?.len();
        let body = body(operation, pieces, missing)?;
        ensure!(body.len() == bytes, "{} bytes instead of {bytes}", body.len());
        Ok(Self {
            name: format!("{}-{kib}KiB", operation.word()),
            path: operation.path(),
            body: body.into(),
        })
    }
}

/// How many pieces a manifest may have for its review to fit into so many bytes: found by halving, since every piece takes some bytes.
fn most_that_fit(operation: Operation, bytes: usize) -> Result<usize> {
    let (mut fits, mut too_many) = (0, bytes / LEAST_PIECE);
    while too_many - fits > 1 {
        let middle = usize::midpoint(fits, too_many);
        if body(operation, middle, 0)?.len() <= bytes {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    Ok(fits)
}

/// The envelope with its objects; `padding` bytes are added to the requester's identity, which is of no weight to anybody.
fn body(operation: Operation, pieces: usize, padding: usize) -> Result<Vec<u8>> {
    let (object, old) = match operation {
        Operation::Create => (stored(manifest(pieces)?, 1), Value::Null),
        Operation::Update => (stored(edited(manifest(pieces)?), 2), stored(manifest(pieces)?, 1)),
        Operation::Default => (stored(bare(manifest(pieces)?), 1), Value::Null),
    };
    let kind = json!({"group": "acid.zalan.do", "version": "v1", "kind": "postgresql"});
    let resource = json!({"group": "acid.zalan.do", "version": "v1", "resource": "postgresqls"});
    let is_update = operation == Operation::Update;
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "acid-billing",
            "namespace": "billing",
            "operation": if is_update { "UPDATE" } else { "CREATE" },
            "userInfo": {
                "username": format!("system:serviceaccount:flux:applier{}", "x".repeat(padding)),
                "groups": ["system:serviceaccounts", "system:authenticated"],
            },
            "object": object,
            "oldObject": old,
            "dryRun": false,
            "options": {
                "kind": if is_update { "PatchOptions" } else { "CreateOptions" },
                "apiVersion": "meta.k8s.io/v1",
                "fieldManager": "flux",
            },
        },
    });
    serde_json::to_vec(&review).context("write a review")
}

fn manifest(pieces: usize) -> Result<Value> {
    let mut manifest: Value = serde_yaml::from_str(MANIFEST).context("read manifest.yaml")?;
    for index in 0..pieces {
        grow(&mut manifest["spec"], index);
    }
    Ok(manifest)
}

/// One more piece of what large manifests are made of. The first manifests grow by parameters and users, large ones by everything.
fn grow(spec: &mut Value, index: usize) {
    let number = index / 8;
    match index % 8 {
        0 => match PARAMETERS.get(number) {
            Some((name, value)) => spec["postgresql"]["parameters"][*name] = json!(value),
            None => spec["users"][format!("batch_{number}")] = json!(["login"]),
        },
        1 => {
            spec["users"][format!("service_{number}")] = json!([]);
            spec["databases"][format!("service_{number}")] = json!(format!("service_{number}"));
        }
        2 => push(
            &mut spec["allowedSourceRanges"],
            json!(format!("10.{}.{}.0/24", number / 256, number % 256)),
        ),
        3 => push(
            &mut spec["env"],
            json!({"name": format!("APP_SETTING_{number}"), "value": format!("value of setting {number}")}),
        ),
        4 if number < 12 => push(&mut spec["sidecars"], sidecar(number)),
        5 if number < 30 => {
            let schemas = json!({"journal": {}, "archive": {"defaultRoles": true}});
            spec["preparedDatabases"][format!("ledger_{number}")] =
                json!({"defaultUsers": true, "extensions": {"pg_trgm": "public"}, "schemas": schemas});
        }
        6 => access(&mut spec["patroni"]["pg_hba"], number),
        7 if number < 12 => push(
            &mut spec["additionalVolumes"],
            json!({
                "name": format!("extra-{number}"), "mountPath": format!("/extra/{number}"), "targetContainers": ["postgres"],
                "volumeSource": {"configMap": {"name": format!("extra-{number}"), "defaultMode": 292}},
            }),
        ),
        _ => push(
            &mut spec["usersIgnoringSecretRotation"],
            json!(format!("service_{number}")),
        ),
    }
}

fn sidecar(number: usize) -> Value {
    json!({
        "name": format!("exporter-{number}"),
        "image": "registry.example.org/monitoring/exporter:1.4.2",
        "ports": [{"name": format!("metrics-{number}"), "containerPort": 9187 + number, "protocol": "TCP"}],
        "env": [{"name": "DATA_SOURCE_URI", "value": "localhost:5432/postgres?sslmode=disable"}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "200m", "memory": "128Mi"},
        },
    })
}

/// Own lines of `pg_hba.conf` come with those that keep everybody in.
fn access(lines: &mut Value, number: usize) {
    if lines.is_null() {
        for line in [
            "local all all trust",
            "hostssl replication standby all scram-sha-256",
            "hostssl all postgres all scram-sha-256",
        ] {
            push(lines, json!(line));
        }
    }
    let line = format!(
        "hostssl billing service_{number} 10.{}.{}.0/24 scram-sha-256",
        number / 256,
        number % 256
    );
    push(lines, json!(line));
}

/// Appends, to an array that may not be there yet.
fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        _ => *list = json!([item]),
    }
}

/// An edit that does something: a parameter, more memory, one more user.
fn edited(mut manifest: Value) -> Value {
    manifest["spec"]["postgresql"]["parameters"]["max_connections"] = json!("250");
    manifest["spec"]["resources"]["limits"]["memory"] = json!("2Gi");
    manifest["spec"]["users"]["report"] = json!([]);
    manifest
}

/// Without what is decided once.
fn bare(mut manifest: Value) -> Value {
    if let Some(spec) = manifest["spec"].as_object_mut() {
        spec.shift_remove("teamId");
        spec.shift_remove("numberOfInstances");
    }
    if let Some(postgresql) = manifest["spec"]["postgresql"].as_object_mut() {
        postgresql.shift_remove("version");
    }
    manifest
}

/// With what the API server adds before it asks.
fn stored(mut manifest: Value, generation: u32) -> Value {
    let fields = json!({
        "f:metadata": {"f:labels": owned(&manifest["metadata"]["labels"])},
        "f:spec": owned(&manifest["spec"]),
    });
    let metadata = &mut manifest["metadata"];
    metadata["uid"] = json!("0b1d2c4e-5f60-4a7b-8c9d-0e1f2a3b4c5d");
    metadata["generation"] = json!(generation);
    metadata["creationTimestamp"] = json!("2026-02-03T04:05:06Z");
    metadata["managedFields"] = json!([{
        "manager": "flux", "operation": "Apply", "apiVersion": "acid.zalan.do/v1", "time": "2026-02-03T04:05:06Z",
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    }]);
    manifest
}

/// Who owns which field: the tree of names that server-side apply keeps. Lists are owned as a whole.
fn owned(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    let names: Map<String, Value> = fields
        .map(|(name, value)| (format!("f:{name}"), owned(value)))
        .collect();
    Value::Object(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reviews_have_the_size_that_they_are_named_by() {
        for operation in Operation::ALL {
            for kib in [4, 64] {
                let review = Review::of(operation, kib).unwrap();
                assert_eq!(review.body.len(), kib << 10, "{}", review.name);
            }
        }
    }

    #[test]
    fn update_holds_two_different_objects_and_default_leaves_out_what_is_decided() {
        let request = |operation| {
            let review = Review::of(operation, 4).unwrap();
            serde_json::from_slice::<Value>(&review.body).unwrap()["request"].take()
        };
        let update = request(Operation::Update);
        assert_ne!(update["object"]["spec"], update["oldObject"]["spec"]);
        assert!(update["oldObject"]["spec"].is_object());
        assert!(
            request(Operation::Default)["object"]["spec"]
                .get("teamId")
                .is_none()
        );
        assert!(request(Operation::Create)["oldObject"].is_null());
    }
}
