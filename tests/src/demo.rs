//! The demo: from nothing to a running database, in chapters. Lives here: the order of the chapters and what they hand on.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::install::Overlay;
use crate::kubectl::Kubectl;
use crate::progress::Progress;

mod place;
mod story;

/// What the demo's cluster is called, as in `deploy/examples/minimal.yaml`.
pub const CLUSTER: &str = "demo-orders";

/// Shows pgherd at work: sets up a local Kubernetes, installs pgherd into it, and runs a database cluster.
///
/// Nothing outside of this checkout's target directory and the user's cache is changed, except that missing Debian packages are
/// installed. The local Kubernetes keeps running afterwards, so that you can look around; `cargo demo -- down` ends it.
#[derive(Debug, Parser)]
#[command(name = "cargo demo --", bin_name = "cargo demo --", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub action: Option<Action>,
    #[command(flatten)]
    pub yours: YourCluster,
}

/// What to do; without a word the demo runs.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Ends the demo: the database, and the local Kubernetes with all that it left on the machine
    Down,
}

/// Runs the demo in a cluster of yours instead of a local one.
#[derive(Debug, Args)]
#[command(next_help_heading = "A cluster of yours")]
pub struct YourCluster {
    /// Context of your kubeconfig; the local Kubernetes is not touched then
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// Image of the controller, pushed to where your cluster can pull it from
    #[arg(long, value_name = "IMAGE", requires = "context")]
    pub controller_image: Option<String>,
    /// Image of the webhook, likewise
    #[arg(long, value_name = "IMAGE", requires = "context")]
    pub webhook_image: Option<String>,
    /// Database image, instead of the real Spilo image that is the default there
    #[arg(long, value_name = "IMAGE", requires = "context")]
    pub postgres_image: Option<String>,
}

/// Where the demo plays, ready to install pgherd into.
#[derive(Debug)]
struct Stage {
    kubectl: Kubectl,
    /// A folder inside the checkout for what we write.
    state: PathBuf,
    overlay: Overlay,
    /// What a person types to look around.
    look_around: String,
}

/// Runs the demo, or ends it.
///
/// # Errors
/// The first thing that did not work, with what to do about it.
pub fn run(arguments: &Arguments, progress: &Progress) -> Result<()> {
    match arguments.action {
        Some(Action::Down) => place::down(&arguments.yours, progress),
        None => {
            let stage = place::up(&arguments.yours, progress)?;
            story::tell(&stage, progress)
        }
    }
}

fn example(name: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/examples")
        .join(name);
    ensure!(
        path.is_file(),
        "the example {} is missing from this checkout",
        path.display()
    );
    Ok(path)
}
