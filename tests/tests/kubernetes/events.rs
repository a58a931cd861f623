//! Reading the events of a cluster's object.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::{LONG, NAMESPACE, Stage};

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) reason: String,
    pub(crate) note: String,
    /// How often it was said.
    pub(crate) count: u64,
}

/// What has been said about a cluster, by the events' names.
#[derive(Debug)]
pub(crate) struct Events(BTreeMap<String, Event>);

impl Events {
    pub(crate) fn of(stage: &Stage, cluster: &str) -> Result<Self> {
        let selector =
            format!("--field-selector=involvedObject.kind=postgresql,involvedObject.name={cluster}");
        let text = stage
            .kubectl()
            .call(["-n", NAMESPACE, "get", "events", &selector, "-o", "json"])
            .output()?;
        let list: Value = serde_json::from_str(&text).context("reading the events")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let event = |event: &Value| Event {
            reason: text(&event["reason"]),
            note: text(&event["message"]),
            count: event["series"]["count"].as_u64().unwrap_or(1),
        };
        let items = list["items"].as_array().into_iter().flatten();
        Ok(Self(
            items
                .map(|item| (text(&item["metadata"]["name"]), event(item)))
                .collect(),
        ))
    }

    /// Waits until something is said that was not before.
    pub(crate) fn wait_for(
        stage: &Stage,
        cluster: &str,
        before: &Self,
        is_it: impl Fn(&Event) -> bool,
    ) -> Result<()> {
        let end = Instant::now() + LONG;
        loop {
            let said = Self::of(stage, cluster)?.since(before);
            if said.iter().any(&is_it) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "no event tells of it: {said:?}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What was said since `before`: one that was said again counts up.
    pub(crate) fn since(&self, before: &Self) -> Vec<Event> {
        let news = self.0.iter().map(|(name, event)| {
            let said = before.0.get(name).map_or(0, |before| before.count);
            Event {
                count: event.count.saturating_sub(said),
                ..event.clone()
            }
        });
        news.filter(|event| event.count > 0).collect()
    }
}
