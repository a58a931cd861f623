//! What the machine must offer before anything is started; each refusal is one sentence with what to do.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::statvfs;

use super::control_plane;
use super::layout::{Layout, Place};
use super::network::MAX_NODES;
use super::plan::Options;
use super::running::Supervisor;
use crate::packages;
use crate::progress::Progress;

/// What a node needs from the distribution.
pub const PACKAGES: [&str; 6] = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "iproute2",
    "conntrack",
];
/// Free space below which the first images would fill the disk.
const LEAST_FREE_BYTES: u64 = 2 << 30;

/// Checks the machine, installs what is missing, and says how the programs can be run on it.
///
/// # Errors
/// When it cannot work here.
pub(super) fn check(options: &Options, progress: &Progress) -> Result<Place> {
    if !(1..=MAX_NODES).contains(&options.nodes) {
        bail!(
            "a local Kubernetes has 1 to {MAX_NODES} nodes, not {}",
            options.nodes
        );
    }
    let place = place(options, std::env::consts::OS, is_root())?;
    let layout = Layout::of_this_checkout(place);
    match place {
        Place::Own if options.control_plane_only => packages::ensure(&["iproute2"], progress)?,
        Place::Own => packages::ensure(&PACKAGES, progress)?,
        Place::Loopback => {
            if Supervisor::find(&layout)?.is_none() {
                check_ports(&control_plane::PORTS)?;
            }
        }
    }
    Ok(place)
}

/// Whether we may make namespaces, mounts and network devices.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn place(options: &Options, system: &str, root: bool) -> Result<Place> {
    match (system, root) {
        ("linux", true) => Ok(Place::Own),
        ("linux", false) if options.control_plane_only => Ok(Place::Loopback),
        ("linux", false) => bail!(
            "pods need root: run this as root (`sudo -E env PATH=$PATH cargo localkube up`), or start only the API \
             server with --control-plane-only"
        ),
        (other, _) => bail!(
            "the local Kubernetes runs on Linux, and this is {other}: use a Linux machine or virtual machine, or \
             point KUBECONFIG at a cluster of yours"
        ),
    }
}

/// Checks that the state can be written and that there is space for it.
///
/// # Errors
/// When there is not.
pub(super) fn check_space(state: &Path) -> Result<()> {
    let failed = || {
        let state = state.display();
        format!(
            "cannot write to the state directory {state}; free disk space, make it writable or move the checkout"
        )
    };
    fs::create_dir_all(state).with_context(failed)?;
    tempfile::tempfile_in(state)
        .and_then(|mut probe| probe.write_all(b"x"))
        .with_context(failed)?;
    let space = statvfs(state).with_context(failed)?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if free < LEAST_FREE_BYTES {
        bail!(
            "only {} MB are free on the disk of {}, and the local Kubernetes with its images needs {} MB: free some",
            free >> 20,
            state.display(),
            LEAST_FREE_BYTES >> 20
        );
    }
    Ok(())
}

fn check_ports(ports: &[u16]) -> Result<()> {
    for port in ports {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, *port)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let user = listener(*port).unwrap_or_else(|| "another program".to_owned());
                bail!(
                    "port {port} on 127.0.0.1 is in use by {user}, and the API server needs it: end that program (if \
                     it is another local Kubernetes, with its own `down`), then try again"
                );
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot listen on port {port} of 127.0.0.1"));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Who listens on a port of this machine, if it is a process that we may look at.
fn listener(port: u16) -> Option<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let inode = tables
        .iter()
        .flat_map(|table| table.lines())
        .find_map(|line| listening_inode(line, port))?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        if files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == Path::new(&socket)))
        {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

/// The socket's inode, if the line of the kernel's table is a listener on the port.
fn listening_inode(line: &str, port: u16) -> Option<&str> {
    const LISTENING: &str = "0A";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, _, _, _, _, _, inode, ..] = columns.as_slice() else {
        return None;
    };
    let (_, local_port) = local.rsplit_once(':')?;
    (*state == LISTENING && u16::from_str_radix(local_port, 16) == Ok(port)).then_some(*inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_root_gets_a_control_plane_but_no_pods() {
        let only = Options {
            control_plane_only: true,
            ..Options::default()
        };
        assert_eq!(place(&only, "linux", false).unwrap(), Place::Loopback);
        let refusal = place(&Options::default(), "linux", false)
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("--control-plane-only"), "{refusal}");
        assert!(
            place(&only, "macos", false)
                .unwrap_err()
                .to_string()
                .contains("this is macos")
        );
    }

    #[test]
    fn a_port_in_use_is_refused_with_the_name_of_its_user() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let refusal = check_ports(&[port]).unwrap_err().to_string();
        let expected = format!("port {port} on 127.0.0.1 is in use by ");
        assert!(refusal.starts_with(&expected), "{refusal}");
        assert!(
            refusal.contains(&format!("(process {})", std::process::id())),
            "{refusal}"
        );
    }

    #[test]
    fn a_free_port_is_fine() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        check_ports(&[port]).unwrap();
    }
}
