//! Reading the API server's audit log: who wrote what, when.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::stage::{LONG, Stage};

/// The installed controller's.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:pgherd:pgherd-controller";
/// Who has written nothing for so long has settled.
const SETTLED: Duration = Duration::from_secs(5);

/// One write that the API server served.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) user: String,
    /// The program, as it calls itself.
    pub(crate) agent: String,
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) name: String,
    at: Timestamp,
}

/// The writes since a time, in the order of their completion.
pub(crate) fn writes_since(stage: &Stage, since: Timestamp) -> Result<Vec<Write>> {
    let path = stage.local.cluster.audit_log();
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let writes = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|line| write(&line));
    Ok(writes.filter(|write| write.at >= since).collect())
}

/// Waits until the installed controller has nothing more to write of what was before, but for its lease.
pub(crate) fn settle(stage: &Stage) -> Result<()> {
    let (since, end) = (Timestamp::now(), Instant::now() + LONG);
    let (mut count, mut at) = (0, Instant::now());
    while at.elapsed() < SETTLED {
        let mut writes = writes_since(stage, since)?;
        writes.retain(|write| write.user == ACCOUNT && write.resource != "leases");
        if writes.len() != count {
            (count, at) = (writes.len(), Instant::now());
        }
        ensure!(
            Instant::now() < end,
            "the controller goes on writing: {:?}",
            writes.last()
        );
        sleep(Duration::from_millis(500));
    }
    Ok(())
}

fn write(line: &Value) -> Option<Write> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let object = &line["objectRef"];
    let mut resource = text(&object["resource"])?;
    if let Some(subresource) = object["subresource"].as_str() {
        resource = format!("{resource}/{subresource}");
    }
    Some(Write {
        user: text(&line["user"]["username"])?,
        agent: text(&line["userAgent"]).unwrap_or_default(),
        verb: text(&line["verb"])?,
        resource,
        name: text(&object["name"]).unwrap_or_default(),
        at: line["requestReceivedTimestamp"].as_str()?.parse().ok()?,
    })
}
