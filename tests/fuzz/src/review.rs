//! The body of an admission request: an envelope with objects of any shape.

use std::sync::LazyLock;

use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::default;
use pgherd_runtime::config_source::ConfigSource;
use pgherd_webhook::admit::{Grounds, admit};
use pgherd_webhook::lookup::Related;
use pgherd_webhook::review::{Question, Verdict};
use pgherd_webhook::route::Route;
use serde_json::Value;

static CONFIG: LazyLock<OperatorConfig> = LazyLock::new(|| OperatorConfig::default_for(Form::Crd));

pub(crate) fn review(bytes: &[u8]) {
    let Ok(question) = Question::read(bytes) else {
        return;
    };
    for route in Route::ALL {
        answers(&question, &decide(route, &question));
    }
    defaults(&question);
}

fn decide(route: Route, question: &Question) -> Verdict {
    // The reviewed configuration is the operator's own, so that it is read whatever its name.
    let (namespace, name) = (question.namespace.clone(), question.name.clone());
    let source = if route == Route::ValidateConfigMap {
        ConfigSource::ConfigMap { namespace, name }
    } else {
        ConfigSource::OperatorConfiguration { namespace, name }
    };
    let grounds = Grounds {
        config: &CONFIG,
        source: &source,
        operator_namespace: "operator",
        related: &related(question),
    };
    admit(route, question, &grounds)
}

/// The objects of the question stand for what else may be found.
fn related(question: &Question) -> Related {
    Related {
        parent: question.old.clone(),
        teams: question.old.iter().cloned().collect(),
    }
}

/// The answer is JSON, carries the uid it was asked with, and allows exactly when nothing blocks.
fn answers(question: &Question, verdict: &Verdict) {
    let answer = verdict.answer(question).expect("an answer can be written");
    let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    let response = &answer["response"];
    assert_eq!(response["uid"], Value::from(question.uid.as_str()));
    assert_eq!(response["allowed"], Value::from(verdict.violations.is_empty()));
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().expect("a warning is a text");
        assert!(!warning.contains(char::is_control), "{warning:?}");
    }
}

/// A patch applies, adds and never removes, and an object that was patched needs no patch.
fn defaults(question: &Question) {
    let old = question.old.as_ref();
    let Some(patch) = default::patch(&question.object, old, &CONFIG) else {
        return;
    };
    let mut patched = question.object.clone();
    json_patch::patch(&mut patched, &patch).expect("a patch fits its object");
    assert_eq!(default::patch(&patched, old, &CONFIG), None, "a second patch");
    for operation in &patch.0 {
        assert!(
            matches!(operation, json_patch::PatchOperation::Add(_)),
            "{operation:?}"
        );
    }
}
