//! Room for reviews: how many bytes may have come in, how many objects may be taken apart, how many reviews may be decided, all at the
//! same time. Whoever finds no room waits a moment, and is then refused; nobody holds room for what has not come in yet.
//!
//! The sum is the memory that reviews can take, whatever clients send: see [`Limits`].

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::limits::{BODY_LIMIT, Limits};

const KIB: usize = 1 << 10;
/// Bodies above this are rare, and come in one by one.
const LARGE: usize = 512 * KIB;
/// Memory of an object that was taken apart, as a multiple of its text: the worst that was seen, a list of empty objects, takes more; the
/// API server's size limits keep such lists from being large.
const APART: usize = 12;

/// No room in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// All room there is.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    reviews: Semaphore,
    large: Semaphore,
    /// In KiB.
    arrived: Semaphore,
    /// In KiB.
    apart: Semaphore,
    apart_total: usize,
}

/// Room for a body, growing as it comes in. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    budget: &'a Budget,
    _large: Option<SemaphorePermit<'a>>,
    arrived: Option<SemaphorePermit<'a>>,
}

/// A review's turn to be decided. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _review: SemaphorePermit<'a>,
    _apart: SemaphorePermit<'a>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        // Less than one whole body would never let it in.
        let arrived = (limits.max_body_memory / KIB).max(2 * BODY_LIMIT / KIB);
        let apart_total = (limits.max_object_memory / KIB).max(1);
        Self {
            reviews: Semaphore::new(limits.max_reviews),
            large: Semaphore::new(1),
            arrived: Semaphore::new(arrived),
            apart: Semaphore::new(apart_total),
            apart_total,
            limits: limits.clone(),
        }
    }

    /// Lets a body begin to come in; `announced` is its length, where the client tells.
    pub(crate) async fn arrival(&self, announced: Option<usize>) -> Result<Arrival<'_>, Full> {
        let is_large = announced.is_none_or(|length| length > LARGE);
        let large = if is_large {
            Some(self.wait(&self.large, 1).await?)
        } else {
            None
        };
        Ok(Arrival {
            budget: self,
            _large: large,
            arrived: None,
        })
    }

    /// Waits for a review's turn. Its body has come in.
    pub(crate) async fn turn(&self, length: usize) -> Result<Turn<'_>, Full> {
        let review = self.wait(&self.reviews, 1).await?;
        let apart = (length * APART).div_ceil(KIB).clamp(1, self.apart_total);
        Ok(Turn {
            _review: review,
            _apart: self.wait(&self.apart, apart).await?,
        })
    }

    async fn wait<'a>(&self, room: &'a Semaphore, amount: usize) -> Result<SemaphorePermit<'a>, Full> {
        let amount = u32::try_from(amount).map_err(|_| Full)?;
        if let Ok(permit) = room.try_acquire_many(amount) {
            return Ok(permit);
        }
        match timeout(self.limits.queue_timeout, room.acquire_many(amount)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }
}

impl Arrival<'_> {
    /// Makes room for a body that has grown to `length`.
    pub(crate) async fn grow(&mut self, length: usize) -> Result<(), Full> {
        let held = self.arrived.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = length.div_ceil(KIB).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let permit = self.budget.wait(&self.budget.arrived, more).await?;
        match &mut self.arrived {
            Some(arrived) => arrived.merge(permit),
            None => self.arrived = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn budget(change: impl Fn(&mut Limits)) -> Budget {
        let mut limits = Limits {
            queue_timeout: Duration::from_secs(1),
            ..Limits::default()
        };
        change(&mut limits);
        Budget::new(&limits)
    }

    #[tokio::test(start_paused = true)]
    async fn body_holds_room_for_what_has_come_in_only() {
        let budget = budget(|limits| limits.max_body_memory = 16 << 20);
        let mut slow = budget.arrival(Some(100 * KIB)).await.unwrap();
        slow.grow(1).await.unwrap();
        assert_eq!(budget.arrived.available_permits(), (16 << 10) - 1);
        slow.grow(KIB + 1).await.unwrap();
        assert_eq!(budget.arrived.available_permits(), (16 << 10) - 2);
        drop(slow);
        assert_eq!(budget.arrived.available_permits(), 16 << 10);
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_and_those_of_unknown_length_come_in_one_by_one() {
        let budget = budget(|_| {});
        let first = budget.arrival(Some(8 << 20)).await.unwrap();
        assert_eq!(budget.arrival(None).await.err(), Some(Full));
        assert!(
            budget.arrival(Some(4 * KIB)).await.is_ok(),
            "ordinary ones pass them by"
        );
        drop(first);
        assert!(budget.arrival(None).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_weighs_what_the_object_will() {
        let budget = budget(|limits| limits.max_object_memory = 100 << 20);
        let large = budget.turn(8 << 20).await.unwrap();
        assert_eq!(budget.turn(8 << 20).await.err(), Some(Full));
        let small = budget.turn(8 * KIB).await.unwrap();
        drop((large, small));
        assert!(
            budget.turn(80 << 20).await.is_ok(),
            "more than there is takes all there is"
        );
    }
}
