//! etcd, API server, controller manager and scheduler: what each is told. Nothing here starts anything.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use super::layout::Layout;
use super::network::{API_PORT, SERVICES, api_address};
use super::plan::{Gate, Program};

const ETCD_PORT: u16 = 2379;
const ETCD_PEER_PORT: u16 = 2380;
/// The ports that a control plane listens on.
pub(super) const PORTS: [u16; 5] = [API_PORT, ETCD_PORT, ETCD_PEER_PORT, 10257, 10259];
/// The audit log in the state directory.
pub(super) const AUDIT_LOG: &str = "logs/audit.log";

/// Whoever uses this account is recorded with what it reads, too.
pub const AUDITED_ACCOUNT: &str = "system:serviceaccount:bench-scale:bench-scale";

/// Who wrote what: one line per write, without bodies. Tests count writes in it, the benchmark of many clusters also reads.
fn audit_policy() -> String {
    format!(
        "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
  - level: Metadata
    users: ['{AUDITED_ACCOUNT}']
  - level: None
"
    )
}

/// Writes the files that the programs read.
pub(super) fn write(layout: &Layout) -> Result<()> {
    layout.write("config/audit-policy.yaml", audit_policy())
}

/// The programs, in the order in which they depend on each other.
pub(super) fn programs(layout: &Layout) -> Vec<Program> {
    vec![
        etcd(layout),
        api_server(layout),
        controller_manager(layout),
        scheduler(layout),
    ]
}

fn etcd(layout: &Layout) -> Program {
    let client = format!("http://127.0.0.1:{ETCD_PORT}");
    let peer = format!("http://127.0.0.1:{ETCD_PEER_PORT}");
    let args = vec![
        "--name=local".to_owned(),
        format!("--data-dir={}", layout.inside("etcd")),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=local={peer}"),
        // Nothing here is meant to survive the machine.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    program(layout, "etcd", args, vec![])
}

fn api_server(layout: &Layout) -> Program {
    let address = api_address(layout.place());
    let pki = |file: &str| layout.inside(&format!("pki/{file}"));
    let args = vec![
        format!(
            "--bind-address={}",
            if address.is_loopback() {
                "127.0.0.1"
            } else {
                "0.0.0.0"
            }
        ),
        format!("--secure-port={API_PORT}"),
        format!("--advertise-address={address}"),
        format!("--etcd-servers=http://127.0.0.1:{ETCD_PORT}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--tls-cert-file={}", pki("apiserver.crt")),
        format!("--tls-private-key-file={}", pki("apiserver.key")),
        format!("--kubelet-client-certificate={}", pki("kubelet-client.crt")),
        format!("--kubelet-client-key={}", pki("kubelet-client.key")),
        // Logs and exec find a kubelet by its address: nobody resolves the nodes' names.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", pki("service-accounts.pub")),
        format!(
            "--service-account-signing-key-file={}",
            pki("service-accounts.key")
        ),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        format!(
            "--audit-policy-file={}",
            layout.inside("config/audit-policy.yaml")
        ),
        format!("--audit-log-path={}", layout.inside(AUDIT_LOG)),
        // Megabytes.
        "--audit-log-maxsize=100".to_owned(),
        "--audit-log-maxbackup=2".to_owned(),
    ];
    program(layout, "kube-apiserver", args, vec![port(ETCD_PORT)])
}

fn controller_manager(layout: &Layout) -> Program {
    let args = vec![
        kubeconfig(layout, "kube-controller-manager"),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        // So that the audit log says which controller wrote.
        "--use-service-account-credentials=true".to_owned(),
        format!(
            "--service-account-private-key-file={}",
            layout.inside("pki/service-accounts.key")
        ),
        format!("--root-ca-file={}", layout.inside("pki/ca.crt")),
        // Our own provisioner resizes volumes.
        "--controllers=*,-persistentvolume-expander-controller".to_owned(),
    ];
    program(layout, "kube-controller-manager", args, vec![Gate::ApiServer])
}

fn scheduler(layout: &Layout) -> Program {
    let args = vec![
        kubeconfig(layout, "kube-scheduler"),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
    ];
    program(layout, "kube-scheduler", args, vec![Gate::ApiServer])
}

/// The flag that names a program's own kubeconfig.
pub(super) fn kubeconfig(layout: &Layout, name: &str) -> String {
    format!(
        "--kubeconfig={}",
        layout.inside(&format!("config/{name}.kubeconfig"))
    )
}

/// A program from `bin/` that is called what its log is called.
pub(super) fn program(layout: &Layout, name: &str, args: Vec<String>, gates: Vec<Gate>) -> Program {
    Program {
        name: name.to_owned(),
        command: PathBuf::from(layout.inside(&format!("bin/{name}"))),
        args,
        gates,
    }
}

fn port(port: u16) -> Gate {
    Gate::Port(SocketAddr::from(([127, 0, 0, 1], port)))
}
