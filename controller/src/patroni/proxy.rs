//! Members asked through the API server, which reaches every pod: for whoever does not. Must not: what is asked.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use kube::Client;
use kube::client::Body;

use super::{Call, MAX_BODY};
use crate::answer::said;

/// The way to the members of one cluster.
#[derive(Clone)]
pub(super) struct Proxy {
    client: Client,
    namespace: String,
    /// Pods by their addresses. Whoever is not in it cannot be asked.
    pods: Arc<HashMap<IpAddr, String>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    pub(super) fn new(client: Client, namespace: &str, pods: HashMap<IpAddr, String>) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            pods: Arc::new(pods),
        }
    }

    /// The answer's status and body; the error is a sentence. A user and a password for Patroni do not get through: the API server takes
    /// them for its own.
    pub(super) async fn exchange(
        &self,
        call: &Call,
        scheme: &str,
        port: u16,
    ) -> Result<(StatusCode, Bytes), String> {
        let pod = self.pods.get(&call.at).ok_or("not asked")?;
        let prefix = if scheme == "https" { "https:" } else { "" };
        let path = format!(
            "/api/v1/namespaces/{}/pods/{prefix}{pod}:{port}/proxy{}",
            self.namespace, call.path
        );
        let request = Request::builder()
            .method(call.method.clone())
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(call.body.to_vec()))
            .map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| said(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }
}
