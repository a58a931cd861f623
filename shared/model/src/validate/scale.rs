//! A change of the number of instances through `/scale`. Must not: rules of its own: scaling is an edit of one field of the manifest, and what
//! holds for that edit holds here.

use serde_json::{Value, json};

use super::{Review, news_of, review};
use crate::config::OperatorConfig;
use crate::manifest::Manifest;

/// The field of the manifest, and that of the `Scale`, which is all that its sender knows.
const INSTANCES: &str = "spec.numberOfInstances";
const REPLICAS: &str = "spec.replicas";

/// Reviews an `autoscaling/v1` `Scale`. `parent` is the `postgresql` as stored; when it could not be read, only the operator's limits are
/// looked at, and not even they where an annotation of the `postgresql` may lift them.
pub fn scale(new: &Value, parent: Option<&Value>, config: &OperatorConfig) -> Review {
    let replicas = new.pointer("/spec/replicas").cloned();
    let replicas = replicas.filter(|count| !count.is_null()).unwrap_or(json!(0));
    let mut answer = match parent {
        Some(parent) => as_edit(replicas, parent, config),
        None => alone(new, replicas, config),
    };
    for violation in &mut answer.violations {
        violation.path = of_scale(&violation.path);
    }
    answer.warnings = answer.warnings.iter().map(|line| of_scale(line)).collect();
    answer
}

fn of_scale(text: &str) -> String {
    text.replacen(INSTANCES, REPLICAS, 1)
}

/// What the edit breaks is refused; of the rest only what is new is told.
fn as_edit(replicas: Value, parent: &Value, config: &OperatorConfig) -> Review {
    let mut scaled = parent.clone();
    let Some(spec) = scaled.get_mut("spec").and_then(Value::as_object_mut) else {
        return Review::default();
    };
    spec.insert("numberOfInstances".to_owned(), replicas);
    let stored = Manifest::read(parent, None, config);
    news_of(&Manifest::read(&scaled, Some(parent), config), &stored, config)
}

fn alone(new: &Value, replicas: Value, config: &OperatorConfig) -> Review {
    let mut stand_in = json!({
        "metadata": {"name": new.pointer("/metadata/name"), "namespace": new.pointer("/metadata/namespace"), "annotations": {}},
        "spec": {"teamId": "unknown", "volume": {"size": "1Gi"}},
    });
    stand_in["spec"]["numberOfInstances"] = replicas;
    if let Some(key) = &config.general.ignore_instance_limits_annotation_key {
        stand_in["metadata"]["annotations"][key] = json!("true");
    }
    let mut answer = review(&stand_in, None, config);
    answer.violations.retain(|violation| violation.path == INSTANCES);
    answer.warnings.retain(|warning| warning.contains(INSTANCES));
    answer
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, config_of, manifest, violations};
    use super::*;

    fn to(replicas: i64) -> Value {
        json!({"kind": "Scale", "metadata": {"name": "acid-test", "namespace": "test"}, "spec": {"replicas": replicas}})
    }

    #[test]
    fn limits_are_those_of_the_manifest() {
        let limited = config_of(&[("max_instances", "3"), ("enable_teams_api", "false")]);
        let stored = manifest("{}");
        for parent in [Some(&stored), None] {
            let answer = scale(&to(5), parent, &limited);
            assert_eq!(
                answer.warnings,
                ["spec.replicas: 5 becomes 3: the operator allows at most 3 (PGV-007)"]
            );
            assert_eq!(scale(&to(3), parent, &limited), Review::default());
            assert_eq!(
                violations(&scale(&to(-1), parent, &limited)),
                [("PGV-006", "spec.replicas")]
            );
        }
    }

    #[test]
    fn nothing_is_said_of_limits_that_an_annotation_may_lift() {
        let key = ("ignore_instance_limits_annotation_key", "no-limits");
        let limited = config_of(&[("max_instances", "3"), key, ("enable_teams_api", "false")]);
        assert_eq!(scale(&to(5), None, &limited), Review::default());
        assert_eq!(scale(&to(5), Some(&manifest("{}")), &limited).warnings.len(), 1);
        let exempt = manifest("metadata: {annotations: {no-limits: 'true'}}");
        assert_eq!(scale(&to(5), Some(&exempt), &limited), Review::default());
    }

    #[test]
    fn strict_synchronous_clusters_keep_a_replica() {
        let stored = manifest("spec: {patroni: {synchronous_mode: true, synchronous_mode_strict: true}}");
        let answer = scale(&to(1), Some(&stored), &config());
        let strict = ("PGV-046", "spec.patroni.synchronous_mode_strict");
        assert!(violations(&answer).contains(&strict), "{answer:?}");
        assert_eq!(scale(&to(0), Some(&stored), &config()).violations, []);
        assert_eq!(scale(&to(3), Some(&stored), &config()), Review::default());
    }

    #[test]
    fn old_sins_of_the_manifest_do_not_block_and_are_not_told_again() {
        let stored = manifest("spec: {users: {Bad: []}, patroni: {ttl: 20}, topologySpreadConstraint: []}");
        assert_eq!(scale(&to(3), Some(&stored), &config()), Review::default());
    }

    #[test]
    fn without_a_number_it_is_scaled_to_nothing() {
        let stored = manifest("{}");
        let absent = json!({"kind": "Scale", "spec": {}});
        assert_eq!(scale(&absent, Some(&stored), &config()).violations, []);
        for odd in [json!(null), json!([]), json!({"spec": 1})] {
            let _ = scale(&odd, None, &config());
            let _ = scale(&odd, Some(&odd), &config());
        }
    }
}
