//! The cluster in one of Zalando's words (zalando-behaviour 1.1, Appendix C). Differs from Zalando's on purpose in two ways: `Running` is
//! only said of a cluster that is seen to run, and what is being done about one that does not is visible as `Updating`.

use pgherd_model::api::status::ClusterStatus;

use super::{Manifest, Outcome, Subject};

pub(super) fn of(subject: &Subject<'_>, is_ready: bool) -> ClusterStatus {
    let previous = subject.observed.cluster.status.postgres_cluster_status;
    let has_run = has_run(subject, previous);
    match (subject.manifest, subject.outcome) {
        _ if subject.observed.is_deleting() => previous,
        // Another operator may be at work, whose word this is.
        (_, outcome) if outcome.is_hands_off() => previous,
        (Manifest::Invalid { in_force: None, .. }, _) => ClusterStatus::Invalid,
        (Manifest::Invalid { .. }, _) => ClusterStatus::UpdateFailed,
        (Manifest::Valid { .. }, Outcome::Failed(_)) => failed(subject, previous, has_run),
        (Manifest::Valid { .. }, _) if is_ready => ClusterStatus::Running,
        (Manifest::Valid { .. }, _) if has_run => ClusterStatus::Updating,
        (Manifest::Valid { .. }, _) => ClusterStatus::Creating,
    }
}

/// It has been up at some time.
fn has_run(subject: &Subject<'_>, previous: ClusterStatus) -> bool {
    match previous {
        ClusterStatus::Running
        | ClusterStatus::Updating
        | ClusterStatus::UpdateFailed
        | ClusterStatus::SyncFailed => true,
        ClusterStatus::Unknown | ClusterStatus::Creating | ClusterStatus::CreateFailed => false,
        ClusterStatus::Invalid => subject.observed.cluster.status.last_good_spec.is_some(),
    }
}

/// Which of the three: making it, an edit, or upkeep.
fn failed(subject: &Subject<'_>, previous: ClusterStatus, has_run: bool) -> ClusterStatus {
    let seen = subject.observed.cluster.status.observed_generation;
    let edited = seen.is_some_and(|seen| seen != subject.observed.cluster.generation);
    match previous {
        _ if !has_run => ClusterStatus::CreateFailed,
        ClusterStatus::Updating | ClusterStatus::UpdateFailed => ClusterStatus::UpdateFailed,
        _ if edited => ClusterStatus::UpdateFailed,
        _ => ClusterStatus::SyncFailed,
    }
}
