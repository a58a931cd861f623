//! The one process that a local Kubernetes is: its supervisor. Started here, found here by looking at the machine's
//! processes (so no record can be stale), ended here with everything that hangs on it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::layout::{Layout, Place};
use super::logs::last_line;
use super::network;
use super::node::CGROUP;
use super::plan::{PLAN_FILE, Plan, REPORT_FILE, Report};
use crate::shell::find_program;

/// The hidden subcommand that the supervisor runs as; how it is recognised among the machine's processes.
pub(super) const SUPERVISE: &str = "supervise";
/// Where `up` puts the program, below the state directory.
const PROGRAM: &str = "bin/localkube";
/// How long a supervisor may take to write its first report, and everything may take to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for containers' cgroups to be empty; those of another containerd never are.
const CGROUP_PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// A supervisor that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Supervisor {
    pub pid: u32,
    /// Its state directory.
    pub state: PathBuf,
}

impl Supervisor {
    /// Every supervisor on this machine, of whatever checkout.
    pub(super) fn find_all() -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("cannot list the machine's processes")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process that has ended meanwhile has nothing to read.
            let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else {
                continue;
            };
            if let Some(state) = supervised(&line) {
                found.push(Self { pid, state });
            }
        }
        Ok(found)
    }

    /// The one of this state directory.
    pub(super) fn find(layout: &Layout) -> Result<Option<Self>> {
        Ok(Self::find_all()?
            .into_iter()
            .find(|supervisor| supervisor.state == layout.root()))
    }

    /// The checkout that it belongs to.
    pub(super) fn checkout(&self) -> &Path {
        self.state.parent().and_then(Path::parent).unwrap_or(&self.state)
    }

    /// How it runs; in namespaces of its own, if its plan is not of this version.
    pub(super) fn place(&self) -> Place {
        plan(&Layout::at(self.state.clone(), Place::Own)).map_or(Place::Own, |plan| plan.place)
    }

    /// Starts one for a state directory that holds a plan, in a session of its own so that no terminal ends it.
    ///
    /// # Errors
    /// When it does not come up: with the last line of its log.
    pub(super) fn start(layout: &Layout) -> Result<Self> {
        let log =
            File::create(layout.host("logs/supervisor.log")).context("cannot write the supervisor's log")?;
        let mut words: Vec<String> = Vec::new();
        if layout.place() == Place::Own {
            // Mounts of the machine are seen inside (also when they go), but none of ours outside.
            let unshare = "unshare --mount --net --pid --fork --propagation slave --";
            words.extend(unshare.split(' ').map(str::to_owned));
        }
        words.push(layout.host(PROGRAM).to_string_lossy().into_owned());
        words.extend([SUPERVISE.to_owned(), layout.root().to_string_lossy().into_owned()]);
        let setsid = find_program("setsid").context("setsid is missing; install util-linux")?;
        let mut child = Command::new(setsid)
            .args(words)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir("/")
            .process_group(0)
            .spawn()
            .context("cannot start the supervisor")?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let (Some(report), Some(found)) = (report(layout), Self::find(layout)?)
                && report.pid == found.pid
            {
                return Ok(found);
            }
            if child.try_wait()?.is_some_and(|status| !status.success()) {
                break;
            }
            thread::sleep(POLL);
        }
        let words = last_line(layout, "supervisor");
        bail!("the supervisor of the local Kubernetes does not come up: {words}")
    }

    /// Ends it and everything that it started.
    ///
    /// # Errors
    /// When a process outlives it.
    pub(super) fn end(&self) -> Result<()> {
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .context("a process number out of range")?;
        // `unshare` in namespaces of its own: it ends when it sees that its child has.
        let parent = parent(self.pid).filter(|parent| *parent != 1);
        match self.place() {
            // The programs of the loopback place are in the group that was made for it.
            Place::Loopback => {
                let group = rustix::process::getpgid(Some(pid))?;
                kill_process_group(group, Signal::KILL)
            }
            // The kernel ends a namespace's other processes with its first.
            Place::Own => kill_process(pid, Signal::KILL),
        }
        .with_context(|| format!("cannot end the supervisor, process {}", self.pid))?;
        let end = Instant::now() + PATIENCE;
        while is_running(self.pid) || parent.is_some_and(is_running) {
            if Instant::now() > end {
                let pid = self.pid;
                bail!("process {pid} does not end although it was killed; look at `ps -o wchan {pid}`");
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

/// The state directory in the command line of a supervisor.
fn supervised(line: &[u8]) -> Option<PathBuf> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_terminator('\0');
    let (program, command, state) = (words.next()?, words.next()?, words.next()?);
    let state = PathBuf::from(state);
    (command == SUPERVISE && Path::new(program) == state.join(PROGRAM)).then_some(state)
}

/// A process that has ended but was not waited for is no longer running.
fn is_running(pid: u32) -> bool {
    let state = stat(pid).and_then(|stat| stat.split_whitespace().next().map(str::to_owned));
    state.is_some_and(|state| state != "Z" && state != "X")
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.split_whitespace().nth(1)?.parse().ok()
}

/// The kernel's line about a process, from its state on: its name before may hold spaces.
fn stat(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')').map(|(_, rest)| rest.to_owned())
}

/// What shall run there, if anything was ever planned in words of this version.
pub(super) fn plan(layout: &Layout) -> Option<Plan> {
    serde_json::from_slice(&fs::read(layout.host(PLAN_FILE)).ok()?).ok()
}

/// What the supervisor wrote last; true only while it runs.
pub(super) fn report(layout: &Layout) -> Option<Report> {
    serde_json::from_slice(&fs::read(layout.host(REPORT_FILE)).ok()?).ok()
}

/// Removes what a cluster leaves outside its namespaces: the network link, if it was not removed with them, and the
/// containers' cgroups. Returns what was found, in words.
pub(super) fn sweep() -> Result<Vec<&'static str>> {
    let mut found = Vec::new();
    if network::detach()? {
        found.push("network device");
    }
    if sweep_cgroups(Path::new("/sys/fs/cgroup")) {
        found.push("cgroups");
    }
    Ok(found)
}

/// One in every hierarchy of version 1, or one in the only hierarchy of version 2.
fn sweep_cgroups(root: &Path) -> bool {
    let hierarchies = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let found: Vec<PathBuf> = hierarchies
        .chain([root.to_owned()])
        .map(|dir| dir.join(CGROUP))
        .filter(|dir| dir.is_dir())
        .collect();
    let end = Instant::now() + CGROUP_PATIENCE;
    // The last process of a container may still be on its way out.
    while found
        .iter()
        .filter(|cgroup| cgroup.exists() && !remove_cgroup(cgroup))
        .count()
        > 0
        && Instant::now() < end
    {
        thread::sleep(POLL);
    }
    found.iter().any(|cgroup| !cgroup.exists())
}

/// The kernel removes no cgroup that holds a process, so containers of another containerd are safe.
fn remove_cgroup(cgroup: &Path) -> bool {
    let parts = fs::read_dir(cgroup)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let removed: Vec<bool> = parts
        .filter(|part| part.is_dir())
        .map(|part| remove_cgroup(&part))
        .collect();
    removed.into_iter().all(|removed| removed) && fs::remove_dir(cgroup).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_known_by_its_command_line() {
        let line =
            b"/home/me/pgherd/target/localkube/bin/localkube\0supervise\0/home/me/pgherd/target/localkube\0";
        let state = supervised(line).unwrap();
        assert_eq!(
            Supervisor { pid: 1, state }.checkout(),
            Path::new("/home/me/pgherd")
        );
    }

    #[test]
    fn other_processes_are_not_supervisors() {
        assert_eq!(
            supervised(b"vi\0supervise\0/home/me/pgherd/target/localkube\0"),
            None
        );
        let parent = b"unshare\0--fork\0/a/target/localkube/bin/localkube\0supervise\0/a/target/localkube\0";
        assert_eq!(supervised(parent), None);
    }
}
