//! Which question goes to which part of the model. Not here: rules, defaults, HTTP.

use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::{default, validate};
use pgherd_runtime::config_watch::ConfigSource;

use crate::review::{Question, Verdict};

/// What can be asked. The paths are part of the webhook configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Defaults of a cluster.
    MutatePostgresql,
    /// Rules for a cluster.
    ValidatePostgresql,
    /// The operator's configuration, as an `OperatorConfiguration`.
    ValidateOperatorConfiguration,
    /// The operator's configuration, as a ConfigMap.
    ValidateConfigMap,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::MutatePostgresql,
        Self::ValidatePostgresql,
        Self::ValidateOperatorConfiguration,
        Self::ValidateConfigMap,
    ];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::MutatePostgresql => "/mutate/postgresql",
            Self::ValidatePostgresql => "/validate/postgresql",
            Self::ValidateOperatorConfiguration => "/validate/operatorconfiguration",
            Self::ValidateConfigMap => "/validate/configmap",
        }
    }
}

/// What decisions are based on, beside the object.
#[derive(Debug, Clone)]
pub struct Grounds<'a> {
    /// The operator's configuration in force.
    pub config: &'a OperatorConfig,
    /// Where it comes from: the one object of configuration that is reviewed.
    pub source: &'a ConfigSource,
    /// The operator's own namespace.
    pub operator_namespace: &'a str,
}

/// Decides.
pub fn admit(route: Route, question: &Question, grounds: &Grounds<'_>) -> Verdict {
    let old = question.old.as_ref();
    match route {
        Route::MutatePostgresql => Verdict {
            patch: default::patch(&question.object, old, grounds.config),
            ..Verdict::allowed()
        },
        Route::ValidatePostgresql => verdict(validate::review(&question.object, old, grounds.config)),
        Route::ValidateOperatorConfiguration => configuration(question, Form::Crd, grounds),
        Route::ValidateConfigMap => configuration(question, Form::ConfigMap, grounds),
    }
}

/// Only the object that the operator reads is its configuration; others of the same kind are none of our business.
fn configuration(question: &Question, form: Form, grounds: &Grounds<'_>) -> Verdict {
    let is_ours = match grounds.source {
        ConfigSource::ConfigMap { namespace, name } => {
            form == Form::ConfigMap && (namespace, name) == (&question.namespace, &question.name)
        }
        ConfigSource::OperatorConfiguration { namespace, name } => {
            form == Form::Crd && (namespace, name) == (&question.namespace, &question.name)
        }
        ConfigSource::Defaults => false,
    };
    if !is_ours {
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
