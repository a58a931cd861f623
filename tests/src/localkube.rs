//! A real Kubernetes on this machine, for tests and the demo. Flow of `up`:
//!
//! `machine` refuses what cannot work → `binaries` builds the Go programs → `certificates`, [`control_plane`], [`node`]
//! and [`services`] write what each program reads and say how it is started, together a [`plan`] → `running` starts the
//! [`supervisor`], which furnishes namespaces of its own (`isolation`) and keeps the plan's programs running → `network`
//! connects it with the machine → `images` loads the pause image → `ready` waits until pods can be made.
//!
//! Everything lives in namespaces of the supervisor, so ending that one process leaves nothing behind.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress::Progress;
use layout::{Layout, Place};
use node::Node;
use plan::{PLAN_FILE, Plan};
use running::Supervisor;

mod api;
pub mod audit;
mod binaries;
mod certificates;
mod control_plane;
mod images;
mod isolation;
mod layout;
mod logs;
mod machine;
mod network;
mod node;
mod plan;
pub mod provisioner;
mod ready;
mod running;
mod services;
mod status;
pub mod supervisor;

pub use certificates::CONTEXT;
pub use control_plane::AUDITED_ACCOUNT;
pub use layout::checkout;
pub use machine::PACKAGES;
pub use network::HOST;
pub use plan::Options;
pub use provisioner::{PINNED_CLASS, STORAGE_CLASS};

/// A local Kubernetes that runs. It goes on running when this value is dropped; [`Cluster::down`] ends it.
#[derive(Debug, Clone)]
pub struct Cluster {
    layout: Layout,
}

impl Cluster {
    /// Brings up the local Kubernetes of this checkout, or extends the one that runs. Returns when the API server, every
    /// node and the DNS server are ready. Ends the local Kubernetes of another checkout first, and says so.
    ///
    /// # Errors
    /// One sentence that says what is missing on the machine or which program does not come up.
    pub async fn up(options: &Options, progress: &Progress) -> Result<Self> {
        let place = machine::check(options, progress)?;
        let cluster = Self {
            layout: Layout::of_this_checkout(place),
        };
        let _guard = cluster.layout.lock()?;
        let supervisor = match cluster.find_usable(place, progress)? {
            Some(supervisor) => cluster.extend(supervisor, options, progress)?,
            None => cluster.start(options, progress)?,
        };
        cluster.load_pause_image(progress)?;
        ready::wait(&cluster.layout, progress).await.with_context(|| {
            format!(
                "the local Kubernetes does not get ready (supervisor: process {})",
                supervisor.pid
            )
        })?;
        Ok(cluster)
    }

    /// The one of this checkout, if it runs.
    ///
    /// # Errors
    /// When the machine's processes cannot be listed.
    pub fn find() -> Result<Option<Self>> {
        // The place does not matter for finding it, and its plan knows it.
        let layout = Layout::of_this_checkout(Place::Own);
        if Supervisor::find(&layout)?.is_none() {
            return Ok(None);
        }
        let place = running::plan(&layout).map_or(Place::Own, |plan| plan.place);
        Ok(Some(Self {
            layout: Layout::of_this_checkout(place),
        }))
    }

    /// Ends the one of this checkout and removes what it stored. Built programs and loaded images stay, and the logs until
    /// the next `up`.
    ///
    /// # Errors
    /// When something outlives it.
    pub fn down(progress: &Progress) -> Result<()> {
        Self::end(progress, Layout::remove_cluster)
    }

    /// As [`Cluster::down`], and removes the whole state directory.
    ///
    /// # Errors
    /// When something outlives it.
    pub fn purge(progress: &Progress) -> Result<()> {
        Self::end(progress, Layout::remove_all)
    }

    fn end(progress: &Progress, remove: impl Fn(&Layout) -> Result<()>) -> Result<()> {
        let layout =
            Self::find()?.map_or_else(|| Layout::of_this_checkout(Place::Own), |cluster| cluster.layout);
        let found = Supervisor::find(&layout)?;
        if !machine::is_root() && found.is_none() {
            return Ok(());
        }
        let _guard = layout.lock()?;
        let step = progress.step("taking the local Kubernetes down");
        match found {
            Some(supervisor) => supervisor.end()?,
            None => progress.note("it was not running; removing what it may have left"),
        }
        // Another checkout's is in use.
        let others = Supervisor::find_all()?
            .into_iter()
            .any(|other| other.place() == Place::Own);
        if machine::is_root() && !others {
            running::sweep()?;
        }
        remove(&layout)?;
        step.done();
        Ok(())
    }

    /// What runs, in words, and whether it runs.
    ///
    /// # Errors
    /// When the machine's processes cannot be listed.
    pub async fn status() -> Result<(String, bool)> {
        let layout =
            Self::find()?.map_or_else(|| Layout::of_this_checkout(Place::Own), |cluster| cluster.layout);
        status::describe(&layout).await
    }

    /// A kubeconfig with the administrator's rights; its only context is [`CONTEXT`].
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.host("kubeconfig")
    }

    /// A client with the administrator's rights.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn client(&self) -> Result<kube::Client> {
        api::client(&self.kubeconfig()).await
    }

    /// The `kubectl` that belongs to it.
    pub fn kubectl_program(&self) -> PathBuf {
        self.layout.host("bin/kubectl")
    }

    /// A `kubectl` that talks to it.
    pub fn kubectl<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(self.kubectl_program());
        command.env("KUBECONFIG", self.kubeconfig()).args(args);
        command
    }

    /// Loads an OCI archive into every node, under the names that it carries. Loading the same file again costs nothing.
    ///
    /// # Errors
    /// When the file is no such archive, or nothing runs.
    pub fn load_image(&self, tar: &Path, progress: &Progress) -> Result<()> {
        images::load(&self.layout, tar, progress)
    }

    /// The API server's audit log: one JSON object per line for every write, in the order of their completion; of [`AUDITED_ACCOUNT`] also for
    /// every read.
    pub fn audit_log(&self) -> PathBuf {
        self.layout.host(control_plane::AUDIT_LOG)
    }

    /// The log of a program, and of the supervisor itself.
    pub fn log(&self, program: &str) -> PathBuf {
        self.layout.host(logs::log_file(program))
    }

    /// The names of its programs.
    pub fn programs(&self) -> Vec<String> {
        let programs = running::plan(&self.layout)
            .map(|plan| plan.programs)
            .unwrap_or_default();
        programs.into_iter().map(|program| program.name).collect()
    }

    /// The process that everything of it hangs on; without it nothing is left running.
    ///
    /// # Errors
    /// When it does not run.
    pub fn supervisor(&self) -> Result<u32> {
        let supervisor = Supervisor::find(&self.layout)?.context("the local Kubernetes is not running")?;
        Ok(supervisor.pid)
    }

    /// A program that runs inside its namespaces, where the pods' links, rules and mounts are.
    ///
    /// # Errors
    /// When it does not run.
    pub fn inside<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Command> {
        let [nsenter, enter @ ..] = network::enter(self.supervisor()?);
        let mut command = Command::new(nsenter);
        command.args(enter).args(args);
        Ok(command)
    }

    /// The supervisor to go on with, after everything that stands in its way is gone.
    fn find_usable(&self, place: Place, progress: &Progress) -> Result<Option<Supervisor>> {
        let mut usable = None;
        for supervisor in Supervisor::find_all()? {
            let own = supervisor.state == self.layout.root();
            let its_place = supervisor.place();
            let connected = place == Place::Loopback || network::is_attached()?;
            if own && its_place == place && connected && running::plan(&self.layout).is_some() {
                usable = Some(supervisor);
                continue;
            }
            // Only two in namespaces of their own want the same addresses; for ports the machine was asked before.
            if !own && (its_place, place) != (Place::Own, Place::Own) {
                continue;
            }
            let whose = if own {
                "a damaged one of this checkout".to_owned()
            } else {
                format!("the one of the checkout {}", supervisor.checkout().display())
            };
            let step = progress.step(format!("ending another local Kubernetes: {whose}"));
            supervisor.end()?;
            step.done();
        }
        Ok(usable)
    }

    fn start(&self, options: &Options, progress: &Progress) -> Result<Supervisor> {
        machine::check_space(self.layout.root())?;
        if self.layout.place() == Place::Own {
            let found = running::sweep()?;
            if !found.is_empty() {
                progress.note(format!(
                    "removed what a killed local Kubernetes left: {}",
                    found.join(", ")
                ));
            }
        }
        self.layout.remove_cluster()?;
        binaries::ensure(&self.layout, progress)?;
        let step = progress.step("writing certificates and configuration");
        let _ = std::fs::remove_dir_all(self.layout.host("logs"));
        std::fs::create_dir_all(self.layout.host("logs"))?;
        std::fs::create_dir_all(self.layout.host("tmp"))?;
        certificates::write(&self.layout)?;
        self.write_plan(options)?;
        step.done();
        let step = progress.step("starting the supervisor");
        let supervisor = Supervisor::start(&self.layout)?;
        if self.layout.place() == Place::Own {
            let attached = network::attach(supervisor.pid);
            if attached.is_err() {
                supervisor.end()?;
            }
            attached?;
        }
        step.done();
        Ok(supervisor)
    }

    fn extend(&self, supervisor: Supervisor, options: &Options, progress: &Progress) -> Result<Supervisor> {
        let plan = running::plan(&self.layout).context("the plan of the local Kubernetes has vanished")?;
        if self.plan(&plan.options)? != plan {
            progress
                .note("it was started by another version of this program; `down` and `up` would renew it");
        }
        let wanted = plan.options.and(options);
        if wanted != plan.options {
            self.write_plan(&wanted)?;
        }
        Ok(supervisor)
    }

    /// Writes the configuration of every program, then the plan that names them.
    fn write_plan(&self, options: &Options) -> Result<()> {
        let layout = &self.layout;
        control_plane::write(layout)?;
        services::write(layout)?;
        nodes(options).try_for_each(|node| node.write(layout))?;
        layout.write(PLAN_FILE, serde_json::to_vec_pretty(&self.plan(options)?)?)
    }

    fn plan(&self, options: &Options) -> Result<Plan> {
        let layout = &self.layout;
        let mut programs = control_plane::programs(layout);
        for node in nodes(options) {
            programs.extend(node.programs(layout)?);
        }
        if options.node_count() > 0 {
            programs.extend(services::programs(layout));
        }
        let addresses = match layout.place() {
            // The first is also the API server's.
            Place::Own => (1..=options.node_count().max(1))
                .map(network::node_address)
                .collect(),
            Place::Loopback => Vec::new(),
        };
        Ok(Plan {
            options: options.clone(),
            place: layout.place(),
            addresses,
            programs,
        })
    }

    fn load_pause_image(&self, progress: &Progress) -> Result<()> {
        if running::plan(&self.layout).is_some_and(|plan| plan.options.node_count() > 0) {
            self.load_image(&crate::images::pause(progress)?, progress)?;
        }
        Ok(())
    }
}

fn nodes(options: &Options) -> impl Iterator<Item = Node> + use<> {
    (1..=options.node_count()).map(Node)
}
