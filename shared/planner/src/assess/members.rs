//! The members, as Kubernetes and Patroni see them together.

use pgherd_model::api::status::StatusMember;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_model::names::labels::selector_text;

use crate::observed::patroni::SMALL_LAG;
use crate::observed::{Member, MemberRole, MemberView, Observed, PodView};

/// The cluster's members by ordinal.
pub(super) fn of<'a>(observed: &'a Observed, config: &OperatorConfig) -> Vec<Member<'a>> {
    observed.members(&Names::of(
        &observed.cluster.namespace,
        &observed.cluster.name,
        config,
    ))
}

/// How many members exist, or did when that was last known.
pub(super) fn number(observed: &Observed, config: &OperatorConfig) -> Option<i32> {
    if observed.pods.known().is_none() {
        return observed.cluster.status.number_of_instances;
    }
    i32::try_from(of(observed, config).len()).ok()
}

/// What finds the members, as a selector in text. The role's label is not in it: it moves.
pub(super) fn selector(observed: &Observed, config: &OperatorConfig) -> String {
    let names = Names::of(&observed.cluster.namespace, &observed.cluster.name, config);
    selector_text(&names.selector())
}

/// Each member's pod is ready and has a role.
pub(super) fn all_pods_ready(observed: &Observed, config: &OperatorConfig) -> bool {
    let members = of(observed, config);
    let ready = |pod: &PodView| pod.ready && !pod.terminating && !pod.role_label.is_empty();
    !members.is_empty() && members.iter().all(|member| ready(member.pod))
}

/// Every member, by ordinal, with what Patroni says of it, or said last when it is silent now.
pub(super) fn all(observed: &Observed, config: &OperatorConfig) -> Vec<StatusMember> {
    let known = &observed.cluster.status.members;
    of(observed, config)
        .into_iter()
        .map(|Member { pod, view, .. }| {
            let last = known.iter().find(|member| member.name == pod.name);
            match (last, observed.patroni.known()) {
                (Some(last), None) if pod.ready && pod.trouble.is_empty() => last.clone(),
                _ => member(pod, view),
            }
        })
        .collect()
}

/// The pod that leads. Patroni knows it first; when it does not answer, the label that it wrote is the next best word.
pub(super) fn primary(observed: &Observed, config: &OperatorConfig) -> Option<String> {
    let labelled = || {
        let members = of(observed, config);
        let primary = members.iter().find(|member| member.is_labelled_primary())?;
        Some(primary.pod.name.clone())
    };
    match observed.patroni.known() {
        Some(patroni) => patroni.running_leader().map(|leader| leader.name.clone()),
        None => labelled(),
    }
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
