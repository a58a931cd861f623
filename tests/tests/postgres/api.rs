//! A stand-in for the API server, and for nothing else: the secrets of one cluster with their versions, over the client that the controller uses.
//! It refuses what is out of date, loses what it is told to lose, and has somebody log in with his secret before and after every request.
//! Must not: decide anything that the controller decides.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Method, Request, Response, StatusCode};
use k8s_openapi::ByteString;
use kube::Client;
use kube::client::Body;
use pgherd_model::names::secrets;
use pgherd_model::secret::Secret;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::world::{Given, NAMESPACE, Place, Secrets, Stored, said};

/// What goes wrong with requests that write secrets; each once, the next one that it can happen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not arrive.
    Lost,
    /// It is carried out, and the answer does not arrive.
    Unanswered,
    /// Somebody else has written the secret since it was read for this write.
    Overtaken,
    /// Somebody else has written the secret since the plan was made, before it is read for this write.
    Changed,
}

/// Somebody who reads his secret and logs in.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) place: Place,
    pub(crate) socket: PathBuf,
    pub(crate) port: u16,
}

#[derive(Clone)]
pub(crate) struct Api(Arc<Mutex<State>>);

struct State {
    objects: BTreeMap<Place, Value>,
    /// Of others than the operator, who only reads them.
    others: BTreeMap<Place, Value>,
    faults: Vec<Fault>,
    witness: Option<Witness>,
    /// When the witness could not log in, and why.
    shut_out: Vec<String>,
    asked: Vec<String>,
}

impl Api {
    pub(crate) fn of(stored: &Secrets, given: &Given, faults: Vec<Fault>, witness: Option<Witness>) -> Self {
        let objects = stored
            .iter()
            .map(|(place, stored)| (place.clone(), written(place, stored)));
        let mut others: BTreeMap<Place, Value> = BTreeMap::new();
        for (key, password) in given {
            let place = (key.namespace.clone(), key.name.clone());
            let object = others.entry(place).or_insert_with(
                || json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"resourceVersion": "1"}}),
            );
            object["data"][&key.key] = bytes(password.expose());
        }
        Self(Arc::new(Mutex::new(State {
            objects: objects.collect(),
            others,
            faults,
            witness,
            shut_out: Vec::new(),
            asked: Vec::new(),
        })))
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, NAMESPACE)
    }

    /// What is stored by now.
    pub(crate) fn secrets(&self) -> Secrets {
        let objects = &self.locked().objects;
        let stored = objects
            .iter()
            .map(|(place, object)| (place.clone(), read(object)));
        stored.collect()
    }

    /// Faults that have not happened.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.locked().faults.clone()
    }

    pub(crate) fn shut_out(&self) -> Vec<String> {
        self.locked().shut_out.clone()
    }

    /// What was asked, as `METHOD name`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.locked().asked.clone()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = request.into_body().collect_bytes().await.unwrap_or_default();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let asked = format!("{method} {}", path.rsplit('/').next().unwrap_or_default());
        self.watch(&format!("before {asked}")).await;
        let (code, answer) = self.locked().carry_out(&method, &path, body);
        self.watch(&format!("after {asked}: {code}")).await;
        self.locked().asked.push(asked);
        let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
        *response.status_mut() = code;
        response
    }

    /// The witness reads his secret, and logs in with what it says.
    async fn watch(&self, moment: &str) {
        let Some((witness, stored)) = self.locked().witnessed() else {
            return;
        };
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(witness.socket)
            .port(witness.port)
            .user(&stored.username)
            .password(stored.password.expose())
            .dbname("postgres");
        match config.connect(NoTls).await {
            Ok((_, connection)) => drop(connection),
            Err(error) => {
                let line = format!("{moment}: {}", said(&error));
                self.locked().shut_out.push(line);
            }
        }
    }
}

impl State {
    /// Before there is a secret nobody reads it.
    fn witnessed(&self) -> Option<(Witness, Stored)> {
        let witness = self.witness.clone()?;
        let stored = read(self.objects.get(&witness.place)?);
        Some((witness, stored))
    }

    fn happens(&mut self, fault: Fault) -> bool {
        let is_next = self.faults.first() == Some(&fault);
        if is_next {
            self.faults.remove(0);
        }
        is_next
    }

    fn carry_out(&mut self, method: &Method, path: &str, body: Value) -> (StatusCode, Value) {
        // `/api/v1/namespaces/<namespace>/secrets[/<name>]`
        let parts: Vec<&str> = path.split('/').skip(4).collect();
        let (namespace, name) = match parts.as_slice() {
            [namespace, "secrets", name] => (*namespace, (*name).to_owned()),
            [namespace, "secrets"] => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default();
                (*namespace, name.to_owned())
            }
            _ => return refusal(StatusCode::NOT_FOUND, "NotFound"),
        };
        let place = (namespace.to_owned(), name);
        let is_there = self.objects.contains_key(&place);
        match *method {
            Method::GET if is_there => {
                if self.happens(Fault::Changed) {
                    self.touch(&place);
                }
                (StatusCode::OK, self.objects[&place].clone())
            }
            Method::GET if self.others.contains_key(&place) => (StatusCode::OK, self.others[&place].clone()),
            Method::POST if is_there => refusal(StatusCode::CONFLICT, "AlreadyExists"),
            Method::POST => {
                self.put(&place, body);
                (StatusCode::CREATED, self.objects[&place].clone())
            }
            Method::PATCH if is_there => self.merge(&place, &body),
            _ => refusal(StatusCode::NOT_FOUND, "NotFound"),
        }
    }

    fn merge(&mut self, place: &Place, body: &Value) -> (StatusCode, Value) {
        if self.happens(Fault::Lost) {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
        }
        if self.happens(Fault::Overtaken) {
            self.touch(place);
        }
        let mut object = self.objects[place].clone();
        let wanted = &body["metadata"]["resourceVersion"];
        if !wanted.is_null() && *wanted != object["metadata"]["resourceVersion"] {
            return refusal(StatusCode::CONFLICT, "Conflict");
        }
        json_patch::merge(&mut object, body);
        self.put(place, object);
        if self.happens(Fault::Unanswered) {
            return refusal(StatusCode::GATEWAY_TIMEOUT, "Timeout");
        }
        (StatusCode::OK, self.objects[place].clone())
    }

    /// Somebody writes something that is none of ours.
    fn touch(&mut self, place: &Place) {
        let mut object = self.objects[place].clone();
        object["metadata"]["annotations"] = json!({"somebody": "was here"});
        self.put(place, object);
    }

    fn put(&mut self, place: &Place, mut object: Value) {
        let before = self.objects.get(place).map_or(0, |before| read(before).version);
        object["metadata"]["resourceVersion"] = (before + 1).to_string().into();
        object["metadata"]["uid"] = UID.into();
        self.objects.insert(place.clone(), object);
    }
}

/// Of every secret: one that is not among the first of many to rotate.
pub(crate) const UID: &str = "uid-8556";

fn refusal(code: StatusCode, reason: &str) -> (StatusCode, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason,
        "code": code.as_u16(),
    });
    (code, status)
}

/// As values of secrets go over the wire.
fn bytes(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}

/// A secret as it goes over the wire.
fn written((namespace, name): &Place, stored: &Stored) -> Value {
    let mut data = json!({
        secrets::USERNAME: bytes(&stored.username),
        secrets::PASSWORD: bytes(stored.password.expose()),
    });
    if let Some(date) = &stored.next_rotation {
        data[secrets::NEXT_ROTATION] = bytes(date);
    }
    if let Some(previous) = &stored.previous {
        data[secrets::PREVIOUS_PASSWORD] = bytes(previous.expose());
    }
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"namespace": namespace, "name": name, "uid": UID, "resourceVersion": stored.version.to_string()},
    })
}

fn read(object: &Value) -> Stored {
    let text = |key: &str| {
        // A null would be read as no bytes.
        let value = object["data"].get(key).filter(|value| !value.is_null())?;
        let bytes: ByteString = serde_json::from_value(value.clone()).ok()?;
        String::from_utf8(bytes.0).ok()
    };
    let version = object["metadata"]["resourceVersion"].as_str();
    Stored {
        username: text(secrets::USERNAME).unwrap_or_default(),
        password: Secret::new(text(secrets::PASSWORD).unwrap_or_default()),
        next_rotation: text(secrets::NEXT_ROTATION),
        previous: text(secrets::PREVIOUS_PASSWORD).map(Secret::new),
        version: version
            .and_then(|version| version.parse().ok())
            .unwrap_or_default(),
    }
}
