//! Plans carried out to the end in a world of objects, with pods that remember the template they were made of. Nothing goes wrong here; what
//! may go wrong is in `simulation`, which knows of templates only that they differ.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSetStatus;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_model::cluster::Cluster;
use pgherd_model::postgres_parameters::{patroni_default, restarts};
use pgherd_planner::observed::{MemberRole, ParameterChange, Source};
use pgherd_planner::plan::{Action, Plan, Step};
use serde_json::Value;

use crate::world::{World, known, leader};

/// Enough for five members, one after the other, and what comes before.
const TURNS: usize = 60;

/// Pods by the revision that they were made of.
struct Members {
    templates: Vec<PodTemplateSpec>,
    revisions: BTreeMap<String, usize>,
    leader: String,
    /// What waits for a restart, by member.
    pending: BTreeMap<String, BTreeMap<String, ParameterChange>>,
}

/// What was done on the way.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Pods that were made anew, in order.
    pub(crate) anew: Vec<String>,
    /// Members whose Postgres was restarted in place, in order.
    pub(crate) restarted: Vec<String>,
    pub(crate) switchovers: usize,
    /// Everything that was not done to pods, in order.
    pub(crate) others: Vec<Action>,
}

/// What is done once `wanted` replaces the cluster of a settled world, until nothing is left to do.
pub(crate) fn carry_out(world: &mut World, wanted: Cluster) -> Record {
    let mut members = Members {
        templates: Vec::new(),
        revisions: BTreeMap::new(),
        leader: format!("{}-0", world.cluster.identity.name),
        pending: BTreeMap::new(),
    };
    let mut record = Record::default();
    members.show(world);
    world.cluster = wanted;
    for _ in 0..TURNS {
        let plan = world.plan();
        if plan.steps.is_empty() && plan.wake_after.is_none() {
            return record;
        }
        let (of_pods, of_objects): (Vec<Step>, Vec<Step>) =
            plan.steps.into_iter().partition(|step| is_of_pods(&step.action));
        for step in &of_objects {
            members.hear(world, &step.action);
        }
        world.execute(&Plan {
            steps: of_objects.clone(),
            ..Plan::default()
        });
        record
            .others
            .extend(of_objects.into_iter().map(|step| step.action));
        for step in &of_pods {
            members.take(&step.action, &mut record);
            if let Action::DeletePod { target } = &step.action {
                world.forget_pod(&target.name);
            }
        }
        world.pass();
        members.show(world);
    }
    panic!("does not come to an end: {:#?}", world.plan().holds);
}

fn is_of_pods(action: &Action) -> bool {
    matches!(
        action,
        Action::CheckTemplate { .. }
            | Action::Checkpoint { .. }
            | Action::DeletePod { .. }
            | Action::Switchover { .. }
            | Action::RestartPostgres { .. }
    )
}

/// The text of a parameter, whatever its type.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Members {
    fn take(&mut self, action: &Action, record: &mut Record) {
        match action {
            Action::DeletePod { target } => {
                self.revisions.remove(&target.name);
                self.pending.remove(&target.name);
                record.anew.push(target.name.clone());
            }
            Action::Switchover { candidate, .. } => {
                self.leader.clone_from(candidate);
                record.switchovers += 1;
            }
            Action::RestartPostgres { member } => {
                self.pending.remove(member);
                record.restarted.push(member.clone());
            }
            _ => {}
        }
    }

    /// Members that are told of a parameter that needs a restart wait for it.
    fn hear(&mut self, world: &mut World, action: &Action) {
        let Action::PatchPatroni(patch) = action else {
            return;
        };
        let version = world.cluster.version;
        let view = known(&mut world.observed.patroni);
        let set = view.config["postgresql"]["parameters"].clone();
        let changed = patch["postgresql"]["parameters"].as_object();
        for (name, value) in changed.into_iter().flatten() {
            if !restarts(name, version) {
                continue;
            }
            let change = ParameterChange {
                old: text(&set[name]),
                new: match value {
                    Value::Null => patroni_default(name).unwrap_or_default().to_owned(),
                    value => text(value),
                },
            };
            for member in &view.members {
                let waits = self.pending.entry(member.name.clone()).or_default();
                waits.insert(name.clone(), change.clone());
            }
        }
    }

    /// Pods that are not known yet are made of the stored template.
    fn show(&mut self, world: &mut World) {
        let Some(stateful_set) = known(&mut world.observed.stateful_set) else {
            return;
        };
        let template = stateful_set.spec.as_ref().unwrap().template.clone();
        let latest = self.templates.iter().position(|known| *known == template);
        let latest = latest.unwrap_or_else(|| {
            self.templates.push(template);
            self.templates.len() - 1
        });
        stateful_set.status = Some(StatefulSetStatus {
            observed_generation: stateful_set.metadata.generation,
            update_revision: Some(latest.to_string()),
            ..StatefulSetStatus::default()
        });
        for (revision, template) in self.templates.iter().enumerate() {
            let template = Source::Known(Some(template.clone()));
            world.observed.templates.insert(revision.to_string(), template);
        }
        for pod in known(&mut world.observed.pods) {
            let revision = *self.revisions.entry(pod.name.clone()).or_insert(latest);
            pod.revision = revision.to_string();
            pod.uid = format!("{}-{revision}", pod.name);
            let role = if pod.name == self.leader {
                "master"
            } else {
                "replica"
            };
            role.clone_into(&mut pod.role_label);
        }
        if let Source::Known(view) = &mut world.observed.patroni {
            let replica = if view.config["synchronous_mode"] == true {
                MemberRole::SyncStandby
            } else {
                MemberRole::Replica
            };
            let leader = leader(&view.config);
            for member in &mut view.members {
                let (role, state) = if member.name == self.leader {
                    (leader, "running")
                } else {
                    (replica, "streaming")
                };
                let pending = self.pending.get(&member.name);
                member.pending_restart = pending.is_some();
                member.restart_reasons = pending.cloned().unwrap_or_default();
                member.role = role;
                state.clone_into(&mut member.state);
            }
        }
    }
}
