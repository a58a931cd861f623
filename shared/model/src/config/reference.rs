//! The reference page of the operator's configuration, as Markdown, made of the rows.

use std::fmt::Write;

use super::param::{Forms, Kind, Param};
use super::retired;
use super::section::SECTIONS;

const INTRODUCTION: &str = "\
<!-- Generated from the rows in shared/model/src/config/section. Do not edit. -->

# Operator configuration

The operator takes its configuration from an `OperatorConfiguration` object or from a `ConfigMap`. Parameters have
the same names in both. In an `OperatorConfiguration` they are grouped, as the sections below are; those under
*general* stand directly under `configuration`. In a `ConfigMap` all are keys of `data`, without groups.

## How values are written

| type | ConfigMap | OperatorConfiguration |
|---|---|---|
| text, image, name | as it is | string |
| switch | `true`, `false`, also `1`, `t`, `TRUE`, `0`, `f`, `FALSE` | boolean |
| number | decimal, or with `0x`, `0o`, `0b`, or a leading `0` for octal | integer |
| duration | Go syntax: `30s`, `10m`, `1h30m` | the same, as a string |
| list | items separated by commas, not trimmed | list of strings |
| map | `key:value` items separated by commas; single or double quotes protect commas and stay part of the value; \
exactly one colon per item | object of strings |
| namespaced name | `namespace/name`, or `name` in the operator's namespace | the same, as a string |

An empty value in a `ConfigMap` means *none* for lists, maps and whatever has no default; for everything else it
means the default. Keys that no parameter has are reported together with the nearest known name, and ignored.
Everything that is wrong is reported at once.

The column *touches* says what a change reaches in running clusters: **pods** (a rolling update), **instances** (the
number of pods), **services**, **pooler**, **backup**, **roles** (roles, databases, their secrets), **objects** (other
objects are rewritten, nothing restarts), **operator** (only the operator's own behaviour).
";

/// Differences between the forms that no row can tell.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "`liveness_probe`, `sidecars`",
        "cannot be given",
        "can be given",
        "kept: their shape needs an object",
    ),
    (
        "`infrastructure_roles_secrets`",
        "one secret; namespace `default` if none is given",
        "several; the operator's namespace if none is given",
        "kept",
    ),
    (
        "`infrastructure_roles_secrets`: `defaultuservalue`, `defaultrolevalue`, `details`, `template`",
        "the first two count",
        "all count",
        "fixed: Zalando's operator drops them when it reads the object",
    ),
    (
        "`connection_pooler_number_of_instances: 1`",
        "1",
        "2",
        "kept, and reported",
    ),
    (
        "a group that is missing",
        "there are no groups",
        "its schema defaults do not apply; the fallbacks below do",
        "kept, except that names and templates are never empty: with Zalando's operator every cluster then fails",
    ),
    (
        "an empty text where there is a default",
        "the default, and it is reported",
        "the default",
        "fixed for the ConfigMap: Zalando's operator takes it for an empty value, and often stops",
    ),
    (
        "an empty list or map where there is a default",
        "empty",
        "the default",
        "kept",
    ),
    (
        "`0` for `workers`, the rotation periods, `api_port`, `ring_log_lines`, `cluster_history_entries`",
        "0, or an error where 0 is not allowed",
        "the default",
        "kept",
    ),
    (
        "an empty quantity",
        "not set",
        "not set",
        "kept from version 1; the CRD of version 2 refuses it",
    ),
    (
        "`sidecars` as a list",
        "cannot be given",
        "list, or an object by name",
        "fixed: one version of the CRD took an object only",
    ),
    (
        "`set_memory_request_to_limit`",
        "per cluster",
        "per cluster",
        "fixed: Zalando's operator also changes the configured defaults in the ConfigMap form",
    ),
    (
        "checks across parameters",
        "all",
        "all",
        "fixed: Zalando's operator checks only the pooler's role in this form",
    ),
    (
        "schedules",
        "all that Kubernetes takes",
        "numbers, `*` and steps: the CRD refuses the rest",
        "kept",
    ),
];

/// The whole page.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let title = if section.group == "general" {
            "general".to_owned()
        } else {
            format!("`{}`", section.group)
        };
        heading(&mut page, &title);
        line(
            &mut page,
            section
                .about
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .as_str(),
        );
        line(
            &mut page,
            "\n| parameter | type | default | touches | meaning |\n|---|---|---|---|---|",
        );
        for param in section.params {
            line(&mut page, &row(param));
        }
    }
    differences(&mut page);
    retired_keys(&mut page);
    page
}

fn heading(page: &mut String, title: &str) {
    line(page, &format!("\n## {title}\n"));
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn row(param: &Param) -> String {
    let touches: Vec<_> = param.affects.iter().map(|class| class.word()).collect();
    let mut meaning = param.text();
    if let Some(why) = param.deprecated {
        let _ = write!(meaning, " *Deprecated: {why}.*");
    }
    if param.secret {
        meaning.push_str(" *Never shown in logs, status or messages.*");
    }
    if param.forms == Forms::CrdOnly {
        meaning.push_str(" *OperatorConfiguration only.*");
    }
    let default = defaults(param);
    let cells = [
        format!("`{}`", param.name),
        kind(param),
        default,
        touches.join(", "),
        meaning,
    ];
    format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// The default, and where the forms differ, that of each.
fn defaults(param: &Param) -> String {
    let crd = param.schema_default.unwrap_or(param.fallback);
    if crd == param.default {
        return quoted(crd);
    }
    format!(
        "ConfigMap {}, OperatorConfiguration {}",
        quoted(param.default),
        quoted(crd)
    )
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        format!("`{text}`")
    }
}

fn kind(param: &Param) -> String {
    match param.kind {
        Kind::Text => "text".to_owned(),
        Kind::Switch => "switch".to_owned(),
        Kind::Integer(_) => match (param.min, param.max) {
            (Some(min), Some(max)) => format!("number, {min} to {max}"),
            (Some(min), None) => format!("number, at least {min}"),
            _ => "number".to_owned(),
        },
        Kind::Duration => "duration".to_owned(),
        Kind::List => "list".to_owned(),
        Kind::Map | Kind::ClaimRetention | Kind::Severities => "map".to_owned(),
        Kind::OneOf(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::NamespacedName => "namespaced name".to_owned(),
        Kind::MajorVersion => "major version".to_owned(),
        Kind::Cpu => "CPU quantity".to_owned(),
        Kind::Memory => "memory quantity".to_owned(),
        Kind::Template(known) => {
            format!(
                "name with {}",
                known
                    .iter()
                    .map(|name| format!("`{{{name}}}`"))
                    .collect::<Vec<_>>()
                    .join(" ")
            )
        }
        Kind::Schedule => "cron schedule".to_owned(),
        Kind::Windows => "list of windows".to_owned(),
        Kind::InfrastructureRoles => "definitions".to_owned(),
        Kind::Containers => "list of containers".to_owned(),
        Kind::Probe => "probe".to_owned(),
        Kind::Manifest(kind) => format!("{kind} as JSON or YAML"),
        Kind::Selector => "label selector".to_owned(),
        Kind::Expressions => "list of regular expressions".to_owned(),
    }
}

fn differences(page: &mut String) {
    heading(page, "Differences between the two forms");
    line(
        page,
        "Defaults that differ. *Fallback* counts when the group is missing from the object.\n",
    );
    line(
        page,
        "| parameter | ConfigMap | OperatorConfiguration | fallback |\n|---|---|---|---|",
    );
    for param in super::params() {
        let crd = param.schema_default.unwrap_or(param.fallback);
        if param.forms == Forms::Both && (crd != param.default || crd != param.fallback) {
            let cells = [param.default, crd, param.fallback].map(quoted).join(" | ");
            line(page, &format!("| `{}` | {cells} |", param.name));
        }
    }
    line(
        page,
        "\nBehaviour that differs, and whether that is Zalando's or ours.\n",
    );
    line(
        page,
        "| what | ConfigMap | OperatorConfiguration | |\n|---|---|---|---|",
    );
    for (what, config_map, crd, verdict) in DIFFERENCES {
        line(page, &format!("| {what} | {config_map} | {crd} | {verdict} |"));
    }
}

fn retired_keys(page: &mut String) {
    heading(page, "Keys of earlier versions");
    line(
        page,
        "They are reported and ignored.\n\n| key | instead |\n|---|---|",
    );
    for (key, reason) in retired::RETIRED {
        line(page, &format!("| `{key}` | {reason} |"));
    }
}
