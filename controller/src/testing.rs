//! An API server in memory, for tests of whole turns: creates, applies, merges, reads and deletes objects by path, counts versions, and keeps a
//! record of what was asked. It defaults nothing and validates nothing; a real one is the end-to-end tests' business.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use hyper::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use pgherd_model::config::{Form, OperatorConfig};
use serde_json::{Value, json};

use crate::cache::Manifest;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;

/// Where the CRD of the clusters is stored; a context finds one there.
pub(crate) const KIND: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/postgresqls.acid.zalan.do";

/// An old one.
pub(crate) fn kind() -> Value {
    json!({"metadata": {"name": "postgresqls.acid.zalan.do", "creationTimestamp": "2025-01-01T00:00:00Z"}})
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeApi(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    asked: Vec<String>,
    version: u64,
    /// Requests (`METHOD path`, or how it begins) that are refused, and with what code.
    refused: Vec<(String, u16)>,
}

impl FakeApi {
    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// A context whose every request comes here. The receiver of settings stays at this configuration.
    pub(crate) fn context(&self) -> Context {
        if self.get(KIND).is_none() {
            self.put(KIND, kind());
        }
        let config = Arc::new(OperatorConfig::default_for(Form::ConfigMap));
        Context::alone(self.client(), config)
    }

    /// Stores a manifest, and tells the cache as its watch would.
    pub(crate) fn submit(&self, context: &Context, manifest: &Value) -> ClusterRef {
        let text = |key: &str| manifest["metadata"][key].as_str().unwrap().to_owned();
        let cluster = ClusterRef::new(text("namespace"), text("name"));
        let path = format!(
            "/apis/acid.zalan.do/v1/namespaces/{}/postgresqls/{}",
            cluster.namespace, cluster.name
        );
        let stored = self.put(&path, manifest.clone());
        context
            .cache
            .manifests
            .note(&cluster, Manifest::of(serde_json::from_value(stored).unwrap()));
        cluster
    }

    pub(crate) fn put(&self, path: &str, object: Value) -> Value {
        self.0.lock().unwrap().put(path, object)
    }

    /// Where Patroni would keep its state, and where other namespaces would keep secrets: there is none.
    pub(crate) fn put_lists(&self, namespace: &str) {
        for plural in ["configmaps", "endpoints"] {
            let path = format!("/api/v1/namespaces/{namespace}/{plural}");
            self.put(&path, json!({"metadata": {}, "items": []}));
        }
        self.put("/api/v1/secrets", json!({"metadata": {}, "items": []}));
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// All objects whose paths begin like this, sorted by path.
    pub(crate) fn under(&self, path: &str) -> Vec<Value> {
        let objects = &self.0.lock().unwrap().objects;
        let found = objects.iter().filter(|(known, _)| known.starts_with(path));
        found.map(|(_, object)| object.clone()).collect()
    }

    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().unwrap().objects.remove(path);
    }

    /// Refuses what begins like this, `METHOD path`, from now on.
    pub(crate) fn refuse(&self, request: &str, code: u16) {
        let mut state = self.0.lock().unwrap();
        state.refused.push((request.to_owned(), code));
    }

    /// Refuses nothing any more.
    pub(crate) fn accept(&self) {
        self.0.lock().unwrap().refused.clear();
    }

    /// What was asked since the last call, as `METHOD path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let apply = request
            .headers()
            .get("content-type")
            .is_some_and(|it| it == "application/apply-patch+yaml");
        let body = request.into_body().collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (code, answer) = self.0.lock().unwrap().carry_out(&method, &path, body, apply);
        let body = Body::from(answer.to_string().into_bytes());
        Response::builder().status(code).body(body).unwrap()
    }
}

impl State {
    fn carry_out(&mut self, method: &Method, path: &str, body: Value, apply: bool) -> (StatusCode, Value) {
        self.asked.push(format!("{method} {path}"));
        let request = format!("{method} {path}");
        if let Some((_, code)) = self
            .refused
            .iter()
            .find(|(start, _)| request.starts_with(start.as_str()))
        {
            return refusal(StatusCode::from_u16(*code).unwrap(), "Refused", path);
        }
        let target = path.strip_suffix("/status").unwrap_or(path);
        let known = self.objects.get(target).cloned();
        match (method, known) {
            (&Method::POST, _) => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
                if self.objects.contains_key(&path) {
                    refusal(StatusCode::CONFLICT, "AlreadyExists", &path)
                } else {
                    (StatusCode::CREATED, self.put(&path, body))
                }
            }
            (&Method::GET, Some(object)) => (StatusCode::OK, object),
            (&Method::DELETE, Some(object)) => {
                self.objects.remove(target);
                (
                    StatusCode::OK,
                    json!({"kind": "Status", "status": "Success", "details": {"uid": object["metadata"]["uid"]}}),
                )
            }
            (&Method::PATCH, Some(mut object)) => {
                match serde_json::from_value::<json_patch::Patch>(body.clone()) {
                    Ok(operations) => json_patch::patch(&mut object, &operations).unwrap(),
                    Err(_) => json_patch::merge(&mut object, &body),
                }
                (StatusCode::OK, self.put(target, object))
            }
            (&Method::PATCH, None) if apply && target == path => (StatusCode::CREATED, self.put(path, body)),
            _ => refusal(StatusCode::NOT_FOUND, "NotFound", path),
        }
    }

    fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

fn refusal(code: StatusCode, reason: &str, path: &str) -> (StatusCode, Value) {
    let name = path.rsplit('/').next().unwrap_or_default();
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason,
        "reason": reason, "details": {"name": name}, "code": code.as_u16(),
    });
    (code, status)
}

/// A small manifest.
pub(crate) fn manifest() -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": "acid-demo", "namespace": "apps", "uid": "uid-demo", "generation": 1},
        "spec": {
            "teamId": "acid", "numberOfInstances": 2, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"},
            "users": {"app": []}, "databases": {"app": "app"},
        },
    })
}
