//! Loading images from files into the nodes. How an image is made is the business of `crate::images`.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::layout::Layout;
use super::logs;
use super::network::inside;
use super::node::Node;
use super::running::{Supervisor, plan};
use crate::progress::Progress;

const IMPORT_TIMEOUT: Duration = Duration::from_mins(5);
/// How long containerd may take to open its socket.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// Loads the archive into every node that has not had this very file before.
pub(super) fn load(layout: &Layout, tar: &Path, progress: &Progress) -> Result<()> {
    let supervisor =
        Supervisor::find(layout)?.context("the local Kubernetes is not running; `cargo localkube up`")?;
    let nodes = plan(layout).map_or(0, |plan| plan.options.node_count());
    if nodes == 0 {
        bail!("the local Kubernetes has no nodes, only a control plane; `cargo localkube up` adds one");
    }
    let identity = identity(tar)?;
    let mark = |node: Node| format!("loaded/{}/{identity}", node.name());
    let todo: Vec<Node> = (1..=nodes)
        .map(Node)
        .filter(|node| !layout.host(mark(*node)).exists())
        .collect();
    if todo.is_empty() {
        return Ok(());
    }
    let step = progress.step(format!("loading {} into {} node(s)", tar.display(), todo.len()));
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = todo
            .iter()
            .map(|node| scope.spawn(|| import(layout, supervisor.pid, *node, tar)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("an import ended early")))
            .collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    for node in todo {
        layout.write(&mark(node), tar.to_string_lossy().as_bytes())?;
    }
    step.done();
    Ok(())
}

/// The same file unchanged: hashing hundreds of megabytes each time would take longer than it is worth.
fn identity(tar: &Path) -> Result<String> {
    let tar = tar
        .canonicalize()
        .with_context(|| format!("there is no image archive {}", tar.display()))?;
    let meta = fs::metadata(&tar)?;
    Ok(format!(
        "{}-{}-{}-{}",
        meta.dev(),
        meta.ino(),
        meta.size(),
        meta.mtime_nsec()
    ))
}

fn import(layout: &Layout, supervisor: u32, node: Node, tar: &Path) -> Result<()> {
    wait_for_socket(layout, supervisor, node)?;
    let file = File::open(tar).with_context(|| format!("cannot read {}", tar.display()))?;
    inside(supervisor)
        .args([
            "ctr",
            "--address",
            &node.socket(),
            "--namespace",
            "k8s.io",
            "images",
            "import",
            "-",
        ])
        .stdin_file(file)
        .timeout(IMPORT_TIMEOUT)
        .purpose(format!("load {} into {}", tar.display(), node.name()))
        .advice("is it an OCI archive, and is there space on the disk?")
        .output()
        .map(drop)
}

fn wait_for_socket(layout: &Layout, supervisor: u32, node: Node) -> Result<()> {
    // The machine sees the files of the namespaces below its process.
    let socket = format!("/proc/{supervisor}/root{}", node.socket());
    let end = Instant::now() + SOCKET_TIMEOUT;
    while !Path::new(&socket).exists() {
        if Instant::now() > end {
            let words = logs::last_line(layout, &format!("containerd-{}", node.name()));
            bail!("containerd of {} does not come up: {words}", node.name());
        }
        thread::sleep(POLL);
    }
    Ok(())
}
