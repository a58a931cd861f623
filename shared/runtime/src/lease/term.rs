//! What to do about a lease, as a pure function of what was seen of it and when.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// What a lease without a duration is taken to last.
const DEFAULT_DURATION: Duration = Duration::from_secs(15);

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Nobody holds it, or its holder is gone.
    Take,
    /// It is ours.
    Renew,
    /// It is somebody else's.
    Wait,
}

/// The last change of the lease that this process saw, and when by its own clock. Clocks of others are never compared with ours.
#[derive(Debug)]
pub(super) struct Seen {
    record: Option<LeaseSpec>,
    at: Option<Instant>,
}

impl Seen {
    pub(super) fn nothing() -> Self {
        Self {
            record: None,
            at: None,
        }
    }

    /// Since when the lease looks as it does.
    fn since(&mut self, spec: &LeaseSpec, now: Instant) -> Instant {
        if self.record.as_ref() != Some(spec) {
            self.record = Some(spec.clone());
            self.at = Some(now);
        }
        *self.at.get_or_insert(now)
    }
}

/// Decides, and remembers what was seen.
pub(super) fn decide(lease: Option<&Lease>, seen: &mut Seen, identity: &str, now: Instant) -> Move {
    let Some(spec) = lease.and_then(|lease| lease.spec.as_ref()) else {
        return Move::Take;
    };
    let since = seen.since(spec, now);
    match spec.holder_identity.as_deref() {
        None | Some("") => Move::Take,
        Some(holder) if holder == identity => Move::Renew,
        Some(_) if now >= since + duration(spec) => Move::Take,
        Some(_) => Move::Wait,
    }
}

/// Who holds the lease.
pub(super) fn holder(lease: Option<&Lease>) -> Option<&str> {
    lease?
        .spec
        .as_ref()?
        .holder_identity
        .as_deref()
        .filter(|holder| !holder.is_empty())
}

/// The lease with `identity` as its holder from `now` on: a new term unless it was its holder before.
pub(super) fn claimed(lease: Option<Lease>, identity: &str, lasts: Duration, now: Timestamp) -> Lease {
    let was_ours = holder(lease.as_ref()) == Some(identity);
    let was_there = lease.is_some();
    let mut lease = lease.unwrap_or_default();
    let spec = lease.spec.get_or_insert_default();
    if !was_ours {
        spec.acquire_time = Some(MicroTime(now));
        let transitions = spec.lease_transitions.unwrap_or(0);
        spec.lease_transitions = Some(if was_there {
            transitions.saturating_add(1)
        } else {
            0
        });
    }
    spec.holder_identity = Some(identity.to_owned());
    spec.lease_duration_seconds = Some(i32::try_from(lasts.as_secs()).unwrap_or(i32::MAX));
    spec.renew_time = Some(MicroTime(now));
    lease
}

/// The lease without a holder.
pub(super) fn released(mut lease: Lease, now: Timestamp) -> Lease {
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(String::new());
    spec.lease_duration_seconds = Some(1);
    spec.renew_time = Some(MicroTime(now));
    lease
}

fn duration(spec: &LeaseSpec) -> Duration {
    let seconds = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(DEFAULT_DURATION, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(identity: &str) -> Lease {
        claimed(None, identity, Duration::from_secs(15), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn waits_a_whole_duration_from_its_own_first_look() {
        let lease = held_by("other");
        let (mut seen, start) = (Seen::nothing(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(
            decide(Some(&lease), &mut seen, "me", start),
            Move::Wait,
            "however old its renewal looks"
        );
        assert_eq!(decide(Some(&lease), &mut seen, "me", at(14)), Move::Wait);
        let renewed = claimed(
            Some(lease),
            "other",
            Duration::from_secs(15),
            Timestamp::from_second(9).unwrap(),
        );
        assert_eq!(decide(Some(&renewed), &mut seen, "me", at(14)), Move::Wait);
        assert_eq!(
            decide(Some(&renewed), &mut seen, "me", at(28)),
            Move::Wait,
            "a renewal starts it anew"
        );
        assert_eq!(decide(Some(&renewed), &mut seen, "me", at(29)), Move::Take);
    }

    #[test]
    fn takes_what_nobody_holds_at_once() {
        let (mut seen, now) = (Seen::nothing(), Instant::now());
        assert_eq!(decide(None, &mut seen, "me", now), Move::Take);
        let free = released(held_by("other"), Timestamp::UNIX_EPOCH);
        assert_eq!(decide(Some(&free), &mut seen, "me", now), Move::Take);
    }

    #[test]
    fn transitions_count_holders_not_renewals() {
        let lease = claimed(
            Some(held_by("a")),
            "a",
            Duration::from_secs(15),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(lease.spec.as_ref().unwrap().lease_transitions, Some(0));
        let lease = claimed(Some(lease), "b", Duration::from_secs(15), Timestamp::UNIX_EPOCH);
        assert_eq!(lease.spec.unwrap().lease_transitions, Some(1));
    }
}
