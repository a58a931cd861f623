//! One watch, followed for ever: lists, watches, and starts over when the connection or the API server's memory ends. Must not: know kinds.

use std::fmt::Debug;

use futures::{StreamExt, pin_mut};
use kube::Resource;
use kube::api::Api;
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use pgherd_runtime::tasks::chain;
use serde::de::DeserializeOwned;

use super::Listing;

/// Where the events of one watch go.
pub(super) trait Sink<K> {
    /// A list begins: the objects that follow are all there are.
    fn list_begins(&mut self);
    /// An object is like this, told by a list or by the watch.
    fn apply(&mut self, object: K);
    fn delete(&mut self, object: K);
    /// The list is complete: what it did not hold is gone.
    fn list_ends(&mut self);
}

/// Feeds `sink`; drops `listing` after the first list.
pub(super) async fn follow<K, S>(what: &str, api: Api<K>, config: Config, mut sink: S, listing: Listing)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let mut listing = Some(listing);
    let mut failing = None;
    let events = watch(api, config).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if failing.take().is_some() {
                    tracing::info!(watch = what, "watch works again");
                }
                if matches!(event, Event::InitDone) {
                    listing = None;
                }
                feed(&mut sink, event);
            }
            Err(error) => report(what, &error, &mut failing, listing.is_some()),
        }
    }
}

fn feed<K>(sink: &mut impl Sink<K>, event: Event<K>) {
    match event {
        Event::Init => sink.list_begins(),
        Event::InitApply(object) | Event::Apply(object) => sink.apply(object),
        Event::Delete(object) => sink.delete(object),
        Event::InitDone => sink.list_ends(),
    }
}

/// A watch ends every few minutes by design and an expired one is listed anew: that is worth a line only when it lasts, or when nothing
/// works before the first list.
fn report(what: &str, error: &watcher::Error, failing: &mut Option<String>, before_first_list: bool) {
    let problem = chain(error);
    let lasting = failing.is_some() || before_first_list;
    if lasting && failing.as_deref() != Some(&problem) {
        tracing::warn!(watch = what, %problem, "watch fails; trying again until it works");
    } else {
        tracing::debug!(watch = what, %problem, "watch interrupted");
    }
    *failing = Some(problem);
}
