//! The clusters that a change of the operator's configuration is held against: listed while the review waits, page by page, for as long as a
//! review may take. Must not: know what the change does; that is `pgherd_planner::impact`.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::config::Watch;
use pgherd_model::finding::{LINE_LIMIT, shorten};
use pgherd_planner::impact::{Counts, of_configuration};
use pgherd_runtime::tasks::chain;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::impact::ConfigurationChange;

/// How long it may take: the API server waits for 2 s.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Clusters that are in memory at the same time.
const PAGE: u32 = 50;

/// How far it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    counts: Counts,
    is_complete: bool,
}

/// One line: how many clusters roll, reload or are left alone.
pub(crate) async fn line(client: Client, change: ConfigurationChange) -> String {
    let tally = Box::pin(count(client, change, Instant::now() + PATIENCE)).await;
    tally.line()
}

async fn count(client: Client, change: ConfigurationChange, deadline: Instant) -> Tally {
    let api = clusters(client, &change.watch);
    let change = Arc::new(change);
    let mut tally = Tally::default();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let list = match timeout_at(deadline, api.list(&params)).await {
            Ok(Ok(list)) => list,
            Ok(Err(err)) => {
                debug!(reason = %chain(&err), "cannot list the clusters of a configuration");
                return tally;
            }
            Err(_) => return tally,
        };
        let Ok(Ok(counts)) = timeout_at(deadline, weigh(list.items, Arc::clone(&change))).await else {
            return tally;
        };
        tally.counts += counts;
        let Some(token) = list.metadata.continue_.filter(|token| !token.is_empty()) else {
            tally.is_complete = true;
            return tally;
        };
        params = params.continue_token(&token);
    }
}

/// On a thread of its own: other reviews go on meanwhile.
async fn weigh(
    items: Vec<DynamicObject>,
    change: Arc<ConfigurationChange>,
) -> Result<Counts, tokio::task::JoinError> {
    tokio::task::spawn_blocking(move || {
        let objects: Vec<Value> = items
            .into_iter()
            .filter_map(|item| serde_json::to_value(item).ok())
            .collect();
        of_configuration(&objects, &change.old, &change.new)
    })
    .await
}

fn clusters(client: Client, watch: &Watch) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<Postgresql>(&());
    match watch {
        Watch::All => Api::all_with(client, &resource),
        // Several, or what a selector finds: an upper bound will do.
        Watch::Namespaces(names) => match names.as_slice() {
            [only] => Api::namespaced_with(client, only, &resource),
            _ => Api::all_with(client, &resource),
        },
    }
}

impl Tally {
    fn line(&self) -> String {
        let text = match (self.is_complete, self.counts.total()) {
            (true, _) => self.counts.line(),
            (false, 0) => "how many clusters this rolls could not be counted in time".to_owned(),
            (false, seen) => format!("of {seen} clusters counted in time: {}", self.counts.line()),
        };
        shorten(&text, LINE_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_counted_is_said() {
        let counts = Counts {
            rolls: 12,
            unchanged: 88,
            ..Counts::default()
        };
        let line = |counts, is_complete| Tally { counts, is_complete }.line();
        assert_eq!(line(counts, true), "rolls 12 clusters, leaves 88 alone");
        assert_eq!(
            line(counts, false),
            "of 100 clusters counted in time: rolls 12 clusters, leaves 88 alone"
        );
        assert!(line(Counts::default(), false).contains("could not be counted"));
    }
}
