//! The members, as Kubernetes and Patroni see them together.

use pgherd_model::api::status::StatusMember;

use crate::observed::{MemberRole, MemberView, Observed, PodView};

/// Less than this is not shown: it changes all the time, and each change would be a write.
const LAG_SHOWN: i64 = 16 * 1024 * 1024;

/// Every pod, by ordinal, with what Patroni says of it.
pub(super) fn all(observed: &Observed) -> Vec<StatusMember> {
    let pods = observed.pods.known().map(Vec::as_slice).unwrap_or_default();
    let mut members: Vec<_> = pods
        .iter()
        .map(|pod| member(pod, view(observed, &pod.name)))
        .collect();
    members.sort_by_key(|member| (member.name.len(), member.name.clone()));
    members
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

/// The largest power of two that it has reached, so that a lag which grows is written a few times and not each second.
fn shown_lag(lag: i64) -> Option<i64> {
    (lag >= LAG_SHOWN).then(|| 1 << lag.ilog2())
}
