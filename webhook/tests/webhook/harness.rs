//! A webhook on a free port with a certificate authority of its own, and a client that trusts what it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use pgherd_certs::authority::{Authority, Certificate};
use pgherd_certs::leaf::Leaf;
use pgherd_certs::policy::Policy;
use pgherd_certs::serving::Serving;
use pgherd_runtime::config_source::ConfigSource;
use pgherd_runtime::config_watch::ConfigState;
use pgherd_runtime::metrics::Metrics;
use pgherd_runtime::shutdown::Shutdown;
use pgherd_webhook::limits::Limits;
use pgherd_webhook::lookup::Lookup;
use pgherd_webhook::metrics::WebhookMetrics;
use pgherd_webhook::router::App;
use pgherd_webhook::serve::serve;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const SERVICE: &str = "pgherd-webhook.ops.svc";

pub(crate) struct Webhook {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) serving: Arc<Serving>,
    pub(crate) shutdown: Shutdown,
    pub(crate) config: watch::Sender<ConfigState>,
    pub(crate) task: JoinHandle<Result<(), rustls::Error>>,
    metrics: Metrics,
}

/// Short limits, so that tests of them are short.
pub(crate) fn limits() -> Limits {
    Limits {
        handshake_timeout: Duration::from_millis(400),
        read_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_secs(2),
        queue_timeout: Duration::from_millis(300),
        shutdown_delay: Duration::from_millis(300),
        ..Limits::default()
    }
}

pub(crate) fn authority() -> Authority {
    Authority::make(Timestamp::now(), Policy::default().authority_life).unwrap()
}

pub(crate) fn leaf(authority: &Authority) -> Leaf {
    Leaf::sign(
        authority,
        &[SERVICE.to_owned()],
        Timestamp::now(),
        &Policy::default(),
    )
    .unwrap()
}

impl Webhook {
    pub(crate) async fn start() -> Self {
        Self::start_with(limits(), ConfigState::defaults()).await
    }

    pub(crate) async fn start_with(limits: Limits, config: ConfigState) -> Self {
        Self::start_asking(Lookup::none(), limits, config).await
    }

    pub(crate) async fn start_asking(lookup: Lookup, limits: Limits, config: ConfigState) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (authority, serving, shutdown) = (authority(), Serving::new(), Shutdown::new());
        serving.swap(leaf(&authority));
        let (config, receiver) = watch::channel(config);
        let mut metrics = Metrics::new("webhook");
        let counted = WebhookMetrics::registered(metrics.registry());
        let source = ConfigSource::ConfigMap {
            namespace: "ops".to_owned(),
            name: "pgherd".to_owned(),
        };
        let app = App::new(receiver, source, "ops".to_owned(), lookup, limits, counted);
        let task = tokio::spawn(serve(listener, app, Arc::clone(&serving), shutdown.clone()));
        Self {
            address,
            authority,
            serving,
            shutdown,
            config,
            task,
            metrics,
        }
    }

    /// One line of the metrics.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let text = self.metrics.render().unwrap();
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }

    pub(crate) async fn stream(&self) -> std::io::Result<TlsStream<TcpStream>> {
        self.stream_trusting(self.authority.certificate()).await
    }

    pub(crate) async fn stream_trusting(&self, root: &Certificate) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(SERVICE).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = self.stream().await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Client { sender }
    }

    /// A review, asked over a new connection.
    pub(crate) async fn ask(&self, path: &str, request: Value) -> Value {
        self.connect().await.ask(path, request).await
    }
}

/// One connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn send(
        &mut self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        let request = Request::post(path)
            .header("host", SERVICE)
            .header("content-type", content_type);
        self.sender
            .send_request(request.body(Full::new(body.into())).unwrap())
            .await
    }

    pub(crate) async fn ask(&mut self, path: &str, request: Value) -> Value {
        let body = review(&request).to_string();
        let response = self.send(path, "application/json", body).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        answer["response"].clone()
    }
}

pub(crate) async fn bytes(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

pub(crate) fn review(request: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

/// The question that the API server asks when `object` is created.
pub(crate) fn creation(object: &Value) -> Value {
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "acid.zalan.do", "version": "v1", "kind": "postgresql"},
        "operation": "CREATE", "namespace": "shop", "name": object["metadata"]["name"],
        "userInfo": {"username": "alice"}, "object": object, "oldObject": null,
    })
}

/// The least manifest.
pub(crate) fn manifest(name: &str) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    })
}
