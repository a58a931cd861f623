//! Elections against a lease store in this process that loses requests, loses answers and is slow.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Mutex;

use http_body_util::BodyExt;
use hyper::{Method, Request, Response, StatusCode};
use kube::client::Body;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Fine,
    Slow(u64),
    LostBefore,
    LostAfter(u64),
    Refused,
}

#[derive(Debug, Default)]
struct Store {
    lease: Option<Value>,
    version: u64,
    writes: u64,
}

impl Store {
    fn answer(&mut self, method: &Method, body: &[u8]) -> (StatusCode, Value) {
        let sent: Option<Value> = serde_json::from_slice(body).ok();
        match (method, sent, &self.lease) {
            (&Method::GET, _, Some(lease)) => (StatusCode::OK, lease.clone()),
            (&Method::GET, _, None) => status(404, "NotFound"),
            (&Method::POST, Some(new), None) => self.write(new),
            (&Method::PUT, Some(new), Some(old))
                if new["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"] =>
            {
                self.write(new)
            }
            _ => status(409, "Conflict"),
        }
    }

    fn write(&mut self, mut new: Value) -> (StatusCode, Value) {
        self.version += 1;
        self.writes += 1;
        new["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(new.clone());
        (StatusCode::OK, new)
    }
}

fn status(code: u16, reason: &str) -> (StatusCode, Value) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code});
    (StatusCode::from_u16(code).unwrap(), body)
}

fn client(store: &Arc<Mutex<Store>>, fates: Vec<Fate>) -> Client {
    let (store, fates) = (Arc::clone(store), Arc::new(Mutex::new(fates)));
    let service = service_fn(move |request: Request<Body>| {
        let (store, fates) = (Arc::clone(&store), Arc::clone(&fates));
        async move {
            let fate = fates.lock().unwrap().pop().unwrap_or(Fate::Fine);
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            match fate {
                Fate::LostBefore => std::future::pending().await,
                Fate::Slow(seconds) => sleep(Duration::from_secs(seconds)).await,
                _ => {}
            }
            let (code, value) = match fate {
                Fate::Refused => status(500, "InternalError"),
                _ => store.lock().unwrap().answer(&parts.method, &bytes),
            };
            if let Fate::LostAfter(seconds) = fate {
                sleep(Duration::from_secs(seconds)).await;
            }
            let body = Body::from(serde_json::to_vec(&value).unwrap());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        }
    });
    Client::new(service, "ops")
}

fn params(identity: &str) -> LeaseParams {
    let args = LeaseArgs {
        identity: Some(identity.to_owned()),
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
    };
    LeaseParams::new("ops", "pgherd-controller", &args).unwrap()
}

fn candidate(store: &Arc<Mutex<Store>>, identity: &str, fates: Vec<Fate>) -> (Leadership, Shutdown) {
    let shutdown = Shutdown::new();
    let (leadership, task) = elect(client(store, fates), params(identity), shutdown.clone());
    tokio::spawn(task);
    (leadership, shutdown)
}

#[tokio::test(start_paused = true)]
async fn second_candidate_leads_as_soon_as_the_first_gives_back() {
    let store = Arc::default();
    let (mut first, ends) = candidate(&store, "a", vec![]);
    first.acquired().await;
    let (mut second, _ends) = candidate(&store, "b", vec![]);
    sleep(Duration::from_mins(1)).await;
    assert!(first.is_leader() && !second.is_leader());
    assert_eq!(&*second.holder(), "a");
    let given_back = Instant::now();
    ends.mark_drained();
    second.acquired().await;
    assert!(!first.is_leader());
    assert!(
        given_back.elapsed() <= Duration::from_secs(3),
        "{:?}",
        given_back.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_at_its_deadline_while_a_renewal_hangs() {
    let store = Arc::default();
    let mut fates = vec![Fate::LostBefore; 100];
    fates.extend([Fate::Fine; 3]);
    let (mut first, _ends) = candidate(&store, "a", fates);
    first.acquired().await;
    let start = Instant::now();
    let (mut second, _ends) = candidate(&store, "b", vec![]);
    first.lost().await;
    assert!(
        start.elapsed() <= Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    assert!(!second.is_leader(), "nobody leads in between");
    second.acquired().await;
    assert!(!first.is_leader());
}

#[tokio::test(start_paused = true)]
async fn time_counts_from_when_a_renewal_was_sent_not_from_its_answer() {
    let store = Arc::default();
    let mut fates = vec![Fate::LostBefore; 100];
    fates.extend([Fate::LostAfter(9), Fate::Fine]);
    let (first, _ends) = candidate(&store, "a", fates);
    sleep(Duration::from_secs(1)).await;
    let (second, _ends) = candidate(&store, "b", vec![]);
    for _ in 0..120 {
        sleep(Duration::from_millis(250)).await;
        assert!(!(first.is_leader() && second.is_leader()), "two leaders");
    }
    assert!(second.is_leader());
}

#[tokio::test(start_paused = true)]
async fn steady_leader_writes_once_per_renew_period() {
    let store: Arc<Mutex<Store>> = Arc::default();
    let (mut leader, _ends) = candidate(&store, "a", vec![]);
    leader.acquired().await;
    let before = store.lock().unwrap().writes;
    let mut lost = pin!(leader.lost());
    assert!(
        timeout(Duration::from_secs(100), &mut lost).await.is_err(),
        "leads on"
    );
    let writes = store.lock().unwrap().writes - before;
    assert!((18..=21).contains(&writes), "{writes} writes in 100 s");
}

#[test]
fn times_that_do_not_fit_are_refused() {
    let args = LeaseArgs {
        identity: None,
        lease_duration: Duration::from_secs(10),
        renew_deadline: Duration::from_secs(10),
    };
    let err = LeaseParams::new("ops", "x", &args).unwrap_err().to_string();
    assert!(err.contains("--renew-deadline"), "{err}");
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Fine),
        2 => (1..20_u64).prop_map(Fate::Slow),
        1 => Just(Fate::LostBefore),
        2 => (1..20_u64).prop_map(Fate::LostAfter),
        1 => Just(Fate::Refused),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The law: at no instant do two processes lead, whatever happens to their requests; and somebody leads once all is well.
    #[test]
    fn never_two_leaders(a in prop::collection::vec(fate(), 0..60), b in prop::collection::vec(fate(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let outcome: Result<(), TestCaseError> = runtime.block_on(async {
            let store = Arc::default();
            let (first, _ends_a) = candidate(&store, "a", a);
            let (second, _ends_b) = candidate(&store, "b", b);
            for _ in 0..4_000 {
                sleep(Duration::from_millis(250)).await;
                prop_assert!(!(first.is_leader() && second.is_leader()), "two leaders");
            }
            prop_assert!(first.is_leader() || second.is_leader(), "nobody leads in the end");
            Ok(())
        });
        outcome?;
    }
}
