//! Edits: from the API server's word that it has the new manifest until it has the service that the edit changes. One after the other, and
//! while many other clusters roll their pods because of an edit.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use pgherd_tests::localkube::audit::AuditLog;
use serde_json::json;
use tokio::time::sleep;

use super::Teller;
use super::clusters::{AT_ONCE, Clusters, Name, Names};
use super::place::Place;
use super::statistics::Durations;

/// Between two edits that are timed.
const PAUSE: Duration = Duration::from_millis(100);
/// Nobody waits longer.
const LIMIT: Duration = Duration::from_mins(3);
/// A burst needs clusters that it rolls, and others that are timed.
const TIMED: usize = 50;

/// Pickups in a burst.
#[derive(Debug, Clone)]
pub struct Burst {
    /// Clusters whose pods rolled meanwhile.
    pub rolling: usize,
    pub pickups: Durations,
    /// How long it took until all ran again.
    pub over: f64,
}

/// So many edits of different clusters, one after the other.
///
/// # Errors
///
/// One is not picked up.
pub async fn single(
    clusters: &Clusters,
    log: &mut AuditLog,
    names: &Names,
    count: usize,
    teller: &Teller,
) -> Result<Durations> {
    let edited: Vec<&Name> = names.all().iter().take(count).collect();
    teller.tell(format!("{} edits, one after the other", edited.len()));
    log.read()?;
    let pickups = time(clusters, log, &edited, "single").await?;
    teller.tell(format!(
        "  picked up after {:.3} s (p50), {:.3} s (p99)",
        pickups.percentile(50),
        pickups.percentile(99)
    ));
    Ok(pickups)
}

/// Edits that roll pods in half of the clusters, as fast as they can be written; meanwhile others, twice.
///
/// # Errors
///
/// One is not picked up, or a cluster does not run any more.
pub async fn in_a_burst(
    clusters: &Clusters,
    log: &mut AuditLog,
    names: &Names,
    count: usize,
    teller: &Teller,
) -> Result<Burst> {
    let (rolling, others) = names
        .all()
        .split_at(count.min(names.all().len().saturating_sub(1)));
    let timed: Vec<&Name> = others.iter().take(TIMED).collect();
    let mut pickups = Vec::new();
    let begun = Timestamp::now();
    for round in ["200m", "300m"] {
        teller.tell(format!(
            "{} edits while {} clusters roll",
            timed.len(),
            rolling.len()
        ));
        log.read()?;
        let spec = json!({"resources": {"requests": {"cpu": round}}});
        let edit = |name| clusters.edit(name, &spec);
        let edits = stream::iter(rolling).map(edit).buffered(AT_ONCE);
        let edits = edits.try_collect::<Vec<_>>();
        let (edits, timed) = tokio::join!(edits, time(clusters, log, &timed, round));
        pickups.extend(timed?);
        let wanted: Vec<_> = rolling
            .iter()
            .zip(edits?)
            .map(|(name, (_, generation))| (name, generation))
            .collect();
        clusters.wait_until_running(&wanted, LIMIT, teller).await?;
    }
    let burst = Burst {
        rolling: rolling.len(),
        pickups: pickups.into_iter().collect(),
        over: Timestamp::now().duration_since(begun).as_secs_f64(),
    };
    teller.tell(format!(
        "  picked up after {:.3} s (p50), {:.3} s (p99); all run again after {:.0} s",
        burst.pickups.percentile(50),
        burst.pickups.percentile(99),
        burst.over
    ));
    Ok(burst)
}

/// Edits them and waits until their services are written.
async fn time(clusters: &Clusters, log: &mut AuditLog, edited: &[&Name], round: &str) -> Result<Durations> {
    let spec = json!({"serviceAnnotations": {"round": round}});
    let mut waiting = HashMap::new();
    for &name in edited {
        let (at, _) = clusters.edit(name, &spec).await?;
        waiting.insert(name.name.clone(), at);
        sleep(PAUSE).await;
    }
    let end = Timestamp::now() + LIMIT;
    let mut pickups = Vec::new();
    loop {
        for request in log.read()? {
            let is_it = request.user == Place::user() && request.resource == "services" && request.is_write();
            if is_it && let Some(at) = waiting.remove(&request.name) {
                // The edit's answer travels while the controller works.
                let took = request.done.duration_since(at);
                pickups.push(Duration::try_from(took).unwrap_or_default());
            }
        }
        if waiting.is_empty() {
            return Ok(pickups.into_iter().collect());
        }
        ensure!(
            Timestamp::now() < end,
            "{} edits were not picked up",
            waiting.len()
        );
        sleep(Duration::from_millis(100)).await;
    }
}
