//! Certificates from elsewhere, in files: read as one, and checked before they are served.
//!
//! The kubelet changes a mounted Secret by swapping the link `..data`: no file that was opened before ever changes, and no watch of one ever
//! rings. So files are read anew by their names, every few seconds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use clap::Args;
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use zeroize::Zeroizing;

use crate::authority::{AuthorityError, Certificate};
use crate::leaf::{Leaf, LeafError};

/// Files that change while they are read are read again, so often.
const READS: usize = 5;

/// Flags: where the files are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Certificates from elsewhere")]
pub struct CertificateFiles {
    /// File with a serving certificate from elsewhere (PEM; those that lead to its authority may follow), in place of our own. Read anew
    /// every few seconds.
    #[arg(
        long = "tls-cert-file",
        env = "TLS_CERT_FILE",
        value_name = "FILE",
        requires = "key"
    )]
    pub certificate: Option<PathBuf>,

    /// File with its key (PEM).
    #[arg(
        long = "tls-key-file",
        env = "TLS_KEY_FILE",
        value_name = "FILE",
        requires = "certificate"
    )]
    pub key: Option<PathBuf>,

    /// File with the authorities that the API server is to trust (PEM): set as caBundle, and kept set. Without it, something else has to.
    #[arg(
        long = "tls-ca-file",
        env = "TLS_CA_FILE",
        value_name = "FILE",
        requires = "certificate"
    )]
    pub authorities: Option<PathBuf>,
}

/// The files that there are to read.
#[derive(Debug, Clone)]
pub struct Paths {
    certificate: PathBuf,
    key: PathBuf,
    authorities: Option<PathBuf>,
}

/// The bytes of all files, read as one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    authorities: Option<Vec<u8>>,
}

/// What can be served.
#[derive(Debug, Clone)]
pub(crate) struct Material {
    pub(crate) leaf: Leaf,
    /// What the API server is to trust; empty when that is not our business.
    pub(crate) authorities: Vec<Certificate>,
}

/// The files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The files never stand still.
    #[error("{} and its companions change while they are read", .0.display())]
    Restless(PathBuf),
    /// A file holds something else.
    #[error("{}: {reason}", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate cannot be served.
    #[error("{} cannot be served as {name}: {reason}", .path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// The name that the API server asks for.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl CertificateFiles {
    /// The files, when any were named.
    pub fn paths(&self) -> Option<Paths> {
        Some(Paths {
            certificate: self.certificate.clone()?,
            key: self.key.clone()?,
            authorities: self.authorities.clone(),
        })
    }
}

impl Paths {
    /// Does one of the files say whom the API server is to trust?
    pub fn has_authorities(&self) -> bool {
        self.authorities.is_some()
    }

    /// Reads all of them, as they were at one moment.
    pub(crate) fn read(&self) -> Result<Content, FilesError> {
        let mut before = self.read_once()?;
        for _ in 0..READS {
            let now = self.read_once()?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        Err(FilesError::Restless(self.certificate.clone()))
    }

    fn read_once(&self) -> Result<Content, FilesError> {
        Ok(Content {
            certificate: read(&self.certificate)?,
            key: Zeroizing::new(read(&self.key)?),
            authorities: self.authorities.as_deref().map(read).transpose()?,
        })
    }

    /// Takes the content apart, and checks that a client who asks for `name` and trusts the authorities would be satisfied.
    pub(crate) fn check(
        &self,
        content: &Content,
        name: &str,
        now: Timestamp,
    ) -> Result<Material, FilesError> {
        let mut chain = certificates(&self.certificate, &content.certificate)?;
        let certificate = chain.remove(0);
        let key = PrivateKeyDer::from_pem_slice(&content.key).map_err(|err| FilesError::Content {
            path: self.key.clone(),
            reason: format!("no private key: {err}"),
        })?;
        let authorities = match (&self.authorities, &content.authorities) {
            (Some(path), Some(bytes)) => certificates(path, bytes)?,
            _ => Vec::new(),
        };
        let unusable = |reason: String| FilesError::Unusable {
            path: self.certificate.clone(),
            name: name.to_owned(),
            reason,
        };
        if !certificate.is_valid(now) {
            let (from, to) = (certificate.not_before(), certificate.not_after());
            return Err(unusable(format!("it is valid from {from} to {to} only")));
        }
        satisfies(&certificate, &chain, &authorities, name, now).map_err(|err| unusable(err.to_string()))?;
        let leaf = Leaf::from_parts(certificate, &chain, &key)
            .map_err(|err: LeafError| unusable(format!("{err} ({})", self.key.display())))?;
        Ok(Material { leaf, authorities })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    fs::read(path).map_err(|source| FilesError::Read {
        path: path.to_owned(),
        source,
    })
}

/// At least one.
fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<Certificate>, FilesError> {
    let read = Certificate::all_from_pem(bytes);
    let all = read.map_err(|err: AuthorityError| FilesError::Content {
        path: path.to_owned(),
        reason: err.to_string(),
    })?;
    if all.is_empty() {
        return Err(FilesError::Content {
            path: path.to_owned(),
            reason: "no certificate in it".to_owned(),
        });
    }
    Ok(all)
}

/// What a client would check; without authorities, only the name.
fn satisfies(
    certificate: &Certificate,
    intermediates: &[Certificate],
    authorities: &[Certificate],
    name: &str,
    now: Timestamp,
) -> Result<(), rustls::Error> {
    let der = |certificate: &Certificate| CertificateDer::from(certificate.der().to_vec());
    let leaf = der(certificate);
    let name =
        ServerName::try_from(name.to_owned()).map_err(|err| rustls::Error::General(err.to_string()))?;
    if authorities.is_empty() {
        return verify_server_name(&ParsedCertificate::try_from(&leaf)?, &name);
    }
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(der(authority))?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|err| rustls::Error::General(err.to_string()))?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().unsigned_abs()));
    let intermediates: Vec<_> = intermediates.iter().map(der).collect();
    verifier
        .verify_server_cert(&leaf, &intermediates, &name, &[], time)
        .map(drop)
}
