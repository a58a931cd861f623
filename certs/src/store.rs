//! The Secret: read whole, written only in the version that was read.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use pgherd_runtime::tasks::chain;

use crate::bundle::{Bundle, BundleError};

/// Marks the Secret as ours, and says how to read it.
const FORMAT: &str = "pgherd.io/webhook-ca-format";
const FORMAT_NOW: &str = "1";

/// The Secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote it in the meantime: read again.
    #[error("secret {0} was written by another replica in the meantime")]
    Conflict(String),
    /// It is somebody else's.
    #[error(
        "secret {0} is not ours: it lacks the annotation {FORMAT}; delete it, or name another with --ca-secret"
    )]
    Foreign(String),
    /// A newer program wrote it.
    #[error(
        "secret {name} has format {format}, this program knows {FORMAT_NOW}; run the newer version, or delete the secret"
    )]
    Newer {
        /// Namespace and name.
        name: String,
        /// Its format.
        format: String,
    },
    /// The request failed.
    #[error("cannot {verb} secret {name}: {reason}")]
    Request {
        /// What was tried.
        verb: &'static str,
        /// Namespace and name.
        name: String,
        /// What happened.
        reason: String,
    },
    /// The bundle does not serialize.
    #[error("cannot write secret {name}: {source}")]
    Encode {
        /// Namespace and name.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The Secret with the authorities.
#[derive(Debug, Clone)]
pub struct Store {
    api: Api<Secret>,
    name: String,
    shown: String,
}

/// What a read found.
#[derive(Debug)]
pub enum Stored {
    /// No Secret.
    Absent,
    /// A Secret of ours that cannot be read.
    Broken {
        /// Its version.
        version: String,
        /// What is wrong with it.
        reason: BundleError,
    },
    /// A bundle.
    Found {
        /// Its version.
        version: String,
        /// The bundle.
        bundle: Box<Bundle>,
    },
}

impl Store {
    /// The Secret `namespace/name`.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        let shown = format!("{namespace}/{name}");
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            shown,
        }
    }

    /// Reads it, from the API server and not from any cache.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: a failed request, or a Secret that is not ours to touch.
    pub async fn read(&self) -> Result<Stored, StoreError> {
        let found = self
            .api
            .get_opt(&self.name)
            .await
            .map_err(|err| self.failed("read", &err))?;
        let Some(secret) = found else {
            return Ok(Stored::Absent);
        };
        let format = secret
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(FORMAT));
        match format.map(String::as_str) {
            Some(FORMAT_NOW) => {}
            Some(other) => {
                return Err(StoreError::Newer {
                    name: self.shown.clone(),
                    format: other.to_owned(),
                });
            }
            None => return Err(StoreError::Foreign(self.shown.clone())),
        }
        let version = secret.metadata.resource_version.unwrap_or_default();
        let data = secret.data.unwrap_or_default();
        Ok(
            match Bundle::from_data(|key| data.get(key).map(|value| value.0.as_slice())) {
                Ok(bundle) => Stored::Found {
                    version,
                    bundle: Box::new(bundle),
                },
                Err(reason) => Stored::Broken { version, reason },
            },
        )
    }

    /// Writes it: creates it when it was absent, replaces exactly the version that was read otherwise.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when another replica was faster.
    pub async fn write(&self, over: &Stored, bundle: &Bundle) -> Result<(), StoreError> {
        let data = bundle
            .to_data()
            .map_err(|source| StoreError::Encode {
                name: self.shown.clone(),
                source,
            })?
            .into_iter()
            .map(|(key, value)| (key, ByteString(value)))
            .collect();
        let version = match over {
            Stored::Absent => None,
            Stored::Broken { version, .. } | Stored::Found { version, .. } => Some(version.clone()),
        };
        let secret = self.secret(version.clone(), data);
        let post = PostParams {
            field_manager: Some("pgherd-webhook".to_owned()),
            ..PostParams::default()
        };
        let is_new = version.is_none();
        let written = match version {
            None => self.api.create(&post, &secret).await,
            Some(_) => self.api.replace(&self.name, &post, &secret).await,
        };
        written.map(drop).map_err(|err| match err {
            // Replacing what has been deleted; where creating finds nothing, the namespace is missing.
            kube::Error::Api(status) if status.code == 404 && !is_new => {
                StoreError::Conflict(self.shown.clone())
            }
            err => self.failed("write", &err),
        })
    }

    fn secret(&self, version: Option<String>, data: BTreeMap<String, ByteString>) -> Secret {
        let pair = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            resource_version: version,
            annotations: Some(pair(FORMAT, FORMAT_NOW)),
            labels: Some(pair("app.kubernetes.io/managed-by", "pgherd-webhook")),
            ..ObjectMeta::default()
        };
        Secret {
            metadata,
            data: Some(data),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        }
    }

    fn failed(&self, verb: &'static str, err: &kube::Error) -> StoreError {
        match err {
            kube::Error::Api(status) if status.code == 409 => StoreError::Conflict(self.shown.clone()),
            err => StoreError::Request {
                verb,
                name: self.shown.clone(),
                reason: chain(err),
            },
        }
    }
}
