//! The law, over interleavings: replicas whose requests are slow or lost, whose clocks disagree, which crash and start anew, while people
//! blank bundles and delete the Secret. What the API server trusts verifies every leaf that a ready replica serves.

use std::collections::HashSet;
use std::sync::Mutex;

use futures::stream;
use http_body_util::BodyExt;
use hyper::{Method, Request, Response, StatusCode};
use kube::client::Body;
use pgherd_runtime::readiness::Readiness;
use proptest::prelude::*;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::service_fn;

use super::*;
use crate::leaf::service_names;

const POLICY: Policy = Policy {
    authority_life: Duration::from_mins(15),
    leaf_life: Duration::from_mins(1),
    settle: Duration::from_secs(20),
    slack: Duration::from_secs(10),
};
/// How late the API server may notice a changed configuration.
const LAG: Duration = Duration::from_secs(2);
/// Minutes without faults at the end, after which all must be well again.
const CALM: u64 = 3;
const KINDS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

/// The API server's store, and what it trusted when.
struct World {
    start: Instant,
    secret: Option<Value>,
    configurations: [Value; 2],
    /// Per configuration: what it trusts, since when; the last one is in force.
    history: [Vec<(Instant, String)>; 2],
    /// Somebody took the trust away, and we have not mended it yet.
    is_tampered: [bool; 2],
    version: u64,
    promotions: u64,
    /// Writes, to understand a failure.
    log: Vec<String>,
}

fn base() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn status(code: u16) -> (StatusCode, Value) {
    let reason = if code == 404 { "NotFound" } else { "Conflict" };
    let body =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
    (StatusCode::from_u16(code).unwrap(), body)
}

impl World {
    fn new() -> Self {
        let configuration = |kind: &str| {
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                   "metadata": {"name": "pgherd", "resourceVersion": "1"},
                   "webhooks": [{"name": "a.pgherd.io", "clientConfig": {}}, {"name": "b.pgherd.io", "clientConfig": {}}]})
        };
        Self {
            start: Instant::now(),
            secret: None,
            configurations: KINDS.map(configuration),
            history: [vec![], vec![]],
            is_tampered: [true; 2],
            version: 1,
            promotions: 0,
            log: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        base().checked_add(self.start.elapsed()).unwrap()
    }

    fn next_version(&mut self) -> Value {
        self.version += 1;
        json!(self.version.to_string())
    }

    fn answer(&mut self, method: &Method, path: &str, sent: &Value) -> (StatusCode, Value) {
        if let Some(which) = KINDS.iter().position(|kind| path.contains(kind)) {
            return match *method {
                Method::GET => (StatusCode::OK, self.configurations[which].clone()),
                _ => self.apply(which, sent),
            };
        }
        match (method.clone(), self.secret.clone()) {
            (Method::GET, Some(secret)) => (StatusCode::OK, secret),
            (Method::GET | Method::PUT, None) => status(404),
            (Method::POST, None) => self.put_secret(sent.clone()),
            (Method::PUT, Some(old))
                if old["metadata"]["resourceVersion"] == sent["metadata"]["resourceVersion"] =>
            {
                self.promotions += u64::from(old["data"]["active.crt"] != sent["data"]["active.crt"]);
                self.put_secret(sent.clone())
            }
            _ => status(409),
        }
    }

    fn note(&mut self, what: &str, certificates: impl IntoIterator<Item = Certificate>) {
        let shown: Vec<_> = certificates
            .into_iter()
            .map(|certificate| format!("{certificate:?}"))
            .collect();
        self.log
            .push(format!("{:?} {what}: {}", self.start.elapsed(), shown.join(", ")));
    }

    fn put_secret(&mut self, mut secret: Value) -> (StatusCode, Value) {
        let decoded = |key: &str| base64(secret["data"][key].as_str().unwrap_or_default());
        let old: Value = serde_json::from_slice(&decoded("old.json")).unwrap();
        self.note(
            &format!("secret, old {old}"),
            ["active.crt", "next.crt"]
                .iter()
                .flat_map(|key| Certificate::all_from_pem(&decoded(key)).unwrap())
                .collect::<Vec<_>>(),
        );
        secret["metadata"]["resourceVersion"] = self.next_version();
        self.secret = Some(secret.clone());
        (StatusCode::OK, secret)
    }

    fn apply(&mut self, which: usize, sent: &Value) -> (StatusCode, Value) {
        if self.configurations[which]["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] {
            return status(409);
        }
        let bundle = sent["webhooks"][0]["clientConfig"]["caBundle"].clone();
        assert_eq!(bundle, sent["webhooks"][1]["clientConfig"]["caBundle"]);
        assert!(
            bundle.as_str().is_some_and(|text| !text.is_empty()),
            "only people blank a bundle"
        );
        self.set_trust(which, &bundle);
        let certificates = Certificate::all_from_pem(&base64(bundle.as_str().unwrap())).unwrap();
        self.note(KINDS[which], certificates);
        self.is_tampered[which] = false;
        (StatusCode::OK, self.configurations[which].clone())
    }

    fn set_trust(&mut self, which: usize, bundle: &Value) {
        let version = self.next_version();
        let configuration = &mut self.configurations[which];
        configuration["metadata"]["resourceVersion"] = version;
        for entry in 0..2 {
            configuration["webhooks"][entry]["clientConfig"]["caBundle"] = bundle.clone();
        }
        self.history[which].push((Instant::now(), bundle.as_str().unwrap_or_default().to_owned()));
    }

    /// What API servers may act upon now: what is in force, and what was a moment ago.
    fn trusted_bundles(&self) -> Vec<String> {
        let recent = |which: usize| {
            let history = &self.history[which];
            let ends = history
                .iter()
                .skip(1)
                .map(|(since, _)| *since)
                .chain([Instant::now() + LAG]);
            let kept = history
                .iter()
                .zip(ends)
                .filter(|(_, end)| end.elapsed() < LAG)
                .map(|((_, text), _)| text.clone());
            kept.collect::<Vec<_>>()
        };
        let kept = (0..2).filter(|which| !self.is_tampered[*which]);
        kept.flat_map(recent)
            .filter(|bundle| !bundle.is_empty())
            .collect()
    }
}

/// What happens to one request: it is late, its answer is late, or it never arrives.
#[derive(Debug, Clone, Copy)]
struct Fate {
    before: u64,
    after: u64,
    is_lost: bool,
}

type SharedWorld = Arc<Mutex<World>>;

fn client(world: &SharedWorld, fates: Arc<Mutex<Vec<Fate>>>) -> Client {
    let world = Arc::clone(world);
    Client::new(
        service_fn(move |request: Request<Body>| {
            let (world, fates) = (Arc::clone(&world), Arc::clone(&fates));
            async move {
                let fine = Fate {
                    before: 0,
                    after: 0,
                    is_lost: false,
                };
                let fate = fates.lock().unwrap().pop().unwrap_or(fine);
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.unwrap().to_bytes();
                sleep(Duration::from_millis(fate.before)).await;
                if fate.is_lost {
                    return Err(std::io::Error::other("connection reset"));
                }
                let sent = serde_json::from_slice(&bytes).unwrap_or_default();
                let (code, value) = world
                    .lock()
                    .unwrap()
                    .answer(&parts.method, parts.uri.path(), &sent);
                sleep(Duration::from_millis(fate.after)).await;
                let body = Body::from(serde_json::to_vec(&value).unwrap());
                Ok(Response::builder().status(code).body(body).unwrap())
            }
        }),
        "ops",
    )
}

struct Replica {
    serving: Arc<Serving>,
    readiness: Readiness,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(world: &SharedWorld, fates: &Arc<Mutex<Vec<Fate>>>, skew: i64) -> Self {
        let settings = Settings {
            namespace: "ops".to_owned(),
            secret: "pgherd-webhook-ca".to_owned(),
            configurations: vec![
                (Kind::Mutating, "pgherd".to_owned()),
                (Kind::Validating, "pgherd".to_owned()),
            ],
            names: service_names("pgherd-webhook", "ops"),
            policy: POLICY,
        };
        let (serving, readiness) = (Serving::new(), Readiness::new());
        let gate = readiness.gate("certificate", "none yet");
        let clock = Arc::clone(world);
        let now = move || {
            clock
                .lock()
                .unwrap()
                .now()
                .checked_add(SignedDuration::from_millis(skew))
                .unwrap()
        };
        let client = client(world, Arc::clone(fates));
        let mut keeper = Keeper::new(
            &client,
            &settings,
            Arc::clone(&serving),
            gate,
            CertMetrics::default(),
            now,
        );
        let task = tokio::spawn(async move {
            let mut news = stream::unfold((), async |()| {
                sleep(Duration::from_millis(2_900)).await;
                Some(((), ()))
            })
            .boxed();
            keeper.run(&mut news).await;
        });
        Self {
            serving,
            readiness,
            task,
        }
    }

    fn ready_leaf(&self) -> Option<Leaf> {
        self.readiness
            .closed()
            .is_empty()
            .then(|| self.serving.leaf())
            .flatten()
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn verifies(leaf: &Leaf, bundle: &str, now: Timestamp) -> bool {
    let pem = base64(bundle);
    let mut roots = RootCertStore::empty();
    for certificate in Certificate::all_from_pem(&pem).unwrap() {
        roots
            .add(CertificateDer::from(certificate.der().to_vec()))
            .unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let name = ServerName::try_from("pgherd-webhook.ops.svc").unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().unsigned_abs()));
    let certificate = CertificateDer::from(leaf.certificate().der().to_vec());
    verifier
        .verify_server_cert(&certificate, &[], &name, &[], time)
        .is_ok()
}

/// What people and machines do to us. The Secret is lost at most once in a life: trust is rebuilt from what the configurations say, and
/// one who destroys the Secret again while that is going on gets an outage.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Crash(usize),
    Blank(usize),
    DeleteSecret,
    BreakSecret,
}

fn strike(blow: Blow, world: &SharedWorld, replicas: &mut [Replica], fates: &[Arc<Mutex<Vec<Fate>>>]) {
    let mut guard = world.lock().unwrap();
    match blow {
        Blow::Crash(which) => {
            drop(guard);
            replicas[which].task.abort();
            replicas[which] = Replica::start(world, &fates[which], 0);
        }
        Blow::Blank(which) => {
            guard.set_trust(which, &json!(""));
            guard.is_tampered[which] = true;
        }
        Blow::DeleteSecret => guard.secret = None,
        Blow::BreakSecret => {
            let version = guard.next_version();
            if let Some(secret) = &mut guard.secret {
                secret["data"]["active.key"] = json!("");
                secret["metadata"]["resourceVersion"] = version;
            }
        }
    }
}

/// Pairs of leaf and bundle that were fine: they stay so while the leaf is valid, since it never outlives its authority.
type Verified = HashSet<(Vec<u8>, String)>;

/// A leaf that ran out because its replica's requests hang verifies nowhere, and breaks no trust.
fn broken_trust(world: &World, replicas: &[Replica], verified: &mut Verified) -> Option<String> {
    let now = world.now();
    for (number, replica) in replicas.iter().enumerate() {
        let Some(leaf) = replica
            .ready_leaf()
            .filter(|leaf| leaf.certificate().is_valid(now))
        else {
            continue;
        };
        for bundle in world.trusted_bundles() {
            let pair = (leaf.certificate().der().to_vec(), bundle);
            if verified.contains(&pair) {
                continue;
            }
            if verifies(&leaf, &pair.1, now) {
                verified.insert(pair);
            } else {
                let after = world.start.elapsed();
                let log = world.log.join("\n");
                return Some(format!(
                    "replica {number} serves {leaf:?}, which is not trusted, after {after:?}\n{log}"
                ));
            }
        }
    }
    None
}

/// So many minutes of it and a calm end, checked twice a second. Gives the number of promotions.
async fn live(
    fates: Vec<Vec<Fate>>,
    skews: &[i64],
    mut blows: Vec<(u64, Blow)>,
    minutes: u64,
) -> Result<u64, String> {
    let world: SharedWorld = Arc::new(Mutex::new(World::new()));
    let fates: Vec<_> = fates
        .into_iter()
        .map(|fates| Arc::new(Mutex::new(fates)))
        .collect();
    let mut replicas: Vec<_> = fates
        .iter()
        .zip(skews)
        .map(|(fates, skew)| Replica::start(&world, fates, *skew))
        .collect();
    let mut losses = 0;
    blows.retain(|(_, blow)| {
        losses += u64::from(matches!(blow, Blow::DeleteSecret | Blow::BreakSecret));
        losses <= 1 || matches!(blow, Blow::Crash(_) | Blow::Blank(_))
    });
    blows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut verified = Verified::new();
    for tick in 0..(minutes + CALM) * 120 {
        if tick == minutes * 120 {
            for fates in &fates {
                fates.lock().unwrap().clear();
            }
        }
        sleep(Duration::from_millis(500)).await;
        while let Some((_, blow)) = blows.pop_if(|(at, _)| *at * 2 <= tick) {
            strike(blow, &world, &mut replicas, &fates);
        }
        if let Some(broken) = broken_trust(&world.lock().unwrap(), &replicas, &mut verified) {
            return Err(broken);
        }
    }
    for (number, replica) in replicas.iter().enumerate() {
        let leaf = replica
            .ready_leaf()
            .ok_or(format!("replica {number} is not ready: {:?}", replica.readiness))?;
        let now = world.lock().unwrap().now();
        if !leaf.certificate().is_valid(now) {
            return Err(format!("replica {number} serves {leaf:?} at {now}"));
        }
    }
    let world = world.lock().unwrap();
    if world.is_tampered.contains(&true) {
        return Err("a blanked bundle was never mended".to_owned());
    }
    Ok(world.promotions)
}

#[tokio::test(start_paused = true)]
async fn authority_rotates_on_schedule_and_no_leaf_is_ever_distrusted() {
    let promotions = live(vec![vec![], vec![]], &[-3_000, 3_000], vec![], 35)
        .await
        .unwrap();
    assert_eq!(promotions, 3, "one each ten minutes");
}

#[tokio::test(start_paused = true)]
async fn deleted_secret_is_made_anew_and_its_authority_replaced() {
    let blows = vec![(60, Blow::DeleteSecret)];
    let promotions = live(vec![vec![], vec![]], &[0, 0], blows, 1).await.unwrap();
    assert_eq!(promotions, 1);
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || prop_oneof![4 => Just(0_u64), 3 => 1..3_000_u64, 1 => 3_000..90_000_u64];
    (delay(), delay(), prop::bool::weighted(0.1)).prop_map(|(before, after, is_lost)| Fate {
        before,
        after,
        is_lost,
    })
}

fn blow() -> impl Strategy<Value = (u64, Blow)> {
    let blow = prop_oneof![
        3 => (0..3_usize).prop_map(Blow::Crash),
        2 => (0..2_usize).prop_map(Blow::Blank),
        1 => Just(Blow::DeleteSecret),
        1 => Just(Blow::BreakSecret),
    ];
    (0..1_500_u64, blow)
}

/// A few lives by default; `PROPTEST_CASES` asks for more.
fn lives() -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default().cases
    } else {
        12
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(lives())]

    #[test]
    fn trust_verifies_every_leaf_being_served(
        fates in prop::collection::vec(prop::collection::vec(fate(), 0..250), 3),
        skews in prop::collection::vec(-4_000..4_000_i64, 3),
        blows in prop::collection::vec(blow(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let outcome = runtime.block_on(live(fates, &skews, blows, 30));
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
