//! What a server said when it did not do something, without what nobody else may read. Only the first line of its message is kept: details
//! and contexts repeat data and statements, and what a hostile object raises may be long and full of control characters.

use std::fmt;

use pgherd_runtime::tasks::chain;
use tokio_postgres::error::SqlState;

/// Longer ones are cut.
const LONGEST: usize = 300;

/// An error of Postgres, or of the connection to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// None when it was not the server that spoke.
    code: Option<SqlState>,
    message: String,
}

impl Refusal {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Self {
                code: Some(said.code().clone()),
                message: printable(said.message()),
            },
            None => Self {
                code: None,
                message: printable(&chain(error)),
            },
        }
    }

    /// Of a statement that holds a verifier: the server's words may repeat it.
    pub(super) fn silent(error: &tokio_postgres::Error) -> Self {
        let refusal = Self::of(error);
        match refusal.code {
            Some(_) => Self {
                message: "its words are not repeated, for the statement holds a verifier".to_owned(),
                ..refusal
            },
            None => refusal,
        }
    }

    pub fn code(&self) -> Option<&SqlState> {
        self.code.as_ref()
    }

    /// The connection is gone, or leads to a server that takes no more writes: `08`, `57P..`, and a primary that was demoted.
    pub(super) fn ends_session(&self) -> bool {
        self.code.as_ref().is_none_or(|code| {
            *code == SqlState::READ_ONLY_SQL_TRANSACTION
                || code.code().starts_with("08")
                || code.code().starts_with("57P")
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} (SQLSTATE {})", self.message, code.code()),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Refusal {}

fn printable(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let clean = first.chars().map(|letter| match letter {
        control if control.is_control() => ' ',
        other => other,
    });
    clean.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_is_kept_and_not_too_much_of_it() {
        assert_eq!(printable("no\u{1b}[31m\nSTATEMENT: secret"), "no [31m");
        assert_eq!(printable(&"x".repeat(1000)).len(), LONGEST);
    }

    #[test]
    fn a_lost_connection_ends_the_session_and_a_refusal_does_not() {
        let refusal = |code: Option<&str>| Refusal {
            code: code.map(SqlState::from_code),
            message: String::new(),
        };
        for code in [None, Some("57P01"), Some("08006"), Some("25006")] {
            assert!(refusal(code).ends_session(), "{code:?}");
        }
        for code in ["42501", "57014", "55P03", "23505"] {
            assert!(!refusal(Some(code)).ends_session(), "{code}");
        }
    }
}
