//! A certificate authority: what is trusted (a certificate) and what signs (certificate and key).

use std::fmt::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use pem::Pem;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::policy::BACKDATE;

/// A certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Making a key or a certificate.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// Not PEM.
    #[error("cannot read a certificate: not PEM: {0}")]
    Pem(#[from] pem::PemError),
    /// PEM of something else.
    #[error("cannot read a certificate: not X.509")]
    NotX509,
    /// A time that the calendar does not have.
    #[error("cannot use a certificate: its validity is out of range")]
    Validity,
    /// A key that belongs to another certificate.
    #[error("cannot use an authority: its key belongs to another certificate")]
    WrongKey,
}

/// A certificate, and for how long it is valid. Equal when the bytes are.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// A certificate that can sign others.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    certificate: Certificate,
    key_pem: Zeroizing<String>,
}

impl Certificate {
    /// Reads a certificate from DER.
    ///
    /// # Errors
    ///
    /// The bytes are no X.509 certificate.
    pub fn from_der(der: Vec<u8>) -> Result<Self, AuthorityError> {
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| AuthorityError::NotX509)?;
        let validity = parsed.validity();
        let not_before = timestamp(validity.not_before.timestamp())?;
        let not_after = timestamp(validity.not_after.timestamp())?;
        Ok(Self {
            der,
            not_before,
            not_after,
        })
    }

    /// Reads all certificates of a PEM text.
    ///
    /// # Errors
    ///
    /// The text is not PEM, or one of its parts no certificate.
    pub fn all_from_pem(text: &[u8]) -> Result<Vec<Self>, AuthorityError> {
        pem::parse_many(text)?
            .into_iter()
            .map(|part| Self::from_der(part.into_contents()))
            .collect()
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM, with `\n` at line ends.
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&Pem::new("CERTIFICATE", self.der.as_slice()), config)
    }

    /// When it begins to be valid.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When it ends to be valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Is it valid at this time?
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

impl Authority {
    /// Makes a new authority with its own key, valid from a little before `now` for `life`.
    ///
    /// # Errors
    ///
    /// No randomness, or a life beyond the calendar.
    pub fn make(now: Timestamp, life: Duration) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        // The key's identifier in the name tells two authorities apart that are trusted at the same time.
        let mut identifier = String::new();
        for byte in params.key_identifier(&key).iter().take(6) {
            let _ = write!(identifier, "{byte:02x}");
        }
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, format!("pgherd-webhook-ca-{identifier}"));
        params.distinguished_name = name;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, after(now, life)?)?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate: Certificate::from_der(certificate.der().to_vec())?,
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// Puts a certificate and its key together.
    ///
    /// # Errors
    ///
    /// One of them cannot be read, or they do not belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, AuthorityError> {
        let part = pem::parse(certificate)?;
        let certificate = Certificate::from_der(part.into_contents())?;
        let key_pem = Zeroizing::new(String::from_utf8_lossy(key).into_owned());
        let pair = KeyPair::from_pem(&key_pem)?;
        let (_, parsed) =
            X509Certificate::from_der(certificate.der()).map_err(|_| AuthorityError::NotX509)?;
        if *parsed.public_key().subject_public_key.data != *pair.public_key_raw() {
            return Err(AuthorityError::WrongKey);
        }
        Ok(Self { certificate, key_pem })
    }

    /// What is trusted.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key as PEM: for the Secret only.
    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// For signing.
    pub(crate) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, AuthorityError> {
        let key = KeyPair::from_pem(&self.key_pem)?;
        Ok(Issuer::from_ca_cert_der(&self.certificate.der().into(), key)?)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.der.len().saturating_sub(4);
        write!(
            f,
            "Certificate({:02x?}, {} to {})",
            &self.der[tail..],
            self.not_before,
            self.not_after
        )
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({:?}, key redacted)", self.certificate)
    }
}

/// `now` plus `life`.
pub(crate) fn after(now: Timestamp, life: Duration) -> Result<Timestamp, AuthorityError> {
    now.checked_add(life).map_err(|_| AuthorityError::Validity)
}

/// Begin and end as a certificate writes them: backdated, whole seconds.
pub(crate) fn validity(
    now: Timestamp,
    not_after: Timestamp,
) -> Result<(OffsetDateTime, OffsetDateTime), AuthorityError> {
    let not_before = now.checked_sub(BACKDATE).map_err(|_| AuthorityError::Validity)?;
    let written = |t: Timestamp| {
        OffsetDateTime::from_unix_timestamp(t.as_second()).map_err(|_| AuthorityError::Validity)
    };
    Ok((written(not_before)?, written(not_after)?))
}

fn timestamp(seconds: i64) -> Result<Timestamp, AuthorityError> {
    Timestamp::from_second(seconds).map_err(|_| AuthorityError::Validity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn authority_survives_its_pem() {
        let made = Authority::make(now(), Duration::from_hours(24)).unwrap();
        let read =
            Authority::from_pem(made.certificate().to_pem().as_bytes(), made.key_pem().as_bytes()).unwrap();
        assert_eq!(made, read);
        assert_eq!(
            read.certificate().not_before(),
            "2026-03-01T11:00:00Z".parse().unwrap()
        );
        assert_eq!(
            read.certificate().not_after(),
            "2026-03-02T12:00:00Z".parse().unwrap()
        );
    }

    #[test]
    fn key_of_another_authority_is_refused() {
        let (one, two) = (
            Authority::make(now(), BACKDATE).unwrap(),
            Authority::make(now(), BACKDATE).unwrap(),
        );
        let mixed = Authority::from_pem(one.certificate().to_pem().as_bytes(), two.key_pem().as_bytes());
        assert!(matches!(mixed, Err(AuthorityError::WrongKey)));
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let made = Authority::make(now(), BACKDATE).unwrap();
        let shown = format!("{made:?}");
        assert!(
            shown.contains("redacted") && !shown.contains("PRIVATE"),
            "{shown}"
        );
    }
}
