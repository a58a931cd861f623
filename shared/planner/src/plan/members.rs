//! Waiting for members: nothing is done, but the status says what is missing, and it is looked at again.

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use super::{ASK_AGAIN, HoldReason, LOOK_AGAIN, Plan};
use crate::observed::{Observed, PatroniView, Source};

const STEP: &str = "members";

pub(super) fn wait(cluster: &Cluster, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    if cluster.instances == 0 {
        return;
    }
    if let Source::Unknown(why) = &observed.pods {
        return plan.hold_unknown(STEP, "pods", why);
    }
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let mut members = observed.members(&names);
    members.retain(|member| i64::from(member.ordinal) < i64::from(cluster.instances));
    let ready = members.iter().filter(|member| member.is_up()).count();
    let ready = i32::try_from(ready).unwrap_or(i32::MAX);
    if ready < cluster.instances {
        let trouble = members.iter().find_map(|member| {
            let defect = member.defect()?;
            Some(format!("{}: {defect}", member.pod.name))
        });
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
            // No watch tells of timelines and lags.
            if !view.is_settled() {
                plan.wake(ASK_AGAIN);
            }
        }
    }
}
