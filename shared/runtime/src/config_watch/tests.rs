//! The last good configuration stays in force, problems are said once, the gate follows.

use std::collections::BTreeMap;

use futures::stream;
use tokio::sync::watch::Receiver;

use super::*;
use crate::readiness::Readiness;

fn config_map(version: &str, entries: &[(&str, &str)]) -> ConfigMap {
    let data: BTreeMap<_, _> = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let mut map = ConfigMap {
        data: Some(data),
        ..ConfigMap::default()
    };
    map.metadata.resource_version = Some(version.to_owned());
    map
}

type Seen = watcher::Result<Option<ConfigMap>>;

async fn follow(events: Vec<Seen>) -> (Receiver<ConfigState>, Readiness) {
    let readiness = Readiness::new();
    let gate = readiness.gate("config", "not read yet");
    let source = ConfigSource::ConfigMap {
        namespace: "ops".into(),
        name: "settings".into(),
    };
    let (sender, receiver) = watch::channel(ConfigState::unread(source.form()));
    let follower = Follower {
        source,
        operator_namespace: "ops".to_owned(),
        gate,
        sender,
    };
    let read = |map: &ConfigMap| source::from_config_map(&map.data.clone().unwrap_or_default(), "ops");
    follower.follow(stream::iter(events), read).await;
    (receiver, readiness)
}

#[tokio::test]
async fn good_configuration_comes_into_force_and_opens_the_gate() {
    let (state, readiness) = follow(vec![Ok(Some(config_map("7", &[("super_username", "root")])))]).await;
    let state = state.borrow();
    assert!(state.is_loaded());
    assert_eq!(state.config.users.super_username, "root");
    assert_eq!(state.version.as_deref(), Some("7"));
    assert!(readiness.closed().is_empty());
}

#[tokio::test]
async fn bad_change_keeps_the_last_good_and_lists_every_problem() {
    let good = config_map("7", &[("super_username", "root")]);
    let bad = config_map("8", &[("workers", "many"), ("resync_period", "soon")]);
    let (state, readiness) = follow(vec![Ok(Some(good)), Ok(Some(bad))]).await;
    let state = state.borrow();
    assert_eq!(state.config.users.super_username, "root");
    assert_eq!(state.version.as_deref(), Some("7"));
    assert_eq!(state.problems.len(), 2, "{:?}", state.problems);
    assert!(readiness.closed().is_empty(), "the last good one is in force");
}

#[tokio::test]
async fn deleted_source_keeps_the_last_good() {
    let (state, _) = follow(vec![
        Ok(Some(config_map("7", &[("super_username", "root")]))),
        Ok(None),
    ])
    .await;
    let state = state.borrow();
    assert_eq!(state.config.users.super_username, "root");
    assert_eq!(state.problems, ["ConfigMap ops/settings is not there"]);
}

#[tokio::test]
async fn source_that_is_not_there_keeps_the_gate_closed_and_says_so() {
    let (state, readiness) = follow(vec![Ok(None)]).await;
    assert!(!state.borrow().is_loaded());
    assert_eq!(
        readiness.closed(),
        [("config", "ConfigMap ops/settings is not there".to_owned())]
    );
}

#[tokio::test]
async fn a_version_that_is_in_force_is_not_taken_again_unless_there_was_trouble() {
    let (first, second) = (
        config_map("7", &[("super_username", "root")]),
        config_map("7", &[("super_username", "not-even-read")]),
    );
    let (state, _) = follow(vec![Ok(Some(first.clone())), Ok(Some(second.clone()))]).await;
    assert_eq!(state.borrow().config.users.super_username, "root");
    let (state, _) = follow(vec![Ok(Some(first)), Ok(None), Ok(Some(second))]).await;
    assert_eq!(state.borrow().config.users.super_username, "not-even-read");
    assert!(state.borrow().problems.is_empty());
}

#[tokio::test]
async fn recovery_clears_the_problems() {
    let events = vec![
        Ok(None),
        Err(watcher::Error::NoResourceVersion),
        Ok(Some(config_map("9", &[]))),
    ];
    let (state, readiness) = follow(events).await;
    assert!(state.borrow().problems.is_empty());
    assert!(readiness.closed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_away_it_is_asked_every_second() {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let service = tower::service_fn(move |_: hyper::Request<kube::client::Body>| {
        count.fetch_add(1, Ordering::Relaxed);
        future::ready(Err::<hyper::Response<kube::client::Body>, tower::BoxError>(
            "away".into(),
        ))
    });
    let api: Api<ConfigMap> = Api::namespaced(Client::new(service, "default"), "ops");
    let tried = objects(api, "settings").for_each(|_| future::ready(()));
    let _ = tokio::time::timeout(Duration::from_mins(1), tried).await;
    let asked = asked.load(Ordering::Relaxed);
    assert!((60..600).contains(&asked), "{asked} times in a minute");
}
