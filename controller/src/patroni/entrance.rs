//! How members are entered: with or without TLS, with or without a user and a password. Lives here: the client that does so. Must not: where
//! that is configured (observe), or what is asked.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pgherd_model::secret::Secret;
use zeroize::Zeroizing;

use super::PatroniError;
use crate::sql::{SqlError, Trust};

/// A member that does not accept a connection within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(30);

/// What members ask of whoever calls. The plain one is what the image does by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entrance {
    /// They speak TLS only.
    pub has_tls: bool,
    /// Authorities that sign their certificates, PEM. Without, every certificate is taken.
    pub authority: Option<Secret>,
    /// User and password, for calls that change something or for all: as the members have it.
    pub login: Option<(Secret, Secret)>,
}

pub(super) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What a request is made with.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) http: Http,
    pub(super) scheme: &'static str,
    pub(super) authorization: Option<HeaderValue>,
}

/// Shared by all clones of the client, so that a change of the configuration reaches all.
#[derive(Debug, Clone)]
pub(super) struct Entry(Arc<RwLock<(Entrance, Result<Door, String>)>>);

impl Default for Entry {
    fn default() -> Self {
        let plain = Entrance::default();
        let door = Door::of(&plain).map_err(|error| error.to_string());
        Self(Arc::new(RwLock::new((plain, door))))
    }
}

impl Entry {
    /// From now on members are entered like this. Nothing happens where they already are.
    pub(super) fn change(&self, entrance: Entrance) {
        let is_same = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            known.0 == entrance && known.1.is_ok()
        };
        if !is_same {
            let door = Door::of(&entrance).map_err(|error| error.to_string());
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = (entrance, door);
        }
    }

    /// Nobody is asked until it is known how: a password must not go to somebody whose certificate was to be verified.
    pub(super) fn close(&self, why: String) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).1 = Err(why);
    }

    pub(super) fn door(&self, at: IpAddr, call: &'static str) -> Result<Door, PatroniError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known
            .1
            .clone()
            .map_err(|reason| PatroniError::Closed { at, call, reason })
    }
}

impl Door {
    fn of(entrance: &Entrance) -> Result<Self, SqlError> {
        // The names in certificates are no pods' addresses.
        let trust = match &entrance.authority {
            Some(pem) => Trust::authority(pem.expose(), false)?,
            None => Trust::anybody()?,
        };
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust.config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self {
            http,
            scheme: if entrance.has_tls { "https" } else { "http" },
            authorization: entrance
                .login
                .as_ref()
                .and_then(|(user, password)| basic(user, password)),
        })
    }
}

fn basic(user: &Secret, password: &Secret) -> Option<HeaderValue> {
    let pair = Zeroizing::new(format!("{}:{}", user.expose(), password.expose()));
    let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&encoded).ok()?;
    value.set_sensitive(true);
    Some(value)
}
