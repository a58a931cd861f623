//! The patch on objects as users write them, and its laws on arbitrary ones.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Form;

fn config() -> OperatorConfig {
    OperatorConfig::default_for(Form::ConfigMap)
}

fn bare() -> Value {
    json!({"metadata": {"name": "acid-shop"}, "spec": {"volume": {"size": "1Gi"}}})
}

#[test]
fn a_new_object_gets_all_three() {
    let completed = complete(&bare(), None, &config());
    assert_eq!(completed["spec"]["teamId"], "acid");
    assert_eq!(completed["spec"]["numberOfInstances"], 2);
    assert_eq!(completed["spec"]["postgresql"]["version"], "18");
    assert_eq!(completed["spec"]["volume"]["size"], "1Gi");
}

#[test]
fn the_patch_is_one_add_per_field() {
    let patch = patch(&bare(), None, &config()).unwrap();
    assert_eq!(
        serde_json::to_value(patch).unwrap(),
        json!([
            {"op": "add", "path": "/spec/teamId", "value": "acid"},
            {"op": "add", "path": "/spec/numberOfInstances", "value": 2},
            {"op": "add", "path": "/spec/postgresql", "value": {"version": "18"}},
        ])
    );
}

#[test]
fn a_normal_object_gets_no_patch() {
    let normal = json!({"metadata": {"name": "a"}, "spec": {
        "teamId": "", "numberOfInstances": 0, "postgresql": {"version": "13", "parameters": {}}, "unknown": [1]}});
    assert!(patch(&normal, None, &config()).is_none());
}

#[test]
fn an_update_keeps_what_was_decided() {
    let mut stored = complete(&bare(), None, &config());
    stored["spec"]["numberOfInstances"] = json!(5);
    stored["spec"]["postgresql"]["version"] = json!("15");
    let mut later = config();
    later.major_version_upgrade.target_major_version = crate::units::PgVersion::parse("17").unwrap();
    assert_eq!(complete(&bare(), Some(&stored), &later), stored);
}

#[test]
fn an_update_may_change_what_was_decided() {
    let stored = complete(&bare(), None, &config());
    let mut new = bare();
    new["spec"]["numberOfInstances"] = json!(1);
    assert_eq!(
        complete(&new, Some(&stored), &config())["spec"]["numberOfInstances"],
        1
    );
}

#[test]
fn a_field_missing_in_both_is_decided_now() {
    assert_eq!(
        complete(&bare(), Some(&bare()), &config())["spec"]["teamId"],
        "acid"
    );
}

#[test]
fn instances_keep_to_the_operators_limits() {
    let limits = |min, max| {
        let mut config = config();
        (config.general.min_instances, config.general.max_instances) = (min, max);
        instances(&config)
    };
    assert_eq!(limits(-1, -1), 2);
    assert_eq!(limits(3, -1), 3);
    assert_eq!(limits(-1, 1), 1);
    assert_eq!(limits(1, 5), 2);
}

#[test]
fn team_is_the_name_up_to_the_first_dash() {
    assert_eq!(team("acid-my-shop"), "acid");
    assert_eq!(team("shop"), "shop");
}

#[test]
fn strange_shapes_are_left_to_the_api_server() {
    for strange in [
        json!(null),
        json!([]),
        json!("text"),
        json!({"metadata": {"name": "a"}, "spec": 3}),
        json!({"metadata": 1, "spec": []}),
    ] {
        assert!(patch(&strange, None, &config()).is_none(), "{strange}");
    }
    let odd = json!({"metadata": {"name": "a-b"}, "spec": {"postgresql": "17", "numberOfInstances": "2"}});
    let completed = complete(&odd, None, &config());
    assert_eq!(completed["spec"]["postgresql"], "17");
    assert_eq!(completed["spec"]["numberOfInstances"], "2");
    assert_eq!(completed["spec"]["teamId"], "a");
}

#[test]
fn an_object_without_a_name_gets_no_team() {
    let unnamed = json!({"metadata": {}, "spec": {}});
    assert!(
        complete(&unnamed, None, &config())["spec"]
            .get("teamId")
            .is_none()
    );
    let generated = json!({"metadata": {"generateName": "acid-shop-"}, "spec": {}});
    assert_eq!(complete(&generated, None, &config())["spec"]["teamId"], "acid");
}

#[test]
fn the_page_has_every_default() {
    let page = reference::markdown();
    for default in TABLE {
        assert!(page.contains(&format!("`{}`", default.path.join("."))));
    }
}

/// JSON, with a fair chance to look like a manifest.
pub(crate) fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9:.-]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("spec".to_owned()),
        Just("metadata".to_owned()),
        Just("name".to_owned()),
        Just("teamId".to_owned()),
        Just("numberOfInstances".to_owned()),
        Just("postgresql".to_owned()),
        Just("version".to_owned()),
        "[a-z]{0,5}",
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Everything in `small` is in `large` too, but for nulls.
fn holds(large: &Value, small: &Value) -> bool {
    match (large, small) {
        (_, Value::Null) => true,
        (Value::Object(large), Value::Object(small)) => small
            .iter()
            .all(|(key, value)| large.get(key).is_some_and(|inner| holds(inner, value))),
        _ => large == small,
    }
}

proptest! {
    #[test]
    fn twice_is_once(new in any_object(), old in prop::option::of(any_object())) {
        let completed = complete(&new, old.as_ref(), &config());
        prop_assert!(patch(&completed, old.as_ref(), &config()).is_none());
    }

    #[test]
    fn nothing_is_removed_or_changed(new in any_object(), old in prop::option::of(any_object())) {
        prop_assert!(holds(&complete(&new, old.as_ref(), &config()), &new));
    }

    #[test]
    fn every_operation_adds(new in any_object(), old in prop::option::of(any_object())) {
        let operations = patch(&new, old.as_ref(), &config()).map(|patch| patch.0).unwrap_or_default();
        prop_assert!(operations.iter().all(|operation| matches!(operation, PatchOperation::Add(_))));
    }
}
