//! Replication slots that outlive a failover.

use super::{
    super::{Hit, Subject},
    streams::is_slot_name,
};
use crate::{names::roles::STREAM_PREFIX, units::sql::IDENTIFIER_LIMIT};

type Slots = std::collections::BTreeMap<String, std::collections::BTreeMap<String, String>>;

fn slots<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = <&'a Slots as IntoIterator>::Item> {
    let patroni = subject.spec.patroni.as_ref();
    patroni.into_iter().flat_map(|patroni| &patroni.slots)
}

fn path(name: &str) -> String {
    format!("spec.patroni.slots.{name}")
}

pub(in super::super) fn slots_are_sound(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (name, properties) in slots(subject) {
        let given = |key: &str| properties.get(key).filter(|value| !value.is_empty());
        if !is_slot_name(name) {
            let message = format!(
                "{name:?} cannot be a slot: lower-case letters, digits and underscores, at most {IDENTIFIER_LIMIT}"
            );
            hits.push(Hit::new(path(name), message));
        }
        let kind = given("type").map(String::as_str);
        if let Some(kind) = kind.filter(|kind| !matches!(*kind, "physical" | "logical")) {
            let message = format!("{kind:?} is no type; allowed are physical and logical");
            hits.push(Hit::new(format!("{}.type", path(name)), message));
        }
        for key in ["database", "plugin"] {
            if kind == Some("logical") && given(key).is_none() {
                let message = "is missing; a logical slot has a database and a plugin";
                hits.push(Hit::new(format!("{}.{key}", path(name)), message));
            }
        }
    }
    hits
}

/// Slots that nobody else makes or removes, in databases that are there.
pub(in super::super) fn slots_do_not_clash(subject: &Subject<'_>) -> Vec<Hit> {
    let cluster = subject.object.metadata.name.as_deref().unwrap_or_default();
    let member = format!("{}_", cluster.replace(['-', '.'], "_"));
    let mut hits = Vec::new();
    for (name, properties) in slots(subject) {
        let number = name.strip_prefix(&member).unwrap_or_default();
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            let message =
                format!("{name:?} is the slot that Patroni makes for a member; choose another name");
            hits.push(Hit::new(path(name), message));
        } else if name.starts_with(STREAM_PREFIX) {
            let message = format!("{STREAM_PREFIX:?} is for slots of streams, which the operator removes");
            hits.push(Hit::new(path(name), message));
        }
        let database = properties.get("database").filter(|name| !name.is_empty());
        if let Some(database) = database.filter(|name| !super::database::may_exist(subject, name)) {
            let message = format!("{database:?} is not declared here; without it there is no slot");
            hits.push(Hit::new(format!("{}.database", path(name)), message));
        }
    }
    hits
}
