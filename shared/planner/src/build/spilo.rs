//! `SPILO_CONFIGURATION`: settings of Postgres and Patroni as the image takes them, as JSON in one line, byte for byte what Zalando's
//! operator writes (zalando-behaviour 3.4, A.14). Lives here also: reading it back for a comparison.

use pgherd_model::cluster::{InitdbOption, Patroni};
use pgherd_model::names::containers::binaries_path;
use serde_json::{Map, Value, json};

use super::Blueprint;

/// Settings of each member; the part whose change rolls pods.
const LOCAL: &str = "postgresql";
/// Settings that only count when a cluster is made.
const BOOTSTRAP: &str = "bootstrap";
/// Patroni's dynamic configuration as it starts; changed later through Patroni.
const DYNAMIC: &str = "dcs";
const PARAMETERS: &str = "parameters";

pub(super) fn configuration(blueprint: Blueprint<'_>) -> String {
    let initdb: Vec<Value> = blueprint
        .cluster
        .postgres
        .initdb
        .iter()
        .map(initdb_option)
        .collect();
    json_text(&json!({
        LOCAL: local(blueprint),
        BOOTSTRAP: { "initdb": initdb, DYNAMIC: dynamic(blueprint) },
    }))
}

/// Two configurations that differ at most in what is changed through Patroni: no reason to touch a pod.
pub(crate) fn same_for_pods(one: &str, other: &str) -> bool {
    one == other || matches!((parts(one), parts(other)), (Some(one), Some(other)) if one == other)
}

/// The same in a text of its own; what is no configuration as it is.
pub(crate) fn for_pods(text: &str) -> String {
    parts(text).map_or_else(|| text.to_owned(), |parts| parts.to_string())
}

/// Without what is changed through Patroni.
fn parts(text: &str) -> Option<Value> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    value
        .get_mut(BOOTSTRAP)
        .and_then(Value::as_object_mut)?
        .remove(DYNAMIC);
    Some(value)
}

/// JSON as Go writes it: these five characters escaped, so that it could stand in HTML.
pub(super) fn json_text(value: &Value) -> String {
    const ESCAPES: [(char, &str); 5] = [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ];
    // They occur inside of strings only, so that replacing in the text is the same as escaping in the strings.
    ESCAPES
        .iter()
        .fold(value.to_string(), |text, (character, escape)| {
            text.replace(*character, escape)
        })
}

fn local(blueprint: Blueprint<'_>) -> Value {
    let cluster = blueprint.cluster;
    let mut local = Map::new();
    if !blueprint.config.general.enable_pgversion_env_var {
        local.insert("bin_dir".to_owned(), Value::from(binaries_path(cluster.version)));
    }
    if !cluster.postgres.local_parameters.is_empty() {
        local.insert(PARAMETERS.to_owned(), json!(cluster.postgres.local_parameters));
    }
    if !cluster.postgres.pg_hba.is_empty() {
        local.insert("pg_hba".to_owned(), json!(cluster.postgres.pg_hba));
    }
    Value::Object(local)
}

fn initdb_option(option: &InitdbOption) -> Value {
    match option {
        InitdbOption::Flag(name) => Value::from(name.as_str()),
        InitdbOption::Setting(name, value) => json!({ name: value }),
    }
}

fn dynamic(blueprint: Blueprint<'_>) -> Value {
    let (patroni, parameters) = (
        &blueprint.cluster.patroni,
        &blueprint.cluster.postgres.dynamic_parameters,
    );
    let mut dynamic = settings(patroni);
    if !parameters.is_empty() {
        dynamic.insert("postgresql".to_owned(), json!({ PARAMETERS: parameters }));
    }
    if !patroni.slots.is_empty() {
        dynamic.insert("slots".to_owned(), json!(patroni.slots));
    }
    dynamic.insert("failsafe_mode".to_owned(), Value::from(patroni.failsafe_mode));
    Value::Object(dynamic)
}

/// Numbers and switches; zero, false and absent are not sent.
fn settings(patroni: &Patroni) -> Map<String, Value> {
    let number = |number: Option<std::num::NonZeroU32>| number.map(|number| Value::from(number.get()));
    let switch = |is_on: bool| is_on.then_some(Value::Bool(true));
    [
        ("ttl", number(patroni.ttl)),
        ("loop_wait", number(patroni.loop_wait)),
        ("retry_timeout", number(patroni.retry_timeout)),
        (
            "maximum_lag_on_failover",
            patroni.maximum_lag_on_failover.map(Value::from),
        ),
        ("synchronous_mode", switch(patroni.synchronous_mode)),
        ("synchronous_mode_strict", switch(patroni.synchronous_mode_strict)),
        ("synchronous_node_count", number(patroni.synchronous_node_count)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_does() {
        let text = json_text(&json!({ "a": "<b> & \"c\" \u{2028}" }));
        assert_eq!(text, r#"{"a":"\u003cb\u003e \u0026 \"c\" \u2028"}"#);
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap()["a"],
            "<b> & \"c\" \u{2028}"
        );
    }

    #[test]
    fn only_what_patroni_changes_later_may_differ() {
        let text = |buffers: u32, connections: u32| {
            json!({ LOCAL: { "shared_buffers": buffers }, BOOTSTRAP: { DYNAMIC: { "max_connections": connections } } })
                .to_string()
        };
        assert!(same_for_pods(&text(1, 100), &text(1, 200)));
        assert!(!same_for_pods(&text(1, 100), &text(2, 100)));
        assert!(!same_for_pods("no json", &text(1, 100)));
        assert!(!same_for_pods("{}", &text(1, 100)));
    }
}
