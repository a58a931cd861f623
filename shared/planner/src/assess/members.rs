//! The members, as Kubernetes and Patroni see them together.

use pgherd_model::api::status::StatusMember;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use crate::observed::patroni::SMALL_LAG;
use crate::observed::{MemberRole, MemberView, Observed, PodView};

/// The cluster's members: what else carries its labels, a copy for debugging say, is none.
pub(super) fn pods<'a>(observed: &'a Observed, config: &OperatorConfig) -> Vec<&'a PodView> {
    let names = Names::of(&observed.cluster.namespace, &observed.cluster.name, config);
    let all = observed.pods.known().map(Vec::as_slice).unwrap_or_default();
    let mut members: Vec<&PodView> = all
        .iter()
        .filter(|pod| names.ordinal(&pod.name).is_some())
        .collect();
    members.sort_by_key(|pod| names.ordinal(&pod.name));
    members
}

/// Each member's pod is ready and has a role.
pub(super) fn all_pods_ready(observed: &Observed, config: &OperatorConfig) -> bool {
    let pods = pods(observed, config);
    !pods.is_empty()
        && pods
            .iter()
            .all(|pod| pod.ready && !pod.terminating && !pod.role_label.is_empty())
}

/// Every member, by ordinal, with what Patroni says of it, or said last when it is silent now.
pub(super) fn all(observed: &Observed, config: &OperatorConfig) -> Vec<StatusMember> {
    let known = &observed.cluster.status.members;
    pods(observed, config)
        .into_iter()
        .map(|pod| {
            let last = known.iter().find(|member| member.name == pod.name);
            match (last, observed.patroni.known()) {
                (Some(last), None) if pod.ready && pod.trouble.is_empty() => last.clone(),
                _ => member(pod, view(observed, &pod.name)),
            }
        })
        .collect()
}

/// The pod that leads. Patroni knows it first; when it does not answer, the label that it wrote is the next best word.
pub(super) fn primary(observed: &Observed) -> Option<String> {
    let labelled = || {
        let pods = observed.pods.known()?;
        let pod = pods.iter().find(|pod| is_labelled_primary(pod))?;
        Some(pod.name.clone())
    };
    match observed.patroni.known() {
        Some(patroni) => patroni.running_leader().map(|leader| leader.name.clone()),
        None => labelled(),
    }
}

pub(super) fn is_labelled_primary(pod: &PodView) -> bool {
    // Zalando's word on the wire.
    pod.role_label == "master" && !pod.terminating
}

pub(super) fn view<'a>(observed: &'a Observed, name: &str) -> Option<&'a MemberView> {
    let patroni = observed.patroni.known()?;
    patroni.members.iter().find(|member| member.name == name)
}

fn member(pod: &PodView, view: Option<&MemberView>) -> StatusMember {
    let state = match (view, pod.trouble.as_str()) {
        (_, trouble) if !trouble.is_empty() => Some(trouble.to_owned()),
        (Some(view), _) => Some(view.state.clone()),
        (None, _) => None,
    };
    StatusMember {
        name: pod.name.clone(),
        role: role(pod, view).map(str::to_owned),
        state,
        lag_bytes: view.and_then(|view| view.lag).and_then(shown_lag),
        timeline: view.and_then(|view| view.timeline),
        pending_restart: view
            .filter(|view| view.pending_restart)
            .map(|view| view.pending_restart),
        ready: Some(pod.ready && !pod.terminating),
    }
}

fn role(pod: &PodView, view: Option<&MemberView>) -> Option<&'static str> {
    match (view.map(|view| view.role), pod.role_label.as_str()) {
        (Some(MemberRole::Leader), _) | (None, "master") => Some("primary"),
        (Some(MemberRole::StandbyLeader), _) => Some("standby leader"),
        (Some(MemberRole::SyncStandby | MemberRole::QuorumStandby), _) => Some("sync replica"),
        (Some(MemberRole::Replica), _) | (None, "replica") => Some("replica"),
        (None, _) => None,
    }
}

/// The largest power of two that it has reached, so that a lag which grows is written a few times and not each second. A small one is not
/// shown at all: it changes all the time, and each change would be a write.
fn shown_lag(lag: i64) -> Option<i64> {
    (lag >= SMALL_LAG).then(|| 1 << lag.ilog2())
}
