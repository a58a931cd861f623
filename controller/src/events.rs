//! Writes events on objects; the same one again counts up the first. At once, or one after the other in the background, where nobody waits for
//! them and a hundred clusters are made at the same time. A leaf. Must not: decide what is worth one, or which can wait (report).

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
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ClusterView;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// Bytes that the API server accepts as a note.
pub const NOTE_LIMIT: usize = 1000;
/// An event that is said again within this time counts up the first.
const SERIES: Duration = Duration::from_mins(10);
/// As many can wait; others are lost.
const WAITING: usize = 4096;
/// How long a process that ends waits for those that wait, and how often it looks.
const PARTING: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(20);
/// How long events wait at most while there is something better to do.
const STANDING_BACK: Duration = Duration::from_secs(30);

/// One event to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub warning: bool,
    pub reason: String,
    /// What was done; one word.
    pub action: &'static str,
    pub text: String,
}

/// What has been said lately, and what waits to be said. One per process.
pub struct Events {
    client: Client,
    instance: String,
    lately: Mutex<Lately>,
    waiting: mpsc::Sender<Told>,
    /// Until somebody writes them.
    unwritten: Mutex<Option<mpsc::Receiver<Told>>>,
}

/// What waits, and when it was told.
#[derive(Debug)]
struct Told {
    about: ObjectReference,
    note: Note,
    at: Timestamp,
}

/// The events that another one may count up.
#[derive(Debug)]
struct Lately {
    said: HashMap<Said, Earlier>,
    swept: Instant,
}

#[derive(Debug, Clone)]
struct Earlier {
    at: Instant,
    /// The event's.
    name: String,
    count: i32,
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
        let (waiting, unwritten) = mpsc::channel(WAITING);
        let lately = Lately {
            said: HashMap::new(),
            swept: Instant::now(),
        };
        Self {
            client,
            instance,
            lately: Mutex::new(lately),
            waiting,
            unwritten: Mutex::new(Some(unwritten)),
        }
    }

    /// Writes the event about this cluster. Nothing may depend on it: a lost event is lost.
    pub async fn tell(&self, about: &ClusterView, note: Note) {
        self.tell_of(&reference(about), note).await;
    }

    /// As [`Self::tell`], of any object in a namespace.
    pub async fn tell_of(&self, about: &ObjectReference, note: Note) {
        self.say(about, note, Timestamp::now()).await;
    }

    /// As [`Self::tell`], in a while, and in the order in which it is told.
    pub fn tell_later(&self, about: &ClusterView, note: Note) {
        let told = Told {
            about: reference(about),
            note,
            at: Timestamp::now(),
        };
        if let Err(error) = self.waiting.try_send(told) {
            tracing::debug!(%error, "event lost");
        }
    }

    /// Writes what waits, one after the other, as long as this process `leads`: what the next one says is later. While it `is_busy` with what
    /// people wait for, that goes first, but not for long. The first who calls it does so for ever.
    pub async fn write_waiting(&self, leads: impl Fn() -> bool, is_busy: impl Fn() -> bool) {
        let unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut unwritten) = unwritten else { return };
        let mut busy_since = None;
        while let Some(Told { about, note, at }) = unwritten.recv().await {
            while is_busy() && busy_since.get_or_insert_with(Instant::now).elapsed() < STANDING_BACK {
                sleep(GLANCE).await;
            }
            busy_since = busy_since.filter(|_| is_busy());
            if leads() {
                self.say(&about, note, at).await;
            }
        }
    }

    /// Waits until nothing waits any more, but not for long.
    pub async fn part(&self) {
        let begin = Instant::now();
        while self.waiting.capacity() < self.waiting.max_capacity() && begin.elapsed() < PARTING {
            sleep(GLANCE).await;
        }
    }

    async fn say(&self, about: &ObjectReference, note: Note, at: Timestamp) {
        if let Err(error) = self.write(about, note, at).await {
            tracing::debug!(%error, "event lost");
        }
    }

    async fn write(&self, about: &ObjectReference, note: Note, at: Timestamp) -> Result<(), kube::Error> {
        let fits = |(at, letter): &(usize, char)| at + letter.len_utf8() <= NOTE_LIMIT;
        let letters = note.text.char_indices().take_while(fits);
        let text: String = letters.map(|(_, letter)| letter).collect();
        let namespace = about.namespace.clone().unwrap_or_default();
        let said = Said {
            uid: about.uid.clone().unwrap_or_default(),
            reason: note.reason.clone(),
            note: text.clone(),
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let (name, count) = if let Some(earlier) = self.earlier(&said) {
            let count = earlier.count + 1;
            let series = EventSeries {
                count,
                last_observed_time: MicroTime(at),
            };
            let patch = Patch::Merge(json!({ "series": series }));
            api.patch(&earlier.name, &PatchParams::default(), &patch).await?;
            (earlier.name, count)
        } else {
            let event = self.event(about, note, text, at);
            api.create(&PostParams::default(), &event).await?;
            (event.metadata.name.unwrap_or_default(), 1)
        };
        let at = Instant::now();
        self.locked().said.insert(said, Earlier { at, name, count });
        Ok(())
    }

    fn earlier(&self, said: &Said) -> Option<Earlier> {
        let lately = &mut *self.locked();
        if lately.swept.elapsed() > SERIES {
            lately.swept = Instant::now();
            lately.said.retain(|_, earlier| earlier.at.elapsed() < SERIES);
        }
        let earlier = lately.said.get(said);
        earlier.filter(|earlier| earlier.at.elapsed() < SERIES).cloned()
    }

    fn event(&self, about: &ObjectReference, note: Note, text: String, now: Timestamp) -> Event {
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
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }

    fn locked(&self) -> MutexGuard<'_, Lately> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeApi;

    fn note(text: &str) -> Note {
        Note {
            warning: false,
            reason: "Create".to_owned(),
            action: "Create",
            text: text.to_owned(),
        }
    }

    fn view() -> ClusterView {
        ClusterView {
            namespace: "apps".to_owned(),
            name: "acid-demo".to_owned(),
            uid: "u".to_owned(),
            ..ClusterView::default()
        }
    }

    #[tokio::test]
    async fn the_same_again_counts_up_the_first() {
        let api = FakeApi::default();
        let events = Events::new(api.client(), "test".to_owned());
        for text in ["a", "b", "a", "a"] {
            events.tell(&view(), note(text)).await;
        }
        let asked = api.asked();
        let verbs: Vec<&str> = asked.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(verbs, ["POST", "POST", "PATCH", "PATCH"], "{asked:?}");
        let path = asked[3].strip_prefix("PATCH ").unwrap();
        assert_eq!(api.get(path).unwrap()["series"]["count"], 3);
    }

    #[tokio::test]
    async fn what_can_wait_is_written_in_order_with_the_time_at_which_it_was_told() {
        let api = FakeApi::default();
        let events = Events::new(api.client(), "test".to_owned());
        for text in ["a", "b", "c"] {
            events.tell_later(&view(), note(text));
        }
        let told = Timestamp::now();
        assert_eq!(api.asked(), Vec::<String>::new(), "nobody waits for it");
        tokio::select! {
            () = events.write_waiting(|| true, || false) => {}
            () = async { events.part().await; tokio::task::yield_now().await } => {}
        }
        let list = "/apis/events.k8s.io/v1/namespaces/apps/events/";
        let stored = api.under(list);
        let notes: Vec<&str> = stored.iter().filter_map(|event| event["note"].as_str()).collect();
        assert_eq!(notes, ["a", "b", "c"]);
        for event in &stored {
            let at: Timestamp = event["eventTime"].as_str().unwrap().parse().unwrap();
            assert!(at <= told);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_there_is_something_better_to_do_events_wait_but_not_for_ever() {
        let api = FakeApi::default();
        let events = Events::new(api.client(), "test".to_owned());
        events.tell_later(&view(), note("a"));
        let written = async {
            while api.asked().is_empty() {
                sleep(GLANCE).await;
            }
        };
        let begin = Instant::now();
        tokio::select! {
            () = events.write_waiting(|| true, || true) => {}
            () = written => {}
        }
        assert!((STANDING_BACK..2 * STANDING_BACK).contains(&begin.elapsed()));
    }

    #[tokio::test]
    async fn who_does_not_lead_any_more_says_nothing_and_too_much_is_lost() {
        let api = FakeApi::default();
        let events = Events::new(api.client(), "test".to_owned());
        for number in 0..WAITING + 5 {
            events.tell_later(&view(), note(&number.to_string()));
        }
        tokio::select! {
            () = events.write_waiting(|| false, || false) => {}
            () = events.part() => {}
        }
        assert_eq!(api.asked(), Vec::<String>::new());
        assert_eq!(events.waiting.capacity(), WAITING);
    }
}
