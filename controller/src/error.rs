//! What can go wrong in a turn, and what that means for the next one. Must not: how it is shown.

use kube::core::Status;
use pgherd_runtime::tasks::chain;

use crate::password::RandomnessError;
use crate::patroni::PatroniError;
use crate::sql::SqlError;

/// A request to the API server failed, or a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error("cannot {verb} {object}: {}", said(answer))]
    Kubernetes {
        verb: &'static str,
        object: String,
        answer: kube::Error,
    },
    #[error("cannot {verb} {object}: it still exists after {after}s")]
    StillThere {
        verb: &'static str,
        object: String,
        after: u64,
    },
    #[error("cannot act on {object}: this controller does not know the kind")]
    UnknownKind { object: String },
    #[error("cannot read the password in secret {secret}: {message}")]
    Credentials { secret: String, message: &'static str },
    #[error("no member can be asked: {0}")]
    NoMember(&'static str),
    #[error(transparent)]
    Patroni(#[from] PatroniError),
    #[error(transparent)]
    Sql(#[from] SqlError),
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
                Some(409) => "conflict",
                Some(403) => "forbidden",
                Some(400 | 422) => "invalid",
                Some(_) => "api",
                None => "api_unreachable",
            },
            Self::StillThere { .. } => "still_there",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::Credentials { .. } => "credentials",
            Self::NoMember(_) | Self::Patroni(_) => "patroni",
            Self::Sql(_) => "sql",
            Self::Randomness(_) => "randomness",
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::Kubernetes { answer, .. } => match status(answer).map(|status| status.code) {
                Some(400 | 403 | 422) => Retry::OnChange,
                _ => Retry::Backoff,
            },
            Self::Sql(SqlError::Refused { source, .. }) if source.as_db_error().is_some() => Retry::OnChange,
            Self::UnknownKind { .. } => Retry::OnChange,
            _ => Retry::Backoff,
        }
    }
}

/// One sentence: kube's own words repeat the whole answer.
pub fn said(error: &kube::Error) -> String {
    status(error).map_or_else(|| chain(error), |status| status.message.clone())
}

/// What the API server said, if it was it that refused.
pub fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// The object does not exist.
pub fn is_not_found(error: &kube::Error) -> bool {
    status(error).is_some_and(|status| status.code == 404)
}

/// It exists already, or was changed since it was read.
pub fn is_conflict(error: &kube::Error) -> bool {
    status(error).is_some_and(|status| status.code == 409)
}

#[cfg(test)]
mod tests {
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
}
