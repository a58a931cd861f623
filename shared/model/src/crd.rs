//! The CRDs as values; `deploy/kustomize/crds` holds them as files. Lives here: names, columns and assembly. The types give the fields, the
//! table in `constraints` what their values may be, `structural` makes of it what an API server accepts, `check` says what one would refuse.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceSubresourceScale,
    CustomResourceSubresourceStatus, CustomResourceSubresources, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::Value;

use crate::api::{postgresql::Postgresql, team::PostgresTeam};
use constraints::Row;

#[cfg(feature = "crd-check")]
pub mod check;
mod constraints;
mod standing;
mod structural;

pub use standing::Standing;

/// Says which version of ours wrote a CRD.
const WRITTEN_BY: &str = "pgherd.io/version";

/// All three, in the order in which they are applied.
pub fn all() -> [CustomResourceDefinition; 3] {
    [postgresql(), crate::config::schema::crd(), postgres_team()].map(signed)
}

fn signed(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.insert(WRITTEN_BY.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    crd
}

/// `postgresqls.acid.zalan.do`. Kinds in lower case: history, and stored objects.
pub fn postgresql() -> CustomResourceDefinition {
    let mut crd = finish(Postgresql::crd(), &constraints::of_postgresql(), &columns());
    for subresources in crd
        .spec
        .versions
        .iter_mut()
        .filter_map(|version| version.subresources.as_mut())
    {
        subresources.scale = Some(CustomResourceSubresourceScale {
            spec_replicas_path: ".spec.numberOfInstances".to_owned(),
            status_replicas_path: ".status.numberOfInstances".to_owned(),
            label_selector_path: Some(".status.labelSelector".to_owned()),
        });
    }
    crd
}

/// `postgresteams.acid.zalan.do`.
pub fn postgres_team() -> CustomResourceDefinition {
    finish(PostgresTeam::crd(), &constraints::of_team(), &[])
}

/// What kube's derive cannot say: label, name of lists, columns, status subresource without a type, the schema's constraints.
fn finish(
    mut crd: CustomResourceDefinition,
    rows: &[Row],
    columns: &[CustomResourceColumnDefinition],
) -> CustomResourceDefinition {
    crd.metadata.labels.get_or_insert_default().insert(
        "app.kubernetes.io/name".to_owned(),
        "postgres-operator".to_owned(),
    );
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = (!columns.is_empty()).then(|| columns.to_vec());
        version.subresources = Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(Value::Object(
                serde_json::Map::new(),
            ))),
            scale: None,
        });
        if let Some(validation) = &mut version.schema
            && let Some(schema) = validation.open_api_v3_schema.take()
        {
            validation.open_api_v3_schema = Some(constrained(&schema, rows));
        }
    }
    crd
}

fn constrained(schema: &JSONSchemaProps, rows: &[Row]) -> JSONSchemaProps {
    let raw = serde_json::to_value(schema).expect("a schema is plain JSON");
    let finished = structural::apply(raw, rows)
        .expect("every row names a field of the types, which the test of the generated files proves");
    serde_json::from_value(finished).expect("the table writes schema keywords only")
}

/// Name, type, path, description, priority: Zalando's columns in Zalando's order; ours show only with `-o wide`.
#[rustfmt::skip]
const COLUMNS: &[(&str, &str, &str, &str, i32)] = &[
    ("Team", "string", ".spec.teamId", "Owning team", 0),
    ("Version", "string", ".spec.postgresql.version", "Major version", 0),
    ("Pods", "integer", ".spec.numberOfInstances", "Members wanted", 0),
    ("Volume", "string", ".spec.volume.size", "Size of a data volume", 0),
    ("CPU-Request", "string", ".spec.resources.requests.cpu", "Cores asked for", 0),
    ("Memory-Request", "string", ".spec.resources.requests.memory", "Memory asked for", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Time since it was created", 0),
    ("Status", "string", ".status.PostgresClusterStatus", "The cluster in one word", 0),
    ("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status", "All is as it should be", 1),
    ("Primary", "string", ".status.primary", "Pod that runs the primary", 1),
];

fn columns() -> Vec<CustomResourceColumnDefinition> {
    let columns =
        COLUMNS.iter().map(
            |&(name, type_, path, about, priority)| CustomResourceColumnDefinition {
                name: name.to_owned(),
                type_: type_.to_owned(),
                json_path: path.to_owned(),
                description: Some(about.to_owned()),
                priority: (priority > 0).then_some(priority),
                format: None,
            },
        );
    columns.collect()
}

#[cfg(test)]
mod tests;
