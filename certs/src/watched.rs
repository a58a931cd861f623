//! Webhook configurations over time: what they look like, and since when. A leaf beside `inject`, which reads and writes them.

use jiff::{SignedDuration, Timestamp};
use kube::Client;

use crate::inject::{Configuration, InjectError, Kind, Target};
use crate::rotation::Trust;

/// How long API servers may take to notice a changed configuration.
pub(crate) const PROPAGATION: SignedDuration = SignedDuration::from_secs(2);

/// A configuration, and since when it looks as it does.
#[derive(Debug)]
pub(crate) struct Watched {
    target: Target,
    version: String,
    since: Timestamp,
    has_changed: bool,
}

impl Watched {
    /// None of them seen yet.
    pub(crate) fn all(client: &Client, configurations: &[(Kind, String)], now: Timestamp) -> Vec<Self> {
        let watched = |(kind, name): &(Kind, String)| Self {
            target: Target::new(client.clone(), *kind, name),
            version: String::new(),
            since: now,
            has_changed: false,
        };
        configurations.iter().map(watched).collect()
    }

    /// Notes what was read; gives what it makes the API server trust, and since when.
    pub(crate) fn see(&mut self, read: Option<&Configuration>, now: Timestamp) -> Option<Trust> {
        let version = read.map_or("", Configuration::version);
        if self.version != version {
            self.has_changed = !self.version.is_empty();
            version.clone_into(&mut self.version);
            self.since = now;
        }
        read.map(|read| Trust {
            certificates: read.trusted_by_all(),
            since: self.since,
        })
    }

    /// Where it is.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Has it changed since this process first saw it?
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed
    }
}

/// Reads them all, in order; none for one that is not there.
pub(crate) async fn read_all(targets: &[Watched]) -> Result<Vec<Option<Configuration>>, InjectError> {
    let mut configurations = Vec::with_capacity(targets.len());
    for watched in targets {
        configurations.push(watched.target.read().await?);
    }
    Ok(configurations)
}
