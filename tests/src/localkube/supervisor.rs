//! The first process of a local Kubernetes: starts the planned programs when their gates open, starts again what ends,
//! reaps what nobody waits for, and writes down what runs. It decides nothing about what the programs are told.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use rustix::process::{WaitOptions, WaitStatus, wait};
use tokio::runtime::Runtime;

use super::layout::{Layout, Place, inside_root};
use super::logs::{log_file, say};
use super::plan::{Gate, PLAN_FILE, Plan, Program, REPORT_FILE, Report, Running};
use super::{api, isolation};
use crate::shell::{Run, search_path};

/// Between two looks at children, gates and the plan.
const TURN: Duration = Duration::from_millis(50);
/// How long a look at a gate may take.
const GATE_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest and the longest pause before a program that ended is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Runs until it is killed; as its namespaces' first process it then takes every other process with it.
///
/// # Errors
/// When the namespaces cannot be furnished or the plan cannot be read.
pub fn run(state: &Path) -> Result<()> {
    let plan = read_plan(state)?;
    // Before /proc is replaced: it still counts as the machine does.
    let pid = fs::read_link("/proc/self")?
        .to_string_lossy()
        .parse()
        .context("/proc/self is not a number")?;
    let root = match plan.place {
        Place::Own => {
            isolation::enter(state)?;
            inside_root().to_owned()
        }
        Place::Loopback => state.to_owned(),
    };
    let mut supervisor = Supervisor::new(Layout::at(root, plan.place), pid)?;
    loop {
        if let Err(error) = supervisor.turn() {
            say(format_args!("{error:#}"));
            thread::sleep(BACKOFF.1);
        }
        thread::sleep(TURN);
    }
}

struct Supervisor {
    layout: Layout,
    pid: u32,
    runtime: Runtime,
    plan_written: Option<SystemTime>,
    addresses: Vec<Ipv4Addr>,
    order: Vec<String>,
    children: BTreeMap<String, Child>,
    reported: Option<Report>,
}

struct Child {
    program: Program,
    state: State,
    restarts: u32,
    /// Times that it ended soon after its start, one after the other.
    in_a_row: u32,
    ended: Option<String>,
}

enum State {
    /// Waits for its first gate that is still closed.
    Gated,
    Runs {
        pid: u32,
        since: Instant,
    },
    Pauses(Instant),
}

impl Supervisor {
    fn new(layout: Layout, pid: u32) -> Result<Self> {
        Ok(Self {
            layout,
            pid,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            plan_written: None,
            addresses: Vec::new(),
            order: Vec::new(),
            children: BTreeMap::new(),
            reported: None,
        })
    }

    fn turn(&mut self) -> Result<()> {
        self.follow_plan()?;
        self.reap();
        for name in self.order.clone() {
            self.start_if_due(&name)?;
        }
        self.write_report()
    }

    /// Takes in what was added to the plan. Programs are never taken away or changed: `down` ends them all.
    fn follow_plan(&mut self) -> Result<()> {
        let written = fs::metadata(self.layout.host(PLAN_FILE))?.modified()?;
        if self.plan_written == Some(written) {
            return Ok(());
        }
        let plan = read_plan(self.layout.root())?;
        for address in plan.addresses {
            if !self.addresses.contains(&address) {
                Run::new("ip")
                    .args(["address", "add", &format!("{address}/32"), "dev", "lo"])
                    .output()?;
                self.addresses.push(address);
            }
        }
        for program in plan.programs {
            if !self.children.contains_key(&program.name) {
                self.order.push(program.name.clone());
                let child = Child {
                    program,
                    state: State::Gated,
                    restarts: 0,
                    in_a_row: 0,
                    ended: None,
                };
                self.children.insert(child.program.name.clone(), child);
            }
        }
        self.plan_written = Some(written);
        Ok(())
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            let child = self
                .children
                .values_mut()
                .find(|child| matches!(child.state, State::Runs { pid: at, .. } if at == pid));
            // Others are orphans of pods and shims; waiting for them was all they needed.
            let Some(child) = child else { continue };
            child.pause(ending(status));
        }
    }

    fn start_if_due(&mut self, name: &str) -> Result<()> {
        let Some(child) = self.children.get(name) else {
            return Ok(());
        };
        let due = match child.state {
            State::Gated => child.program.gates.iter().all(|gate| self.is_open(gate)),
            State::Pauses(until) => Instant::now() >= until,
            State::Runs { .. } => false,
        };
        if due {
            let pid = self.start(&child.program)?;
            if let Some(child) = self.children.get_mut(name) {
                child.state = State::Runs {
                    pid,
                    since: Instant::now(),
                };
            }
        }
        Ok(())
    }

    fn is_open(&self, gate: &Gate) -> bool {
        match gate {
            Gate::Port(address) => TcpStream::connect_timeout(address, GATE_TIMEOUT).is_ok(),
            Gate::File(path) => path.exists(),
            Gate::ApiServer => self.runtime.block_on(async {
                let kubeconfig = self.layout.host("kubeconfig");
                tokio::time::timeout(GATE_TIMEOUT, api::is_ready(&kubeconfig))
                    .await
                    .is_ok_and(|ready| ready)
            }),
        }
    }

    fn start(&self, program: &Program) -> Result<u32> {
        let path = self.layout.host(log_file(&program.name));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        let child = Command::new(&program.command)
            .args(&program.args)
            .env("TMPDIR", self.layout.host("tmp"))
            .env("PATH", search_path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir("/")
            .spawn()
            .with_context(|| format!("cannot start {} ({})", program.name, program.command.display()))?;
        say(format_args!("{} started", program.name));
        Ok(child.id())
    }

    fn write_report(&mut self) -> Result<()> {
        let programs = self
            .order
            .iter()
            .filter_map(|name| self.children.get(name))
            .map(Child::report)
            .collect();
        let report = Report {
            pid: self.pid,
            programs,
        };
        if self.reported.as_ref() != Some(&report) {
            self.layout
                .write(REPORT_FILE, serde_json::to_vec_pretty(&report)?)?;
            self.reported = Some(report);
        }
        Ok(())
    }
}

impl Child {
    /// It ended: it is started again, at once if it had run for long, later and later if it ends again and again.
    fn pause(&mut self, ending: String) {
        let ran = match self.state {
            State::Runs { since, .. } => since.elapsed(),
            State::Gated | State::Pauses(_) => Duration::ZERO,
        };
        self.in_a_row = if ran > BACKOFF.1 { 0 } else { self.in_a_row + 1 };
        let pause = (BACKOFF.0 * 2_u32.pow(self.in_a_row.min(10))).min(BACKOFF.1);
        say(format_args!(
            "{} ended ({ending}), starting it again in {pause:?}",
            self.program.name
        ));
        self.state = State::Pauses(Instant::now() + pause);
        self.restarts += 1;
        self.ended = Some(ending);
    }

    fn report(&self) -> Running {
        let pid = if let State::Runs { pid, .. } = self.state {
            Some(pid)
        } else {
            None
        };
        Running {
            name: self.program.name.clone(),
            pid,
            restarts: self.restarts,
            ended: self.ended.clone(),
        }
    }
}

fn read_plan(root: &Path) -> Result<Plan> {
    let path = root.join(PLAN_FILE);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not a plan of this version", path.display()))
}

fn ending(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "stopped".to_owned(),
    }
}
