//! Many clusters applied at once: until every object exists, until all run, and what that costs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use pgherd_tests::localkube::audit::{AuditLog, Request, counts};

use super::Teller;
use super::clusters::{Clusters, Name};
use super::controller::Controller;
use super::place::Place;
use super::statistics::number;
use crate::usage::Memory;

/// A limit against hanging: the controller manager makes few pods per second.
const LIMIT: Duration = Duration::from_mins(6);
/// What the controller does last, it does within this time.
const END: Duration = Duration::from_secs(3);
/// What the controller counts its turns in.
const TURNS: &str = "pgherd_controller_turns_total";

/// What was seen.
#[derive(Debug, Clone)]
pub struct Creation {
    pub clusters: usize,
    /// Objects that the controller created.
    pub objects: usize,
    /// From the first manifest until the client had written all of them, in seconds.
    pub applied: f64,
    /// From the first manifest until the last object existed.
    pub exist: f64,
    /// Until all run.
    pub running: f64,
    /// The controller's requests per cluster.
    pub requests: f64,
    /// The same by verb and resource, most first.
    pub by_kind: Vec<(String, f64)>,
    /// Everybody's requests per cluster, as far as the API server records them.
    pub by_user: Vec<(String, f64)>,
    /// The controller's CPU, in milliseconds per cluster.
    pub cpu: f64,
    /// Turns that the controller gave, per cluster.
    pub turns: f64,
    pub memory: Memory,
}

/// Applies them, and waits until they run.
///
/// # Errors
///
/// They do not.
pub async fn measure(
    clusters: &Clusters,
    controller: &Controller,
    log: &mut AuditLog,
    names: &[Name],
    teller: &Teller,
) -> Result<Creation> {
    teller.tell(format!("{} clusters, applied at once", names.len()));
    log.read()?;
    let cpu = controller.cpu()?;
    let turns = controller.count(TURNS)?;
    let (begun, since) = (Instant::now(), Timestamp::now());
    clusters.apply(names).await?;
    let applied = begun.elapsed().as_secs_f64();
    teller.tell(format!("  all applied after {applied:.1} s"));
    let wanted: Vec<_> = names.iter().map(|name| (name, 1)).collect();
    let running = clusters.wait_until_running(&wanted, LIMIT, teller).await?;
    let running = running.duration_since(begun).as_secs_f64();
    tokio::time::sleep(END).await;
    let cpu = controller.cpu()?.saturating_sub(cpu);
    let turns = controller.count(TURNS)? - turns;
    let seen = log.read()?;
    let own: Vec<&Request> = seen
        .iter()
        .filter(|request| request.user == Place::user() && !request.is_of_the_lease())
        .collect();
    let created = own
        .iter()
        .filter(|request| request.code == 201 && request.resource != "events");
    let last = created
        .clone()
        .map(|request| request.done)
        .max()
        .context("the controller created nothing")?;
    let each = |(what, count): (String, usize)| (what, number(count) / number(names.len()));
    let creation = Creation {
        clusters: names.len(),
        objects: created.count(),
        applied,
        exist: last.duration_since(since).as_secs_f64(),
        running,
        requests: number(own.len()) / number(names.len()),
        by_kind: counts(own.iter().copied(), |request| {
            format!("{} {}", request.verb, request.resource)
        })
        .into_iter()
        .map(each)
        .collect(),
        by_user: counts(&seen, who).into_iter().map(each).collect(),
        cpu: cpu.as_secs_f64() * 1e3 / number(names.len()),
        turns: turns / number(names.len()),
        memory: controller.memory()?,
    };
    teller.tell(format!(
        "  all objects exist after {:.1} s, all run after {:.1} s; {:.1} requests, {:.1} turns and {:.1} ms of CPU per cluster",
        creation.exist, creation.running, creation.requests, creation.turns, creation.cpu
    ));
    Ok(creation)
}

/// Programs that share an account are told apart by how they call themselves.
fn who(request: &Request) -> String {
    match request.user.strip_prefix("system:serviceaccount:kube-system:") {
        Some(controller) => format!("controller manager: {controller}"),
        None if request.user.starts_with("system:") => request.user.clone(),
        None => request.agent.clone(),
    }
}
