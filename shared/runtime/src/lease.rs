//! Leader election over a `Lease`: leadership is a value to look at and to wait for, and it ends here before anybody else can have it.
//!
//! The holder renews with a precondition on the version that it wrote last, so two holders cannot both succeed. It counts its time from
//! the moment at which it *sent* the last successful renewal; others count the longer `duration` from the moment at which they saw it.
//! A request that hangs, a lost answer or a stopped process therefore end leadership here first.
//!
//! Not here: what a leader does.

mod term;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::args::LeaseArgs;
use crate::shutdown::Shutdown;
use crate::tasks::chain;
use term::{Move, Seen};

/// How long a release may take at the end.
const RELEASE_PATIENCE: Duration = Duration::from_secs(3);

/// Which lease, under which name, with which times.
#[derive(Debug, Clone)]
pub struct LeaseParams {
    namespace: String,
    name: String,
    identity: String,
    duration: Duration,
    renew_deadline: Duration,
}

/// The times of a lease do not fit together.
#[derive(Debug, thiserror::Error)]
#[error(
    "a renew deadline of {renew_deadline:?} does not fit a lease of {duration:?}: it must be at least 1s shorter, and \
     at least 2s; change --renew-deadline or --lease-duration"
)]
pub struct LeaseTimingError {
    duration: Duration,
    renew_deadline: Duration,
}

/// Whether this process leads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Leadership {
    standing: watch::Receiver<Standing>,
}

/// What the election knows of itself.
#[derive(Debug, Clone, Default)]
struct Standing {
    /// Until when this process leads unless it renews: by the steady clock, and by the wall clock, which also runs while a machine
    /// sleeps.
    until: Option<(Instant, SystemTime)>,
    /// Who holds the lease.
    holder: Arc<str>,
}

impl LeaseParams {
    /// The lease `namespace/name`, with the process's identity and times from `args`.
    ///
    /// # Errors
    ///
    /// The times do not fit together.
    pub fn new(namespace: &str, name: &str, args: &LeaseArgs) -> Result<Self, LeaseTimingError> {
        let (duration, renew_deadline) = (args.lease_duration, args.renew_deadline);
        if renew_deadline < Duration::from_secs(2) || renew_deadline + Duration::from_secs(1) > duration {
            return Err(LeaseTimingError {
                duration,
                renew_deadline,
            });
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: args.identity(),
            duration,
            renew_deadline,
        })
    }

    /// Between successful renewals: late enough to be cheap, early enough for several tries.
    fn renew_period(&self) -> Duration {
        self.renew_deadline / 2
    }

    /// Between tries when something failed, and between looks at a lease that somebody else holds.
    fn retry_period(&self) -> Duration {
        self.renew_deadline / 5
    }
}

impl Leadership {
    /// Does this process lead now? Ask before every write: the answer counts from the clock, not from a message that may be late.
    pub fn is_leader(&self) -> bool {
        self.standing.borrow().leads()
    }

    /// Who holds the lease, as far as known; empty for nobody.
    pub fn holder(&self) -> Arc<str> {
        Arc::clone(&self.standing.borrow().holder)
    }

    /// Waits until this process leads. For ever, when the election has ended.
    pub async fn acquired(&mut self) {
        if self.standing.wait_for(Standing::leads).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this process does not lead (any more).
    pub async fn lost(&mut self) {
        loop {
            let until = self.standing.borrow_and_update().until;
            let Some((deadline, _)) = until.filter(|_| self.is_leader()) else {
                return;
            };
            tokio::select! {
                changed = self.standing.changed() => if changed.is_err() { return },
                () = sleep_until(deadline) => {}
            }
        }
    }
}

impl Standing {
    fn leads(&self) -> bool {
        self.until
            .is_some_and(|(steady, wall)| Instant::now() < steady && SystemTime::now() < wall)
    }
}

/// Runs for the lease. The future is the task that does the work: run it as a companion, so that the lease is held until the work has
/// drained, and given back then.
pub fn elect(
    client: Client,
    params: LeaseParams,
    shutdown: Shutdown,
) -> (
    Leadership,
    impl Future<Output = Result<(), std::convert::Infallible>> + Send + 'static,
) {
    let (sender, standing) = watch::channel(Standing::default());
    let api = Api::namespaced(client, &params.namespace);
    let candidate = Candidate {
        api,
        seen: Seen::nothing(),
        held: None,
        sender,
        params,
    };
    (Leadership { standing }, async move {
        candidate.run(shutdown).await;
        Ok(())
    })
}

struct Candidate {
    api: Api<Lease>,
    params: LeaseParams,
    seen: Seen,
    /// The lease as this process last wrote it, as long as nobody else is known to have.
    held: Option<Lease>,
    sender: watch::Sender<Standing>,
}

impl Candidate {
    async fn run(mut self, shutdown: Shutdown) {
        loop {
            let pause = tokio::select! {
                () = shutdown.drained() => break,
                pause = self.try_in_time() => pause,
            };
            tokio::select! {
                () = shutdown.drained() => break,
                () = sleep(pause) => {}
            }
        }
        self.release().await;
    }

    /// One try, cut off when leadership runs out during it. Gives the pause until the next one.
    async fn try_in_time(&mut self) -> Duration {
        let deadline = self
            .deadline()
            .unwrap_or_else(|| Instant::now() + self.params.renew_deadline);
        let outcome = timeout_at(deadline, self.try_once()).await;
        let pause = match outcome {
            Ok(Ok(pause)) => pause,
            Ok(Err(err)) => {
                self.held = None;
                self.say_failure(&chain(&err));
                self.params.retry_period()
            }
            Err(_) => {
                self.held = None;
                self.say_failure("no answer in time");
                Duration::ZERO
            }
        };
        if self.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
            self.step_down("could not be renewed in time");
        }
        pause
    }

    fn deadline(&self) -> Option<Instant> {
        self.sender.borrow().until.map(|(steady, _)| steady)
    }

    async fn try_once(&mut self) -> Result<Duration, kube::Error> {
        let present = match self.held.take() {
            Some(lease) => Some(lease),
            None => self.api.get_opt(&self.params.name).await?,
        };
        let sent = (Instant::now(), SystemTime::now());
        let chosen = term::decide(present.as_ref(), &mut self.seen, &self.params.identity, sent.0);
        let wanted = match chosen {
            Move::Wait => {
                self.note_holder(present.as_ref());
                return Ok(self.params.retry_period());
            }
            Move::Take | Move::Renew => term::claimed(
                present,
                &self.params.identity,
                self.params.duration,
                Timestamp::now(),
            ),
        };
        let written = self.write(wanted).await?;
        self.held = Some(written);
        self.lead(sent);
        Ok(self.params.renew_period())
    }

    /// Replaces with the version that was read as precondition; creates when there was none.
    async fn write(&self, mut wanted: Lease) -> Result<Lease, kube::Error> {
        let post = PostParams::default();
        if wanted.metadata.resource_version.is_none() {
            wanted.metadata.name = Some(self.params.name.clone());
            self.api.create(&post, &wanted).await
        } else {
            self.api.replace(&self.params.name, &post, &wanted).await
        }
    }

    fn lead(&self, sent: (Instant, SystemTime)) {
        let grace = self.params.renew_deadline;
        let until = Some((sent.0 + grace, sent.1 + grace));
        let news = self.sender.send_if_modified(|standing| {
            let news = standing.until.is_none();
            standing.until = until;
            standing.holder = self.params.identity.as_str().into();
            news
        });
        if news {
            info!(lease = %self.params.name, identity = %self.params.identity, "leading");
        }
    }

    /// Somebody else holds the lease.
    fn note_holder(&self, lease: Option<&Lease>) {
        let holder = term::holder(lease).unwrap_or_default();
        self.step_down("is held by another");
        let news = self.sender.send_if_modified(|standing| {
            let news = *standing.holder != *holder;
            standing.holder = holder.into();
            news
        });
        if news {
            info!(lease = %self.params.name, %holder, "waiting for the lease");
        }
    }

    fn step_down(&self, reason: &str) {
        let news = self
            .sender
            .send_if_modified(|standing| standing.until.take().is_some());
        if news {
            warn!(lease = %self.params.name, reason, "no longer leading");
        }
    }

    fn say_failure(&self, reason: &str) {
        if self.deadline().is_some() {
            warn!(lease = %self.params.name, reason, "cannot renew the lease; trying again");
        } else {
            debug!(lease = %self.params.name, reason, "cannot take the lease; trying again");
        }
    }

    /// Gives the lease back, so that another need not wait for it to run out.
    async fn release(mut self) {
        let led = self
            .sender
            .send_if_modified(|standing| standing.until.take().is_some());
        if !led {
            return;
        }
        let released = timeout(RELEASE_PATIENCE, self.write_release()).await;
        match released {
            Ok(Ok(())) => info!(lease = %self.params.name, "lease given back"),
            Ok(Err(err)) => warn!(lease = %self.params.name, reason = %chain(&err), "lease not given back"),
            Err(_) => warn!(lease = %self.params.name, reason = "no answer in time", "lease not given back"),
        }
    }

    async fn write_release(&mut self) -> Result<(), kube::Error> {
        let present = match self.held.take() {
            Some(lease) => Some(lease),
            None => self.api.get_opt(&self.params.name).await?,
        };
        if let Some(lease) = present.filter(|lease| term::holder(Some(lease)) == Some(&self.params.identity))
        {
            self.write(term::released(lease, Timestamp::now())).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
