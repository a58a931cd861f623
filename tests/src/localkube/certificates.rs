//! Keys, certificates and kubeconfigs of a local Kubernetes: one authority, made anew with every cluster and forgotten
//! once it has signed, so that nothing signed later can be mistaken for it.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde_json::json;

use super::layout::Layout;
use super::network::{API_PORT, API_SERVICE, MAX_NODES, api_address, node_address};

/// The name of the only context in every kubeconfig.
pub const CONTEXT: &str = "pgherd-local";

/// Who a certificate is for.
struct Subject<'a> {
    user: &'a str,
    group: Option<&'a str>,
    /// Names and addresses that it serves under.
    names: Vec<String>,
}

impl<'a> Subject<'a> {
    fn user(user: &'a str) -> Self {
        Self {
            user,
            group: None,
            names: Vec::new(),
        }
    }

    fn in_group(self, group: &'a str) -> Self {
        Self {
            group: Some(group),
            ..self
        }
    }

    fn serving(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }
}

/// A key and its certificate, in PEM.
struct Identity {
    certificate: String,
    key: String,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// Writes everything that needs a signature: `pki/*`, `config/*.kubeconfig` and the administrator's `kubeconfig`.
pub(super) fn write(layout: &Layout) -> Result<()> {
    let authority = Authority::new()?;
    layout.write("pki/ca.crt", &authority.certificate)?;
    let service_accounts = KeyPair::generate()?;
    layout.write("pki/service-accounts.key", service_accounts.serialize_pem())?;
    layout.write("pki/service-accounts.pub", service_accounts.public_key_pem())?;
    let admin = Subject::user("admin").in_group("system:masters");
    layout.write("kubeconfig", authority.kubeconfig(layout, &admin)?)?;
    for program in ["kube-controller-manager", "kube-scheduler", "kube-proxy"] {
        let subject = format!("system:{program}");
        layout.write(
            &format!("config/{program}.kubeconfig"),
            authority.kubeconfig(layout, &Subject::user(&subject))?,
        )?;
    }
    // Its own names, so that the audit log tells them from the programs under test.
    for program in ["coredns", "provisioner"] {
        let subject = format!("pgherd-local:{program}");
        let subject = Subject::user(&subject).in_group("system:masters");
        layout.write(
            &format!("config/{program}.kubeconfig"),
            authority.kubeconfig(layout, &subject)?,
        )?;
    }
    authority.write(
        layout,
        "apiserver",
        &Subject::user("kube-apiserver").serving(api_server_names(layout)),
    )?;
    let kubelet_client = Subject::user("kube-apiserver-kubelet-client").in_group("system:masters");
    authority.write(layout, "kubelet-client", &kubelet_client)?;
    for number in 1..=MAX_NODES {
        let name = format!("node{number}");
        let user = format!("system:node:{name}");
        let subject = Subject::user(&user).in_group("system:nodes");
        let subject = subject.serving(vec![name.clone(), node_address(number).to_string()]);
        authority.write(layout, &name, &subject)?;
        layout.write(
            &format!("config/{name}.kubeconfig"),
            authority.kubeconfig(layout, &subject)?,
        )?;
    }
    Ok(())
}

fn api_server_names(layout: &Layout) -> Vec<String> {
    let mut names: Vec<String> = ["", ".default", ".default.svc", ".default.svc.cluster.local"]
        .iter()
        .map(|suffix| format!("kubernetes{suffix}"))
        .collect();
    names.extend(["localhost", "127.0.0.1", API_SERVICE].map(str::to_owned));
    names.push(api_address(layout.place()).to_string());
    names
}

impl Authority {
    fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = params("pgherd-local", None, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    fn issue(&self, subject: &Subject<'_>) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let mut params = params(subject.user, subject.group, subject.names.clone())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !subject.names.is_empty() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }

    fn write(&self, layout: &Layout, name: &str, subject: &Subject<'_>) -> Result<()> {
        let identity = self.issue(subject)?;
        layout.write(&format!("pki/{name}.crt"), identity.certificate)?;
        layout.write(&format!("pki/{name}.key"), identity.key)
    }

    fn kubeconfig(&self, layout: &Layout, subject: &Subject<'_>) -> Result<String> {
        let identity = self.issue(&Subject {
            names: Vec::new(),
            ..*subject
        })?;
        let server = format!("https://{}:{API_PORT}", api_address(layout.place()));
        Ok(serde_yaml::to_string(&json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "contexts": [{ "name": CONTEXT, "context": { "cluster": CONTEXT, "user": subject.user } }],
            "clusters": [{ "name": CONTEXT, "cluster": {
                "server": server,
                "certificate-authority-data": STANDARD.encode(&self.certificate),
            }}],
            "users": [{ "name": subject.user, "user": {
                "client-certificate-data": STANDARD.encode(identity.certificate),
                "client-key-data": STANDARD.encode(identity.key),
            }}],
        }))?)
    }
}

fn params(user: &str, group: Option<&str>, names: Vec<String>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    let mut name = DistinguishedName::new();
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    name.push(DnType::CommonName, user);
    params.distinguished_name = name;
    // A machine whose clock is off still gets a cluster; none of these outlives `down` in earnest.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    Ok(params)
}
