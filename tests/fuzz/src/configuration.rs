//! The operator's configuration as a ConfigMap, one `key: value` a line.

use std::collections::BTreeMap;

use pgherd_model::config::{Form, source};
use pgherd_model::validate;
use serde_json::json;

use crate::text::utf8;

pub(crate) fn config_map(bytes: &[u8]) {
    let Some(text) = utf8(bytes) else {
        return;
    };
    let data: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_owned(), value.replace("\\n", "\n")))
        .collect();
    let object = json!({"data": data});
    let review = validate::operator_configuration(&object, None, Form::ConfigMap, "operator");
    match source::from_config_map(&data, "operator") {
        Ok((config, _)) => {
            assert!(config.redacted().is_object());
            assert!(
                review.violations.is_empty(),
                "admission refuses what the controller reads"
            );
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            assert!(
                !review.violations.is_empty(),
                "admission allows what the controller cannot read"
            );
        }
    }
    let again = validate::operator_configuration(&object, Some(&object), Form::ConfigMap, "operator");
    assert!(
        again.violations.is_empty(),
        "a stored configuration blocks itself"
    );
}
