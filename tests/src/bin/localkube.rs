//! `cargo localkube`: the local Kubernetes from the command line. Everything it does is in `pgherd_tests::localkube`.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use pgherd_tests::localkube::{self, Cluster, Options};
use pgherd_tests::progress::Progress;

/// A real Kubernetes on this machine, for pgherd's tests and demo.
///
/// API server, scheduler, controllers, kubelets, DNS and volumes run as processes in namespaces of their own, so that
/// ending them leaves nothing behind. Pods, services and the API server can be reached from this machine.
#[derive(Parser)]
#[command(name = "cargo localkube", bin_name = "cargo localkube", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

const EXAMPLES: &str = "\
Examples:
  cargo localkube up                         start it (the first time builds it: about 8 minutes)
  eval $(cargo localkube env)                point kubectl and everything else at it
  cargo localkube kubectl get pods -A        or use the kubectl that comes with it
  cargo localkube logs kube-apiserver        what a program says
  cargo localkube down                       end it and remove everything it made";

#[derive(Subcommand)]
enum Action {
    /// Start it, or extend the one that runs; returns when pods can be made.
    Up {
        /// How many real nodes, each with a containerd and a kubelet.
        #[arg(long, default_value_t = 1, value_name = "N")]
        nodes: u8,
        /// Only the API server and what stands behind it; no pods. Needs no root.
        #[arg(long)]
        control_plane_only: bool,
    },
    /// End it and remove everything it made on this machine; built programs, loaded images and its logs stay in target/.
    Down {
        /// Remove those too.
        #[arg(long)]
        purge: bool,
    },
    /// Show what runs; exits with 1 if nothing does.
    Status,
    /// Load an image archive (OCI or docker format) into every node, for pods with `imagePullPolicy: IfNotPresent`.
    Load {
        #[arg(value_name = "IMAGE.tar", required = true)]
        images: Vec<PathBuf>,
    },
    /// Print the log of a program; without a name, list the names.
    Logs {
        component: Option<String>,
        /// Go on printing what is added.
        #[arg(short, long)]
        follow: bool,
    },
    /// Print the shell commands that point kubectl at it.
    Env,
    /// Run kubectl against it.
    #[command(disable_help_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run a program inside its namespaces, for example `ip address` or `crictl`.
    Inside {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        args: Vec<OsString>,
    },
    #[command(hide = true)]
    Supervise { state: PathBuf },
    #[command(hide = true)]
    Provisioner { kubeconfig: PathBuf, volumes: PathBuf },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<ExitCode> {
    let progress = Progress::new();
    match action {
        Action::Up {
            nodes,
            control_plane_only,
        } => {
            let cluster = wait_for(Cluster::up(
                &Options {
                    nodes,
                    control_plane_only,
                },
                &progress,
            ))??;
            show(&export(&cluster));
        }
        Action::Down { purge: true } => Cluster::purge(&progress)?,
        Action::Down { purge: false } => Cluster::down(&progress)?,
        Action::Status => {
            let (text, runs) = wait_for(Cluster::status())??;
            show(text.trim_end());
            return Ok(if runs {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Action::Load { images } => {
            images
                .iter()
                .try_for_each(|image| running()?.load_image(image, &progress))?;
        }
        Action::Logs { component, follow } => logs(component.as_deref(), follow)?,
        Action::Env => show(&export(&running()?)),
        Action::Kubectl { args } => bail!("cannot run kubectl: {}", running()?.kubectl(args).exec()),
        Action::Inside { args } => bail!("cannot run nsenter: {}", running()?.inside(args)?.exec()),
        Action::Supervise { state } => localkube::supervisor::run(&state)?,
        Action::Provisioner { kubeconfig, volumes } => {
            wait_for(localkube::provisioner::run(&kubeconfig, &volumes))??;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a result. A reader who went away, such as `head`, has seen enough.
fn show(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn wait_for<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime
        .context("cannot start the asynchronous runtime")?
        .block_on(future))
}

fn running() -> Result<Cluster> {
    Cluster::find()?.context("the local Kubernetes is not running; `cargo localkube up` starts it")
}

fn export(cluster: &Cluster) -> String {
    format!("export KUBECONFIG={}", cluster.kubeconfig().display())
}

fn logs(component: Option<&str>, follow: bool) -> Result<()> {
    let cluster = running()?;
    let mut names = cluster.programs();
    names.extend(["supervisor", "audit"].map(str::to_owned));
    let Some(component) = component else {
        show(&names.join("\n"));
        return Ok(());
    };
    if !names.iter().any(|name| name == component) {
        bail!(
            "there is no program {component:?}; there are {}",
            names.join(", ")
        );
    }
    let path = cluster.log(component);
    if follow {
        bail!(
            "cannot run tail: {}",
            Command::new("tail").args(["-n", "100", "-F"]).arg(path).exec()
        );
    }
    let mut file = fs::File::open(&path).with_context(|| format!("{component} has not said anything yet"))?;
    std::io::copy(&mut file, &mut std::io::stdout().lock())
        .map(drop)
        .context("cannot print the log")
}
