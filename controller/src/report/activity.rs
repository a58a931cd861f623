//! What the HTTP interface shows of a turn: lines, and which fields an edit changed.

use serde_json::Value;

use super::Report;
use crate::activity::Limits;
use crate::context::Context;

pub(super) fn note(context: &Context, report: &Report<'_>) {
    let config = context.config();
    let limits = Limits {
        lines: config.logging_rest_api.ring_log_lines,
        edits: config.logging_rest_api.cluster_history_entries,
    };
    let tell = |level, text| context.activity.tell(report.cluster, limits, level, text);
    for step in report.done {
        tell("info", format!("step taken: {step}"));
    }
    for failure in report.outcome.failures() {
        tell("error", failure.to_string());
    }
    let Some(status) = &report.status else { return };
    let (from, to) = (
        report.view.status.postgres_cluster_status,
        status.postgres_cluster_status,
    );
    if from != to {
        tell("info", format!("status {} after {}", to.as_str(), from.as_str()));
    }
    if let (Some(before), Some(after)) = (&report.view.status.last_good_spec, &status.last_good_spec)
        && before != after
    {
        let value = |spec| serde_json::to_value(spec).unwrap_or_default();
        let mut paths = Vec::new();
        compare("spec", &value(before), &value(after), &mut paths);
        context.activity.note_edit(report.cluster, limits, paths);
    }
}

/// The deepest fields that differ, without their values: some are keys.
pub(super) fn compare(path: &str, before: &Value, after: &Value, paths: &mut Vec<String>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let other = after.get(key).unwrap_or(&Value::Null);
                compare(&format!("{path}.{key}"), value, other, paths);
            }
            for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                compare(&format!("{path}.{key}"), &Value::Null, value, paths);
            }
        }
        (Value::Null, _) => paths.push(format!("+ {path}")),
        (_, Value::Null) => paths.push(format!("- {path}")),
        _ => paths.push(format!("~ {path}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_deepest_fields_are_named_and_their_values_are_not() {
        let before = json!({"volume": {"size": "1Gi"}, "env": [{"value": "hunter2"}], "users": {"a": []}});
        let after = json!({"volume": {"size": "2Gi"}, "env": [{"value": "hunter3"}], "teamId": "x"});
        let mut paths = Vec::new();
        compare("spec", &before, &after, &mut paths);
        assert_eq!(
            paths,
            [
                "~ spec.volume.size",
                "~ spec.env",
                "- spec.users",
                "+ spec.teamId"
            ]
        );
    }
}
