//! A serving certificate: made by each replica for itself, kept in memory only.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::crypto::ring::sign::{any_ecdsa_type, any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::authority::{Authority, AuthorityError, Certificate, after, validity};
use crate::policy::Policy;

/// A leaf could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// The authority or the certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A name that no certificate can have.
    #[error("cannot make a certificate for {names:?}: {source}")]
    Names {
        /// The names asked for.
        names: Vec<String>,
        /// What is wrong with them.
        source: rcgen::Error,
    },
    /// The TLS library does not take the key.
    #[error("cannot use a certificate's key: {0}")]
    Key(#[from] rustls::Error),
}

/// A serving certificate with its key, ready for handshakes.
#[derive(Clone)]
pub struct Leaf {
    certificate: Certificate,
    issuer: Option<Certificate>,
    certified: Arc<CertifiedKey>,
}

impl Leaf {
    /// Makes a leaf for DNS names and addresses. It never outlives its authority. `now` is a time at which `authority` was known to be
    /// the one that signs, not later.
    ///
    /// # Errors
    ///
    /// [`LeafError`].
    pub fn sign(
        authority: &Authority,
        names: &[String],
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Self, LeafError> {
        let mut params = CertificateParams::new(names).map_err(|source| LeafError::Names {
            names: names.to_vec(),
            source,
        })?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "pgherd-webhook");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let end = after(now, policy.leaf_life)?.min(authority.certificate().not_after());
        (params.not_before, params.not_after) = validity(now, end)?;

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(AuthorityError::from)?;
        let signed = params
            .signed_by(&key, &authority.issuer()?)
            .map_err(AuthorityError::from)?;
        let der = signed.der().to_vec();
        let signing = any_ecdsa_type(&PrivateKeyDer::from(PrivatePkcs8KeyDer::from(
            key.serialize_der(),
        )))?;
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(
                vec![CertificateDer::from(der.clone())],
                signing,
            )),
            certificate: Certificate::from_der(der)?,
            issuer: Some(authority.certificate().clone()),
        })
    }

    /// Puts together what came from elsewhere: a certificate, those that lead from it to its authority, and its key.
    ///
    /// # Errors
    ///
    /// [`LeafError`]: the key is of no use, or belongs to another certificate.
    pub fn from_parts(
        certificate: Certificate,
        intermediates: &[Certificate],
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, LeafError> {
        let chain = std::iter::once(&certificate).chain(intermediates);
        let chain = chain.map(|part| CertificateDer::from(part.der().to_vec()));
        let certified = CertifiedKey::new(chain.collect(), any_supported_type(key)?);
        certified.keys_match()?;
        Ok(Self {
            certificate,
            issuer: None,
            certified: Arc::new(certified),
        })
    }

    /// What clients see.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The authority that signed it; none when the leaf came from elsewhere.
    pub fn issuer(&self) -> Option<&Certificate> {
        self.issuer.as_ref()
    }

    /// For the TLS library.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf({:?} by {:?})", self.certificate, self.issuer)
    }
}

/// The names by which the API server calls a Service, and the short ones.
pub fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
        format!("{service}.{namespace}"),
        service.to_owned(),
    ]
}
