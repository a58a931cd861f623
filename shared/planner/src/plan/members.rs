//! Waiting for members: nothing is done, but the status says what is missing, and it is looked at again.

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use super::{ASK_AGAIN, HoldReason, LOOK_AGAIN, Matter, NO_NEWS, Plan};
use crate::observed::{Observed, PatroniView, Source};

pub(super) fn wait(cluster: &Cluster, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    if cluster.instances == 0 {
        return;
    }
    if let Source::Unknown(why) = &observed.pods {
        return plan.hold_unknown(Matter::Members, "pods", why);
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
            Matter::Members,
            HoldReason::MembersNotReady {
                ready,
                wanted: cluster.instances,
                trouble,
            },
        );
        plan.wake(if observed.has_nobody_to_ask() {
            NO_NEWS
        } else {
            LOOK_AGAIN
        });
    }
    leader(&observed.patroni, ready, plan);
}

fn leader(patroni: &Source<PatroniView>, ready: i32, plan: &mut Plan) {
    match patroni {
        // Before the first pod runs there is nobody to ask.
        Source::Unknown(_) if ready == 0 => {}
        Source::Unknown(why) => plan.hold_unknown(Matter::Members, "patroni", why),
        Source::Known(view) => {
            if view.running_leader().is_none() {
                plan.hold(Matter::Members, HoldReason::NoPrimary);
                plan.wake(LOOK_AGAIN);
            }
            // No watch tells of timelines and lags.
            if !view.is_settled() {
                plan.wake(ASK_AGAIN);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;
    use serde_json::json;

    use super::*;
    use crate::observed::{MemberRole, MemberView, PodView};

    fn plan_with(pods: Vec<PodView>, patroni: Source<PatroniView>) -> Plan {
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let manifest = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": {"name": "acid-a", "namespace": "n"},
            "spec": {"teamId": "acid", "numberOfInstances": 1, "volume": {"size": "1Gi"}, "postgresql": {"version": "17"}},
        });
        let cluster = Cluster::parse(&serde_json::from_value(manifest).unwrap(), &config).unwrap();
        let observed = Observed {
            pods: Source::Known(pods),
            patroni,
            ..Observed::default()
        };
        let mut plan = Plan::default();
        wait(&cluster, &observed, &config, &mut plan);
        plan
    }

    fn pod(phase: &str, ip: &str) -> PodView {
        PodView {
            name: "acid-a-0".to_owned(),
            phase: phase.to_owned(),
            ip: ip.to_owned(),
            ..PodView::default()
        }
    }

    #[test]
    fn what_only_a_watch_can_tell_is_not_asked_for_every_few_seconds() {
        let silent = || Source::Unknown("not asked".to_owned());
        let wake = |pods| plan_with(pods, silent()).wake_after;
        for pods in [vec![], vec![pod("Pending", "")], vec![pod("Running", "")]] {
            assert_eq!(wake(pods), Some(NO_NEWS));
        }
        assert_eq!(wake(vec![pod("Running", "10.0.0.1")]), Some(LOOK_AGAIN));
    }

    #[test]
    fn members_on_another_timeline_are_asked_again_and_nothing_is_held_for_it() {
        let member = |name: &str, role, timeline| MemberView {
            name: name.to_owned(),
            role,
            state: "running".to_owned(),
            timeline: Some(timeline),
            ..MemberView::default()
        };
        let with = |timeline| {
            let members = vec![
                member("acid-a-0", MemberRole::Leader, 2),
                member("acid-a-1", MemberRole::Replica, timeline),
            ];
            let view = PatroniView {
                members,
                ..PatroniView::default()
            };
            let up = PodView {
                ready: true,
                role_label: "master".to_owned(),
                ..pod("Running", "10.0.0.1")
            };
            plan_with(vec![up], Source::Known(view))
        };
        assert_eq!(with(2), Plan::default());
        let waiting = with(1);
        assert!(waiting.is_empty() && waiting.wake_after == Some(ASK_AGAIN));
    }
}
