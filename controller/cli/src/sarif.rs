//! Findings as a SARIF 2.1.0 log, which code hosts and editors show beside the lines. Lives here: the shape of the log. Must not: findings.

use pgherd_model::validate::{self, reference};
use serde_json::{Value, json};

use crate::finding::{BESIDE_RULES, Finding, Report, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The whole log: one run, with every rule there is.
pub(crate) fn log(reports: &[Report], errors: &[String]) -> Value {
    let rules = rules();
    let results: Vec<Value> = reports
        .iter()
        .flat_map(|report| {
            report
                .findings
                .iter()
                .map(|finding| result(report, finding, &rules))
        })
        .collect();
    let notifications: Vec<Value> = errors
        .iter()
        .map(|error| json!({"level": "error", "message": {"text": error}}))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "pgherd",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": errors.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

fn rules() -> Vec<Value> {
    let ours = validate::rules().map(|rule| {
        let fields = if rule.paths.is_empty() {
            String::new()
        } else {
            format!(" Fields: {}.", rule.paths.join(", "))
        };
        let when = reference::when(rule.when);
        let help = format!(
            "{} {}\n\nLooked at when {when}.{fields}",
            rule.demand, rule.reason
        );
        let mut markdown = help.clone();
        for (title, example) in [("Keeps it", &rule.accepts), ("Breaks it", &rule.rejects)] {
            if !example.manifest.is_empty() {
                markdown.push_str("\n\n");
                markdown.push_str(title);
                markdown.push_str(":\n\n```yaml\n");
                markdown.push_str(example.manifest);
                markdown.push_str("\n```");
            }
        }
        let level = match rule.severity {
            validate::Severity::Deny => "error",
            validate::Severity::Warn => "warning",
        };
        description(rule.id, rule.demand, rule.reason, &help, &markdown, level)
    });
    let beside = BESIDE_RULES.iter().map(|(id, demand, advice)| {
        let help = format!("{demand} {advice}");
        description(id, demand, advice, &help, &help, "error")
    });
    ours.chain(beside).collect()
}

fn description(id: &str, demand: &str, reason: &str, help: &str, markdown: &str, level: &str) -> Value {
    json!({
        "id": id,
        "shortDescription": {"text": demand},
        "fullDescription": {"text": reason},
        "help": {"text": help, "markdown": markdown},
        "defaultConfiguration": {"level": level},
    })
}

fn result(report: &Report, finding: &Finding, rules: &[Value]) -> Value {
    let level = match finding.severity {
        Severity::Refused => "error",
        Severity::Warning => "warning",
    };
    let mut physical = json!({"artifactLocation": {"uri": uri(&report.file)}});
    if let Some(place) = finding.place {
        physical["region"] = json!({"startLine": place.line, "startColumn": place.column});
    }
    let text = if finding.path.is_empty() {
        finding.message.clone()
    } else {
        format!("{}: {}", finding.path, finding.message)
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level,
        "message": {"text": text},
        "locations": [{
            "physicalLocation": physical,
            "logicalLocations": [{"fullyQualifiedName": format!("{}/{}", report.name, finding.path)}],
        }],
    });
    if let Some(index) = rules.iter().position(|rule| rule["id"] == finding.rule.as_str()) {
        result["ruleIndex"] = json!(index);
    }
    result
}

/// A relative reference, or a file URI; what a URI cannot hold is escaped.
fn uri(file: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let escaped: String = file
        .bytes()
        .map(|byte| {
            if keep(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    match file {
        "-" => "stdin".to_owned(),
        _ if file.starts_with('/') => format!("file://{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_uris() {
        assert_eq!(uri("-"), "stdin");
        assert_eq!(uri("deploy/a b.yaml"), "deploy/a%20b.yaml");
        assert_eq!(uri("/tmp/ö.yaml"), "file:///tmp/%C3%B6.yaml");
    }
}
