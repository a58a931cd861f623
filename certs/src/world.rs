//! An API server of tests: one Secret, two webhook configurations, and what they make it trust, over time. Requests can be late or lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::service_fn;

use crate::authority::Certificate;
use crate::leaf::Leaf;

/// How late the API server may notice a changed configuration.
const LAG: Duration = Duration::from_secs(2);
const KINDS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

/// The API server's store, and what it trusted when.
pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) secret: Option<Value>,
    pub(crate) configurations: [Value; 2],
    /// Per configuration: what it trusts, since when; the last one is in force.
    pub(crate) history: [Vec<(Instant, String)>; 2],
    /// Somebody took the trust away, and we have not mended it yet.
    pub(crate) is_tampered: [bool; 2],
    pub(crate) version: u64,
    pub(crate) promotions: u64,
    /// Writes, to understand a failure.
    pub(crate) log: Vec<String>,
}

pub(crate) fn base() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn status(code: u16) -> (StatusCode, Value) {
    let reason = if code == 404 { "NotFound" } else { "Conflict" };
    let body =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
    (StatusCode::from_u16(code).unwrap(), body)
}

impl World {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn now(&self) -> Timestamp {
        base().checked_add(self.start.elapsed()).unwrap()
    }

    pub(crate) fn next_version(&mut self) -> Value {
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

    pub(crate) fn set_trust(&mut self, which: usize, bundle: &Value) {
        let version = self.next_version();
        let configuration = &mut self.configurations[which];
        configuration["metadata"]["resourceVersion"] = version;
        for entry in 0..2 {
            configuration["webhooks"][entry]["clientConfig"]["caBundle"] = bundle.clone();
        }
        self.history[which].push((Instant::now(), bundle.as_str().unwrap_or_default().to_owned()));
    }

    /// What API servers may act upon now: what is in force, and what was a moment ago.
    pub(crate) fn trusted_bundles(&self) -> Vec<String> {
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
pub(crate) struct Fate {
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) is_lost: bool,
}

pub(crate) type SharedWorld = Arc<Mutex<World>>;

pub(crate) fn client(world: &SharedWorld, fates: Arc<Mutex<Vec<Fate>>>) -> Client {
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

pub(crate) fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

pub(crate) fn verifies(leaf: &Leaf, bundle: &str, now: Timestamp) -> bool {
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
