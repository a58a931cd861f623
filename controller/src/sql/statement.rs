//! Sending the plan's statements: in one transaction, so that a failure leaves nothing half done; alone where Postgres does not allow one.

use pgherd_planner::sql::{Statement, Verifier};
use zeroize::Zeroizing;

use super::connect::bounded;
use super::{Session, SqlError};

impl Session {
    /// Carries out the statements in order. `verifiers` has one entry per statement.
    pub async fn run(
        &self,
        statements: &[Statement],
        verifiers: &[Option<Verifier>],
    ) -> Result<(), SqlError> {
        let transactional = statements.iter().all(Statement::is_transactional);
        if transactional {
            self.send("BEGIN", "BEGIN").await?;
        }
        for (statement, verifier) in statements.iter().zip(verifiers) {
            let text = Zeroizing::new(statement.render(verifier.as_ref())?);
            self.send(&text, statement).await?;
        }
        if transactional {
            self.send("COMMIT", "COMMIT").await?;
        }
        Ok(())
    }

    /// Writes what is in memory to disk.
    pub async fn checkpoint(&self) -> Result<(), SqlError> {
        self.send("CHECKPOINT", "CHECKPOINT").await
    }

    /// A failure ends the session with its transaction: the server rolls back.
    async fn send(&self, text: &str, shown: impl ToString) -> Result<(), SqlError> {
        bounded("carrying out a statement", async {
            self.client
                .batch_execute(text)
                .await
                .map_err(|source| SqlError::Refused {
                    statement: shown.to_string(),
                    source,
                })
        })
        .await
    }
}
