//! TLS to Postgres. As shipped it is what `sslmode=require` means: encrypted, the certificate not verified, for every cluster has one of its
//! own, self-signed unless the user gave one. With an authority it is `verify-ca` or `verify-full`. Lives here: that decision.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::SqlError;

/// Whose certificates are accepted. Cheap to clone.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// `sslmode=require`: every certificate.
    pub fn anybody() -> Result<Self, SqlError> {
        static CONFIG: OnceLock<Trust> = OnceLock::new();
        if let Some(known) = CONFIG.get() {
            return Ok(known.clone());
        }
        let made = Self::with(Accepted::Anybody)?;
        Ok(CONFIG.get_or_init(|| made).clone())
    }

    /// Only certificates that one of these authorities signed: `verify-ca`; and, with `names`, that are made out to the host that is asked
    /// for: `verify-full`. `pem` holds one certificate or several.
    pub fn authority(pem: &str, names: bool) -> Result<Self, SqlError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate =
                certificate.map_err(|error| SqlError::Tls(format!("the authority is no PEM: {error}")))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        if roots.is_empty() {
            return Err(SqlError::Tls("the authority has no certificate in it".to_owned()));
        }
        Self::with(Accepted::Signed { roots, names })
    }

    fn with(accepted: Accepted) -> Result<Self, SqlError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            provider: Arc::clone(&provider),
            accepted,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// For other protocols.
    pub fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }

    pub(super) fn connector(&self) -> MakeRustlsConnect {
        MakeRustlsConnect::new(self.config())
    }
}

fn failed(error: &rustls::Error) -> SqlError {
    SqlError::Tls(error.to_string())
}

#[derive(Debug)]
enum Accepted {
    Anybody,
    Signed { roots: RootCertStore, names: bool },
}

/// Whatever is accepted, the server has to own its key.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    accepted: Accepted,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Accepted::Signed { roots, names } = &self.accepted {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
            if *names {
                verify_server_name(&certificate, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
