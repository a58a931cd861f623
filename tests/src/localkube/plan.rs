//! The values that pass between `up` and the supervisor: what shall run, and what runs. No decision is made here.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::Place;

/// What is asked of a local Kubernetes. One that runs is extended to it, never reduced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Nodes that run pods, from 1 to 8.
    pub nodes: u8,
    /// Only the API server and what stands behind it: no pods, no nodes.
    pub control_plane_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            control_plane_only: false,
        }
    }
}

impl Options {
    /// Both wishes at once.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            nodes: self.nodes.max(other.nodes),
            control_plane_only: self.control_plane_only && other.control_plane_only,
        }
    }

    /// How many nodes there are in the end.
    pub(super) fn node_count(&self) -> u8 {
        if self.control_plane_only { 0 } else { self.nodes }
    }
}

/// What shall run. Written by `up`, read by the supervisor, again whenever it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub options: Options,
    pub place: Place,
    /// Addresses of the nodes.
    pub addresses: Vec<Ipv4Addr>,
    /// In the order in which they are shown.
    pub programs: Vec<Program>,
}

/// A program that is kept running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Program {
    /// Unique; also the name of its log.
    pub name: String,
    pub command: PathBuf,
    pub args: Vec<String>,
    /// What must be there before it is started for the first time.
    pub gates: Vec<Gate>,
}

/// Something that a program waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Gate {
    /// Somebody listens there.
    Port(SocketAddr),
    /// The file (or socket) exists.
    File(PathBuf),
    /// The API server calls itself ready.
    ApiServer,
}

/// What runs. Written by the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// The supervisor's own number, as the machine counts.
    pub pid: u32,
    pub programs: Vec<Running>,
}

/// One program that runs or will run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    pub name: String,
    /// As its own namespace counts; none while it waits to be started.
    pub pid: Option<u32>,
    /// How often it ended and had to be started again.
    pub restarts: u32,
    /// How it ended last.
    pub ended: Option<String>,
}

/// The plan's file in the state directory.
pub(super) const PLAN_FILE: &str = "plan.json";
/// The report's file in the state directory.
pub(super) const REPORT_FILE: &str = "report.json";
