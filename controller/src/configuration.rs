//! Says of the operator's configuration whether it is in force: an event on the object, a condition in its status, a metric, and a line in the
//! log by whoever reads it (`pgherd_runtime::config_watch`). Must not: read or judge it.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Api;
use kube::api::{Patch, PatchParams};
use pgherd_model::api::API_VERSION;
use pgherd_model::config::{OperatorConfig, OperatorConfiguration, OperatorConfigurationStatus};
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_runtime::config_source::ConfigSource;
use pgherd_runtime::config_watch::ConfigState;
use pgherd_runtime::lease::Leadership;
use serde_json::json;
use tokio::sync::watch;

use crate::context::Context;
use crate::events::Note;

const ACCEPTED: &str = "Accepted";
/// All problems are in the log.
const MESSAGE_LIMIT: usize = 1000;

/// Reports from the moment on at which this process leads, until the configuration's watch ends.
pub async fn report(
    context: Context,
    source: ConfigSource,
    mut states: watch::Receiver<ConfigState>,
    mut leadership: Leadership,
) {
    if source == ConfigSource::Defaults {
        return std::future::pending().await;
    }
    leadership.acquired().await;
    let mut known: Option<Arc<OperatorConfig>> = None;
    let mut problems: Vec<String> = Vec::new();
    loop {
        let state = states.borrow_and_update().clone();
        let count = i64::try_from(state.problems.len()).unwrap_or(i64::MAX);
        context.metrics.configuration_problems.set(count);
        if context.authority.leads() {
            write(&context, &source, &state).await;
            if let Some(note) = note(&state, known.as_deref(), &problems) {
                context.events.tell_of(&reference(&source, &state), note).await;
            }
        }
        // What stands there before the first reading was never in force.
        known = state.is_loaded().then(|| Arc::clone(&state.config));
        problems = state.problems;
        if states.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// What is news since the last report. That all is well at the start is none.
fn note(state: &ConfigState, before: Option<&OperatorConfig>, problems: &[String]) -> Option<Note> {
    if !state.problems.is_empty() {
        let news = state.problems != problems;
        return news.then(|| Note {
            warning: true,
            reason: "InvalidConfiguration".to_owned(),
            action: "Configure",
            text: refusal(state),
        });
    }
    let changes = before
        .into_iter()
        .flat_map(|before| before.changes(&state.config));
    let names: Vec<&str> = changes.map(|param| param.name).collect();
    let text = match (names.is_empty(), problems.is_empty()) {
        (true, true) => return None,
        (true, false) if before.is_none() => "in force".to_owned(),
        (true, false) => "in force again, as it was".to_owned(),
        (false, _) => format!("in force, changed: {}", names.join(", ")),
    };
    Some(Note {
        warning: false,
        reason: "ConfigurationInForce".to_owned(),
        action: "Configure",
        text,
    })
}

fn refusal(state: &ConfigState) -> String {
    let stands = if state.is_loaded() {
        "the last good configuration stays in force"
    } else {
        "nothing is done until there is a good one"
    };
    let text = format!("not in force: {}; {stands}", state.problems.join("; "));
    if text.chars().count() <= MESSAGE_LIMIT {
        return text;
    }
    let count = state.problems.len();
    let head: String = text.chars().take(MESSAGE_LIMIT - 100).collect();
    format!("{head}... ({count} problems); {stands}")
}

fn reference(source: &ConfigSource, state: &ConfigState) -> ObjectReference {
    let (api_version, kind, namespace, name) = match source {
        ConfigSource::Defaults => return ObjectReference::default(),
        ConfigSource::ConfigMap { namespace, name } => ("v1", "ConfigMap", namespace, name),
        ConfigSource::OperatorConfiguration { namespace, name } => {
            (API_VERSION, "OperatorConfiguration", namespace, name)
        }
    };
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(namespace.clone()),
        name: Some(name.clone()),
        uid: state.seen.as_ref().map(|seen| seen.uid.clone()),
        ..ObjectReference::default()
    }
}

/// Only an OperatorConfiguration has a status. That it cannot be written is no reason to stop anything.
async fn write(context: &Context, source: &ConfigSource, state: &ConfigState) {
    let (ConfigSource::OperatorConfiguration { namespace, name }, Some(seen)) = (source, &state.seen) else {
        return;
    };
    let api: Api<OperatorConfiguration> = Api::namespaced(context.client.clone(), namespace);
    let stored = match api.get_opt(name).await {
        Ok(Some(object)) => object.status.unwrap_or_default(),
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(%error, "cannot read the status of the operator configuration");
            return;
        }
    };
    let wanted = status(&stored, state, seen.generation, Timestamp::now());
    if wanted == stored {
        return;
    }
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({ "status": wanted }));
    if let Err(error) = api.patch_status(name, &params, &patch).await {
        tracing::warn!(%error, "cannot write the status of the operator configuration");
    }
}

fn status(
    stored: &OperatorConfigurationStatus,
    state: &ConfigState,
    generation: i64,
    now: Timestamp,
) -> OperatorConfigurationStatus {
    let (status, reason, message) = if state.problems.is_empty() {
        ("True", "InForce", "the configuration is in force".to_owned())
    } else {
        ("False", "Invalid", refusal(state))
    };
    let mut before = stored.conditions.iter();
    let before = before.find(|condition| condition.type_ == ACCEPTED && condition.status == status);
    let condition = Condition {
        type_: ACCEPTED.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time: before.map_or(Time(now), |before| before.last_transition_time.clone()),
    };
    let others = stored.conditions.iter().filter(|other| other.type_ != ACCEPTED);
    OperatorConfigurationStatus {
        observed_generation: Some(generation),
        conditions: std::iter::once(condition).chain(others.cloned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn refused(problem: &str) -> ConfigState {
        let mut state = ConfigState::defaults();
        state.problems = vec![problem.to_owned()];
        state
    }

    #[test]
    fn a_refusal_is_told_once_and_so_is_what_changed_afterwards() {
        let state = refused("workers: \"many\" is not a number");
        let told = note(&state, Some(&state.config), &[]).unwrap();
        assert!(
            told.warning && told.text.contains("workers") && told.text.contains("last good"),
            "{told:?}"
        );
        assert_eq!(note(&state, Some(&state.config), &state.problems), None);
        let mut good = ConfigState::defaults();
        let again = note(&good, Some(&state.config), &state.problems).unwrap();
        assert_eq!(
            (again.warning, again.text.as_str()),
            (false, "in force again, as it was")
        );
        let mut config = OperatorConfig::default_for(Form::ConfigMap);
        config.general.docker_image = "other".to_owned();
        good.config = Arc::new(config);
        let changed = note(&good, Some(&state.config), &[]).unwrap();
        assert_eq!(changed.text, "in force, changed: docker_image");
        assert_eq!(note(&good, Some(&good.config), &[]), None);
        assert_eq!(note(&good, None, &[]), None, "a start is no news");
        let first = note(&good, None, &state.problems).unwrap();
        assert_eq!(first.text, "in force", "the first good one after a refused one");
    }

    #[test]
    fn the_condition_keeps_its_time_as_long_as_it_says_the_same() {
        let good = status(
            &OperatorConfigurationStatus::default(),
            &ConfigState::defaults(),
            3,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(good.conditions[0].status, "True");
        let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(1);
        let next = status(&good, &ConfigState::defaults(), 4, later);
        assert_eq!(next.conditions[0].last_transition_time.0, Timestamp::UNIX_EPOCH);
        assert_eq!(next.observed_generation, Some(4));
        let bad = status(&good, &refused("no"), 5, later);
        assert_eq!(
            (bad.conditions[0].status.as_str(), bad.conditions.len()),
            ("False", 1)
        );
        assert_eq!(bad.conditions[0].last_transition_time.0, later);
    }

    #[test]
    fn a_long_refusal_is_cut() {
        let text = refusal(&refused(&"x".repeat(5000)));
        assert!(text.len() < MESSAGE_LIMIT + 50 && text.contains("1 problems"));
    }
}
