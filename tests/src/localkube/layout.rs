//! Where the files of a local Kubernetes are, seen from the machine and seen from inside. No content is decided here.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where its own namespaces see the state directory; short, because the path of a socket holds only 107 bytes.
const INSIDE: &str = "/run/localkube";

/// How far the programs are kept apart from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// In namespaces of their own for mounts, processes and network: when their first process ends, everything is gone.
    Own,
    /// Plain processes on the loopback address: a control plane for a user who is not root.
    Loopback,
}

/// The state directory, `target/localkube` of a checkout.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
    place: Place,
}

impl Layout {
    /// The state directory of the checkout that this program was built from.
    pub(super) fn of_this_checkout(place: Place) -> Self {
        Self {
            root: checkout().join("target/localkube"),
            place,
        }
    }

    pub(super) fn at(root: PathBuf, place: Place) -> Self {
        Self { root, place }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// A file of the state, as the machine sees it.
    pub(super) fn host(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The same file, as the programs see it.
    pub(super) fn inside(&self, relative: &str) -> String {
        match self.place {
            Place::Own => format!("{INSIDE}/{relative}"),
            Place::Loopback => self.host(relative).to_string_lossy().into_owned(),
        }
    }

    /// Writes a file of the state, readable only by its owner if it is a secret.
    pub(super) fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.host(relative);
        let failed = || {
            format!(
                "cannot write {}; is the disk full or the directory another user's?",
                path.display()
            )
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        let draft = path.with_extension("draft");
        fs::write(&draft, content).with_context(failed)?;
        fs::rename(&draft, &path).with_context(failed)
    }

    /// Removes what a cluster stored. What stays: built programs, logs, and what the nodes' containerds keep, which is
    /// images; containers among it are those of pods that no longer exist, and a kubelet removes such.
    pub(super) fn remove_cluster(&self) -> Result<()> {
        for entry in [
            "plan.json",
            "report.json",
            "kubeconfig",
            "pki",
            "config",
            "etcd",
            "volumes",
            "tmp",
        ] {
            remove(&self.host(entry))?;
        }
        for node in entries(&self.host("nodes")) {
            for entry in entries(&node).filter(|entry| !entry.ends_with("containerd")) {
                remove(&entry)?;
            }
        }
        Ok(())
    }

    /// Removes the state directory.
    pub(super) fn remove_all(&self) -> Result<()> {
        remove(&self.root)
    }

    /// Only one process at a time changes a local Kubernetes; the others wait here.
    pub(super) fn lock(&self) -> Result<Lock> {
        let path = match self.place {
            // Its addresses are the machine's, so the lock is too.
            Place::Own => PathBuf::from("/run/pgherd-localkube.lock"),
            Place::Loopback => self.root.join("lock"),
        };
        let failed = || {
            let path = path.display();
            format!("cannot write {path}; is the disk full or the directory another user's?")
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        loop {
            let file = File::create(&path).with_context(failed)?;
            file.lock().with_context(failed)?;
            // Whoever held it before may have removed the file that we waited for.
            if fs::metadata(&path).is_ok_and(|meta| file.metadata().is_ok_and(|own| own.ino() == meta.ino()))
            {
                return Ok(Lock { path, _file: file });
            }
        }
    }
}

/// What a directory holds, nothing if it is not there.
fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

/// Removes a file or a directory with all that is in it, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Held while a local Kubernetes is changed.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Left behind it would do no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// The directory that namespaces of its own see the state in.
pub(super) fn inside_root() -> &'static Path {
    Path::new(INSIDE)
}

/// The top of the checkout that this program was built from.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests package lies inside the checkout")
}
