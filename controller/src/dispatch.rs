//! Gives clusters their turns: so many at once, one at a time per cluster, and arranges the next one by how the last one ended. Must not:
//! know what happens in a turn.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::admit::{dismiss, lose};
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::Retry;
use crate::memory::{Memory, jittered};
use crate::metrics::TurnLabels;
use crate::queue::{Lane, Turn};
use crate::reconcile::{Ending, Next, Rest, reconcile};

/// How a turn ended that did not get to its end, in a word.
const PANICKED: &str = "panicked";

/// Runs until `stop`; then waits for the turns in progress, which end after their current step.
pub async fn dispatch(context: &Context, at_once: usize, stop: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut turns = JoinSet::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, context.queue.next().await)
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = turns.join_next(), if !turns.is_empty() => note_panic(ended),
            (slot, turn) = next => {
                let context = context.clone();
                turns.spawn(async move {
                    one(&context, turn).await;
                    drop(slot);
                });
            }
        }
    }
    while let Some(ended) = turns.join_next().await {
        note_panic(ended);
    }
}

/// Outside of what a turn does, where its own panics are caught.
fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "giving a turn ended in a panic; please report this");
    }
}

/// A panic is a failure like others: the cluster gets its next turn after a growing pause, and other clusters are not affected. Nothing that
/// outlives a turn is left half changed: the caches' locks are held for single assignments.
async fn guarded(turn: impl Future<Output = Ending>) -> Ending {
    AssertUnwindSafe(turn).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the turn ended in a panic; please report this");
        Ending {
            word: PANICKED,
            next: Next::Backoff,
        }
    })
}

async fn one(context: &Context, turn: Turn) {
    let cluster = turn.cluster.clone();
    let span = tracing::info_span!("cluster", name = %cluster);
    let period = context.config().general.resync_period;
    let manifest = context.cache.manifests.get(&cluster);
    let generation = manifest.as_ref().and_then(|manifest| manifest.generation());
    let rests = |memory: &mut Memory| memory.rests(generation, Instant::now());
    if let Some(until) = context.memories.with(&cluster, rests) {
        context.queue.wake_at(&cluster, until, turn.lane);
        return;
    }
    let asked = manifest.as_ref().and_then(|manifest| manifest.sync());
    let resync = context.memories.with(&cluster, |memory| {
        if turn.lane != Lane::Resync {
            memory.stirred();
        }
        memory.begin(Instant::now(), period, asked)
    });
    if resync {
        context.cache.owned.distrust_unwatched(&cluster);
    }
    let lane = turn.lane.word();
    let _slot = context.activity.begin(&cluster, lane);
    let started = Instant::now();
    // Boxed: a turn is large, and the guard would hold it twice.
    let ending = guarded(Box::pin(reconcile(context, &cluster)))
        .instrument(span)
        .await;
    if ending.word == PANICKED {
        lose(context, &cluster, "its turn ended in a panic");
    }
    context
        .metrics
        .turns
        .get_or_create(&TurnLabels {
            lane,
            outcome: ending.word,
        })
        .inc();
    context
        .metrics
        .turn_seconds
        .observe(started.elapsed().as_secs_f64());
    arrange(context, &cluster, &ending);
}

fn arrange(context: &Context, cluster: &ClusterRef, ending: &Ending) {
    if ending.next == Next::Never {
        context.memories.forget(cluster);
        context.cache.given.note_used(cluster, BTreeSet::new());
        context.activity.forget(cluster);
        dismiss(context, cluster);
        if context.cache.manifests.bury(cluster) {
            context.queue.wake(cluster, Lane::Edit);
        }
        return;
    }
    let now = Instant::now();
    let repair = context.config().general.repair_period;
    let (at, lane) = context
        .memories
        .with(cluster, |memory| due(memory, &ending.next, now, repair));
    let lane = match lane {
        Lane::Follow => Lane::of_follow(context.cache.manifests.is_made(cluster)),
        other => other,
    };
    context.queue.wake_at(cluster, at, lane);
}

/// When the next turn is due, and in which lane. Never later than the resync. After a failure that only a change can mend a watch will tell of
/// the change; `repair` is for causes outside of any watch.
fn due(memory: &mut Memory, next: &Next, now: Instant, repair: Duration) -> (Instant, Lane) {
    let resync = memory.resync.unwrap_or(now);
    match next {
        Next::Now => (now + memory.moved(now), Lane::Follow),
        Next::After(wake) => {
            memory.settled();
            let wake = memory.wake(*wake, now).map(|delay| now + delay + spread(delay));
            (wake.map_or(resync, |wake| wake.min(resync)), Lane::Resync)
        }
        Next::Backoff => (now + memory.failed(), Lane::Resync),
        Next::LastResort => ((now + jittered(repair, 0.2)).min(resync), Lane::Resync),
        Next::Despite(retry, rest) => {
            let again = match retry {
                Retry::Backoff => now + memory.failed(),
                Retry::OnChange => now + jittered(repair, 0.2),
            };
            let (rest, lane) = match rest {
                Rest::Done => (Some(memory.pace(now)), Lane::Follow),
                Rest::Waits(wake) => {
                    let wake = memory.wake(*wake, now);
                    (wake.map(|delay| delay + spread(delay)), Lane::Resync)
                }
            };
            let rest = rest.map_or(resync, |delay| now + delay);
            (again.min(rest).min(resync), lane)
        }
        Next::Never => (resync, Lane::Resync),
    }
}

/// What a wait may be longer, so that not all clusters come at once. Never shorter, and never much longer: a window may open at its end.
fn spread(delay: Duration) -> Duration {
    const MOST: Duration = Duration::from_secs(5);
    (delay / 10).min(MOST).mul_f64(rand::random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Key;
    use crate::kinds::Watched;
    use crate::testing::{FakeApi, manifest};

    #[test]
    fn a_wait_for_a_window_ends_when_it_opens() {
        for seconds in [1, 60, 9 * 3600] {
            let delay = Duration::from_secs(seconds);
            let most = (delay / 10).min(Duration::from_secs(5));
            assert!((0..100).all(|_| spread(delay) <= most));
        }
    }

    const REPAIR: Duration = Duration::from_mins(5);

    #[tokio::test(start_paused = true)]
    async fn an_idle_cluster_waits_for_its_resync_and_a_busy_one_looks_again() {
        let now = Instant::now();
        let mut memory = Memory::default();
        memory.begin(now, Duration::from_mins(30), None);
        let resync = memory.resync.unwrap();
        assert_eq!(
            due(&mut memory, &Next::After(None), now, REPAIR),
            (resync, Lane::Resync)
        );
        let (at, lane) = due(
            &mut memory,
            &Next::After(Some(Duration::from_secs(5))),
            now,
            REPAIR,
        );
        assert!((4.4..=5.6).contains(&(at - now).as_secs_f64()) && lane == Lane::Resync);
        assert!(due(&mut memory, &Next::Now, now, REPAIR).0 - now < Duration::from_millis(100));
        let (at, _) = due(
            &mut memory,
            &Next::After(Some(Duration::from_hours(9))),
            now,
            REPAIR,
        );
        assert_eq!(at, resync, "never later than the resync");
    }

    const SERVICE: &str = "/api/v1/namespaces/apps/services/acid-demo";

    /// Sets a service back, when a turn has found it as wanted.
    async fn write_back(context: Context, api: FakeApi, cluster: ClusterRef) {
        tokio::time::sleep(4 * crate::memory::BREATH).await;
        let mut service = api.get(SERVICE).unwrap();
        service["spec"]["ports"] = serde_json::json!([{"port": 1}]);
        let service = api.put(SERVICE, service);
        let key = Key {
            kind: Watched::Service,
            name: "acid-demo".to_owned(),
        };
        let metadata = serde_json::from_value(service["metadata"].clone()).unwrap();
        context.cache.owned.note(&cluster, key, &metadata);
        context.queue.wake(&cluster, Lane::Edit);
    }

    /// How often we write the service in ten minutes.
    async fn war(context: &Context, api: &FakeApi, cluster: &ClusterRef) -> usize {
        let (begin, mut writes) = (Instant::now(), 0);
        while begin.elapsed() < Duration::from_mins(10) && writes < 500 {
            let turn = context.queue.next().await;
            one(context, turn).await;
            let asked = api.asked();
            let (made, kind) = (writes > 0, SERVICE.trim_end_matches("/acid-demo"));
            if asked.contains(&format!("PATCH {SERVICE}"))
                || (!made && asked.contains(&format!("POST {kind}")))
            {
                writes += 1;
                tokio::spawn(write_back(context.clone(), api.clone(), cluster.clone()));
            }
        }
        writes
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_writes_back_gets_ever_fewer_answers() {
        let api = FakeApi::default();
        let context = api.context();
        let cluster = api.submit(&context, &manifest());
        context.queue.wake(&cluster, Lane::Edit);
        let writes = war(&context, &api, &cluster).await;
        assert!((8..40).contains(&writes), "{writes} in ten minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_has_its_turn_whatever_its_users_undo() {
        use crate::memory::tests::{sql, step};

        for (again, has_turn) in [(sql("app"), true), (step("finalizer"), false)] {
            let api = FakeApi::default();
            let context = api.context();
            let cluster = api.submit(&context, &manifest());
            let now = Instant::now();
            context.memories.with(&cluster, |memory| {
                memory.rests(Some(1), now);
                for _ in 0..9 {
                    memory.did([&again], now);
                    memory.moved(now);
                }
            });
            // Something happens to a pod.
            context.queue.wake(&cluster, Lane::Follow);
            one(&context, context.queue.next().await).await;
            assert_eq!(!api.asked().is_empty(), has_turn, "{again}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_alone_does_not_slow_the_rest_down() {
        let (now, mut memory) = (Instant::now(), Memory::default());
        memory.begin(now, Duration::from_mins(30), None);
        let mut wait = |retry, rest| due(&mut memory, &Next::Despite(retry, rest), now, REPAIR).0 - now;
        for _ in 0..12 {
            wait(Retry::Backoff, Rest::Waits(None));
        }
        // A roll goes on.
        let planned = Rest::Waits(Some(Duration::from_secs(3)));
        for retry in [Retry::Backoff, Retry::OnChange] {
            assert!(wait(retry, planned) < Duration::from_secs(4), "{retry:?}");
            assert!(wait(retry, Rest::Done) < Duration::from_secs(1), "{retry:?}");
        }
        // And what failed is tried ever more rarely.
        assert!(wait(Retry::Backoff, Rest::Waits(None)) > Duration::from_mins(1));
        assert!(wait(Retry::OnChange, Rest::Waits(None)) > Duration::from_mins(3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_again_and_again_beside_a_failure_is_no_storm() {
        let (now, mut memory) = (Instant::now(), Memory::default());
        memory.begin(now, Duration::from_mins(30), None);
        for _ in 0..20 {
            memory.did([&crate::memory::tests::step("once more")], now);
            due(
                &mut memory,
                &Next::Despite(Retry::OnChange, Rest::Done),
                now,
                REPAIR,
            );
        }
        let next = due(
            &mut memory,
            &Next::Despite(Retry::OnChange, Rest::Done),
            now,
            REPAIR,
        );
        assert!(next.0 - now > Duration::from_secs(30), "{:?}", next.0 - now);
    }

    #[tokio::test]
    async fn a_turn_that_panics_is_followed_by_another() {
        let ending = guarded(async { panic!("deliberately") }).await;
        assert_eq!((ending.word, ending.next), ("panicked", Next::Backoff));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time() {
        let (now, mut memory) = (Instant::now(), Memory::default());
        let first = due(&mut memory, &Next::Backoff, now, REPAIR).0 - now;
        due(&mut memory, &Next::Backoff, now, REPAIR);
        let third = due(&mut memory, &Next::Backoff, now, REPAIR).0 - now;
        assert!(third > 2 * first, "{first:?} {third:?}");
    }
}
