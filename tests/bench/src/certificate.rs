//! The certificate that all servers show, as files, and the client that trusts it and speaks TLS as an API server does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::{self, cipher_suite};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// The name by which servers are called.
pub const NAME: &str = "localhost";

/// The name by which an API server would call ours, which looks for it in its certificate.
const SERVICE: &str = "pgherd-webhook.default.svc";

/// ECDSA P-256, as the product's own and most others are.
#[derive(Debug, Clone)]
pub struct Certificate {
    folder: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one in `folder`, under the names that Kubernetes has for them.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn write(folder: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([NAME.to_owned(), SERVICE.to_owned()])?;
        fs::write(folder.join("tls.crt"), cert.pem()).context("write tls.crt")?;
        fs::write(folder.join("tls.key"), signing_key.serialize_pem()).context("write tls.key")?;
        Ok(Self {
            folder: folder.to_owned(),
            der: cert.der().clone(),
        })
    }

    /// Where both files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Certificate file.
    pub fn chain(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    /// Key file.
    pub fn key(&self) -> PathBuf {
        self.folder.join("tls.key")
    }

    /// A client that trusts this certificate only, and offers ciphers in the order in which Go's client, and so the API server, does. Which
    /// one is taken is the server's business.
    ///
    /// # Errors
    ///
    /// The TLS library refuses its own ciphers.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        let mut provider = ring::default_provider();
        provider.cipher_suites = vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ];
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
