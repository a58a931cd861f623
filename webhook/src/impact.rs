//! What an accepted change will do, told before all other warnings. Lives here: when it is worth telling, and that it never keeps a change
//! from being accepted. Must not: know what a change does; that is `pgherd_planner::impact`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use pgherd_model::config::{Form, OperatorConfig, Watch, source};
use pgherd_model::manifest::Manifest;
use pgherd_planner::impact::{is_same, of_change};
use serde_json::{Map, Value};
use tracing::error;

use crate::review::{Question, Verdict};

/// Values of an object beyond which it is not looked at: a manifest of 200 KiB has as many, and takes some 10 ms.
const MOST_VALUES: usize = 10_000;
/// What is said instead.
const TOO_LARGE: &str = "what this does is not told: the manifest is too large";
const NOT_KNOWN: &str = "what this does could not be told: a bug; please report this with both manifests";

/// Puts what an update does in front of the warnings about it.
pub(crate) fn prepend(verdict: &mut Verdict, old: Manifest<'_>, new: Manifest<'_>, config: &OperatorConfig) {
    if !verdict.violations.is_empty() || is_same(&old.raw, &new.raw) {
        return;
    }
    let lines = if exceeds(&new.raw, MOST_VALUES) || exceeds(&old.raw, MOST_VALUES) {
        vec![TOO_LARGE.to_owned()]
    } else {
        told(old, new, config)
    };
    verdict.warnings.splice(0..0, lines);
}

/// A bug in here must not refuse what is right.
fn told(old: Manifest<'_>, new: Manifest<'_>, config: &OperatorConfig) -> Vec<String> {
    let told = AssertUnwindSafe(|| of_change(old, new, config, Timestamp::now()));
    catch_unwind(told).unwrap_or_else(|_| {
        error!("panic in a preview; please report this with both manifests");
        vec![NOT_KNOWN.to_owned()]
    })
}

/// The object holds more values than `limit`.
fn exceeds(value: &Value, limit: usize) -> bool {
    let mut left = limit;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        if left == 0 {
            return true;
        }
        left -= 1;
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => waiting.extend(fields.values()),
            _ => {}
        }
    }
    false
}

/// The postgresql with the number of instances that a scale asks for.
pub(crate) fn scaled(parent: &Value, scale: &Value) -> Option<Value> {
    let replicas = scale.pointer("/spec/replicas")?.as_i64()?;
    let mut object = parent.clone();
    let spec = object.get_mut("spec")?.as_object_mut()?;
    spec.insert("numberOfInstances".to_owned(), replicas.into());
    Some(object)
}

/// A change of the operator's configuration, to be held against the clusters.
#[derive(Debug)]
pub(crate) struct ConfigurationChange {
    /// Before.
    pub(crate) old: OperatorConfig,
    /// After.
    pub(crate) new: OperatorConfig,
    /// Where the clusters are.
    pub(crate) watch: Watch,
}

/// The change that an update makes; none when no parameter differs. A stored configuration that cannot be read is not in force: what is, is
/// `in_force`.
pub(crate) fn of_configuration(
    question: &Question,
    form: Form,
    in_force: &OperatorConfig,
    operator_namespace: &str,
) -> Option<ConfigurationChange> {
    let read = |object: &Value| configuration(object, form, operator_namespace);
    let stored = question.old.as_ref()?;
    let old = read(stored).unwrap_or_else(|| in_force.clone());
    let new = read(&question.object)?;
    let differs = old.changes(&new).next().is_some();
    let watch = new.watch(operator_namespace);
    differs.then_some(ConfigurationChange { old, new, watch })
}

fn configuration(object: &Value, form: Form, operator_namespace: &str) -> Option<OperatorConfig> {
    let outcome = match form {
        Form::Crd => source::from_object(object, operator_namespace),
        Form::ConfigMap => {
            let texts = object
                .get("data")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            source::from_config_map(&strings(texts), operator_namespace)
        }
    };
    outcome.ok().map(|(config, _)| config)
}

fn strings(texts: Map<String, Value>) -> std::collections::BTreeMap<String, String> {
    let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    texts.into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(image: &str) -> Value {
        json!({
            "metadata": {"name": "acid-demo", "namespace": "shop", "uid": "1"},
            "spec": {
                "teamId": "acid", "numberOfInstances": 3, "volume": {"size": "1Gi"}, "dockerImage": image,
                "postgresql": {"version": "17"},
            },
        })
    }

    fn warnings(old: &Value, new: &Value) -> Vec<String> {
        let config = OperatorConfig::default_for(Form::Crd);
        let mut verdict = Verdict::allowed();
        verdict.warnings.push("another".to_owned());
        let new = Manifest::read(new, Some(old), &config);
        prepend(&mut verdict, Manifest::read(old, None, &config), new, &config);
        verdict.warnings
    }

    #[test]
    fn what_an_update_does_comes_first() {
        let rolls = "rolls 3 pods: replicas first, then 1 switchover (image)";
        assert_eq!(warnings(&manifest("a"), &manifest("b")), [rolls, "another"]);
        assert_eq!(warnings(&manifest("b"), &manifest("b")), ["another"]);
    }

    #[test]
    fn labels_and_annotations_that_are_inherited_are_told_of() {
        let mut config = OperatorConfig::default_for(Form::Crd);
        config.kubernetes.inherited_labels = vec!["owner".to_owned()];
        config.kubernetes.inherited_annotations = vec!["cost".to_owned()];
        let told = |part: &str, key: &str| {
            let mut marked = manifest("a");
            marked["metadata"][part] = json!({key: "shop"});
            let mut verdict = Verdict::allowed();
            let old = manifest("a");
            let new = Manifest::read(&marked, Some(&old), &config);
            prepend(&mut verdict, Manifest::read(&old, None, &config), new, &config);
            verdict.warnings
        };
        for (part, inherited) in [("labels", "owner"), ("annotations", "cost")] {
            let lines = told(part, inherited);
            assert!(lines.iter().any(|line| line.contains(part)), "{lines:?}");
            assert_eq!(told(part, "note"), [""; 0]);
        }
    }

    #[test]
    fn a_huge_manifest_is_not_looked_at() {
        let mut huge = manifest("b");
        huge["spec"]["env"] = (0..MOST_VALUES).map(|number| json!({"name": number})).collect();
        assert_eq!(warnings(&manifest("a"), &huge), [TOO_LARGE, "another"]);
    }

    #[test]
    fn a_scale_is_an_edit_of_its_parent() {
        let new = scaled(&manifest("a"), &json!({"spec": {"replicas": 5}})).unwrap();
        assert_eq!(warnings(&manifest("a"), &new)[0], "adds 2 members (from 3 to 5)");
        assert_eq!(scaled(&manifest("a"), &json!({"spec": {}})), None);
    }

    #[test]
    fn a_configuration_that_says_the_same_is_no_change() {
        let review = |old: &Value, new: &Value| {
            let body = json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "request": {"uid": "7", "operation": "UPDATE", "object": new, "oldObject": old},
            });
            let question = Question::read(body.to_string().as_bytes()).unwrap();
            let config = OperatorConfig::default_for(Form::ConfigMap);
            of_configuration(&question, Form::ConfigMap, &config, "ops")
        };
        let data = |text: &str| json!({"data": {"docker_image": text}});
        assert!(review(&data("a"), &data("a")).is_none());
        let change = review(&data("a"), &data("b")).unwrap();
        assert_eq!(
            (
                change.old.general.docker_image.as_str(),
                change.new.general.docker_image.as_str()
            ),
            ("a", "b")
        );
        assert_eq!(change.watch, Watch::Namespaces(vec!["ops".to_owned()]));
        let broken = json!({"data": {"workers": "many"}});
        assert!(
            review(&data("a"), &broken).is_none(),
            "it does not come into force"
        );
        assert!(review(&broken, &data("a")).is_some(), "against what is in force");
    }
}
