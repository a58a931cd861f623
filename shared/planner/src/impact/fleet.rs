//! What a change of the operator's configuration does to many clusters. Lives here: one verdict for each, counted.

use std::ops::AddAssign;

use jiff::Timestamp;
use pgherd_model::api;
use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::finding::{LINE_LIMIT, shorten};
use serde_json::Value;

use super::text::count;
use super::{Change, State};
use crate::plan::Action;

/// Clusters by the gravest thing that happens to each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pods are made anew.
    pub rolls: usize,
    /// Postgres restarts in place.
    pub restarts: usize,
    /// Members come or go, but none is made anew.
    pub scales: usize,
    /// Postgres or Patroni reads its settings again.
    pub reloads: usize,
    /// Only objects around the pods, roles or databases change.
    pub changes: usize,
    /// Something would happen, but the cluster is paused or only observed.
    pub held: usize,
    /// Nothing happens.
    pub unchanged: usize,
    /// Cannot be told: the manifest cannot be used before or after the change, or variables of its pods come from other objects than before,
    /// which are not read here.
    pub unknown: usize,
}

/// Counts what replacing `old` by `new` does to the clusters of these raw `postgresql` objects. Each costs about as much as
/// [`super::of_edit`]: who has little time hands in a part of the fleet and adds up.
pub fn of_configuration<'a>(
    clusters: impl IntoIterator<Item = &'a Value>,
    old: &OperatorConfig,
    new: &OperatorConfig,
) -> Counts {
    let mut counts = Counts::default();
    for manifest in clusters {
        *counts.place(manifest, old, new) += 1;
    }
    counts
}

impl Counts {
    fn place(&mut self, manifest: &Value, old: &OperatorConfig, new: &OperatorConfig) -> &mut usize {
        let Ok(manifest) = api::decode::<Postgresql>(manifest) else {
            return &mut self.unknown;
        };
        let parse = |config| Cluster::parse(&manifest, config);
        let (Ok(before), Ok(after)) = (parse(old), parse(new)) else {
            return &mut self.unknown;
        };
        let (before, after) = (
            State::of(manifest.clone(), before, old),
            State::of(manifest, after, new),
        );
        // When it happens does not count here.
        let change = Change::between(before, after, old, new, Timestamp::UNIX_EPOCH);
        let is_patroni = |action: &Action| matches!(action, Action::PatchPatroni(_));
        let steps = &change.plan.steps;
        if change.held_by().is_some() {
            &mut self.held
        } else if change.rolled() > 0 {
            &mut self.rolls
        } else if change.staying() > 0 && has_other_variables(old, new) {
            &mut self.unknown
        } else if change.restarted() > 0 {
            &mut self.restarts
        } else if change.before.cluster.instances != change.after.cluster.instances {
            &mut self.scales
        } else if steps.iter().any(|step| is_patroni(&step.action)) {
            &mut self.reloads
        } else if steps.is_empty() {
            &mut self.unchanged
        } else {
            &mut self.changes
        }
    }

    /// How many clusters were looked at.
    pub fn total(&self) -> usize {
        let touched = self.rolls + self.restarts + self.scales + self.reloads + self.changes;
        touched + self.held + self.unchanged + self.unknown
    }

    /// One line, gravest first: `rolls 12 clusters, reloads 3, leaves 85 alone`.
    pub fn line(&self) -> String {
        let parts = [
            ("rolls", self.rolls, ""),
            ("restarts Postgres in", self.restarts, ""),
            ("changes the members of", self.scales, ""),
            ("reloads", self.reloads, ""),
            ("updates objects of", self.changes, ""),
            ("puts off", self.held, " paused or observed"),
            ("leaves", self.unchanged, " alone"),
            ("cannot tell for", self.unknown, ""),
        ];
        let told = parts.into_iter().filter(|(_, number, _)| *number > 0);
        let said: Vec<String> = told
            .enumerate()
            .map(|(index, (verb, number, rest))| match index {
                // The word once is enough.
                0 => format!("{verb} {}{rest}", count(number, "cluster")),
                _ => format!("{verb} {number}{rest}"),
            })
            .collect();
        if said.is_empty() {
            return "touches no cluster: there is none".to_owned();
        }
        shorten(&said.join(", "), LINE_LIMIT)
    }
}

/// Pods take variables from objects that these parameters name.
fn has_other_variables(old: &OperatorConfig, new: &OperatorConfig) -> bool {
    let (old, new) = (&old.kubernetes, &new.kubernetes);
    old.pod_environment_configmap != new.pod_environment_configmap
        || old.pod_environment_secret != new.pod_environment_secret
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rolls += other.rolls;
        self.restarts += other.restarts;
        self.scales += other.scales;
        self.reloads += other.reloads;
        self.changes += other.changes;
        self.held += other.held;
        self.unchanged += other.unchanged;
        self.unknown += other.unknown;
    }
}
