//! Patroni's REST API: one client for all clusters, a short timeout on every call and a bound on every answer. Lives here: how to ask.
//! Must not: when to ask, or what an answer means for the cluster (planner).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use pgherd_model::names::ports;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

mod entrance;
pub mod members;
mod proxy;
pub mod wire;

pub use entrance::Entrance;
use entrance::{Door, Entry};
use proxy::Proxy;
use wire::{ClusterAnswer, MemberAnswer};

/// A member answers from memory, or asks the API server once: seconds mean that it hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// A change of the configuration writes to the API server and is waited for.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Patroni answers when the switchover or the restart is over: it gives up after 20 s, a fast shutdown under load takes longer.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(45);
/// What Patroni says when a member waits for no restart any more.
const NOTHING_PENDING: &str = "restart conditions are not satisfied";
/// The largest answer that is read: the history of a cluster of many timelines is a few ten kilobytes.
const MAX_BODY: usize = 1 << 20;

/// A call to Patroni did not succeed. None of these says that Postgres is down.
#[derive(Debug, thiserror::Error)]
pub enum PatroniError {
    #[error("cannot reach patroni at {at} for {call}: {source}")]
    Unreachable {
        at: IpAddr,
        call: &'static str,
        source: hyper_util::client::legacy::Error,
    },
    #[error("patroni at {at} did not answer {call} within {}s", limit.as_secs())]
    TimedOut {
        at: IpAddr,
        call: &'static str,
        limit: Duration,
    },
    #[error("cannot reach patroni at {at} through the API server for {call}: {message}")]
    NotProxied {
        at: IpAddr,
        call: &'static str,
        message: String,
    },
    #[error("patroni at {at} is not asked for {call}: {reason}")]
    Closed {
        at: IpAddr,
        call: &'static str,
        reason: String,
    },
    #[error(
        "patroni at {at} did not take our user and password for {call}: patroni_api_secret_name has to name a secret with username and \
         password as the members have them in restapi.authentication"
    )]
    Unauthorized { at: IpAddr, call: &'static str },
    #[error("patroni at {at} refused {call} with status {status}: {message}")]
    Refused {
        at: IpAddr,
        call: &'static str,
        status: StatusCode,
        message: String,
    },
    #[error("cannot read the answer of patroni at {at} to {call}: {message}")]
    Unreadable {
        at: IpAddr,
        call: &'static str,
        message: String,
    },
}

/// The client: a pool of connections that are kept alive, shared by all clusters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Patroni {
    entry: Entry,
    port: u16,
    /// Asked in place of the members themselves.
    proxy: Option<Proxy>,
}

/// One call, named for errors.
struct Call {
    at: IpAddr,
    method: Method,
    path: &'static str,
    name: &'static str,
    body: Bytes,
    limit: Duration,
}

impl Call {
    fn post(at: IpAddr, path: &'static str, name: &'static str, body: &Value) -> Self {
        Self {
            at,
            method: Method::POST,
            path,
            name,
            body: Bytes::from(body.to_string()),
            limit: CHANGE_TIMEOUT,
        }
    }
}

impl Default for Patroni {
    fn default() -> Self {
        Self::at_port(ports::PATRONI)
    }
}

impl Patroni {
    /// A client for members that listen elsewhere; tests have no pod addresses of their own.
    pub fn at_port(port: u16) -> Self {
        Self {
            entry: Entry::default(),
            port,
            proxy: None,
        }
    }

    /// A client for one cluster's members from where their addresses lead nowhere: `pods` of `namespace` are asked through the API server.
    pub fn through(client: kube::Client, namespace: &str, pods: HashMap<IpAddr, String>) -> Self {
        Self {
            proxy: Some(Proxy::new(client, namespace, pods)),
            ..Self::default()
        }
    }

    /// From now on, members are entered like this by all clones.
    pub fn enter_by(&self, entrance: Entrance) {
        self.entry.change(entrance);
    }

    /// Until that is known, nobody is asked: why.
    pub fn close(&self, why: String) {
        self.entry.close(why);
    }

    /// `GET /cluster`: every member as the asked one sees it.
    pub async fn cluster(&self, at: IpAddr) -> Result<ClusterAnswer, PatroniError> {
        self.read(at, "/cluster", "GET /cluster").await
    }

    /// `GET /patroni`: the asked member itself. Answers with the same body whatever its health, so every status counts.
    pub async fn member(&self, at: IpAddr) -> Result<MemberAnswer, PatroniError> {
        self.read(at, "/patroni", "GET /patroni").await
    }

    /// `GET /config`: the dynamic configuration; JSON, because operators and people put anything in it.
    pub async fn config(&self, at: IpAddr) -> Result<Value, PatroniError> {
        self.read(at, "/config", "GET /config").await
    }

    /// `PATCH /config`: merges `patch` into the dynamic configuration; null removes a key. Idempotent.
    pub async fn patch_config(&self, at: IpAddr, patch: &Value) -> Result<(), PatroniError> {
        let call = Call {
            at,
            method: Method::PATCH,
            path: "/config",
            name: "PATCH /config",
            body: Bytes::from(patch.to_string()),
            limit: WRITE_TIMEOUT,
        };
        self.send(call).await.map(drop)
    }

    /// `POST /switchover`: `candidate` takes over from `leader`. Answered when it has.
    pub async fn switch_over(&self, at: IpAddr, leader: &str, candidate: &str) -> Result<(), PatroniError> {
        self.hand_over(at, leader, Some(candidate)).await
    }

    /// As [`Self::switch_over`]; without a candidate Patroni takes the healthiest member.
    pub async fn hand_over(
        &self,
        at: IpAddr,
        leader: &str,
        candidate: Option<&str>,
    ) -> Result<(), PatroniError> {
        let mut body = json!({ "leader": leader });
        if let Some(candidate) = candidate {
            body["candidate"] = Value::from(candidate);
        }
        let call = Call::post(at, "/switchover", "POST /switchover", &body);
        self.send(call).await.map(drop)
    }

    /// `POST /restart`, if the member still waits for one. Answered when Postgres runs again.
    pub async fn restart_pending(&self, at: IpAddr) -> Result<(), PatroniError> {
        let body = json!({ "restart_pending": true });
        let call = Call::post(at, "/restart", "POST /restart", &body);
        match self.send(call).await {
            Err(PatroniError::Refused { message, .. }) if message.contains(NOTHING_PENDING) => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        at: IpAddr,
        path: &'static str,
        name: &'static str,
    ) -> Result<T, PatroniError> {
        let call = Call {
            at,
            method: Method::GET,
            path,
            name,
            body: Bytes::new(),
            limit: READ_TIMEOUT,
        };
        let body = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|error| PatroniError::Unreadable {
            at,
            call: name,
            message: error.to_string(),
        })
    }

    async fn send(&self, call: Call) -> Result<Bytes, PatroniError> {
        let (at, name, limit) = (call.at, call.name, call.limit);
        tokio::time::timeout(limit, self.exchange(call))
            .await
            .unwrap_or(Err(PatroniError::TimedOut {
                at,
                call: name,
                limit,
            }))
    }

    async fn exchange(&self, call: Call) -> Result<Bytes, PatroniError> {
        let (at, name) = (call.at, call.name);
        let (status, body) = match &self.proxy {
            Some(proxy) => {
                let scheme = self.entry.door(at, name)?.scheme;
                let answer = proxy.exchange(&call, scheme, self.port).await;
                let unreached = |message| PatroniError::NotProxied {
                    at,
                    call: name,
                    message,
                };
                answer.map_err(unreached)?
            }
            None => self.ask(call).await?,
        };
        if accepts(name, status) {
            return Ok(body);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(PatroniError::Unauthorized { at, call: name });
        }
        let message = String::from_utf8_lossy(&body).chars().take(200).collect();
        Err(PatroniError::Refused {
            at,
            call: name,
            status,
            message,
        })
    }

    /// The member itself.
    async fn ask(&self, call: Call) -> Result<(StatusCode, Bytes), PatroniError> {
        let (at, name) = (call.at, call.name);
        let unreadable = |message: String| PatroniError::Unreadable {
            at,
            call: name,
            message,
        };
        let door = self.entry.door(at, name)?;
        let request = self
            .request(call, &door)
            .map_err(|error| unreadable(error.to_string()))?;
        let answer = door
            .http
            .request(request)
            .await
            .map_err(|source| PatroniError::Unreachable {
                at,
                call: name,
                source,
            })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY)
            .collect()
            .await
            .map_err(|error| unreadable(error.to_string()))?
            .to_bytes();
        Ok((status, body))
    }

    fn request(&self, call: Call, door: &Door) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let Call {
            at,
            method,
            path,
            name: _,
            body,
            limit: _,
        } = call;
        let authority = std::net::SocketAddr::new(at, self.port);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}://{authority}{path}", door.scheme))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &door.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }
}

/// `GET /patroni` tells the member's health by its status code and still sends the body; everywhere else only 2xx is success.
fn accepts(call: &str, status: StatusCode) -> bool {
    status.is_success() || (call == "GET /patroni" && status == StatusCode::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests;
