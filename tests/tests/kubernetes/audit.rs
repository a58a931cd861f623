//! Reading the API server's audit log: who wrote what, when.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use pgherd_tests::localkube::audit::{Request, requests_since};

use super::stage::{LONG, Stage};

/// The installed controller's.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:pgherd:pgherd-controller";
/// Who has written nothing for so long has settled.
const SETTLED: Duration = Duration::from_secs(5);

/// The writes since a time, in the order of their completion.
pub(crate) fn writes_since(stage: &Stage, since: Timestamp) -> Result<Vec<Request>> {
    let requests = requests_since(&stage.local.cluster.audit_log(), since)?.into_iter();
    Ok(requests.filter(Request::is_write).collect())
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
