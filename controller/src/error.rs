//! What can go wrong in a turn, and what that means for the next one. Must not: how it is shown.

use kube::core::Status;
use tokio_postgres::error::SqlState;

pub use crate::answer::{is_conflict, is_not_found, said, status};
use crate::password::RandomnessError;
use crate::patroni::PatroniError;
use crate::sql::SqlError;

/// A request to the API server failed, or a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error("cannot {verb} {object}: {}{}", said(answer), remedy(object, answer))]
    Kubernetes {
        verb: &'static str,
        object: String,
        answer: kube::Error,
    },
    #[error(
        "{object} has changed since it was looked at: nothing is done to it before it is looked at again"
    )]
    Overtaken { object: String },
    #[error("cannot act on {object}: this controller does not know the kind")]
    UnknownKind { object: String },
    #[error(
        "{object} is not replaced: an admission policy rewrites {} of a new one, so that it would be as it is; the policy has to let it pass, \
         or the manifest ask for what the policy makes of it",
        paths.join(", ")
    )]
    Rewritten { object: String, paths: Vec<String> },
    #[error("cannot read what is needed from secret {secret}: {message}")]
    Credentials { secret: String, message: &'static str },
    #[error("no member can be asked: {0}")]
    NoMember(&'static str),
    #[error(transparent)]
    Patroni(#[from] PatroniError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error("not tried: the connection was lost with what came before")]
    SameConnection,
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// When it makes sense to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may work in a moment: the world changed under the plan, or somebody did not answer.
    Backoff,
    /// The same request will fail until somebody changes something; tried again at the longest pause.
    OnChange,
}

impl TurnError {
    pub fn kubernetes(verb: &'static str, object: &dyn std::fmt::Display, answer: kube::Error) -> Self {
        Self::Kubernetes {
            verb,
            object: object.to_string(),
            answer,
        }
    }

    /// One word for metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Kubernetes { answer, .. } => match status(answer).map(|status| status.code) {
                _ if is_overtaken(answer) => "conflict",
                Some(403) => "forbidden",
                Some(400 | 422) => "invalid",
                Some(_) => "api",
                None => "api_unreachable",
            },
            Self::Overtaken { .. } => "conflict",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::Rewritten { .. } => "rewritten",
            Self::Credentials { .. } => "credentials",
            Self::NoMember(_) | Self::Patroni(_) => "patroni",
            Self::Sql(_) | Self::SameConnection => "sql",
            Self::Randomness(_) => "randomness",
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::Kubernetes { answer, .. } => match status(answer).map(|status| status.code) {
                Some(400 | 403 | 422) if !is_overtaken(answer) => Retry::OnChange,
                _ => Retry::Backoff,
            },
            Self::Sql(SqlError::Refused { refusal, .. }) => match refusal.code() {
                Some(code) if !is_passing(code) => Retry::OnChange,
                _ => Retry::Backoff,
            },
            Self::UnknownKind { .. } => Retry::OnChange,
            _ => Retry::Backoff,
        }
    }

    /// The server is there and did not do this one thing, or something that it needs.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Sql(SqlError::Refused { refusal, .. }) => refusal.code().is_some(),
            Self::Sql(SqlError::Lacking { .. } | SqlError::PutOff | SqlError::Unwritable(_))
            | Self::Credentials { .. } => true,
            _ => false,
        }
    }

    /// The API server does not work (now): that says nothing about what was asked. A 500 does: it is what a webhook of somebody else's that
    /// does not answer comes as.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Kubernetes { answer, .. } => {
                status(answer).is_none_or(|status| matches!(status.code, 408 | 429 | 502 | 503 | 504))
            }
            _ => false,
        }
    }

    /// Somebody was faster: nothing is wrong, the plan is out of date.
    pub fn is_overtaken(&self) -> bool {
        match self {
            Self::Kubernetes { answer, .. } => is_overtaken(answer),
            Self::Overtaken { .. } => true,
            _ => false,
        }
    }
}

/// What to do about a refusal that does not say so itself.
fn remedy(object: &str, error: &kube::Error) -> &'static str {
    let is_forbidden = status(error).is_some_and(|status| status.code == 403);
    if is_forbidden && object.starts_with("RoleBinding ") {
        "; the controller may bind the cluster roles that its own role names (verb bind, resourceNames): add this one there, or make the \
         binding by hand"
    } else {
        ""
    }
}

/// A conflict, or a JSON patch that does not fit the object that is there: its tests of uid and resourceVersion are the usual cause. API
/// servers answer that with 422 and a general sentence, without the causes that what is invalid comes with.
fn is_overtaken(error: &kube::Error) -> bool {
    let unfit = |status: &Status| {
        let explained = status
            .details
            .as_ref()
            .is_some_and(|details| !details.causes.is_empty());
        let general = ["error in our request", "test failed"]
            .iter()
            .any(|text| status.message.contains(text));
        status.code == 422 && !explained && general
    };
    is_conflict(error) || status(error).is_some_and(unfit)
}

/// What Postgres refuses now and may do in a moment: a lost connection (08), a server that is read-only because it was demoted, a
/// serialization failure or deadlock (40), exhausted resources (53), a lock that is not free (55), a server that shuts down, starts or
/// cancelled the statement (57), and trouble of the system below it (58).
fn is_passing(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    *code == SqlState::READ_ONLY_SQL_TRANSACTION || matches!(class, "08" | "40" | "53" | "55" | "57" | "58")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(code: u16) -> TurnError {
        let status = Status {
            code,
            message: "no".to_owned(),
            ..Status::default()
        };
        TurnError::kubernetes("apply", &"Service a/b", kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn what_the_api_server_says_decides_when_to_try_again() {
        let table = [
            (409, "conflict", Retry::Backoff),
            (403, "forbidden", Retry::OnChange),
            (422, "invalid", Retry::OnChange),
            (500, "api", Retry::Backoff),
            (429, "api", Retry::Backoff),
            (504, "api", Retry::Backoff),
        ];
        for (code, category, retry) in table {
            assert_eq!(
                (refused(code).category(), refused(code).retry()),
                (category, retry),
                "{code}"
            );
            assert_eq!(refused(code).is_outage(), [429, 504].contains(&code), "{code}");
        }
    }

    #[test]
    fn a_patch_whose_tests_fail_is_a_conflict_and_an_invalid_object_is_not() {
        let answer = |message: &str, causes: Value| {
            let status =
                json!({"status": "Failure", "code": 422, "message": message, "details": {"causes": causes}});
            let status: Status = serde_json::from_value(status).unwrap();
            TurnError::kubernetes("patch", &"Service a/b", kube::Error::Api(Box::new(status)))
        };
        let general = "the server rejected our request due to an error in our request";
        let error = answer(general, json!([]));
        assert_eq!(
            (error.category(), error.retry(), error.is_overtaken()),
            ("conflict", Retry::Backoff, true)
        );
        let cause = json!({"reason": "FieldValueInvalid", "message": "no", "field": "spec"});
        for error in [
            answer(general, json!([cause])),
            answer("Service is invalid", json!([])),
        ] {
            assert_eq!(
                (error.category(), error.retry(), error.is_overtaken()),
                ("invalid", Retry::OnChange, false)
            );
        }
    }

    #[test]
    fn what_postgres_refuses_for_the_moment_is_tried_again_soon() {
        for code in [
            "08006", "25006", "40P01", "53300", "55P03", "57014", "57P01", "58030",
        ] {
            assert!(is_passing(&SqlState::from_code(code)), "{code}");
        }
        for code in ["42501", "42710", "22023", "25001", "0A000", "28P01"] {
            assert!(!is_passing(&SqlState::from_code(code)), "{code}");
        }
    }

    #[test]
    fn a_member_that_does_not_answer_may_answer_later() {
        let error = TurnError::from(SqlError::NotPrimary {
            at: "10.0.0.1:5432".to_owned(),
        });
        assert_eq!((error.category(), error.retry()), ("sql", Retry::Backoff));
        assert_eq!(
            TurnError::NoMember("no pod has an address").retry(),
            Retry::Backoff
        );
    }

    #[test]
    fn the_message_says_what_was_tried_on_what() {
        assert_eq!(refused(403).to_string(), "cannot apply Service a/b: no");
    }

    #[test]
    fn a_role_that_may_not_be_bound_is_told_with_what_to_do() {
        let status = Status {
            code: 403,
            message: "no".to_owned(),
            ..Status::default()
        };
        let answer = kube::Error::Api(Box::new(status));
        let error = TurnError::kubernetes("apply", &"RoleBinding a/pods", answer).to_string();
        assert!(error.contains("verb bind, resourceNames"), "{error}");
    }
}
