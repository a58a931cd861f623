//! Which question goes to which part of the model. Not here: rules, defaults, HTTP.

use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::manifest::Manifest;
use pgherd_model::{default, validate};
use pgherd_runtime::config_source::ConfigSource;

use crate::impact;
use crate::lookup::Related;
use crate::review::{Question, Verdict};
use crate::route::Route;

/// What decisions are based on, beside the object.
#[derive(Debug, Clone)]
pub struct Grounds<'a> {
    /// The operator's configuration in force.
    pub config: &'a OperatorConfig,
    /// Where it comes from: the one object of configuration that is reviewed.
    pub source: &'a ConfigSource,
    /// The operator's own namespace.
    pub operator_namespace: &'a str,
    /// What was found in the cluster for this review.
    pub related: &'a Related,
}

/// Decides.
pub fn admit(route: Route, question: &Question, grounds: &Grounds<'_>) -> Verdict {
    let old = question.old.as_ref();
    match route {
        Route::MutatePostgresql => Verdict {
            patch: default::patch(&question.object, old, grounds.config),
            ..Verdict::allowed()
        },
        Route::ValidatePostgresql => postgresql(question, grounds.config),
        Route::ValidateScale => scale(question, grounds),
        // The object of a deletion is the stored one; there is no new one.
        Route::ValidateDelete => verdict(validate::deletion(
            old.unwrap_or(&question.object),
            grounds.config,
        )),
        Route::ValidatePostgresTeam => verdict(validate::team(
            &question.object,
            old,
            &grounds.related.teams,
            grounds.config,
        )),
        Route::ValidateOperatorConfiguration => configuration(question, Form::Crd, grounds),
        Route::ValidateConfigMap => configuration(question, Form::ConfigMap, grounds),
    }
}

/// Each object is read once, for the rules and for the preview.
fn postgresql(question: &Question, config: &OperatorConfig) -> Verdict {
    let stored = question.old.as_ref();
    let new = Manifest::read(&question.object, stored, config);
    let Some(stored) = stored else {
        return verdict(validate::review_of(&new, None, config));
    };
    let old = Manifest::read(stored, None, config);
    // Labels and annotations are often changed by somebody else than the manifest's author.
    let review = if stored.get("spec") == question.object.get("spec") {
        validate::news_of(&new, &old, config)
    } else {
        validate::review_of(&new, Some(&old), config)
    };
    let mut verdict = verdict(review);
    impact::prepend(&mut verdict, old, new, config);
    verdict
}

/// A change of the number of instances by itself.
fn scale(question: &Question, grounds: &Grounds<'_>) -> Verdict {
    let parent = grounds.related.parent.as_ref();
    let mut verdict = verdict(validate::scale(&question.object, parent, grounds.config));
    let scaled = parent.and_then(|parent| Some((parent, impact::scaled(parent, &question.object)?)));
    if let Some((parent, new)) = scaled {
        let old = Manifest::read(parent, None, grounds.config);
        let new = Manifest::read(&new, Some(parent), grounds.config);
        impact::prepend(&mut verdict, old, new, grounds.config);
    }
    verdict
}

/// The change of the operator's own configuration that an accepted review is about.
pub(crate) fn configuration_change(
    route: Route,
    question: &Question,
    grounds: &Grounds<'_>,
) -> Option<impact::ConfigurationChange> {
    let form = match route {
        Route::ValidateOperatorConfiguration => Form::Crd,
        Route::ValidateConfigMap => Form::ConfigMap,
        _ => return None,
    };
    if !is_ours(question, form, grounds) {
        return None;
    }
    impact::of_configuration(question, form, grounds.config, grounds.operator_namespace)
}

/// Only the object that the operator reads is its configuration; others of the same kind are none of our business.
fn is_ours(question: &Question, form: Form, grounds: &Grounds<'_>) -> bool {
    match grounds.source {
        ConfigSource::ConfigMap { namespace, name } => {
            form == Form::ConfigMap && (namespace, name) == (&question.namespace, &question.name)
        }
        ConfigSource::OperatorConfiguration { namespace, name } => {
            form == Form::Crd && (namespace, name) == (&question.namespace, &question.name)
        }
        ConfigSource::Defaults => false,
    }
}

fn configuration(question: &Question, form: Form, grounds: &Grounds<'_>) -> Verdict {
    if !is_ours(question, form, grounds) {
        return Verdict::allowed();
    }
    let old = question.old.as_ref();
    verdict(validate::operator_configuration(
        &question.object,
        old,
        form,
        grounds.operator_namespace,
    ))
}

fn verdict(review: validate::Review) -> Verdict {
    Verdict {
        patch: None,
        violations: review.violations,
        warnings: review.warnings,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn question(name: &str, object: &Value) -> Question {
        let body = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "7", "namespace": "ops", "name": name, "operation": "CREATE", "object": object}
        });
        Question::read(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn only_the_operators_own_configuration_is_reviewed() {
        let bad = json!({"data": {"workers": "many"}});
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let source = ConfigSource::ConfigMap {
            namespace: "ops".into(),
            name: "pgherd".into(),
        };
        let grounds = Grounds {
            config: &config,
            source: &source,
            operator_namespace: "ops",
            related: &Related::default(),
        };
        let review = |route, name| admit(route, &question(name, &bad), &grounds).violations.len();
        assert_eq!(review(Route::ValidateConfigMap, "pgherd"), 1);
        assert_eq!(review(Route::ValidateConfigMap, "other"), 0);
        assert_eq!(
            review(Route::ValidateOperatorConfiguration, "pgherd"),
            0,
            "the other form is not in use"
        );
    }

    #[test]
    fn object_of_odd_shape_is_neither_patched_nor_a_panic() {
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let grounds = Grounds {
            config: &config,
            source: &ConfigSource::Defaults,
            operator_namespace: "ops",
            related: &Related::default(),
        };
        for object in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"spec": "x"}),
            json!({"spec": {"postgresql": []}}),
        ] {
            assert_eq!(
                admit(Route::MutatePostgresql, &question("a", &object), &grounds).violations,
                []
            );
            let refused = admit(Route::ValidatePostgresql, &question("a", &object), &grounds);
            assert!(!refused.violations.is_empty(), "{object} was accepted");
        }
    }
}
