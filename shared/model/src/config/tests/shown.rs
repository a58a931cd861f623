//! What is written of a configuration: reference page, samples, view, overrides.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::object;
use crate::config::source::{from_config_map, from_object};
use crate::config::{Affects, Form, OperatorConfig, Overrides, Template, Watch, params, reference, render};
use crate::secret::Secret;

#[test]
fn samples_mean_the_defaults() {
    let sample: Value = serde_yaml::from_str(&render::config_map("pgherd", "pgherd")).unwrap();
    let data: BTreeMap<String, String> = serde_json::from_value(sample["data"].clone()).unwrap();
    let (config, _) = from_config_map(&data, "default").unwrap();
    assert_eq!(config, OperatorConfig::default_for(Form::ConfigMap));
    let sample: Value = serde_yaml::from_str(&render::operator_configuration("pgherd", "pgherd")).unwrap();
    assert_eq!(
        sample["metadata"],
        json!({ "name": "pgherd", "namespace": "pgherd" })
    );
    let (config, _) = from_object(&sample, "default").unwrap();
    assert_eq!(config, OperatorConfig::default_for(Form::Crd));
}

#[test]
fn samples_mention_every_parameter_and_have_every_group() {
    let sample = render::operator_configuration("pgherd", "pgherd");
    let parsed: Value = serde_yaml::from_str(&sample).unwrap();
    for param in params() {
        assert!(sample.contains(&format!("{}:", param.name)), "{}", param.name);
        assert!(
            param
                .crd_group()
                .is_none_or(|group| parsed["configuration"][group].is_object())
        );
    }
    assert!(
        sample
            .lines()
            .all(|line| line.len() <= 130 || !line.trim_start().starts_with('#'))
    );
}

#[test]
fn the_reference_has_a_line_for_every_parameter() {
    let page = reference::markdown();
    for param in params() {
        let start = format!("| `{}` | ", param.name);
        let line = page.lines().find(|line| line.starts_with(&start)).unwrap();
        assert_eq!(line.replace("\\|", "").matches('|').count(), 6, "{line}");
    }
    for (name, cells) in [
        ("enable_master_load_balancer", "`true` | `false` | `false`"),
        ("password_rotation_user_retention", "`180` | `120` | `180`"),
        ("master_pod_move_timeout", "`20m` | `20m` | `10m`"),
        ("node_readiness_label_merge", "`OR` | none | none"),
    ] {
        assert!(page.contains(&format!("| `{name}` | {cells} |")), "{name}");
    }
    assert!(page.contains("| `enable_crd_validation` |"));
}

#[test]
fn the_view_has_the_shape_of_the_object() {
    let config = object(&json!({
        "sidecars": [{ "name": "a", "env": [{ "name": "TOKEN", "value": "hunter2" }] }],
        "scalyr": { "scalyr_api_key": "hunter2" },
    }));
    let view = config.redacted();
    assert_eq!(view["docker_image"], "ghcr.io/zalando/spilo-18:4.1-p2");
    assert_eq!(view["resync_period"], "30m0s");
    assert_eq!(view["scalyr"]["scalyr_api_key"], "[redacted]");
    assert_eq!(
        view["sidecars"][0]["env"][0],
        json!({ "name": "TOKEN", "value": "[redacted]" })
    );
    assert_eq!(view["aws_or_gcp"]["wal_s3_bucket"], Value::Null);
    assert!(!view.to_string().contains("hunter2") && !format!("{config:?}").contains("hunter2"));
}

#[test]
fn changes_name_the_rows_and_what_they_touch() {
    let before = object(&json!({}));
    let after = object(&json!({ "docker_image": "x", "workers": 2, "scalyr": { "scalyr_api_key": "k" } }));
    let changed: Vec<_> = before.changes(&after).collect();
    let names: Vec<_> = changed
        .iter()
        .map(|param| param.name)
        .filter(|name| !name.starts_with("scalyr_"))
        .collect();
    assert_eq!(names, ["docker_image", "workers"]);
    assert_eq!(changed[0].affects, [Affects::Pods]);
    assert!(
        changed.iter().any(|param| param.name == "scalyr_api_key"),
        "a secret that changed is a change"
    );
    assert_eq!(before.changes(&before).count(), 0);
}

#[test]
fn the_environment_overrides() {
    let config = OperatorConfig::default_for(Form::ConfigMap);
    assert_eq!(
        config.watch("operators"),
        Watch::Namespaces(vec!["operators".to_owned()])
    );
    assert_eq!(Overrides::default().apply(config.clone()), config);
    let overrides = Overrides {
        watched_namespace: Some("*".to_owned()),
        scalyr_api_key: Some(Secret::new("hunter2")),
        no_database_access: true,
        no_teams_api: true,
        ..Overrides::default()
    };
    assert!(!format!("{overrides:?}").contains("hunter2"));
    let changed = overrides.apply(config);
    assert_eq!(changed.watch("operators"), Watch::All);
    assert_eq!(
        changed.scalyr.scalyr_api_key.as_ref().unwrap().expose(),
        "hunter2"
    );
    assert!(!changed.debug.enable_database_access && !changed.teams_api.enable_teams_api);
    let empty = Overrides {
        watched_namespace: Some(String::new()),
        ..Overrides::default()
    };
    assert_eq!(empty.apply(changed).watch("operators"), Watch::All);
}

#[test]
fn namespaces_are_named_selected_or_the_operators_own() {
    let watch = |named: Option<&str>, selector: Option<&str>| {
        let overrides = Overrides {
            watched_namespace: named.map(str::to_owned),
            watched_namespace_selector: selector.map(str::to_owned),
            ..Overrides::default()
        };
        overrides
            .apply(OperatorConfig::default_for(Form::ConfigMap))
            .watch("operators")
    };
    let these = |names: &[&str]| Watch::Namespaces(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(watch(Some("b, a,b,"), None), these(&["a", "b"]));
    assert_eq!(watch(Some("a,*"), None), Watch::All);
    assert_eq!(watch(None, Some("team=shop")), these(&[]));
    assert_eq!(watch(Some("a"), Some("team=shop")), these(&["a"]));
}

#[test]
fn a_label_selector_is_one() {
    let read = |text: &str| {
        let data = [("watched_namespace_selector".to_owned(), text.to_owned())];
        crate::config::source::from_config_map(&data.into(), "operators")
    };
    for good in [
        "team",
        "!team",
        "a.b/team=shop",
        "tier in (gold, silver),team!=x",
        "team=",
    ] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in ["team=a b", "tier in gold", "=shop", "team=shop,,x", "te am"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn templates_fill_in_their_variables() {
    let template = Template::new("{cluster}-{team}.{namespace}.{hostedzone}.{cluster}{odd");
    assert_eq!(
        template.variables().collect::<Vec<_>>(),
        ["cluster", "team", "namespace", "hostedzone", "cluster"]
    );
    let name = template.fill(&[
        ("cluster", "c"),
        ("team", "t"),
        ("namespace", "n"),
        ("hostedzone", "z"),
    ]);
    assert_eq!(name, "c-t.n.z.c{odd");
    assert_eq!(Template::new("{other}").fill(&[("cluster", "c")]), "{other}");
}
