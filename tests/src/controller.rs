//! A controller of a test's own: a process on this machine, followed by its log and its admin port. Lives here: starting, watching and ending
//! it. Must not: with which arguments, and what is expected of it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};

const START: Duration = Duration::from_mins(3);
const ANSWER: Duration = Duration::from_secs(10);

/// One that runs. It is ended when this value is dropped.
#[derive(Debug)]
pub struct Controller {
    child: Child,
    log: PathBuf,
    admin: SocketAddr,
    /// When its process was started.
    pub started: Instant,
}

impl Controller {
    /// Starts `command`, to which the address of the admin port is added. What it says goes to the file `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command, log: &Path, admin: SocketAddr) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let child = command
            .args(["--admin-address", &admin.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
            admin,
            started: Instant::now(),
        })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// When its log first said this.
    ///
    /// # Errors
    /// The log cannot be read, or the line has no time in front.
    pub fn when(&self, text: &str) -> Result<Option<Timestamp>> {
        let log = fs::read_to_string(&self.log)?;
        let line = log.lines().find(|line| line.contains(text));
        let stamp = line.and_then(|line| line.split_whitespace().next());
        stamp
            .map(|stamp| {
                stamp
                    .parse()
                    .with_context(|| format!("no time in front of {text}"))
            })
            .transpose()
    }

    /// It leads and knows every object.
    ///
    /// # Errors
    /// It does not get there.
    pub fn wait_until_it_works(&self) -> Result<Timestamp> {
        self.wait_for("first lists complete")
    }

    /// Waits until its log says this.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_for(&self, text: &str) -> Result<Timestamp> {
        let end = Instant::now() + START;
        loop {
            if let Some(at) = self.when(text)? {
                return Ok(at);
            }
            if Instant::now() > end {
                bail!("{text:?} is not in {}", self.log.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What its admin port says.
    ///
    /// # Errors
    /// It does not answer.
    pub fn ask(&self, path: &str) -> Result<String> {
        ask(self.admin, path)
    }

    /// Asks it to end, and tells how long that took.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn stop(mut self) -> Result<(ExitStatus, Duration)> {
        let begin = Instant::now();
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        Ok((status, begin.elapsed()))
    }

    /// Ends it without asking.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("no process")?, signal)?)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // A test that failed leaves none behind; one that has ended does not mind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One GET of a port on this machine: the whole answer, with its head.
///
/// # Errors
/// Nobody answers.
pub fn ask(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("nobody is at {address}"))?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
