//! A controller of the trial's own: a process beside the local Kubernetes, for the clusters that carry its id.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use pgherd_tests::controller;
pub(crate) use pgherd_tests::controller::Controller;
use pgherd_tests::images;

use super::{ID, NAMESPACE};
use crate::stage::Stage;

/// `name` is what it calls itself in the lease; its admin port is `port`.
pub(crate) fn start(
    stage: &Stage,
    name: &str,
    port: u16,
    kubeconfig: &Path,
    more: &[&str],
) -> Result<Controller> {
    let own = [
        "--operator-namespace",
        NAMESPACE,
        "--controller-id",
        ID,
        "--no-database-access",
    ];
    start_as(stage, name, port, kubeconfig, &[&own, more].concat())
}

/// The same, with nothing said of whose clusters it looks after: its arguments are `args`. It follows the ConfigMap `settings` unless they
/// name something else.
pub(crate) fn start_as(
    stage: &Stage,
    name: &str,
    port: u16,
    kubeconfig: &Path,
    args: &[&str],
) -> Result<Controller> {
    let mut command = Command::new(images::controller()?);
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["--config-map", "settings", "--identity", name])
        .args(args);
    let log = stage.local.state.join(format!("{name}.log"));
    Controller::start(command, &log, here(port))
}

/// One GET of a port on this machine.
pub(crate) fn ask(port: u16, path: &str) -> Result<String> {
    controller::ask(here(port), path)
}

fn here(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
