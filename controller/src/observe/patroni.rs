//! What Patroni says, asked from one member: the primary's first, because it knows the most. Must not: judge members.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pgherd_model::config::{ApiScheme, NamespacedName};
use pgherd_model::secret::Secret;
use pgherd_planner::observed::{MemberRole, MemberView, ParameterChange, PatroniView, PodView, Source};
use serde_json::Value;

use crate::cache::environment::Source as Secrets;
use crate::cache::outside::Data;
use crate::context::Context;
use crate::credentials;
use crate::patroni::members::members;
use crate::patroni::wire::{Change, ClusterMember, Lag, MemberAnswer, Tags};
use crate::patroni::{Entrance, PatroniError};

/// How many members are asked before the cluster counts as silent.
const TRIES: usize = 3;
/// Our word for the state of a member that has the lock and is no primary yet.
const PROMOTED: &str = "starting as primary";

/// The view of the first member that answers.
pub(super) async fn read(context: &Context, pods: &[PodView]) -> Source<PatroniView> {
    match entrance(context).await {
        Ok(entrance) => context.patroni.enter_by(entrance),
        Err(why) => context.patroni.close(why),
    }
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

/// As the operator's configuration says. The error is a sentence.
async fn entrance(context: &Context) -> Result<Entrance, String> {
    let config = context.config();
    let fleet = &config.fleet;
    let mut entrance = Entrance {
        has_tls: fleet.patroni_api_scheme == ApiScheme::Https,
        ..Entrance::default()
    };
    if let Some(place) = fleet
        .patroni_api_ca_secret_name
        .as_ref()
        .filter(|_| entrance.has_tls)
    {
        entrance.authority = Some(key_of(&secret(context, place).await?, place, "ca.crt")?);
    }
    if let Some(place) = &fleet.patroni_api_secret_name {
        let data = secret(context, place).await?;
        entrance.login = Some((
            key_of(&data, place, "username")?,
            key_of(&data, place, "password")?,
        ));
    }
    Ok(entrance)
}

async fn secret(context: &Context, place: &NamespacedName) -> Result<Data, String> {
    let found = credentials::data(context, Secrets::Secret, place).await?;
    found.ok_or_else(|| format!("secret {place} does not exist"))
}

fn key_of(data: &Data, place: &NamespacedName, key: &str) -> Result<Secret, String> {
    let found = data.get(key).filter(|value| !value.is_empty());
    found
        .cloned()
        .ok_or_else(|| format!("secret {place} has no {key}"))
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
        request: None,
    };
    let Ok(answer) = member else { return Ok(view) };
    let says_streaming = says_streaming(&answer.patroni.version);
    for member in &mut view.members {
        member.says_streaming = says_streaming;
        if member.name == name {
            take_own_word(member, &answer);
        }
    }
    Ok(view)
}

/// What is listed of the members is what each wrote at its last round; of itself the asked one knows better. One that has the lock and is still
/// a replica is being promoted: it takes no writes yet, and its timeline is the one before.
fn take_own_word(member: &mut MemberView, answer: &MemberAnswer) {
    member.server_version = answer.server_version.map(i64::from);
    let timeline = answer.timeline.filter(|timeline| *timeline > 0);
    member.timeline = timeline.or(member.timeline);
    if member.role == MemberRole::Leader && answer.role == "replica" {
        PROMOTED.clone_into(&mut member.state);
    }
}

/// Since 3.0.4 a replica that streams is told from one that only runs.
fn says_streaming(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    parts >= vec![3, 0, 4]
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
        priority: priority(&member.tags.failover_priority).unwrap_or(1),
        server_version: None,
        says_streaming: false,
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

/// As Patroni's own `tags.py` has it (3.2 to 4.1): `nofailover` decides if it is there at all, by Python's idea of truth; otherwise a
/// priority that rounds to zero or less.
fn never_leads(tags: &Tags) -> bool {
    match &tags.nofailover {
        Value::Null => priority(&tags.failover_priority).is_some_and(|priority| priority <= 0),
        tag => is_true(tag),
    }
}

/// Rounded as Python does, half to even. What is no number is none.
fn priority(tag: &Value) -> Option<i64> {
    let number = match tag {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => number(text),
        _ => None,
    }?;
    format!("{number:.0}").parse().ok()
}

/// Decimal, or hexadecimal as `strtol` reads it.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let hexadecimal = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    match hexadecimal.strip_prefix("0x") {
        Some(digits) => {
            let size = u32::from_str_radix(digits, 16).ok().map(f64::from)?;
            Some(if text.starts_with('-') { -size } else { size })
        }
        None => text.parse().ok(),
    }
}

/// Even the text `false` is something, and so it is true.
fn is_true(tag: &Value) -> bool {
    match tag {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
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
    fn a_member_that_is_being_promoted_does_not_lead_yet_and_then_has_another_timeline() {
        let listed = || PatroniView {
            members: vec![MemberView {
                name: "a-0".to_owned(),
                role: MemberRole::Leader,
                state: "running".to_owned(),
                timeline: Some(1),
                ..MemberView::default()
            }],
            ..PatroniView::default()
        };
        let after = |answer: Value| {
            let mut view = listed();
            take_own_word(&mut view.members[0], &serde_json::from_value(answer).unwrap());
            let leader = view.running_leader().map(|leader| leader.timeline);
            (leader, view.members[0].timeline)
        };
        let answer = |role: &str, timeline: i64| serde_json::json!({"state": "running", "role": role, "timeline": timeline, "server_version": 170_005});
        assert_eq!(after(answer("replica", 1)), (None, Some(1)));
        for role in ["primary", "master"] {
            assert_eq!(after(answer(role, 2)), (Some(Some(2)), Some(2)));
        }
        // While Postgres cannot be asked, Patroni gives none, or none that is one.
        assert_eq!(after(answer("primary", 0)), (Some(Some(1)), Some(1)));
        assert_eq!(after(serde_json::json!({})), (Some(Some(1)), Some(1)));
    }

    #[test]
    fn newer_patronis_tell_who_streams() {
        let versions = ["", "2.1.7", "3.0.3", "3.0.4", "3.1", "4.0.7"];
        assert_eq!(
            versions.map(says_streaming),
            [false, false, false, true, true, true]
        );
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
        // As Patroni's parse_int reads them.
        for zero in ["0", " 0x0 ", "-0x2", "0.4", "0.5", "-1", "1e-1"] {
            assert!(never(serde_json::json!({"failover_priority": zero})), "{zero}");
        }
        for other in ["1", "0x1", "0.6", "2e0", "high", ""] {
            assert!(!never(serde_json::json!({"failover_priority": other})), "{other}");
        }
        assert!(never(serde_json::json!({"failover_priority": 0.5})));
        let read = |tag: Value| priority(&tag);
        let tags = [
            Value::from(3),
            Value::from("0x10"),
            Value::from(2.5),
            Value::from("high"),
            Value::Null,
        ];
        assert_eq!(tags.map(read), [Some(3), Some(16), Some(2), None, None]);
        assert!(!never(serde_json::json!({"failover_priority": true})));
        // And its idea of truth: a text is true, whatever it says.
        assert!(never(serde_json::json!({"nofailover": "false"})));
        assert!(never(serde_json::json!({"nofailover": 1})));
        assert!(!never(
            serde_json::json!({"nofailover": 0, "failover_priority": 0})
        ));
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
