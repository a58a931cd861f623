//! What Patroni says, asked from one member: the primary's first, because it knows the most. Must not: judge members.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pgherd_planner::observed::{MemberRole, MemberView, ParameterChange, PatroniView, PodView, Source};
use serde_json::Value;

use crate::context::Context;
use crate::patroni::PatroniError;
use crate::patroni::members::members;
use crate::patroni::wire::{Change, ClusterMember, Lag, Tags};

/// How many members are asked before the cluster counts as silent.
const TRIES: usize = 3;

/// The view of the first member that answers.
pub(super) async fn read(context: &Context, pods: &[PodView]) -> Source<PatroniView> {
    let mut reason = "not asked: no pod runs".to_owned();
    for (name, address) in members(pods).into_iter().take(TRIES) {
        match ask(context, name, address).await {
            Ok(mut view) => {
                confirm_restarts(context, pods, &mut view).await;
                return Source::Known(view);
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Source::Unknown(reason)
}

async fn ask(context: &Context, name: &str, address: IpAddr) -> Result<PatroniView, PatroniError> {
    let patroni = &context.patroni;
    let (cluster, config, member) = futures::join!(
        patroni.cluster(address),
        patroni.config(address),
        patroni.member(address)
    );
    let config = match config {
        Ok(config) => config,
        // Before the cluster is bootstrapped there is none.
        Err(PatroniError::Refused { .. }) => Value::Null,
        Err(error) => return Err(error),
    };
    let mut view = PatroniView {
        members: cluster?.members.into_iter().map(member_view).collect(),
        config,
    };
    if let (Ok(answer), Some(asked)) = (member, view.members.iter_mut().find(|member| member.name == name)) {
        asked.server_version = answer.server_version.map(i64::from);
    }
    Ok(view)
}

/// A member tells of its restart at its next round only: whether it still waits for one, it knows itself. One that does not answer is taken
/// at its last word.
async fn confirm_restarts(context: &Context, pods: &[PodView], view: &mut PatroniView) {
    let addresses = members(pods);
    let pending = view.members.iter_mut().filter(|member| member.pending_restart);
    let questions = pending.filter_map(|member| {
        let (_, address) = addresses.iter().find(|(name, _)| *name == member.name)?;
        Some(async move {
            if let Ok(answer) = context.patroni.member(*address).await {
                member.pending_restart = answer.pending_restart;
                member.restart_reasons = reasons(answer.pending_restart_reason);
            }
        })
    });
    futures::future::join_all(questions).await;
}

fn member_view(member: ClusterMember) -> MemberView {
    MemberView {
        role: serde_json::from_value(Value::String(member.role)).unwrap_or(MemberRole::Replica),
        lag: match member.lag {
            Lag::Bytes(bytes) => i64::try_from(bytes).ok(),
            Lag::Absent | Lag::Unknown => None,
        },
        name: member.name,
        state: member.state,
        timeline: member.timeline,
        pending_restart: member.pending_restart,
        restart_reasons: reasons(member.pending_restart_reason),
        never_leads: never_leads(&member.tags),
        server_version: None,
    }
}

fn reasons(changes: BTreeMap<String, Change>) -> BTreeMap<String, ParameterChange> {
    let change = |change: Change| ParameterChange {
        old: text(change.old_value),
        new: text(change.new_value),
    };
    changes.into_iter().map(|(name, it)| (name, change(it))).collect()
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn never_leads(tags: &Tags) -> bool {
    match (&tags.nofailover, &tags.failover_priority) {
        (Value::Null, Value::Number(priority)) => priority.as_f64().is_some_and(|priority| priority <= 0.0),
        (Value::Null, Value::String(text)) => text.trim().parse::<i64>().is_ok_and(|priority| priority <= 0),
        (tag, _) => is_yes(tag),
    }
}

fn is_yes(tag: &Value) -> bool {
    match tag {
        Value::Bool(yes) => *yes,
        Value::String(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "on" | "yes"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_member_waits_for_a_restart_and_whether_it_may_lead() {
        let answer = serde_json::json!({
            "name": "a-1", "role": "replica", "state": "streaming", "lag": 0, "pending_restart": true,
            "pending_restart_reason": {"max_connections": {"old_value": "100", "new_value": 50}},
            "tags": {"nofailover": true, "clonefrom": true},
        });
        let view = member_view(serde_json::from_value(answer).unwrap());
        assert!(view.never_leads && view.pending_restart);
        assert!(view.restart_reasons["max_connections"].is_decrease());
    }

    #[test]
    fn a_priority_of_zero_keeps_from_leading_unless_the_older_tag_says_otherwise() {
        let never = |tags: Value| never_leads(&serde_json::from_value(tags).unwrap());
        assert!(never(serde_json::json!({"failover_priority": 0})));
        assert!(never(serde_json::json!({"failover_priority": "-1"})));
        assert!(!never(serde_json::json!({"failover_priority": 1})));
        assert!(!never(
            serde_json::json!({"failover_priority": 0, "nofailover": false})
        ));
        assert!(never(
            serde_json::json!({"failover_priority": 1, "nofailover": true})
        ));
        assert!(!never(serde_json::json!({})));
    }

    #[test]
    fn roles_of_old_and_new_patroni_and_of_none_we_know() {
        let role = |role: &str| {
            member_view(ClusterMember {
                role: role.into(),
                ..ClusterMember::default()
            })
            .role
        };
        assert_eq!(role("leader"), MemberRole::Leader);
        assert_eq!(role("master"), MemberRole::Leader);
        assert_eq!(role("sync_standby"), MemberRole::SyncStandby);
        assert_eq!(role("something new"), MemberRole::Replica);
    }
}
