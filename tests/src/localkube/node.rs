//! A node: its containerd, its kubelet and its pod network, what each is told. Nothing here starts anything.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::control_plane::kubeconfig;
use super::layout::Layout;
use super::network::{node_address, pod_subnet};
use super::plan::{Gate, Program};
use crate::packages::cni_plugins;
use crate::shell::find_program;

/// The image that holds a pod's namespaces open.
pub(super) const PAUSE_IMAGE: &str = "localhost/pgherd/pause:local";
/// Where containerd counts and limits containers when a kubelet names no place; `down` removes it.
pub(super) const CGROUP: &str = "k8s.io";

/// A node by its number, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node(pub u8);

impl Node {
    /// As Kubernetes calls it.
    pub(super) fn name(self) -> String {
        format!("node{}", self.0)
    }

    /// The socket of its containerd, in namespaces of its own.
    pub(super) fn socket(self) -> String {
        format!("/run/containerd-{}/containerd.sock", self.name())
    }

    /// What its programs are called in logs and status.
    fn program(self, name: &str) -> String {
        format!("{name}-{}", self.name())
    }

    fn dir(self) -> String {
        format!("nodes/{}", self.name())
    }

    /// Writes the files that its programs read.
    pub(super) fn write(self, layout: &Layout) -> Result<()> {
        let dir = self.dir();
        layout.write(&format!("{dir}/containerd.toml"), self.containerd_config(layout)?)?;
        layout.write(&format!("{dir}/cni/10-pods.conflist"), self.pod_network())?;
        // Nothing outside the cluster has a name inside it.
        layout.write(
            &format!("{dir}/resolv.conf"),
            format!("nameserver {}\n", node_address(1)),
        )?;
        layout.write(&format!("{dir}/kubelet.yaml"), self.kubelet_config(layout)?)
    }

    /// containerd and kubelet.
    ///
    /// # Errors
    /// When containerd is not installed.
    pub(super) fn programs(self, layout: &Layout) -> Result<Vec<Program>> {
        let containerd = find_program("containerd").context("containerd is not installed")?;
        let dir = self.dir();
        let kubelet_args = vec![
            format!("--config={}", layout.inside(&format!("{dir}/kubelet.yaml"))),
            kubeconfig(layout, &self.name()),
            format!("--hostname-override={}", self.name()),
            format!("--node-ip={}", node_address(self.0)),
            format!("--root-dir={}", layout.inside(&format!("{dir}/kubelet"))),
            format!("--cert-dir={}", layout.inside(&format!("{dir}/kubelet/pki"))),
        ];
        Ok(vec![
            Program {
                name: self.program("containerd"),
                command: containerd,
                args: vec![
                    "--config".to_owned(),
                    layout.inside(&format!("{dir}/containerd.toml")),
                ],
                gates: vec![],
            },
            Program {
                name: self.program("kubelet"),
                command: PathBuf::from(layout.inside("bin/kubelet")),
                args: kubelet_args,
                gates: vec![Gate::File(PathBuf::from(self.socket())), Gate::ApiServer],
            },
        ])
    }

    fn containerd_config(self, layout: &Layout) -> Result<String> {
        let name = self.name();
        let root = layout.inside(&format!("{}/containerd", self.dir()));
        let cni = layout.inside(&format!("{}/cni", self.dir()));
        let plugins =
            cni_plugins().context("the network plugins of containernetworking-plugins are not installed")?;
        // The disabled plugins would look for file systems that nobody has, or make directories of the machine's.
        // Without restrict_oom_score_adj pods fail where the capability CAP_SYS_RESOURCE is missing.
        Ok(format!(
            r#"version = 2
root = "{root}"
state = "/run/containerd-{name}"
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"#,
            socket = self.socket(),
            plugins = plugins.display(),
        ))
    }

    /// Every pod has a link of its own to the node, which routes: no bridge that could pass packets around the rules of
    /// service addresses, and no address translation between pods, so that pods see each other's real addresses.
    fn pod_network(self) -> String {
        let subnet = pod_subnet(self.0);
        let network = json!({
            "cniVersion": "0.4.0",
            "name": format!("pods-{}", self.name()),
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": false,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{ "subnet": subnet }]],
                        "routes": [{ "dst": "0.0.0.0/0" }],
                    },
                },
                { "type": "portmap", "capabilities": { "portMappings": true } },
            ],
        });
        format!("{network:#}\n")
    }

    fn kubelet_config(self, layout: &Layout) -> Result<String> {
        let name = self.name();
        let dir = self.dir();
        Ok(serde_yaml::to_string(&json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node_address(self.0),
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": true },
                "x509": { "clientCAFile": layout.inside("pki/ca.crt") },
            },
            "authorization": { "mode": "Webhook" },
            "tlsCertFile": layout.inside(&format!("pki/{name}.crt")),
            "tlsPrivateKeyFile": layout.inside(&format!("pki/{name}.key")),
            "containerRuntimeEndpoint": format!("unix://{}", self.socket()),
            "clusterDNS": [node_address(1)],
            "clusterDomain": "cluster.local",
            "resolvConf": layout.inside(&format!("{dir}/resolv.conf")),
            // Two kubelets that share a directory for logs delete each other's.
            "podLogsDir": layout.inside(&format!("{dir}/pod-logs")),
            "readOnlyPort": 0,
            "healthzPort": if self.0 == 1 { 10248 } else { 0 },
            // The machine's cgroups stay as they are, version 1 or 2.
            "failCgroupV1": false,
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": false,
            "enforceNodeAllocatable": [],
            "failSwapOn": false,
            // A full disk of the machine is the machine's business.
            "evictionHard": {},
            "imageGCHighThresholdPercent": 100,
            "imageMinimumGCAge": "24h",
            "serializeImagePulls": false,
            "nodeStatusUpdateFrequency": "5s",
        }))?)
    }
}
