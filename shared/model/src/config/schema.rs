//! The CRD of `OperatorConfiguration`, made of the rows.
//!
//! Unknown fields are kept by the API server, so that a misspelt parameter can be pointed out, and so that
//! manifests of earlier versions still apply.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
    JSONSchemaPropsOrBool,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::object::{KIND, PLURAL};
use super::param::{Kind, Param, Width};
use super::section::SECTIONS;
use crate::api::{GROUP, VERSION};
use crate::finding::Severity;

/// The whole CRD.
pub fn crd() -> CustomResourceDefinition {
    let version = CustomResourceDefinitionVersion {
        name: VERSION.to_owned(),
        served: true,
        storage: true,
        additional_printer_columns: Some(columns()),
        schema: Some(CustomResourceValidation {
            open_api_v3_schema: Some(root()),
        }),
        subresources: Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(Value::Object(
                serde_json::Map::new(),
            ))),
            ..CustomResourceSubresources::default()
        }),
        ..CustomResourceDefinitionVersion::default()
    };
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{PLURAL}.{GROUP}")),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: KIND.to_owned(),
                list_kind: Some(format!("{KIND}List")),
                plural: PLURAL.to_owned(),
                singular: Some(KIND.to_lowercase()),
                short_names: Some(vec!["opconfig".to_owned()]),
                categories: Some(vec!["all".to_owned()]),
            },
            scope: "Namespaced".to_owned(),
            versions: vec![version],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

/// Names, order and paths are what users' scripts know.
fn columns() -> Vec<CustomResourceColumnDefinition> {
    let column = |name: &str, type_: &str, path: &str, description: &str| CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: path.to_owned(),
        description: Some(description.to_owned()),
        ..CustomResourceColumnDefinition::default()
    };
    let labels = ".configuration.kubernetes.cluster_name_label";
    let account = ".configuration.kubernetes.pod_service_account_name";
    vec![
        column(
            "Image",
            "string",
            ".configuration.docker_image",
            "Spilo image of clusters that name none",
        ),
        column(
            "Cluster-Label",
            "string",
            labels,
            "Key of the label with the cluster's name",
        ),
        column(
            "Service-Account",
            "string",
            account,
            "Service account of the pods",
        ),
        column(
            "Min-Instances",
            "integer",
            ".configuration.min_instances",
            "Fewest pods of a cluster",
        ),
        column(
            "Age",
            "date",
            ".metadata.creationTimestamp",
            "Time since it was created",
        ),
    ]
}

fn root() -> JSONSchemaProps {
    let mut configuration = JSONSchemaProps::default();
    for section in SECTIONS {
        let rows = section
            .params
            .iter()
            .map(|param| (param.name.to_owned(), field(param)))
            .collect();
        if section.group == "general" {
            configuration = object(section.about, rows);
        } else {
            let properties = configuration.properties.get_or_insert_default();
            properties.insert(section.group.to_owned(), preserving(object(section.about, rows)));
        }
    }
    configuration.description = Some("The operator's configuration.".to_owned());
    let typed = |type_: &str| JSONSchemaProps {
        type_: Some(type_.to_owned()),
        ..JSONSchemaProps::default()
    };
    let properties = BTreeMap::from([
        ("apiVersion".to_owned(), typed("string")),
        ("kind".to_owned(), typed("string")),
        ("metadata".to_owned(), typed("object")),
        ("configuration".to_owned(), preserving(configuration)),
        ("status".to_owned(), status()),
    ]);
    JSONSchemaProps {
        required: Some(vec!["configuration".to_owned(), "metadata".to_owned()]),
        ..object("Configuration of the Postgres operator.", properties)
    }
}

fn object(about: &str, properties: BTreeMap<String, JSONSchemaProps>) -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("object".to_owned()),
        description: Some(about.trim().to_owned()),
        properties: Some(properties),
        ..JSONSchemaProps::default()
    }
}

fn preserving(schema: JSONSchemaProps) -> JSONSchemaProps {
    JSONSchemaProps {
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..schema
    }
}

fn list(items: JSONSchemaProps) -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("array".to_owned()),
        items: Some(JSONSchemaPropsOrArray::Schema(Box::new(items))),
        ..JSONSchemaProps::default()
    }
}

/// One parameter: its type and limits, its default and its documentation.
fn field(param: &Param) -> JSONSchemaProps {
    let mut schema = shape(param);
    let mut description = param.text();
    if let Some(why) = param.deprecated {
        description = format!("{description} Deprecated: {why}.");
    }
    schema.description = Some(description);
    schema.default = param.schema_default.map(|text| JSON(param.json_of_text(text)));
    schema
}

fn shape(param: &Param) -> JSONSchemaProps {
    let plain = |type_: &str| JSONSchemaProps {
        type_: Some(type_.to_owned()),
        ..JSONSchemaProps::default()
    };
    match param.kind {
        Kind::Switch => plain("boolean"),
        Kind::Integer(width) => integer(param, width),
        Kind::List | Kind::Expressions => list(plain("string")),
        Kind::Windows => list(JSONSchemaProps {
            pattern: param.pattern.map(str::to_owned),
            ..plain("string")
        }),
        Kind::Map | Kind::ClaimRetention => JSONSchemaProps {
            additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(plain("string")))),
            ..plain("object")
        },
        Kind::Selector => plain("string"),
        Kind::OneOf(words) => one_of(words.iter().copied()),
        Kind::Severities => JSONSchemaProps {
            additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(one_of(
                Severity::WORDS.iter().map(|(word, _)| *word),
            )))),
            ..plain("object")
        },
        // Earlier versions took the empty text for "not set".
        Kind::Cpu | Kind::Memory => JSONSchemaProps {
            pattern: param.pattern.map(|pattern| format!("{pattern}|^$")),
            ..plain("string")
        },
        Kind::Schedule => JSONSchemaProps {
            pattern: param.pattern.map(str::to_owned),
            ..plain("string")
        },
        Kind::InfrastructureRoles => JSONSchemaProps {
            nullable: Some(true),
            ..list(infrastructure_role())
        },
        // No type: a list is what it should be, an object is what one CRD of Zalando's only admitted.
        Kind::Containers => preserving(JSONSchemaProps {
            nullable: Some(true),
            ..JSONSchemaProps::default()
        }),
        Kind::Probe => preserving(plain("object")),
        Kind::Text
        | Kind::Duration
        | Kind::NamespacedName
        | Kind::MajorVersion
        | Kind::Template(_)
        | Kind::Manifest(_) => {
            let format = param.secret.then(|| "password".to_owned());
            JSONSchemaProps {
                format,
                ..plain("string")
            }
        }
    }
}

fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("string".to_owned()),
        enum_: Some(words.map(|word| JSON(Value::from(word))).collect()),
        ..JSONSchemaProps::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "limits are small numbers")]
fn integer(param: &Param, width: Width) -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("integer".to_owned()),
        format: Some(if width == Width::I64 { "int64" } else { "int32" }.to_owned()),
        minimum: param.min.map(|limit| limit as f64),
        maximum: param.max.map(|limit| limit as f64),
        ..JSONSchemaProps::default()
    }
}

fn infrastructure_role() -> JSONSchemaProps {
    let typed = |type_: &str| JSONSchemaProps {
        type_: Some(type_.to_owned()),
        ..JSONSchemaProps::default()
    };
    let properties = super::InfrastructureRole::FIELDS
        .into_iter()
        .map(|field| {
            (
                field.to_owned(),
                typed(if field == "template" { "boolean" } else { "string" }),
            )
        })
        .collect();
    object("A secret that holds infrastructure roles.", properties)
}

fn status() -> JSONSchemaProps {
    let typed = |type_: &str, format: Option<&str>| JSONSchemaProps {
        type_: Some(type_.to_owned()),
        format: format.map(str::to_owned),
        ..JSONSchemaProps::default()
    };
    let fields = [
        ("type", typed("string", None)),
        ("status", typed("string", None)),
        ("reason", typed("string", None)),
        ("message", typed("string", None)),
        ("lastTransitionTime", typed("string", Some("date-time"))),
        ("observedGeneration", typed("integer", Some("int64"))),
    ];
    let condition = JSONSchemaProps {
        required: Some(["type", "status"].map(str::to_owned).to_vec()),
        ..object("One thing that is so, not so, or not known.", owned(fields))
    };
    let conditions = JSONSchemaProps {
        x_kubernetes_list_type: Some("map".to_owned()),
        x_kubernetes_list_map_keys: Some(vec!["type".to_owned()]),
        ..list(condition)
    };
    let fields = [
        ("observedGeneration", typed("integer", Some("int64"))),
        ("conditions", conditions),
    ];
    object(
        "What the controller reports about the configuration.",
        owned(fields),
    )
}

fn owned<const N: usize>(fields: [(&str, JSONSchemaProps); N]) -> BTreeMap<String, JSONSchemaProps> {
    fields
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}
