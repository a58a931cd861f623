//! Plans carried out to the end in a world of objects, with pods that remember the template they were made of. Nothing goes wrong here; what
//! may go wrong is in `simulation`, which knows of templates only that they differ.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::StatefulSetStatus;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use pgherd_model::cluster::Cluster;
use pgherd_planner::observed::{MemberRole, Source};
use pgherd_planner::plan::{Action, Plan, Step};

use crate::world::{World, known};

/// Enough for five members, one after the other, and what comes before.
const TURNS: usize = 60;

/// Pods by the revision that they were made of.
struct Members {
    templates: Vec<PodTemplateSpec>,
    revisions: BTreeMap<String, usize>,
    leader: String,
}

/// The pods that are made anew once `wanted` replaces the cluster of a settled world, until nothing is left to do.
pub(crate) fn made_anew(world: &mut World, wanted: Cluster) -> BTreeSet<String> {
    let mut members = Members {
        templates: Vec::new(),
        revisions: BTreeMap::new(),
        leader: format!("{}-0", world.cluster.identity.name),
    };
    let mut anew = BTreeSet::new();
    members.show(world);
    world.cluster = wanted;
    for _ in 0..TURNS {
        let plan = world.plan();
        if plan.steps.is_empty() && plan.wake_after.is_none() {
            return anew;
        }
        let (of_pods, of_objects): (Vec<Step>, Vec<Step>) =
            plan.steps.into_iter().partition(|step| is_of_pods(&step.action));
        world.execute(&Plan {
            steps: of_objects,
            ..Plan::default()
        });
        for step in &of_pods {
            members.take(&step.action, &mut anew);
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

impl Members {
    fn take(&mut self, action: &Action, anew: &mut BTreeSet<String>) {
        match action {
            Action::DeletePod { target } => {
                self.revisions.remove(&target.name);
                anew.insert(target.name.clone());
            }
            Action::Switchover { candidate, .. } => self.leader.clone_from(candidate),
            _ => {}
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
            for member in &mut view.members {
                let (role, state) = if member.name == self.leader {
                    (MemberRole::Leader, "running")
                } else {
                    (replica, "streaming")
                };
                member.role = role;
                state.clone_into(&mut member.state);
            }
        }
    }
}
