//! What the Secret holds: the authority that signs, the next one, and old ones that are still trusted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authority::{Authority, AuthorityError, Certificate, after};
use crate::policy::Policy;

const ACTIVE_CERTIFICATE: &str = "active.crt";
const ACTIVE_KEY: &str = "active.key";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const OLD: &str = "old.json";

/// The authorities of the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Signs leaves.
    pub active: Authority,
    /// Is trusted already, and signs soon.
    pub next: Option<Authority>,
    /// Signed leaves that may still be served.
    pub old: Vec<Old>,
}

/// An authority that no longer signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Old {
    /// What is trusted.
    pub certificate: Certificate,
    /// Until when a leaf of it may be served.
    pub until: Timestamp,
}

/// The content of the Secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A key of the Secret is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A certificate or key is of no use.
    #[error("{key}: {source}")]
    Unusable {
        /// The key of the Secret.
        key: &'static str,
        /// What is wrong.
        source: AuthorityError,
    },
    /// The list of old ones is not what we write.
    #[error("{OLD}: {0}")]
    Old(#[from] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
struct OldOnDisk {
    until: Timestamp,
    certificate: String,
}

impl Bundle {
    /// A first bundle: `active` signs at once.
    pub fn new(active: Authority) -> Self {
        Self {
            active,
            next: None,
            old: Vec::new(),
        }
    }

    /// Every certificate that may have signed a leaf being served, or soon will. The order does not depend on the roles, so that a
    /// promotion changes nothing for those who trust.
    pub fn trusted(&self) -> Vec<&Certificate> {
        let mut all = vec![self.active.certificate()];
        all.extend(self.next.as_ref().map(Authority::certificate));
        all.extend(self.old.iter().map(|old| &old.certificate));
        all.sort_by(|a, b| (a.not_before(), a.der()).cmp(&(b.not_before(), b.der())));
        all.dedup();
        all
    }

    /// [`Self::trusted`] as PEM: the `caBundle`.
    pub fn trusted_pem(&self) -> String {
        self.trusted().into_iter().map(Certificate::to_pem).collect()
    }

    /// The active one steps down for `successor`, and is trusted for as long as its leaves may be served.
    pub(crate) fn succeeded_by(self, successor: Authority, now: Timestamp, policy: &Policy) -> Self {
        let retiring = self.active.certificate().clone();
        let mut bundle = Self {
            active: successor,
            next: None,
            old: self.old,
        };
        bundle.retire(retiring, now, policy);
        bundle
    }

    /// Trusts a certificate for as long as leaves of it may be served.
    pub(crate) fn retire(&mut self, certificate: Certificate, now: Timestamp, policy: &Policy) {
        if self.trusted().contains(&&certificate) {
            return;
        }
        let farewell = after(now, policy.farewell()).unwrap_or(Timestamp::MAX);
        // A leaf may live as long as its authority, by the clock of a replica that is behind.
        let end = after(certificate.not_after(), policy.slack).unwrap_or(Timestamp::MAX);
        let until = farewell.min(end);
        if until > now {
            self.old.push(Old { certificate, until });
        }
    }

    /// As the data of a Secret.
    ///
    /// # Errors
    ///
    /// The list of old ones does not serialize.
    pub fn to_data(&self) -> Result<BTreeMap<String, Vec<u8>>, serde_json::Error> {
        let old: Vec<OldOnDisk> = self
            .old
            .iter()
            .map(|old| OldOnDisk {
                until: old.until,
                certificate: old.certificate.to_pem(),
            })
            .collect();
        let mut data = BTreeMap::new();
        let mut put = |key: &str, value: String| data.insert(key.to_owned(), value.into_bytes());
        put(ACTIVE_CERTIFICATE, self.active.certificate().to_pem());
        put(ACTIVE_KEY, self.active.key_pem().to_owned());
        if let Some(next) = &self.next {
            put(NEXT_CERTIFICATE, next.certificate().to_pem());
            put(NEXT_KEY, next.key_pem().to_owned());
        }
        put(OLD, serde_json::to_string(&old)?);
        Ok(data)
    }

    /// From the data of a Secret; `get` gives the value of a key.
    ///
    /// # Errors
    ///
    /// [`BundleError`] names the key that cannot be read.
    pub fn from_data<'a>(get: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self, BundleError> {
        let authority = |certificate: &'static str, key: &'static str| {
            let found = get(certificate).ok_or(BundleError::Missing(certificate))?;
            let private = get(key).ok_or(BundleError::Missing(key))?;
            Authority::from_pem(found, private).map_err(|source| BundleError::Unusable {
                key: certificate,
                source,
            })
        };
        let next = match get(NEXT_CERTIFICATE) {
            Some(_) => Some(authority(NEXT_CERTIFICATE, NEXT_KEY)?),
            None => None,
        };
        let listed: Vec<OldOnDisk> = get(OLD)
            .map(serde_json::from_slice)
            .transpose()?
            .unwrap_or_default();
        let mut old = Vec::new();
        for entry in listed {
            let read = Certificate::all_from_pem(entry.certificate.as_bytes());
            let certificates = read.map_err(|source| BundleError::Unusable { key: OLD, source })?;
            old.extend(certificates.into_iter().map(|certificate| Old {
                certificate,
                until: entry.until,
            }));
        }
        Ok(Self {
            active: authority(ACTIVE_CERTIFICATE, ACTIVE_KEY)?,
            next,
            old,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundle_survives_the_secret() {
        let policy = Policy::default();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let make = || Authority::make(now, policy.authority_life).unwrap();
        let mut bundle = Bundle::new(make()).succeeded_by(make(), now, &policy);
        bundle.next = Some(make());
        assert_eq!(bundle.trusted().len(), 3);
        let data = bundle.to_data().unwrap();
        let read = Bundle::from_data(|key| data.get(key).map(Vec::as_slice)).unwrap();
        assert_eq!(read, bundle);
        assert_eq!(
            Certificate::all_from_pem(read.trusted_pem().as_bytes())
                .unwrap()
                .len(),
            3
        );
    }

    #[test]
    fn promotion_changes_nothing_for_those_who_trust() {
        let policy = Policy::default();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let make = || Authority::make(now, policy.authority_life).unwrap();
        let mut bundle = Bundle::new(make());
        let next = make();
        bundle.next = Some(next.clone());
        let before = bundle.trusted_pem();
        assert_eq!(bundle.succeeded_by(next, now, &policy).trusted_pem(), before);
    }

    #[test]
    fn missing_and_broken_keys_are_named() {
        let err = Bundle::from_data(|_| None).unwrap_err();
        assert_eq!(err.to_string(), "active.crt is missing");
        let err = Bundle::from_data(|key| (key != "next.crt" && key != "old.json").then_some(&b"no"[..]))
            .unwrap_err();
        assert!(err.to_string().starts_with("active.crt: "), "{err}");
    }
}
