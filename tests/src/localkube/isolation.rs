//! The inside of the local Kubernetes' own namespaces, seen from their first process: mounts and the loopback device.
//! Whatever is made here vanishes with the namespaces. The namespaces themselves are made by `unshare`, in `running`.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount, mount_bind};

use super::layout::inside_root;
use crate::shell::Run;

/// Directories that programs of a node write to wherever they are told to live; they get empty ones of their own, so
/// that nothing is left on the machine and nothing of the machine's own containers is touched.
const PRIVATE: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// Prepares mounts and loopback device. Afterwards the state directory is at [`inside_root`].
pub(super) fn enter(state: &Path) -> Result<()> {
    // Kept open, because one of the mounts below may hide its path.
    let opened = File::open(state).with_context(|| format!("cannot open {}", state.display()))?;
    mount(
        "proc",
        "/proc",
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None,
    )
    .context("cannot mount /proc in a namespace of our own")?;
    for dir in PRIVATE {
        mount(
            "tmpfs",
            dir,
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            None,
        )
        .with_context(|| format!("cannot mount an empty {dir} in a namespace of our own"))?;
    }
    fs::create_dir_all(inside_root())?;
    mount_bind(format!("/proc/self/fd/{}", opened.as_raw_fd()), inside_root())
        .context("cannot mount the state directory in a namespace of our own")?;
    fs::create_dir_all(inside_root().join("tmp"))?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot switch on forwarding between pods")?;
    Run::new("ip").args(["link", "set", "lo", "up"]).output()?;
    Ok(())
}
