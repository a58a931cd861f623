//! Where the files of a local Kubernetes are, seen from the machine and seen from inside. No content is decided here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where its own namespaces see the state directory; short, because the path of a socket holds only 107 bytes.
const INSIDE: &str = "/run/localkube";

/// How far the programs are kept apart from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In namespaces of their own for mounts, processes and network: when their first process ends, everything is gone.
    Own,
    /// Plain processes on the loopback address: a control plane for a user who is not root.
    Loopback,
}

/// The state directory, `target/localkube` of a checkout.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    place: Place,
}

impl Layout {
    /// The state directory of the checkout that this program was built from.
    pub fn of_this_checkout(place: Place) -> Self {
        Self { root: checkout().join("target/localkube"), place }
    }

    pub(super) fn at(root: PathBuf, place: Place) -> Self {
        Self { root, place }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn place(&self) -> Place {
        self.place
    }

    /// A file of the state, as the machine sees it.
    pub fn host(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The same file, as the programs see it.
    pub fn inside(&self, relative: &str) -> String {
        match self.place {
            Place::Own => format!("{INSIDE}/{relative}"),
            Place::Loopback => self.host(relative).to_string_lossy().into_owned(),
        }
    }

    /// Writes a file of the state, readable only by its owner if it is a secret.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.host(relative);
        let failed = || format!("cannot write {}; is the disk full or the directory another user's?", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        let draft = path.with_extension("draft");
        fs::write(&draft, content).with_context(failed)?;
        fs::rename(&draft, &path).with_context(failed)
    }

    /// Only one process at a time changes a local Kubernetes; the guard is the open file.
    pub fn lock(&self) -> Result<File> {
        let path = match self.place {
            // Its addresses are the machine's, so the lock is too.
            Place::Own => PathBuf::from("/run/lock/pgherd-localkube.lock"),
            Place::Loopback => self.root.with_extension("lock"),
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }
}

/// The directory that namespaces of its own see the state in.
pub(super) fn inside_root() -> &'static Path {
    Path::new(INSIDE)
}

/// The top of the checkout that this program was built from.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests package lies inside the checkout")
}
