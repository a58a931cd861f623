//! The three servers: built, started on a free port of the loopback, waited for, ended.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use serde_json::Value;

use crate::certificate::Certificate;

const DEPLOYMENT: &str = include_str!("../../../deploy/kustomize/webhook/deployment.yaml");

/// Starting takes moments; a server that needs longer does not start.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The product's webhook: the program that is deployed.
    Pgherd,
    /// axum and rustls, a fixed answer: what the same libraries do without any work.
    Echo,
    /// controller-runtime, typed decoding, a comparable set of checks.
    Go,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pgherd, Self::Echo, Self::Go];

    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pgherd => "pgherd",
            Self::Echo => "echo",
            Self::Go => "go",
        }
    }
}

/// The programs, ready to be started.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Ours.
    pub pgherd: PathBuf,
    /// The echo.
    pub echo: PathBuf,
    /// The Go webhook.
    pub go: PathBuf,
}

impl Programs {
    /// Builds what is not built: a release of pgherd, and the Go webhook. Both are shown while they work.
    ///
    /// # Errors
    ///
    /// A compiler is not there, or refuses.
    pub fn build() -> Result<Self> {
        build_rust()?;
        build_go(&go_program())?;
        Self::as_built()
    }

    /// What is there already, in the folder of the program that runs.
    ///
    /// # Errors
    ///
    /// It runs from nowhere.
    pub fn as_built() -> Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self {
            pgherd: program.with_file_name("pgherd-webhook"),
            echo: program.with_file_name("bench-echo"),
            go: go_program(),
        })
    }
}

fn build_rust() -> Result<()> {
    build_release(&[
        ("pgherd-bench", "bench-echo"),
        ("pgherd-webhook", "pgherd-webhook"),
    ])
}

/// Builds a release of the controller.
///
/// # Errors
///
/// A compiler is not there, or refuses.
pub fn build_controller() -> Result<()> {
    build_release(&[
        ("pgherd-bench", "bench-scale"),
        ("pgherd-controller", "pgherd-controller"),
    ])
}

/// Packages and programs; one of the packages is this one, so that libraries have the features that they have here, and nothing is built twice.
fn build_release(programs: &[(&str, &str)]) -> Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release"]);
    // What cargo tells a program about its package would look like a change to build scripts, and half of the tree would be built anew.
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| {
        name.to_string_lossy().starts_with("CARGO_PKG_")
            || name == "CARGO_MANIFEST_DIR"
            || name == "CARGO_MANIFEST_PATH"
    }) {
        cargo.env_remove(name);
    }
    for (package, program) in programs {
        cargo.args(["--package", package, "--bin", program]);
    }
    run(cargo.current_dir(root()))
}

/// Where the Go webhook is once it is built.
pub fn go_program() -> PathBuf {
    root().join("target/bench/webhook-go")
}

/// Builds the Go webhook.
///
/// # Errors
///
/// Go is not there, or refuses.
pub fn build_go(program: &Path) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("webhook-go");
    fs::create_dir_all(program.parent().context("a program is in a folder")?)?;
    run(Command::new("go")
        .current_dir(source)
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(program)
        .arg("."))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("start {shown}"))?;
    ensure!(status.success(), "{shown} failed: {status}");
    Ok(())
}

/// A server that runs; ended when dropped.
#[derive(Debug)]
pub struct Server {
    /// Which one.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts the product's webhook: its own certificates and webhook configurations off, everything else as it is deployed.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub fn pgherd(
        program: &Path,
        certificate: &Certificate,
        kubeconfig: &Path,
        folder: &Path,
    ) -> Result<Self> {
        let address = free()?;
        let mut command = Command::new(program);
        command
            .arg("--address")
            .arg(address.to_string())
            .args(pgherd_arguments(certificate, kubeconfig))
            .envs(allocator_settings()?);
        Self::start(Kind::Pgherd, address, command, folder)
    }

    /// Starts the echo with the answers in `folder`.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub fn echo(program: &Path, certificate: &Certificate, folder: &Path) -> Result<Self> {
        let address = free()?;
        let mut command = Command::new(program);
        command
            .arg(address.to_string())
            .arg(certificate.folder())
            .arg(folder);
        Self::start(Kind::Echo, address, command, folder)
    }

    /// Starts the Go webhook.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub fn go(program: &Path, certificate: &Certificate, folder: &Path) -> Result<Self> {
        let address = free()?;
        let mut command = Command::new(program);
        command
            .args([
                "-host",
                &address.ip().to_string(),
                "-port",
                &address.port().to_string(),
            ])
            .arg("-cert-dir")
            .arg(certificate.folder());
        Self::start(Kind::Go, address, command, folder)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it says goes to a file, shown when it does not come up.
    fn start(kind: Kind, address: SocketAddr, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{}.log", kind.name()));
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        command
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let mut server = Self { kind, address, child };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("{} does not come up ({ended:?}): {said}", kind.name());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the product's allocator is told to behave where it is deployed.
///
/// # Errors
///
/// The deployment says nothing of it.
fn allocator_settings() -> Result<Vec<(String, String)>> {
    let deployment: Value = serde_yaml::from_str(DEPLOYMENT).context("read the webhook's deployment")?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().into_iter().flatten();
    let settings: Vec<_> = variables
        .filter_map(|variable| Some((variable["name"].as_str()?, variable["value"].as_str()?)))
        .filter(|(name, _)| name.starts_with("MIMALLOC_"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    ensure!(
        !settings.is_empty(),
        "the deployment sets nothing of the allocator"
    );
    Ok(settings)
}

/// What the product's webhook is started with, besides its address.
pub fn pgherd_arguments(certificate: &Certificate, kubeconfig: &Path) -> Vec<String> {
    [
        ("--admin-address", "127.0.0.1:0".to_owned()),
        ("--kubeconfig", kubeconfig.display().to_string()),
        ("--operator-namespace", "default".to_owned()),
        ("--tls-cert-file", certificate.chain().display().to_string()),
        ("--tls-key-file", certificate.key().display().to_string()),
        ("--manage-webhook-configurations", "false".to_owned()),
    ]
    .into_iter()
    .map(|(flag, value)| format!("{flag}={value}"))
    .collect()
}

/// An address that nobody has now, and nobody should take in the next moment.
///
/// # Errors
///
/// There is none.
pub fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")
        .context("find a port")?
        .local_addr()?)
}
