//! Change streams (zalando-behaviour 4.14, A.26): what is read from which slot, and where what cannot be delivered goes.

use std::collections::BTreeMap;

use super::{reading::Reading, rules};
use crate::{
    api::postgresql::{Stream as Written, StreamTable as WrittenTable},
    names::roles::STREAM_PREFIX,
    units::Quantity,
};

/// What one application reads from one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The application that the events belong to.
    pub application: String,
    /// The database that is read.
    pub database: String,
    /// The tables, by name as written.
    pub tables: BTreeMap<String, StreamTable>,
    /// Events per batch; none leaves it to the stream's worker.
    pub batch_size: Option<u32>,
    /// Cores of the worker.
    pub cpu: Option<Quantity>,
    /// Memory of the worker.
    pub memory: Option<Quantity>,
}

/// One table of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamTable {
    /// Its schema.
    pub schema: String,
    /// Its name in the schema.
    pub name: String,
    /// Type of the events.
    pub event_type: String,
    /// Column with the event's id.
    pub id_column: Option<String>,
    /// Column with the event.
    pub payload_column: Option<String>,
    /// JSON path that events must match.
    pub filter: Option<String>,
    /// What becomes of events that cannot be delivered.
    pub recovery: Recovery,
}

/// What becomes of events that cannot be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// The stream stops at them.
    Stop,
    /// They are dropped.
    Ignore,
    /// They become events of this type.
    DeadLetter(String),
}

/// Schema of a table that names none.
const DEFAULT_SCHEMA: &str = "public";
/// Follows the type of events in that of their dead letters.
const DEAD_LETTER_SUFFIX: &str = "dead-letter-queue";

impl Stream {
    /// The logical slot that it reads, shared by all streams of the application in the database.
    pub fn slot(&self) -> String {
        slot_name(&self.database, &self.application)
    }
}

/// Name of the slot of an application in a database.
pub(crate) fn slot_name(database: &str, application: &str) -> String {
    format!("{STREAM_PREFIX}{database}_{}", application.replace('-', "_"))
}

/// Schema and name of a table as manifests write it.
pub(crate) fn table_name(text: &str) -> (&str, &str) {
    text.split_once('.').unwrap_or((DEFAULT_SCHEMA, text))
}

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Stream> {
    let streams = reading.spec.streams.iter().enumerate();
    streams
        .map(|(index, written)| one(reading, index, written))
        .collect()
}

fn one(reading: &mut Reading<'_>, index: usize, written: &Written) -> Stream {
    let path = format!("spec.streams[{index}]");
    let mut amount = |field: &str, text: Option<&String>| {
        let text = text.filter(|text| !text.is_empty())?;
        reading.quantity(rules::QUANTITY, &format!("{path}.{field}"), text)
    };
    let (cpu, memory) = (
        amount("cpu", written.cpu.as_ref()),
        amount("memory", written.memory.as_ref()),
    );
    let tables = written.tables.iter();
    Stream {
        application: written.application_id.clone(),
        database: written.database.clone(),
        tables: tables
            .map(|(name, table)| (name.clone(), table_of(written, name, table)))
            .collect(),
        batch_size: written.batch_size,
        cpu,
        memory,
    }
}

fn table_of(stream: &Written, written: &str, table: &WrittenTable) -> StreamTable {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (schema, name) = table_name(written);
    StreamTable {
        schema: schema.to_owned(),
        name: name.to_owned(),
        event_type: table.event_type.clone(),
        id_column: given(&table.id_column),
        payload_column: given(&table.payload_column),
        filter: stream.filter.get(written).cloned().flatten(),
        recovery: recovery(stream.enable_recovery, table),
    }
}

/// Switched off, or neither switched on nor given a type: none. Otherwise dropped where the table says so, and kept where it does not.
fn recovery(switch: Option<bool>, table: &WrittenTable) -> Recovery {
    let named = table.recovery_event_type.as_ref().filter(|name| !name.is_empty());
    if !switch.unwrap_or(named.is_some()) {
        return Recovery::Stop;
    }
    if table.ignore_recovery == Some(true) {
        return Recovery::Ignore;
    }
    Recovery::DeadLetter(
        named
            .cloned()
            .unwrap_or_else(|| format!("{}-{DEAD_LETTER_SUFFIX}", table.event_type)),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::tests::{config_of, parse_with};

    fn stream(fields: &Value) -> Stream {
        let mut stream = json!({"applicationId": "order-app", "database": "shop", "tables": {}});
        json_patch::merge(&mut stream, fields);
        parse_with(json!({"streams": [stream]}), &config_of(&[]))
            .streams
            .remove(0)
    }

    #[test]
    fn slots_and_tables_have_whole_names() {
        let found = stream(&json!({
            "cpu": "250m", "filter": {"data.orders": "$.a"},
            "tables": {"data.orders": {"eventType": "a"}, "audit": {"eventType": "b"}},
        }));
        assert_eq!(found.slot(), "fes_shop_order_app");
        assert_eq!(found.cpu, Quantity::parse("250m").ok());
        let names: Vec<_> = found
            .tables
            .values()
            .map(|table| {
                (
                    table.schema.as_str(),
                    table.name.as_str(),
                    table.filter.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            names,
            [("public", "audit", None), ("data", "orders", Some("$.a"))]
        );
    }

    #[test]
    fn a26_recovery() {
        let recovery = |switch: Option<bool>, table: Value| {
            let mut with_type = json!({"eventType": "order"});
            json_patch::merge(&mut with_type, &table);
            stream(&json!({"enableRecovery": switch, "tables": {"t": with_type}})).tables["t"]
                .recovery
                .clone()
        };
        let letter = |name: &str| Recovery::DeadLetter(name.to_owned());
        assert_eq!(recovery(None, json!({})), Recovery::Stop);
        assert_eq!(
            recovery(Some(false), json!({"recoveryEventType": "x"})),
            Recovery::Stop
        );
        assert_eq!(recovery(None, json!({"recoveryEventType": "x"})), letter("x"));
        assert_eq!(recovery(Some(true), json!({})), letter("order-dead-letter-queue"));
        assert_eq!(
            recovery(
                Some(true),
                json!({"recoveryEventType": "x", "ignoreRecovery": true})
            ),
            Recovery::Ignore
        );
    }
}
