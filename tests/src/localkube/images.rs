//! Loading images from files into the nodes. How an image is made is the business of `crate::images`.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

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

/// Loads the archive into every node where its names do not stand for this very file yet.
pub(super) fn load(layout: &Layout, tar: &Path, progress: &Progress) -> Result<()> {
    let supervisor =
        Supervisor::find(layout)?.context("the local Kubernetes is not running; `cargo localkube up`")?;
    let nodes = plan(layout).map_or(0, |plan| plan.options.node_count());
    if nodes == 0 {
        bail!("the local Kubernetes has no nodes, only a control plane; `cargo localkube up` adds one");
    }
    let archive = Archive::read(tar)?;
    let todo: Vec<Node> = (1..=nodes)
        .map(Node)
        .filter(|node| !archive.is_in(layout, *node))
        .collect();
    if todo.is_empty() {
        return Ok(());
    }
    let step = progress.step(format!(
        "loading {} into {} node(s)",
        archive.names.join(", "),
        todo.len()
    ));
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let start = |node: &Node| {
            let node = *node;
            scope.spawn(move || import(layout, supervisor.pid, node, tar))
        };
        let threads: Vec<_> = todo.iter().map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("an import ended early")))
            .collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    todo.into_iter()
        .try_for_each(|node| archive.remember(layout, node))?;
    step.done();
    Ok(())
}

/// A file of images.
struct Archive {
    /// What its images are called.
    names: Vec<String>,
    /// Of the file, unchanged: hashing hundreds of megabytes each time would take longer than it is worth.
    identity: String,
}

impl Archive {
    fn read(tar: &Path) -> Result<Self> {
        let failed = || format!("cannot read {}; is it an image archive?", tar.display());
        let file = File::open(tar).with_context(failed)?;
        let meta = file.metadata().with_context(failed)?;
        let mut names = Vec::new();
        for entry in tar::Archive::new(file).entries_with_seek().with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let path = entry.path().with_context(failed)?.into_owned();
            if let Some(found) = names_in(&path) {
                names.extend(found(&serde_json::from_reader(entry).with_context(failed)?));
            }
        }
        if names.is_empty() {
            bail!(
                "{} holds no image with a name; write it with its full name, as `docker save NAME` does",
                tar.display()
            );
        }
        names.sort();
        names.dedup();
        let identity = format!(
            "{}-{}-{}-{}",
            meta.dev(),
            meta.ino(),
            meta.size(),
            meta.mtime_nsec()
        );
        Ok(Self { names, identity })
    }

    /// Where a node's memory of the name is: beside its containerd's own, so that both go at the same time.
    fn mark(name: &str, node: Node) -> String {
        format!(
            "nodes/{}/containerd/pgherd-loaded/{}",
            node.name(),
            name.replace('/', "_")
        )
    }

    fn is_in(&self, layout: &Layout, node: Node) -> bool {
        let is_same = |name: &String| {
            let mark = fs::read_to_string(layout.host(Self::mark(name, node)));
            mark.is_ok_and(|mark| mark == self.identity)
        };
        self.names.iter().all(is_same)
    }

    fn remember(&self, layout: &Layout, node: Node) -> Result<()> {
        self.names
            .iter()
            .try_for_each(|name| layout.write(&Self::mark(name, node), &self.identity))
    }
}

/// How to read the images' names from a file of the archive, if it is one that holds them.
fn names_in(path: &Path) -> Option<fn(&Value) -> Vec<String>> {
    match path.strip_prefix(".").unwrap_or(path).to_str()? {
        "index.json" => Some(|index| {
            let manifests = index["manifests"].as_array().into_iter().flatten();
            let name = |manifest: &Value| {
                manifest["annotations"]["io.containerd.image.name"]
                    .as_str()
                    .map(str::to_owned)
            };
            manifests.filter_map(name).collect()
        }),
        "manifest.json" => Some(|images| {
            let tags = images
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|image| image["RepoTags"].as_array());
            tags.flatten()
                .filter_map(|tag| tag.as_str().map(str::to_owned))
                .collect()
        }),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localkube::layout::Place;

    fn archive(dir: &Path, file: &str, content: &str) -> Archive {
        let path = dir.join("image.tar");
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, file, content.as_bytes())
            .unwrap();
        builder.finish().unwrap();
        Archive::read(&path).unwrap()
    }

    #[test]
    fn names_of_both_formats_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let oci = r#"{"manifests":[{"annotations":{"io.containerd.image.name":"localhost/a:1"}}]}"#;
        assert_eq!(archive(dir.path(), "index.json", oci).names, ["localhost/a:1"]);
        let docker = r#"[{"RepoTags":["b:1","b:2"]}]"#;
        assert_eq!(
            archive(dir.path(), "./manifest.json", docker).names,
            ["b:1", "b:2"]
        );
    }

    #[test]
    fn an_older_file_under_the_same_name_is_loaded_again() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().join("state"), Place::Own);
        let [first, second] = ["1", "2"].map(|identity| Archive {
            names: vec!["localhost/a:1".to_owned()],
            identity: identity.to_owned(),
        });
        first.remember(&layout, Node(1)).unwrap();
        assert!(first.is_in(&layout, Node(1)) && !first.is_in(&layout, Node(2)));
        second.remember(&layout, Node(1)).unwrap();
        assert!(!first.is_in(&layout, Node(1)));
    }
}
