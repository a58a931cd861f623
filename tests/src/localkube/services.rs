//! What a cluster with pods has once: kube-proxy, DNS, and our volume provisioner. Nothing here starts anything.

use anyhow::Result;

use super::certificates::CONTEXT;
use super::control_plane::{kubeconfig, program};
use super::layout::Layout;
use super::network::node_address;
use super::node::Node;
use super::plan::{Gate, Program};

/// Where the DNS server says that it is ready.
pub(super) const DNS_READY_PORT: u16 = 8181;

/// Writes the files that the programs read.
pub(super) fn write(layout: &Layout) -> Result<()> {
    let dns = node_address(1);
    let kubeconfig = layout.inside("config/coredns.kubeconfig");
    let corefile = format!(
        ".:53 {{\n    bind {dns}\n    errors\n    ready {dns}:{DNS_READY_PORT}\n    cache 5\n    \
         kubernetes cluster.local in-addr.arpa {{\n        kubeconfig {kubeconfig} {CONTEXT}\n        ttl 5\n    }}\n}}\n"
    );
    layout.write("config/Corefile", corefile)
}

/// kube-proxy, DNS and provisioner.
pub(super) fn programs(layout: &Layout) -> Vec<Program> {
    let proxy_args = vec![
        kubeconfig(layout, "kube-proxy"),
        "--proxy-mode=iptables".to_owned(),
        format!("--bind-address={}", node_address(1)),
        format!("--hostname-override={}", Node(1).name()),
        // The kernel's limits are the machine's.
        "--conntrack-max-per-core=0".to_owned(),
        "--conntrack-tcp-timeout-established=0".to_owned(),
        "--conntrack-tcp-timeout-close-wait=0".to_owned(),
    ];
    let dns_args = vec!["-conf".to_owned(), layout.inside("config/Corefile")];
    let provisioner = Program {
        name: "provisioner".to_owned(),
        command: layout.inside("bin/localkube").into(),
        args: vec![
            "provisioner".to_owned(),
            layout.inside("config/provisioner.kubeconfig"),
            layout.inside("volumes"),
        ],
        gates: vec![Gate::ApiServer],
    };
    vec![
        program(layout, "kube-proxy", proxy_args, vec![Gate::ApiServer]),
        program(layout, "coredns", dns_args, vec![Gate::ApiServer]),
        provisioner,
    ]
}
