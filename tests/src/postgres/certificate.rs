//! The certificate of a test server, signed by an authority of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

pub(super) struct Certificate {
    pub(super) authority: String,
    leaf: String,
    key: String,
}

impl Certificate {
    /// For `localhost`, but not for its address.
    pub(super) fn make() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
        Ok(Self {
            authority: authority.pem(),
            leaf: leaf.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Into a data directory, under the names that the settings have.
    pub(super) fn write(&self, data: &Path) -> Result<()> {
        let key = data.join("server.key");
        fs::write(data.join("server.crt"), &self.leaf).context("write the server's certificate")?;
        fs::write(&key, &self.key).context("write the server's key")?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).context("hide the server's key")
    }
}
