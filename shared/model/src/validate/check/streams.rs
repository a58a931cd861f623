//! Change streams.

use std::collections::BTreeSet;

use super::super::{Hit, Subject};
use crate::{
    api::postgresql::Stream,
    cluster::streams::{slot_name, table_name},
    units::sql::IDENTIFIER_LIMIT,
};

/// What a replication slot may be called.
pub(super) fn is_slot_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=IDENTIFIER_LIMIT).contains(&name.len()) && name.bytes().all(plain)
}

pub(in super::super) fn streams_are_whole(subject: &Subject<'_>) -> Vec<Hit> {
    let mut seen = BTreeSet::new();
    let mut hits = Vec::new();
    for (index, stream) in subject.spec.streams.iter().enumerate() {
        let path = format!("spec.streams[{index}]");
        hits.extend(names(stream, &path));
        for (name, table) in &stream.tables {
            let at = format!("{path}.tables.{name}");
            if table.event_type.is_empty() {
                hits.push(Hit::new(
                    format!("{at}.eventType"),
                    "is missing; every table has a type of events",
                ));
            }
            let (schema, table) = table_name(name);
            if schema.is_empty() || table.is_empty() || table.contains('.') {
                let message = format!("{name:?} is no table; write table or schema.table");
                hits.push(Hit::new(at, message));
            } else if !seen.insert((&stream.application_id, &stream.database, schema, table)) {
                let message = "is in another stream of this application and database already; keep it in one";
                hits.push(Hit::new(at, message));
            }
        }
    }
    hits
}

fn names(stream: &Stream, path: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    let (application, database) = (&stream.application_id, &stream.database);
    if database.is_empty() {
        hits.push(Hit::new(
            format!("{path}.database"),
            "is missing; name the database to read",
        ));
    }
    let slot = slot_name(database, application);
    if application.is_empty() {
        hits.push(Hit::new(
            format!("{path}.applicationId"),
            "is missing; name the application",
        ));
    } else if !is_slot_name(&slot) {
        let message = format!(
            "{application:?} makes the slot {slot:?}; slots have lower-case letters, digits and underscores, at most {IDENTIFIER_LIMIT}"
        );
        hits.push(Hit::new(format!("{path}.applicationId"), message));
    }
    if stream.tables.is_empty() {
        hits.push(Hit::new(
            format!("{path}.tables"),
            "is empty; name the tables to read",
        ));
    }
    hits
}

/// What streams read is there.
pub(in super::super) fn streams_find_their_data(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let mut hits = Vec::new();
    for (index, stream) in spec.streams.iter().enumerate() {
        let path = format!("spec.streams[{index}]");
        if !stream.database.is_empty() && !super::database::may_exist(subject, &stream.database) {
            let message = format!(
                "{:?} is not declared here; without it there is no stream",
                stream.database
            );
            hits.push(Hit::new(format!("{path}.database"), message));
        }
        let unread = stream
            .filter
            .keys()
            .filter(|table| !stream.tables.contains_key(*table));
        hits.extend(unread.map(|table| {
            Hit::new(
                format!("{path}.filter.{table}"),
                "is ignored: the stream does not read this table",
            )
        }));
    }
    hits
}
