//! A controller of the trial's own: a process beside the local Kubernetes, for the clusters that carry its id.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use pgherd_tests::images;
use rustix::process::{Pid, Signal, kill_process};

use super::{ID, NAMESPACE};
use crate::stage::Stage;

const START: Duration = Duration::from_mins(3);

pub(crate) struct Controller {
    child: Child,
    log: PathBuf,
    port: u16,
}

impl Controller {
    /// `name` is what it calls itself in the lease; its admin port is `port`.
    pub(crate) fn start(
        stage: &Stage,
        name: &str,
        port: u16,
        kubeconfig: &Path,
        more: &[&str],
    ) -> Result<Self> {
        let own = [
            "--operator-namespace",
            NAMESPACE,
            "--controller-id",
            ID,
            "--no-database-access",
        ];
        Self::start_as(stage, name, port, kubeconfig, &[&own, more].concat())
    }

    /// The same, with nothing said of whose clusters it looks after: its arguments are `args`. It follows the ConfigMap `settings` unless they
    /// name something else.
    pub(crate) fn start_as(
        stage: &Stage,
        name: &str,
        port: u16,
        kubeconfig: &Path,
        args: &[&str],
    ) -> Result<Self> {
        let path = stage.local.state.join(format!("{name}.log"));
        let log = fs::File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let child = Command::new(images::controller()?)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--admin-address", &format!("127.0.0.1:{port}")])
            .args(["--config-map", "settings", "--identity", name])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start the controller")?;
        Ok(Self {
            child,
            log: path,
            port,
        })
    }

    /// When its log first said this.
    pub(crate) fn when(&self, text: &str) -> Result<Option<Timestamp>> {
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
    pub(crate) fn wait_until_it_works(&self) -> Result<Timestamp> {
        self.wait_for("first lists complete")
    }

    pub(crate) fn wait_for(&self, text: &str) -> Result<Timestamp> {
        let end = Instant::now() + START;
        loop {
            if let Some(at) = self.when(text)? {
                return Ok(at);
            }
            if Instant::now() > end {
                bail!("{text:?} is not in {}", self.log.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What its admin port says.
    pub(crate) fn ask(&self, path: &str) -> Result<String> {
        ask(self.port, path)
    }

    /// Asks it to end, and tells how long that took.
    pub(crate) fn stop(mut self) -> Result<(ExitStatus, Duration)> {
        let begin = Instant::now();
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        Ok((status, begin.elapsed()))
    }

    /// Ends it without asking.
    pub(crate) fn kill(mut self) -> Result<()> {
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
        // A trial that failed leaves none behind; one that has ended does not mind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One GET of a port on this machine.
pub(crate) fn ask(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
