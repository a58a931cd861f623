//! Plain PostgreSQL servers of two majors for tests and benchmarks, without Kubernetes: the very packages of the database image, run by an
//! unprivileged user on loopback, with TLS, each with a data directory of its own under `target/`. Lives here: starting, reaching, stopping
//! one. Must not: anything that the operator does to it.
//!
//! ```text
//! sandbox (root file system, namespaces) ─► template (initdb and the image's roles, once) ─► Server (a copy that runs)
//! ```

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::progress::Progress;
use crate::shell::Run;

mod certificate;
mod sandbox;
mod template;

use certificate::Certificate;
use sandbox::Sandbox;

/// The superuser of every server, and his password.
pub const SUPERUSER: &str = "postgres";
pub const SUPERUSER_PASSWORD: &str = "superuser-of-a-test-server";
/// Where Spilo and Zalando's configuration expect people.
pub const HUMAN_ROLE: &str = "zalandos";

/// A copied template needs no recovery; a loaded machine needs patience.
const START_LIMIT: Duration = Duration::from_mins(3);
const STOP_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// The majors that the database image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Major {
    Fifteen,
    Seventeen,
}

impl Major {
    pub const BOTH: [Self; 2] = [Self::Fifteen, Self::Seventeen];

    pub const fn number(self) -> u32 {
        match self {
            Self::Fifteen => 15,
            Self::Seventeen => 17,
        }
    }

    fn program(self, name: &str) -> String {
        format!("/usr/lib/postgresql/{}/bin/{name}", self.number())
    }
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Parameters beside those of every test server.
    pub parameters: Vec<(String, String)>,
    /// Follows nobody, but is in recovery: what a standby is to whoever logs in.
    pub is_standby: bool,
    /// Gives the directory `/srv/small` to the server, a file system of so many megabytes.
    pub small_megabytes: Option<u32>,
}

impl Options {
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    place: Place,
    sandbox: Sandbox,
    options: Options,
    pub major: Major,
    pub port: u16,
    /// The authority that signed the server's certificate, as PEM.
    pub authority: String,
}

/// A directory below `target/`, removed at the end.
#[derive(Debug)]
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        // A directory that stays behind costs disk only.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What keeps servers from being started on this machine, if anything.
pub fn obstacle() -> Option<&'static str> {
    sandbox::obstacle()
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// When the image's root cannot be built or unpacked, or the server does not come up: with the end of its log.
    pub fn start(major: Major, options: &Options, progress: &Progress) -> Result<Self> {
        let sandbox = Sandbox::open(progress)?;
        let template = template::of(&sandbox, major, progress)?;
        let place = place()?;
        let data = place.0.join("data");
        Run::new("cp")
            .args([Path::new("--archive"), &template.join("data"), &data])
            .output()?;
        let certificate = Certificate::make()?;
        certificate.write(&data)?;
        if options.is_standby {
            fs::write(data.join("standby.signal"), "").context("write standby.signal")?;
        }
        fs::create_dir(place.0.join("socket")).context("make the directory of the socket")?;
        sandbox.give(&place.0)?;
        let port = free_port()?;
        let mut server = Self {
            child: spawn(&sandbox, &place.0, major, port, options)?,
            place,
            sandbox,
            options: options.clone(),
            major,
            port,
            authority: certificate.authority,
        };
        server.await_ready()?;
        Ok(server)
    }

    /// The directory of the server's Unix socket, which takes passwords without TLS.
    pub fn socket(&self) -> PathBuf {
        self.place.0.join("socket")
    }

    /// All that the server has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.place.0.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Runs psql on the server, as the superuser: for a script from standard input, which it stops at the first error of.
    pub fn psql(&self, database: &str, script: &str) -> Result<String> {
        let address = format!(
            "host=/srv/socket port={} user={SUPERUSER} dbname={database} password={SUPERUSER_PASSWORD}",
            self.port
        );
        let psql = self.major.program("psql");
        let arguments = [
            psql.as_str(),
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            &address,
        ];
        let output = self
            .sandbox
            .run(&self.place.0, &arguments)
            .stdin_text(script)
            .timeout(Duration::from_mins(5))
            .output()?;
        Ok(output.trim_end().to_owned())
    }

    /// Stops it and starts it again, on the same port.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.child = spawn(&self.sandbox, &self.place.0, self.major, self.port, &self.options)?;
        self.await_ready()
    }

    /// Stops it and starts it again as one that was a primary and waits to become one: after a switchover, until somebody promotes it.
    pub fn demote(&mut self) -> Result<()> {
        self.stop();
        let data = self.place.0.join("data");
        fs::write(data.join("standby.signal"), "").context("write standby.signal")?;
        self.sandbox.give(&data)?;
        self.child = spawn(&self.sandbox, &self.place.0, self.major, self.port, &self.options)?;
        self.await_ready()
    }

    fn await_ready(&mut self) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        let status = self.place.0.join("data/postmaster.pid");
        loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let state = text.lines().nth(7).unwrap_or_default().trim();
            if matches!(state, "ready" | "standby") {
                return Ok(());
            }
            if let Some(code) = self.child.try_wait().context("look at the server")? {
                bail!("the server ended with {code}: {}", self.last_words());
            }
            if Instant::now() > end {
                bail!("the server does not get ready: {}", self.last_words());
            }
            thread::sleep(POLL);
        }
    }

    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join(" / ")
    }

    /// Fast shutdown; who does not go in time is killed.
    fn stop(&mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let end = Instant::now() + STOP_LIMIT;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(sandbox: &Sandbox, place: &Path, major: Major, port: u16, options: &Options) -> Result<Child> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(place.join("log"))
        .context("write the server's log")?;
    let mut arguments = vec![
        major.program("postgres"),
        "-D".to_owned(),
        "/srv/data".to_owned(),
        "-p".to_owned(),
        port.to_string(),
    ];
    for (name, value) in &options.parameters {
        arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    let mut command = sandbox.command(place, options.small_megabytes, &arguments);
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the server's log")?)
        .stderr(log);
    command.spawn().context("start the server")
}

/// Nobody else gets it before the server does, unless he is very quick.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// `target/postgres/<process>-<number>`.
fn place() -> Result<Place> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the package lies in the workspace")?;
    let place = root
        .join("target/postgres")
        .join(format!("{}-{count}", std::process::id()));
    fs::create_dir_all(&place).with_context(|| format!("make {}", place.display()))?;
    Ok(Place(place))
}
