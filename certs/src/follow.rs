//! Serves certificates from files, and makes the API server trust their authorities.
//!
//! Replicas see new files at different times, a minute or more apart. So nobody takes away trust in a hurry: what is missing is added to what
//! is trusted already, a new certificate is served when its authority has been trusted for a moment, and authorities that no file names any
//! more are dropped only when nothing has changed for longer than replicas can be apart.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use pgherd_runtime::readiness::Gate;
use pgherd_runtime::shutdown::Shutdown;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::authority::Certificate;
use crate::files::{Content, FilesError, Material, Paths};
use crate::inject::{Configuration, InjectError, Kind};
use crate::metrics::CertMetrics;
use crate::news::{News, news, next};
use crate::serving::Serving;
use crate::watched::{PROPAGATION, Watched, read_all};

/// How often the files are read.
const READ_EVERY: Duration = Duration::from_secs(5);
/// After a conflict, and between looks that follow each other.
const BREATH: Duration = Duration::from_millis(30);
/// While a new certificate waits for trust in its authority to spread.
const IMPATIENCE: Duration = Duration::from_millis(500);
/// How far apart replicas may see new files: the kubelet takes up to two minutes, and something may be wrong with it.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// What to follow.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The files.
    pub paths: Paths,
    /// The name that the API server asks for.
    pub name: String,
    /// The webhook configurations that are to trust the authorities; empty when that is somebody else's business.
    pub configurations: Vec<(Kind, String)>,
}

/// Follows files until shutdown begins: run it as a task. `gate` opens when a certificate is served that the API server trusts.
pub fn follow(
    client: &Client,
    settings: &Settings,
    serving: Arc<Serving>,
    gate: Gate,
    metrics: CertMetrics,
    shutdown: Shutdown,
) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
    let mut follower = Follower::new(client, settings, serving, gate, metrics, Timestamp::now());
    let mut news = news(client, &settings.configurations, None);
    async move {
        tokio::select! {
            () = shutdown.begun() => {}
            () = follower.run(&mut news, Timestamp::now) => {}
        }
        Ok(())
    }
}

struct Follower {
    paths: Paths,
    name: String,
    targets: Vec<Watched>,
    serving: Arc<Serving>,
    gate: Gate,
    metrics: CertMetrics,
    /// What was read last, good or not: it is judged once.
    seen: Option<Content>,
    /// The newest that is good.
    latest: Option<Material>,
    /// The authorities of what is being served.
    served: Option<Vec<Certificate>>,
    /// What was complained about last, so as not to repeat it every few seconds.
    complaint: String,
}

impl Follower {
    fn new(
        client: &Client,
        settings: &Settings,
        serving: Arc<Serving>,
        gate: Gate,
        metrics: CertMetrics,
        now: Timestamp,
    ) -> Self {
        Self {
            paths: settings.paths.clone(),
            name: settings.name.clone(),
            targets: Watched::all(client, &settings.configurations, now),
            serving,
            gate,
            metrics,
            seen: None,
            latest: None,
            served: None,
            complaint: String::new(),
        }
    }

    async fn run(&mut self, news: &mut News, now: impl Fn() -> Timestamp) {
        loop {
            let rest = match self.look(now()).await {
                Ok(rest) => rest,
                Err(InjectError::Conflict(whom)) => {
                    debug!(%whom, "looking again");
                    BREATH
                }
                Err(err) => {
                    self.complain(&err.to_string());
                    READ_EVERY
                }
            };
            sleep(rest.min(BREATH)).await;
            tokio::select! {
                () = sleep(rest) => {}
                () = next(news) => {}
            }
        }
    }

    /// One look; says when to look again.
    async fn look(&mut self, now: Timestamp) -> Result<Duration, InjectError> {
        self.read(now);
        let Some(latest) = self.latest.clone() else {
            return Ok(READ_EVERY);
        };
        let configurations = read_all(&self.targets).await?;
        let required = self.required(&latest);
        let (mut is_trusted, mut rest) = (true, READ_EVERY);
        for (watched, configuration) in self.targets.iter_mut().zip(&configurations) {
            let trust = watched.see(configuration.as_ref(), now);
            let (Some(configuration), Some(trust)) = (configuration, trust) else {
                self.gate
                    .close(format!("{} is not there", watched.target().shown()));
                is_trusted = false;
                continue;
            };
            let unchanged = now.duration_since(trust.since);
            if !has_all(&trust.certificates, &latest.authorities)
                || (unchanged < PROPAGATION && watched.has_changed())
            {
                is_trusted = false;
                rest = rest.min(IMPATIENCE);
            }
            let wanted = wanted(configuration, &required, unchanged > OVERLAP, now);
            self.metrics
                .show_sync(watched.target().kind().as_str(), wanted.is_none());
            if let Some(wanted) = wanted {
                let pem: String = wanted.iter().map(Certificate::to_pem).collect();
                watched.target().write(configuration, &pem).await?;
                rest = BREATH;
            }
        }
        self.serve(&latest, is_trusted, now);
        Ok(rest)
    }

    /// Takes what is new in the files, if it is good; keeps what there is otherwise, and says so.
    fn read(&mut self, now: Timestamp) {
        let content = match self.paths.read() {
            Ok(content) => content,
            Err(err) => return self.refuse(&err),
        };
        if self.seen.as_ref() == Some(&content) && self.latest.is_some() {
            return;
        }
        match self.paths.check(&content, &self.name, now) {
            Ok(material) => {
                info!(not_after = %material.leaf.certificate().not_after(), "read a new certificate");
                self.latest = Some(material);
                self.complaint.clear();
            }
            Err(err) => self.refuse(&err),
        }
        self.seen = Some(content);
    }

    fn refuse(&mut self, err: &FilesError) {
        let text = err.to_string();
        if text == self.complaint {
            return;
        }
        self.metrics.count_reload(false);
        if self.latest.is_none() {
            self.gate.close(text.clone());
        }
        self.complain(&text);
    }

    fn complain(&mut self, text: &str) {
        if text != self.complaint {
            let kept = self.latest.is_some();
            warn!(reason = %text, kept, "cannot take new certificates; what is being served stays");
            text.clone_into(&mut self.complaint);
        }
    }

    /// What has to be trusted: what is served, and what is to be.
    fn required(&self, latest: &Material) -> Vec<Certificate> {
        let mut required = latest.authorities.clone();
        for authority in self.served.iter().flatten() {
            if !required.contains(authority) {
                required.push(authority.clone());
            }
        }
        required
    }

    fn serve(&mut self, latest: &Material, is_trusted: bool, now: Timestamp) {
        let present = self.serving.leaf();
        let is_new = present
            .as_ref()
            .is_none_or(|leaf| leaf.certificate() != latest.leaf.certificate());
        let has_run_out = present.is_none_or(|leaf| !leaf.certificate().is_valid(now));
        if is_new && (is_trusted || has_run_out) {
            self.serving.swap(latest.leaf.clone());
            self.served = Some(latest.authorities.clone());
            self.metrics.count_reload(true);
            info!(not_after = %latest.leaf.certificate().not_after(), "serving a new certificate");
        }
        if is_trusted {
            self.served = Some(latest.authorities.clone());
            self.gate.open();
        }
        self.metrics.show_leaf(self.serving.leaf().as_ref());
        self.metrics.show_authorities(&latest.authorities);
    }
}

fn has_all(trusted: &[Certificate], required: &[Certificate]) -> bool {
    required.iter().all(|certificate| trusted.contains(certificate))
}

/// What a configuration should trust instead of what it does, if anything else. Nothing that is still valid is dropped unless the
/// configuration `has_settled`.
fn wanted(
    configuration: &Configuration,
    required: &[Certificate],
    has_settled: bool,
    now: Timestamp,
) -> Option<Vec<Certificate>> {
    let is_complete = configuration.is_uniform() && has_all(&configuration.trusted_by_all(), required);
    let present = configuration.trusted_by_any();
    let others = present
        .iter()
        .filter(|certificate| !required.contains(certificate));
    if is_complete {
        return (has_settled && others.count() > 0).then(|| required.to_vec());
    }
    let mut all = required.to_vec();
    for other in others.filter(|other| now < other.not_after()) {
        if !all.contains(other) {
            all.push(other.clone());
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests;
