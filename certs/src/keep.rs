//! The loop of each replica: looks at the configurations and at the Secret, changes one thing, renews its leaf, looks again.
//!
//! Replicas do not talk to each other and none leads: each write carries the version that it is based on, and whoever is slower reads
//! again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use pgherd_runtime::readiness::Gate;
use pgherd_runtime::shutdown::Shutdown;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::authority::{AuthorityError, Certificate};
use crate::bundle::Bundle;
use crate::inject::{Configuration, InjectError, Kind};
use crate::leaf::{Leaf, LeafError};
use crate::metrics::CertMetrics;
use crate::news::{News, news, next};
use crate::policy::Policy;
use crate::rotation::{Change, Trust, carry_out, leaf_is_due, next_change, next_due};
use crate::serving::Serving;
use crate::store::{Store, StoreError, Stored};
use crate::watched::{PROPAGATION, Watched, read_all};

/// Even when no event tells of a change, look this often.
const LOOK_EVERY: Duration = Duration::from_mins(10);
/// Sleeps are cut to this, because sleeping clocks stand still while a machine is suspended.
const NAP: Duration = Duration::from_mins(1);
/// After a first conflict, and between looks that follow each other.
const BREATH: Duration = Duration::from_millis(30);
/// Age, by its certificate, of an authority that was made a minute ago.
const BACKDATE_AND_MINUTE: SignedDuration = SignedDuration::from_secs(3_660);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// What to keep.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// The webhook configurations that are to trust us.
    pub configurations: Vec<(Kind, String)>,
    /// DNS names and addresses of the leaf.
    pub names: Vec<String>,
    /// How long things live.
    pub policy: Policy,
}

/// A look failed.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The Secret.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A configuration.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// A new authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A new leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
}

impl KeepError {
    fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Conflict(_)) | Self::Inject(InjectError::Conflict(_))
        )
    }
}

/// Keeps certificates until shutdown begins: run it as a task. `gate` opens when a leaf is served that the API server trusts.
pub fn keep(
    client: &Client,
    settings: &Settings,
    serving: Arc<Serving>,
    gate: Gate,
    metrics: CertMetrics,
    shutdown: Shutdown,
) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
    let mut keeper = Keeper::new(client, settings, serving, gate, metrics, Timestamp::now);
    let mut news = news(
        client,
        &settings.configurations,
        Some((&settings.namespace, &settings.secret)),
    );
    async move {
        tokio::select! {
            () = shutdown.begun() => {}
            () = keeper.run(&mut news) => {}
        }
        Ok(())
    }
}

struct Keeper {
    store: Store,
    targets: Vec<Watched>,
    names: Vec<String>,
    policy: Policy,
    serving: Arc<Serving>,
    gate: Gate,
    is_open: bool,
    metrics: CertMetrics,
    /// The last bundle read: what is saved when somebody deletes the Secret.
    remembered: Option<Bundle>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Keeper {
    fn new(
        client: &Client,
        settings: &Settings,
        serving: Arc<Serving>,
        gate: Gate,
        metrics: CertMetrics,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self {
            store: Store::new(client.clone(), &settings.namespace, &settings.secret),
            targets: Watched::all(client, &settings.configurations, now()),
            names: settings.names.clone(),
            policy: settings.policy,
            serving,
            gate,
            is_open: false,
            metrics,
            remembered: None,
            now: Box::new(now),
        }
    }

    async fn run(&mut self, news: &mut News) {
        let (mut backoff, mut breath) = (FIRST_BACKOFF, BREATH);
        loop {
            match self.look().await {
                Ok(due) => {
                    (backoff, breath) = (FIRST_BACKOFF, BREATH);
                    sleep(BREATH).await;
                    self.rest(due, news).await;
                }
                Err(err) if err.is_conflict() => {
                    debug!(reason = %err, retry_after = ?breath, "looking again");
                    sleep(breath).await;
                    breath = (breath * 2).min(LAST_BACKOFF);
                }
                Err(err) => {
                    warn!(reason = %err, retry_after = ?backoff, "cannot keep the webhook's certificates");
                    if !self.is_open {
                        self.gate.close(err.to_string());
                    }
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(LAST_BACKOFF);
                }
            }
        }
    }

    /// Rests until `due` by the wall clock, or until there is news.
    async fn rest(&self, due: Timestamp, news: &mut News) {
        let due = (self.now)()
            .checked_add(LOOK_EVERY)
            .map_or(due, |latest| due.min(latest));
        loop {
            let left = Duration::try_from(due.duration_since((self.now)())).unwrap_or(Duration::ZERO);
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = sleep(left.min(NAP)) => {}
                () = next(news) => return,
            }
        }
    }

    /// One look, at most one change of the Secret. Gives the time of the next look.
    ///
    /// The order is what the law rests on: configurations, then Secret, then writes in the versions read. `now` is taken before the Secret
    /// is read, so a leaf never lives longer than its authority's successor allows for.
    async fn look(&mut self) -> Result<Timestamp, KeepError> {
        let configurations = read_all(&self.targets).await?;
        let now = (self.now)();
        let stored = self.store.read().await?;
        let trust = self.trust(&configurations, now);
        let bundle = match &stored {
            Stored::Found { bundle, .. } => Some(bundle.as_ref()),
            Stored::Broken { reason, .. } => {
                warn!(%reason, "the secret with the webhook's authorities is broken; writing it anew");
                None
            }
            Stored::Absent => None,
        };
        if let Some(change) = next_change(bundle, &trust, now, &self.policy) {
            self.change(change, &stored, now).await?;
            return Ok(now);
        }
        let Some(bundle) = bundle.cloned() else {
            return Ok(now);
        };
        self.remembered = Some(bundle.clone());
        let leaf = self.renew_leaf(&bundle, &trust, now)?;
        let written = self.inject(&configurations, &bundle).await;
        let opens = self.report(&bundle, &leaf, &trust, now);
        if written? {
            return Ok(now);
        }
        let due = next_due(&bundle, &trust, &leaf, now, &self.policy);
        Ok(opens.map_or(due, |opens| opens.min(due)))
    }

    /// What the configurations make the API server trust, and since when.
    fn trust(&mut self, configurations: &[Option<Configuration>], now: Timestamp) -> Vec<Option<Trust>> {
        let pairs = self.targets.iter_mut().zip(configurations);
        pairs
            .map(|(watched, configuration)| watched.see(configuration.as_ref(), now))
            .collect()
    }

    async fn change(&mut self, change: Change, stored: &Stored, now: Timestamp) -> Result<(), KeepError> {
        let (base, known) = match stored {
            Stored::Found { bundle, .. } => (Some(bundle.as_ref().clone()), Vec::new()),
            // Whatever was trusted when the Secret was last whole is trusted now: look after having seen that it is lost, not before.
            Stored::Absent | Stored::Broken { .. } => (self.remembered.clone(), self.known().await?),
        };
        let bundle = carry_out(change, base, &known, now, &self.policy)?;
        self.store.write(stored, &bundle).await?;
        self.metrics.count(change);
        info!(
            ?change,
            authorities = bundle.trusted().len(),
            "webhook authorities changed"
        );
        Ok(())
    }

    /// The certificates that any configuration trusts.
    async fn known(&self) -> Result<Vec<Certificate>, InjectError> {
        let configurations = read_all(&self.targets).await?;
        Ok(configurations
            .iter()
            .flatten()
            .flat_map(Configuration::trusted_by_any)
            .collect())
    }

    fn renew_leaf(
        &mut self,
        bundle: &Bundle,
        trust: &[Option<Trust>],
        now: Timestamp,
    ) -> Result<Leaf, KeepError> {
        let present = self.serving.leaf();
        if !leaf_is_due(present.as_ref(), &bundle.active, trust, now, &self.policy)
            && let Some(leaf) = &present
        {
            return Ok(leaf.clone());
        }
        if present.is_some_and(|leaf| !leaf.certificate().is_valid(now)) {
            // Nobody could verify the last one any more; whether the new one is trusted already remains to be seen.
            self.is_open = false;
            self.gate
                .close("the certificate ran out before it could be renewed");
        }
        let leaf = Leaf::sign(&bundle.active, &self.names, now, &self.policy)?;
        self.serving.swap(leaf.clone());
        info!(not_after = %leaf.certificate().not_after(), names = ?self.names, "serving a new certificate");
        Ok(leaf)
    }

    /// Makes configurations trust the bundle; says whether one had to be written.
    async fn inject(
        &self,
        configurations: &[Option<Configuration>],
        bundle: &Bundle,
    ) -> Result<bool, KeepError> {
        let pem = bundle.trusted_pem();
        let mut written = false;
        for (watched, configuration) in self.targets.iter().zip(configurations) {
            let Some(configuration) = configuration else {
                continue;
            };
            let is_set = configuration.is_set_to(&pem);
            self.metrics.show_sync(watched.target().kind().as_str(), is_set);
            if !is_set {
                watched.target().write(configuration, &pem).await?;
                written = true;
            }
        }
        Ok(written)
    }

    /// Opens the gate once everybody trusts the leaf. It stays open while there is a valid leaf: trust is never taken away from one, and
    /// what others break is mended faster than a probe would notice. Gives the time to look again when only time is lacking.
    fn report(
        &mut self,
        bundle: &Bundle,
        leaf: &Leaf,
        trust: &[Option<Trust>],
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.metrics.show(bundle, Some(leaf));
        if self.is_open {
            return None;
        }
        match self.lacking(leaf, trust, now) {
            None => {
                self.gate.open();
                self.is_open = true;
                None
            }
            Some(reason) => {
                self.gate.close(reason);
                now.checked_add(PROPAGATION).ok()
            }
        }
    }

    /// What is lacking until the API server trusts the leaf.
    fn lacking(&self, leaf: &Leaf, trust: &[Option<Trust>], now: Timestamp) -> Option<String> {
        let issuer = leaf.issuer()?;
        let young = now.duration_since(issuer.not_before()) < BACKDATE_AND_MINUTE;
        self.targets
            .iter()
            .zip(trust)
            .find_map(|(watched, trust)| match trust {
                None => Some(format!("{} is not there", watched.target().shown())),
                Some(trust) if !trust.certificates.contains(issuer) => Some(format!(
                    "{} does not trust our certificate yet",
                    watched.target().shown()
                )),
                Some(trust)
                    if (young || watched.has_changed()) && now.duration_since(trust.since) < PROPAGATION =>
                {
                    Some(format!(
                        "{} trusts our certificate since a moment only",
                        watched.target().shown()
                    ))
                }
                Some(_) => None,
            })
    }
}

#[cfg(test)]
mod tests;
