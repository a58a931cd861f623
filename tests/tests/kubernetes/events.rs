//! Reading the events of a cluster's object.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

use super::stage::{NAMESPACE, Stage};

/// One event as it stands.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) reason: String,
    pub(crate) note: String,
    /// How often it was said.
    pub(crate) count: u64,
}

/// What was said about a cluster since a time, oldest first.
pub(crate) fn events_since(stage: &Stage, cluster: &str, since: Timestamp) -> Result<Vec<Event>> {
    let selector = format!("--field-selector=involvedObject.kind=postgresql,involvedObject.name={cluster}");
    let text = stage
        .kubectl()
        .call(["-n", NAMESPACE, "get", "events", &selector, "-o", "json"])
        .output()?;
    let list: Value = serde_json::from_str(&text).context("reading the events")?;
    let at = |event: &Value| event["eventTime"].as_str()?.parse::<Timestamp>().ok();
    let mut found: Vec<(Timestamp, &Value)> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|event| Some((at(event)?, event)))
        .filter(|(at, _)| *at >= since)
        .collect();
    found.sort_by_key(|(at, _)| *at);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event = |(_, event): (Timestamp, &Value)| Event {
        reason: text(&event["reason"]),
        note: text(&event["message"]),
        count: event["series"]["count"].as_u64().unwrap_or(1),
    };
    Ok(found.into_iter().map(event).collect())
}
