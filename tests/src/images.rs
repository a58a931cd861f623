//! The images that the local Kubernetes runs, each one tar file in the user's cache, made when its inputs change.
//!
//! [`pause`] holds pods' namespaces, [`own`] are our two programs, [`postgres`] stands in for the Spilo image. [`oci`] is
//! the format that all of them are written in. Loading them into a node is `localkube`'s business.

pub mod oci;
mod own;
mod pause;
mod postgres;

pub(crate) use own::executable;
pub use own::{controller, own};
pub use pause::{PAUSE, pause};
pub use postgres::{POSTGRES, POSTGRES_OTHER, postgres, postgres_root};

use std::path::{Path, PathBuf};

/// An image in a file, ready to be loaded into a node.
#[derive(Debug, Clone)]
pub struct BuiltImage {
    /// The reference that a pod names.
    pub name: String,
    /// The OCI archive.
    pub tar: PathBuf,
}

/// The file of an image inside its cache entry.
const IMAGE_TAR: &str = "image.tar";

/// Where what goes into an image lies: `tests/images/NAME`.
fn sources(image: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("images").join(image)
}
