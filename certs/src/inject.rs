//! What webhook configurations trust: read, and mended by server-side apply under our own field manager, in the version that was read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, Client};
use pgherd_runtime::tasks::chain;
use serde_json::{Value, json};
use tracing::info;

use crate::authority::Certificate;

/// Who owns the `caBundle` fields.
pub const FIELD_MANAGER: &str = "pgherd-webhook-ca";

const GROUP_VERSION: &str = "admissionregistration.k8s.io/v1";

/// The two kinds of configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Defaults.
    Mutating,
    /// Validation.
    Validating,
}

/// One webhook configuration that we keep.
#[derive(Debug, Clone)]
pub struct Target {
    api: Api<DynamicObject>,
    kind: Kind,
    name: String,
}

/// A configuration as read.
#[derive(Debug, Clone)]
pub struct Configuration {
    version: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    trusts: Vec<u8>,
}

/// A configuration could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// Somebody else wrote it in the meantime: read again.
    #[error("{0} was written by another in the meantime")]
    Conflict(String),
    /// The request failed.
    #[error("cannot {verb} {target}: {reason}")]
    Request {
        /// What was tried.
        verb: &'static str,
        /// Kind and name.
        target: String,
        /// What happened.
        reason: String,
    },
}

impl Kind {
    /// The kind as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
        }
    }

    /// Its API resource.
    pub(crate) fn resource(self) -> ApiResource {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", self.as_str());
        ApiResource::from_gvk(&kind)
    }
}

impl Target {
    /// The configuration of this kind and name.
    pub fn new(client: Client, kind: Kind, name: &str) -> Self {
        Self {
            api: Api::all_with(client, &kind.resource()),
            kind,
            name: name.to_owned(),
        }
    }

    /// Kind and name, as messages show it.
    pub fn shown(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.name)
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads it, from the API server and not from any cache. None when it is not there.
    ///
    /// # Errors
    ///
    /// The request failed.
    pub async fn read(&self) -> Result<Option<Configuration>, InjectError> {
        let found = self
            .api
            .get_opt(&self.name)
            .await
            .map_err(|err| self.failed("read", &err))?;
        Ok(found.map(|object| Configuration::of(&object)))
    }

    /// Makes every entry of the configuration, as it was read, trust exactly `pem`.
    ///
    /// # Errors
    ///
    /// [`InjectError::Conflict`] when somebody has written it since.
    pub async fn write(&self, over: &Configuration, pem: &str) -> Result<(), InjectError> {
        let bundle = BASE64.encode(pem);
        let entries: Vec<Value> = over
            .entries
            .iter()
            .map(|entry| json!({"name": entry.name, "clientConfig": {"caBundle": bundle}}))
            .collect();
        let patch = json!({
            "apiVersion": GROUP_VERSION,
            "kind": self.kind.as_str(),
            "metadata": {"name": self.name, "resourceVersion": over.version},
            "webhooks": entries,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api
            .patch(&self.name, &params, &Patch::Apply(patch))
            .await
            .map_err(|err| self.failed("write", &err))?;
        info!(configuration = %self.shown(), entries = over.entries.len(), "caBundle set");
        Ok(())
    }

    fn failed(&self, verb: &'static str, err: &kube::Error) -> InjectError {
        match err {
            kube::Error::Api(status) if status.code == 409 => InjectError::Conflict(self.shown()),
            err => InjectError::Request {
                verb,
                target: self.shown(),
                reason: chain(err),
            },
        }
    }
}

impl Configuration {
    fn of(object: &DynamicObject) -> Self {
        let webhooks = object.data["webhooks"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let entries = webhooks
            .iter()
            .map(|entry| Entry {
                name: entry["name"].as_str().unwrap_or_default().to_owned(),
                trusts: entry["clientConfig"]["caBundle"]
                    .as_str()
                    .and_then(|text| BASE64.decode(text).ok())
                    .unwrap_or_default(),
            })
            .collect();
        Self {
            version: object.metadata.resource_version.clone().unwrap_or_default(),
            entries,
        }
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Does every entry trust exactly this?
    pub fn is_set_to(&self, pem: &str) -> bool {
        self.entries.iter().all(|entry| entry.trusts == pem.as_bytes())
    }

    /// Is the text the same in every entry?
    pub fn is_uniform(&self) -> bool {
        self.entries
            .windows(2)
            .all(|pair| pair[0].trusts == pair[1].trusts)
    }

    /// The certificates that every entry trusts. What is no certificate trusts nothing.
    pub fn trusted_by_all(&self) -> Vec<Certificate> {
        let mut entries = self.entries.iter().map(Entry::certificates);
        let mut common = entries.next().unwrap_or_default();
        for certificates in entries {
            common.retain(|certificate| certificates.contains(certificate));
        }
        common
    }

    /// The certificates that any entry trusts.
    pub fn trusted_by_any(&self) -> Vec<Certificate> {
        self.entries.iter().flat_map(Entry::certificates).collect()
    }
}

impl Entry {
    fn certificates(&self) -> Vec<Certificate> {
        Certificate::all_from_pem(&self.trusts).unwrap_or_default()
    }
}
