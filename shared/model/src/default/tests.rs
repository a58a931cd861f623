//! The patch on objects as users write them, and its laws on arbitrary ones.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn complete(object: &Value, old: Option<&Value>, config: &OperatorConfig) -> Value {
    super::complete(object, old, config).into_owned()
}

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
fn the_page_has_every_default_of_every_class() {
    let page = reference::markdown();
    for default in TABLE {
        assert!(page.contains(&format!("`{}`", default.path.join("."))));
    }
    for row in FOLLOWS {
        assert!(page.contains(&format!("`{}`", row.path)));
    }
    assert!(
        page.contains("| `spec.tls.certificateFile` | `\"tls.crt\"` |"),
        "{page}"
    );
    assert!(page.contains("| `spec.preparedDatabases.*.schemas.*.defaultRoles` | `true` |"));
}

#[test]
fn a_field_belongs_to_one_class() {
    let once = TABLE.iter().map(|default| default.path.join("."));
    let follows = FOLLOWS.iter().map(|row| row.path.to_owned());
    let constants = reference::constants().into_iter().map(|(path, _)| path);
    let mut all: Vec<String> = once.chain(follows).chain(constants).collect();
    let number = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), number);
    assert!(FOLLOWS.is_sorted_by(|one, next| one.path < next.path));
}

#[test]
fn what_follows_is_a_field_and_a_parameter() {
    let schema = reference::schema().unwrap();
    for row in FOLLOWS {
        let found = row
            .path
            .split('.')
            .try_fold(&schema, |part, name| part.properties.as_ref()?.get(name));
        assert!(found.is_some_and(|field| field.default.is_none()), "{}", row.path);
        for name in row.parameters {
            assert!(crate::config::param(name).is_some(), "{name}");
        }
    }
}

/// What the planner or a later part of it reads from the operator's configuration by itself: it is not in a cluster.
const READ_ELSEWHERE: &[&str] = &["pod_environment_configmap", "pod_environment_secret"];

#[test]
fn what_follows_does_follow() {
    use crate::{api, cluster::Cluster, config::Forms, config::source};
    let read = |pairs: &[(&str, &str)]| {
        let all = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let all = all.chain([("enable_teams_api".to_owned(), "false".to_owned())]);
        let config = source::from_config_map(&all.collect(), "default").unwrap().0;
        let silent = json!({"metadata": {"name": "acid-shop", "namespace": "d"}, "spec": {
            "teamId": "acid", "volume": {"size": "1Gi"}, "users": {"app": [], "reader": []}, "databases": {"app": "app"},
            "enableConnectionPooler": true, "enableReplicaConnectionPooler": true, "enableLogicalBackup": true,
            "enableMasterLoadBalancer": pairs.iter().any(|(name, _)| *name == "custom_service_annotations").then_some(true),
        }});
        Cluster::parse(&api::decode(&complete(&silent, None, &config)).unwrap(), &config).unwrap()
    };
    let mut idle = Vec::new();
    for name in FOLLOWS.iter().flat_map(|row| row.parameters) {
        let param = crate::config::param(name).unwrap();
        if param.forms == Forms::CrdOnly {
            continue;
        }
        // A map of services says nothing without a service, and one of the toleration knows its keys.
        let before = [(*name, "")];
        let other = match *name {
            "toleration" => "key:dedicated",
            _ => crate::config::tests::table::other_value(param, Form::ConfigMap),
        };
        let before = if *name == "custom_service_annotations" {
            &before[..]
        } else {
            &[]
        };
        if read(before) == read(&[(name, other)]) {
            idle.push(*name);
        }
    }
    assert_eq!(idle, READ_ELSEWHERE);
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

    #[test]
    fn only_what_was_absent_is_added(new in any_object(), old in prop::option::of(any_object()), config in any_config()) {
        for operation in patch(&new, old.as_ref(), &config).map(|patch| patch.0).unwrap_or_default() {
            let PatchOperation::Add(add) = operation else { unreachable!() };
            let path: Vec<String> = add.path.tokens().map(|token| token.decoded().into_owned()).collect();
            let own = TABLE.iter().any(|default| default.path.iter().zip(&path).all(|(key, token)| key == token));
            prop_assert!(own, "{path:?} is of no default");
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            prop_assert!(lookup(&new, &path).is_none(), "{path:?} was there");
        }
    }

    #[test]
    fn what_was_decided_stays_whatever_the_operator_is_told(
        new in any_object(), old in any_object(), one in any_config(), other in any_config(),
    ) {
        let stored = complete(&old, None, &one);
        let completed = complete(&new, Some(&stored), &other);
        for default in TABLE {
            let wanted = lookup(&new, default.path).or_else(|| lookup(&stored, default.path));
            // Where something on the way has another shape, nothing can be added.
            let fits = default.path[1..].iter().enumerate().all(|(depth, _)| {
                lookup(&new, &default.path[..=depth]).is_none_or(Value::is_object)
            });
            if let (Some(wanted), true, true) = (wanted, fits, new.is_object()) {
                prop_assert_eq!(lookup(&completed, default.path), Some(wanted));
            }
        }
    }

    #[test]
    fn applying_the_same_manifest_for_ever_changes_nothing(new in any_object(), configs in prop::collection::vec(any_config(), 1..5)) {
        let created = complete(&new, None, &configs[0]);
        for config in &configs {
            prop_assert_eq!(&complete(&new, Some(&created), config), &created);
        }
    }

    #[test]
    fn what_follows_the_operator_is_never_written(new in any_object(), config in any_config()) {
        let completed = complete(&new, None, &config);
        for row in FOLLOWS {
            let path: Vec<&str> = row.path.split('.').collect();
            prop_assert_eq!(lookup(&completed, &path), lookup(&new, &path));
        }
    }
}

fn any_config() -> impl Strategy<Value = OperatorConfig> {
    (
        -1..5,
        -1..5,
        prop::sample::select(crate::units::PgVersion::SUPPORTED.to_vec()),
    )
        .prop_map(|(min, max, target)| {
            let mut config = config();
            (config.general.min_instances, config.general.max_instances) = (min, max);
            config.major_version_upgrade.target_major_version = target;
            config
        })
}
