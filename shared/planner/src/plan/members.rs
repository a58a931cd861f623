//! Waiting for members: nothing is done, but the status says what is missing, and it is looked at again.

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use super::{HoldReason, LOOK_AGAIN, Plan};
use crate::observed::{Observed, PatroniView, PodView, Source};

const STEP: &str = "members";

pub(super) fn wait(cluster: &Cluster, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    if cluster.instances == 0 {
        return;
    }
    let pods = match &observed.pods {
        Source::Known(pods) => pods,
        Source::Unknown(why) => return plan.hold_unknown(STEP, "pods", why),
    };
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let patroni = observed.patroni.known();
    let belongs = |pod: &&PodView| {
        names
            .ordinal(&pod.name)
            .is_some_and(|it| i64::from(it) < i64::from(cluster.instances))
    };
    let mut members: Vec<&PodView> = pods.iter().filter(belongs).collect();
    members.sort_by_key(|pod| names.ordinal(&pod.name));
    let ready = members.iter().filter(|pod| is_up(pod, patroni)).count();
    let ready = i32::try_from(ready).unwrap_or(i32::MAX);
    if ready < cluster.instances {
        let trouble = members.iter().find(|pod| !pod.trouble.is_empty());
        let trouble = trouble.map(|pod| format!("{}: {}", pod.name, pod.trouble));
        plan.hold(
            STEP,
            HoldReason::MembersNotReady {
                ready,
                wanted: cluster.instances,
                trouble,
            },
        );
        plan.wake(LOOK_AGAIN);
    }
    leader(&observed.patroni, ready, plan);
}

/// Its pod is ready and has a role, and Postgres runs in it as far as Patroni says.
fn is_up(pod: &PodView, patroni: Option<&PatroniView>) -> bool {
    let member = patroni.map(|view| view.members.iter().find(|member| member.name == pod.name));
    let runs = member.is_none_or(|member| member.is_some_and(crate::observed::MemberView::is_up));
    pod.ready && !pod.terminating && !pod.role_label.is_empty() && runs
}

fn leader(patroni: &Source<PatroniView>, ready: i32, plan: &mut Plan) {
    match patroni {
        // Before the first pod runs there is nobody to ask.
        Source::Unknown(_) if ready == 0 => {}
        Source::Unknown(why) => plan.hold_unknown(STEP, "patroni", why),
        Source::Known(view) => {
            if view.running_leader().is_none() {
                plan.hold(STEP, HoldReason::NoPrimary);
                plan.wake(LOOK_AGAIN);
            }
            let mut pending: Vec<String> = view
                .members
                .iter()
                .filter(|member| member.pending_restart)
                .map(|member| member.name.clone())
                .collect();
            pending.sort();
            if !pending.is_empty() {
                plan.hold("restart postgres", HoldReason::RestartPending(pending));
            }
        }
    }
}
