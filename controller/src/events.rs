//! Writes events on objects; the same one again counts up the first. A leaf. Must not: decide what is worth one (report).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use pgherd_model::api::API_VERSION;
use pgherd_planner::observed::ClusterView;
use serde_json::json;
use tokio::time::Instant;

/// What the API server accepts as a note.
const NOTE_LIMIT: usize = 1000;
/// An event that is said again within this time counts up the first.
const SERIES: Duration = Duration::from_mins(10);
const CONTROLLER: &str = "pgherd";

/// One event to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub warning: bool,
    pub reason: String,
    /// What was done; one word.
    pub action: &'static str,
    pub text: String,
}

/// What has been said lately. One per process.
pub struct Events {
    client: Client,
    instance: String,
    lately: Mutex<HashMap<Said, (Instant, Event)>>,
}

/// What makes two events the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Said {
    uid: String,
    reason: String,
    note: String,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl Events {
    /// `instance` names this process among several.
    pub fn new(client: Client, instance: String) -> Self {
        Self {
            client,
            instance,
            lately: Mutex::default(),
        }
    }

    /// Writes the event about this cluster. Nothing may depend on it: a lost event is lost.
    pub async fn tell(&self, about: &ClusterView, note: Note) {
        self.tell_of(&reference(about), note).await;
    }

    /// As [`Self::tell`], of any object in a namespace.
    pub async fn tell_of(&self, about: &ObjectReference, note: Note) {
        if let Err(error) = self.write(about, note).await {
            tracing::debug!(%error, "event lost");
        }
    }

    async fn write(&self, about: &ObjectReference, note: Note) -> Result<(), kube::Error> {
        let text: String = note.text.chars().take(NOTE_LIMIT).collect();
        let namespace = about.namespace.clone().unwrap_or_default();
        let said = Said {
            uid: about.uid.clone().unwrap_or_default(),
            reason: note.reason.clone(),
            note: text.clone(),
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let event = if let Some(mut event) = self.earlier(&said) {
            let count = event.series.as_ref().map_or(2, |series| series.count + 1);
            let series = EventSeries {
                count,
                last_observed_time: MicroTime(Timestamp::now()),
            };
            let name = event.metadata.name.clone().unwrap_or_default();
            let patch = Patch::Merge(json!({ "series": &series }));
            api.patch(&name, &PatchParams::default(), &patch).await?;
            event.series = Some(series);
            event
        } else {
            let event = self.event(about, note, text);
            api.create(&PostParams::default(), &event).await?;
            event
        };
        self.locked().insert(said, (Instant::now(), event));
        Ok(())
    }

    fn earlier(&self, said: &Said) -> Option<Event> {
        let mut lately = self.locked();
        lately.retain(|_, (at, _)| at.elapsed() < SERIES);
        lately.get(said).map(|(_, event)| event.clone())
    }

    fn event(&self, about: &ObjectReference, note: Note, text: String) -> Event {
        let now = Timestamp::now();
        let name = about.name.as_deref().unwrap_or_default();
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: about.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some(note.action.to_owned()),
            reason: Some(note.reason),
            note: Some(text),
            type_: Some(if note.warning { "Warning" } else { "Normal" }.to_owned()),
            event_time: Some(MicroTime(now)),
            regarding: Some(about.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Said, (Instant, Event)>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How events point at the cluster.
fn reference(view: &ClusterView) -> ObjectReference {
    ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some("postgresql".to_owned()),
        name: Some(view.name.clone()),
        namespace: Some(view.namespace.clone()),
        uid: Some(view.uid.clone()),
        ..ObjectReference::default()
    }
}
