//! One watch, followed for ever: lists, watches, and starts over when the connection or the API server's memory ends. Must not: know kinds.

use std::fmt::Debug;

use futures::{StreamExt, pin_mut};
use kube::Resource;
use kube::api::Api;
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use pgherd_runtime::client::Patience;
use pgherd_runtime::tasks::chain;
use serde::de::DeserializeOwned;

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

/// Feeds `sink`; calls `listed` after every complete list.
pub(super) async fn follow<K, S>(
    what: &str,
    api: Api<K>,
    config: Config,
    mut sink: S,
    mut listed: impl FnMut(),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let (mut had_list, mut failing) = (false, Failing::No);
    let events = watch(api, config).backoff(Patience::default());
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if std::mem::take(&mut failing) == Failing::Told {
                    tracing::info!(watch = what, "watch works again");
                }
                let is_listed = matches!(event, Event::InitDone);
                feed(&mut sink, event);
                if is_listed {
                    had_list = true;
                    listed();
                }
            }
            Err(error) => report(what, &error, &mut failing, !had_list),
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

/// Whether a watch fails, and whether that was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Failing {
    #[default]
    No,
    Untold,
    Told,
}

/// A watch ends every few minutes by design and an expired one is listed anew: that is worth a line only when it lasts, or when nothing
/// works before the first list; and one line, however many ways to fail there are.
fn report(what: &str, error: &watcher::Error, failing: &mut Failing, before_first_list: bool) {
    let problem = chain(error);
    *failing = match *failing {
        Failing::No if !before_first_list => Failing::Untold,
        Failing::No | Failing::Untold => {
            tracing::warn!(watch = what, %problem, "watch fails; trying again until it works");
            Failing::Told
        }
        Failing::Told => Failing::Told,
    };
    tracing::debug!(watch = what, %problem, "watch interrupted");
}
