//! The local Kubernetes with everything loaded that pgherd needs to run in it: what the demo and the end-to-end tests start from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::images;
use crate::install::Overlay;
use crate::kubectl::Kubectl;
use crate::localkube::{Cluster, Options, checkout};
use crate::progress::Progress;

/// A local Kubernetes that pgherd can be installed into.
#[derive(Debug)]
pub struct Local {
    pub cluster: Cluster,
    pub kubectl: Kubectl,
    /// Our images, and the stand-in for the database image.
    pub overlay: Overlay,
    /// A folder inside the checkout for what is written on the way.
    pub state: PathBuf,
}

/// One that runs, with whatever is installed in it.
pub fn found(cluster: Cluster) -> Local {
    Local {
        kubectl: Kubectl::of_kubeconfig(&cluster.kubectl_program(), &cluster.kubeconfig()),
        overlay: Overlay {
            controller: String::new(),
            webhook: String::new(),
            parameters: BTreeMap::new(),
        },
        state: checkout().join("target/localkube"),
        cluster,
    }
}

/// Brings the local Kubernetes up and loads our images into it; what exists already is kept.
///
/// # Errors
/// The first thing that did not work, with what to do about it.
pub fn up(options: &Options, progress: &Progress) -> Result<Local> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let cluster = runtime.block_on(Cluster::up(options, progress))?;
    let own = images::own(progress)?;
    let [controller, webhook] = own.as_slice() else {
        bail!("expected two images of our own, built {}", own.len())
    };
    let postgres = images::postgres(progress)?;
    for tar in [&controller.tar, &webhook.tar, &postgres] {
        cluster.load_image(tar, progress)?;
    }
    let parameters = [
        ("docker_image", images::POSTGRES),
        // The newest that is in our database image.
        ("target_major_version", "17"),
    ];
    Ok(Local {
        kubectl: Kubectl::of_kubeconfig(&cluster.kubectl_program(), &cluster.kubeconfig()),
        overlay: Overlay {
            controller: controller.name.clone(),
            webhook: webhook.name.clone(),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        },
        state: checkout().join("target/localkube"),
        cluster,
    })
}
