//! What a change will do to what runs, told before it is stored. Lives here: the change of one manifest, and of the operator's configuration
//! under a fleet. Must not: rules about manifests (`validate`), or a second opinion about what a change needs.
//!
//! ```text
//! old manifest ─► State ─► settled: the world in which nothing of it is missing ─┐
//! new manifest ─► State ─────────────────────────────────────────────────────────┴─► plan ─► lines, or one count of a fleet
//! ```
//!
//! The plan is the controller's own, so that what is said is what is done. In the world that it is made for all pods run, the first one leads,
//! and the objects that add variables to pods are the same before and after.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::manifest::Manifest;
use serde_json::Value;

use crate::build::{self, Desired};
use crate::observed::{PodEnvironment, Source};
use crate::plan::{self, HoldReason, Plan};

mod cause;
mod fleet;
mod lines;
mod settled;
mod text;

pub use fleet::{Counts, of_configuration};
pub use pgherd_model::finding::LINE_LIMIT;

/// The stored manifest cannot be used, so that there is nothing to compare with.
const OLD_UNREADABLE: &str = "what this does is not known: the stored manifest cannot be used as it is";
/// The new manifest cannot be used, and is stored all the same.
const NEW_UNREADABLE: &str = "takes no effect: this manifest cannot be used as it is";

/// What replacing the manifest `old` by `new` does, gravest first, each line of at most [`LINE_LIMIT`] characters and without any value
/// that may be secret. Empty when nothing is done, and when the cluster is being deleted. `now` tells whether a maintenance window is open.
///
/// Both are raw `postgresql` objects; what they leave out is filled in as admission does.
pub fn of_edit(old: &Value, new: &Value, config: &OperatorConfig, now: Timestamp) -> Vec<String> {
    let new = with_identity_of(old, new);
    let after = Manifest::read(&new, Some(old), config);
    of_change(Manifest::read(old, None, config), after, config, now)
}

/// As [`of_edit`], of objects that were read already and are from the API server both.
pub fn of_change(
    before: Manifest<'_>,
    after: Manifest<'_>,
    config: &OperatorConfig,
    now: Timestamp,
) -> Vec<String> {
    if is_same(&before.raw, &after.raw) || after.is_deleting() {
        return Vec::new();
    }
    let state = |manifest: Manifest<'_>| {
        let content = manifest.content.ok()?;
        Some(State::of(content.object, content.cluster.ok()?, config))
    };
    match (state(before), state(after)) {
        (Some(before), Some(after)) => lines::of(&Change::between(before, after, config, config, now), now),
        (Some(_), None) => vec![NEW_UNREADABLE.to_owned()],
        (None, _) => vec![OLD_UNREADABLE.to_owned()],
    }
}

/// Nothing that a cluster is made of differs between two raw objects.
pub fn is_same(old: &Value, new: &Value) -> bool {
    let parts = [
        "/spec",
        "/metadata/labels",
        "/metadata/annotations",
        "/metadata/ownerReferences",
    ];
    parts.iter().all(|part| old.pointer(part) == new.pointer(part))
}

/// What only the API server writes is missing from a file: it stays as it is stored.
fn with_identity_of<'a>(old: &Value, new: &'a Value) -> Cow<'a, Value> {
    let part = |object: &Value, name: &str| {
        object
            .get("metadata")
            .and_then(|metadata| metadata.get(name))
            .cloned()
    };
    let mut kept = vec!["name", "namespace", "uid", "generation"];
    if part(new, "ownerReferences").is_none() {
        kept.push("ownerReferences");
    }
    kept.retain(|name| part(old, name) != part(new, name));
    let mut new = Cow::Borrowed(new);
    for name in kept {
        let metadata = new.to_mut().get_mut("metadata").and_then(Value::as_object_mut);
        // An object without metadata is not one of ours.
        let Some(metadata) = metadata else { break };
        match part(old, name) {
            Some(value) => metadata.insert(name.to_owned(), value),
            None => metadata.remove(name),
        };
    }
    new
}

/// By key.
type Annotations = BTreeMap<String, String>;

/// A cluster and its objects.
struct State {
    /// Of the `postgresql` object, all of them.
    annotations: Annotations,
    cluster: Cluster,
    desired: Desired,
}

impl State {
    fn of(manifest: Postgresql, cluster: Cluster, config: &OperatorConfig) -> Self {
        // What other objects add to the variables is not known here, and the same on both sides.
        let environment = Source::Known(PodEnvironment::default());
        let desired = build::build(&cluster, config, &environment);
        Self {
            annotations: manifest.metadata.annotations.unwrap_or_default(),
            cluster,
            desired,
        }
    }
}

/// One cluster before and after a change, and what the change needs.
struct Change {
    before: State,
    after: State,
    plan: Plan,
}

impl Change {
    fn between(
        before: State,
        after: State,
        old: &OperatorConfig,
        new: &OperatorConfig,
        now: Timestamp,
    ) -> Self {
        let observed = settled::observed(&before, &after.annotations, old);
        let plan = plan::plan(&after.cluster, &after.desired, &observed, new, now);
        Self { before, after, plan }
    }

    /// The mode of the cluster in which nothing of it is done.
    fn held_by(&self) -> Option<&str> {
        self.plan.holds.iter().find_map(|hold| match &hold.reason {
            HoldReason::Mode(mode) => Some(mode.as_str()),
            _ => None,
        })
    }

    /// Members that are there before and after.
    fn staying(&self) -> i32 {
        self.before.cluster.instances.min(self.after.cluster.instances)
    }

    /// Pods that are made anew, and not just removed.
    fn rolled(&self) -> usize {
        let staying = usize::try_from(self.staying()).unwrap_or_default();
        self.plan.rolled().len().min(staying)
    }

    /// Pods on which Postgres restarts in place. A pod that is made anew starts with what is wanted.
    fn restarted(&self) -> usize {
        let restarts = self.plan.steps.iter().any(cause::is_restart);
        if restarts && self.rolled() == 0 {
            usize::try_from(self.staying()).unwrap_or_default()
        } else {
            0
        }
    }
}
