//! When to change the bundle, and how: a pure function of the bundle, of what is trusted out there, and of the time.
//!
//! ```text
//! (nothing) ─Create─► active ─Publish─► active + next ─Promote─► active + old ─Drop─► active
//!                                          │  the next one is trusted everywhere, and has been for a while
//!                                          └─ Replace: the active one has run out, there is nothing to lose
//! ```

use std::time::Duration;

use jiff::Timestamp;

use crate::authority::{Authority, AuthorityError, Certificate, after};
use crate::bundle::Bundle;
use crate::leaf::Leaf;
use crate::policy::Policy;

/// One change of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Make the first authority, or save what is left of a lost bundle.
    Create,
    /// Make the next authority, so that others begin to trust it.
    Publish,
    /// The next authority signs from now on.
    Promote,
    /// The active authority has run out: a new one signs from now on.
    Replace,
    /// Old authorities whose last leaf is gone are no longer trusted.
    Drop,
}

/// What one webhook configuration makes the API server trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The certificates that every one of its entries trusts.
    pub certificates: Vec<Certificate>,
    /// Since when the configuration has been seen unchanged.
    pub since: Timestamp,
}

/// The next change to make, if any. `bundle` is none when the Secret is not there or cannot be read. `trust` has one item for each
/// configuration that we keep, none for one that is not there.
pub fn next_change(
    bundle: Option<&Bundle>,
    trust: &[Option<Trust>],
    now: Timestamp,
    policy: &Policy,
) -> Option<Change> {
    let Some(bundle) = bundle else {
        return Some(Change::Create);
    };
    let active = bundle.active.certificate();
    if now >= active.not_after() {
        return Some(Change::Replace);
    }
    if let Some(next) = &bundle.next {
        if now >= next.certificate().not_after() {
            return Some(Change::Publish);
        }
        if has_settled(next.certificate(), trust, active.not_after(), now, policy) {
            return Some(Change::Promote);
        }
    } else if now >= renewal_of(active, policy) {
        return Some(Change::Publish);
    }
    bundle
        .old
        .iter()
        .any(|old| now >= old.until)
        .then_some(Change::Drop)
}

/// Carries out a change. `known` are the certificates that a lost bundle's leaves may have been signed by.
///
/// # Errors
///
/// A new authority could not be made.
pub fn carry_out(
    change: Change,
    bundle: Option<Bundle>,
    known: &[Certificate],
    now: Timestamp,
    policy: &Policy,
) -> Result<Bundle, AuthorityError> {
    let fresh = || Authority::make(now, policy.authority_life);
    let Some(mut bundle) = bundle else {
        let mut first = Bundle::new(fresh()?);
        for certificate in known {
            first.retire(certificate.clone(), now, policy);
        }
        return Ok(first);
    };
    match change {
        Change::Create => {
            // What the process remembers of a lost bundle signs on, so that nothing fails, and is replaced soon: whoever deleted the
            // Secret may have wanted just that.
            let forgotten = bundle
                .next
                .replace(fresh()?)
                .map(|authority| authority.certificate().clone());
            for certificate in known.iter().cloned().chain(forgotten) {
                bundle.retire(certificate, now, policy);
            }
        }
        Change::Publish => bundle.next = Some(fresh()?),
        Change::Promote => {
            if let Some(next) = bundle.next.take() {
                bundle = bundle.succeeded_by(next, now, policy);
            }
        }
        Change::Replace => {
            let next = bundle.next.take().filter(|next| next.certificate().is_valid(now));
            let successor = next.map_or_else(fresh, Ok)?;
            bundle = bundle.succeeded_by(successor, now, policy);
        }
        Change::Drop => bundle.old.retain(|old| now < old.until),
    }
    Ok(bundle)
}

/// Is a new leaf due: for want of a valid one, of life left, or of an issuer that still signs? The issuer changes only once the new one has
/// been trusted everywhere for a while, as long as the present leaf is valid.
pub fn leaf_is_due(
    leaf: Option<&Leaf>,
    active: &Authority,
    trust: &[Option<Trust>],
    now: Timestamp,
    policy: &Policy,
) -> bool {
    let Some(leaf) = leaf.filter(|leaf| leaf.certificate().is_valid(now)) else {
        return true;
    };
    if leaf.issuer() != Some(active.certificate()) {
        let end = leaf.certificate().not_after();
        return has_settled(active.certificate(), trust, end, now, policy);
    }
    let best = after(now, policy.leaf_life)
        .unwrap_or(Timestamp::MAX)
        .min(active.certificate().not_after());
    let gain = best.duration_since(leaf.certificate().not_after());
    // Near its authority's end a new leaf would not live longer than the present one.
    now >= before(leaf.certificate().not_after(), policy.leaf_life / 3)
        && gain > seconds(policy.leaf_life / 10)
}

/// The next time at which something becomes due that no event announces.
pub fn next_due(
    bundle: &Bundle,
    trust: &[Option<Trust>],
    leaf: &Leaf,
    now: Timestamp,
    policy: &Policy,
) -> Timestamp {
    let active = bundle.active.certificate();
    let mut times = vec![active.not_after(), leaf.certificate().not_after()];
    times.push(before(leaf.certificate().not_after(), policy.leaf_life / 3));
    times.extend(bundle.next.as_ref().map(|next| next.certificate().not_after()));
    if bundle.next.is_none() {
        times.push(renewal_of(active, policy));
    }
    if bundle.next.is_some() || leaf.issuer() != Some(active) {
        let ends = [active.not_after(), leaf.certificate().not_after()];
        let changed = trust.iter().flatten().map(|trust| trust.since).max();
        times.extend(
            changed
                .into_iter()
                .flat_map(|since| ends.map(|end| settles_at(since, end, policy))),
        );
    }
    times.extend(bundle.old.iter().map(|old| old.until));
    // What is past was looked at just now, and waits for something else.
    times
        .into_iter()
        .filter(|time| *time > now)
        .min()
        .unwrap_or(Timestamp::MAX)
}

/// Has `next` been trusted everywhere for long enough to take the place of what lives until `end`?
fn has_settled(
    next: &Certificate,
    trust: &[Option<Trust>],
    end: Timestamp,
    now: Timestamp,
    policy: &Policy,
) -> bool {
    !trust.is_empty()
        && trust.iter().all(|trust| {
            trust.as_ref().is_some_and(|trust| {
                trust.certificates.contains(next) && now >= settles_at(trust.since, end, policy)
            })
        })
}

/// When trust that has been unchanged since then has settled. What ends soon (made by a policy of shorter times, or kept by nobody for long)
/// is not waited for until it has ended: half of what was left to it has to do.
fn settles_at(since: Timestamp, end: Timestamp, policy: &Policy) -> Timestamp {
    let left = Duration::try_from(end.duration_since(since)).unwrap_or_default();
    after(since, policy.settle.min(left / 2)).unwrap_or(Timestamp::MAX)
}

fn renewal_of(active: &Certificate, policy: &Policy) -> Timestamp {
    before(active.not_after(), policy.authority_life / 3)
}

fn before(end: Timestamp, left: Duration) -> Timestamp {
    end.checked_sub(left).unwrap_or(Timestamp::MIN)
}

fn seconds(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
