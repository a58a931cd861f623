//! Nothing happens: what the controller costs then.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgherd_tests::localkube::audit::{AuditLog, Request, counts};
use tokio::time::sleep;

use super::Teller;
use super::controller::Controller;
use super::place::Place;
use crate::usage::Memory;

/// So long without a write of the controller, and it has settled.
const QUIET: Duration = Duration::from_secs(8);

/// What was seen.
#[derive(Debug, Clone)]
pub struct Steady {
    /// How long, in seconds.
    pub seconds: f64,
    pub memory: Memory,
    /// CPU time in milliseconds.
    pub cpu: f64,
    /// Without those of the lease.
    pub requests: usize,
    /// Of these, writes.
    pub writes: usize,
    /// By verb and resource, those of the lease too.
    pub by_kind: Vec<(String, usize)>,
}

/// Waits until the controller has nothing to write.
///
/// # Errors
///
/// It goes on and on.
pub async fn wait_for_quiet(log: &mut AuditLog, teller: &Teller) -> Result<()> {
    let begun = Instant::now();
    let mut last = Instant::now();
    while last.elapsed() < QUIET {
        if own(&log.read()?)
            .iter()
            .any(|request| request.is_write() && !request.is_of_the_lease())
        {
            last = Instant::now();
        }
        ensure!(
            begun.elapsed() < Duration::from_mins(5),
            "the controller does not settle"
        );
        sleep(Duration::from_millis(250)).await;
    }
    teller.tell("  the controller has nothing to write any more");
    Ok(())
}

fn own(seen: &[Request]) -> Vec<&Request> {
    seen.iter()
        .filter(|request| request.user == Place::user())
        .collect()
}

/// Watches nothing happen.
///
/// # Errors
///
/// The controller does not settle.
pub async fn measure(
    controller: &Controller,
    log: &mut AuditLog,
    seconds: u64,
    teller: &Teller,
) -> Result<Steady> {
    wait_for_quiet(log, teller).await?;
    teller.tell(format!("{seconds} s of nothing"));
    let (cpu, begun) = (controller.cpu()?, Instant::now());
    sleep(Duration::from_secs(seconds)).await;
    let seen = log.read()?;
    let own = own(&seen);
    let counted: Vec<_> = own.iter().filter(|request| !request.is_of_the_lease()).collect();
    let steady = Steady {
        seconds: begun.elapsed().as_secs_f64(),
        memory: controller.memory()?,
        cpu: controller.cpu()?.saturating_sub(cpu).as_secs_f64() * 1e3,
        requests: counted.len(),
        writes: counted.iter().filter(|request| request.is_write()).count(),
        by_kind: counts(own.iter().copied(), |request| {
            format!("{} {}", request.verb, request.resource)
        }),
    };
    teller.tell(format!(
        "  {} MiB resident, {:.0} ms of CPU, {} requests, {} writes",
        steady.memory.resident >> 20,
        steady.cpu,
        steady.requests,
        steady.writes
    ));
    Ok(steady)
}
