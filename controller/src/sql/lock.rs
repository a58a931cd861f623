//! The operator's lock: while one provisions a database, a second one waits, and then says whom it waits for. A session's lock, so that it
//! ends with the connection whatever becomes of its holder. Must not: keep anybody else from the database.

use tokio_postgres::error::SqlState;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::connect::bounded;
use super::{Refusal, Session, SqlError};

/// Waits at most for the session's `lock_timeout`. The numbers are the letters of `pgherd` and a one, and mean nothing.
const TAKE: &str = "SELECT pg_catalog.pg_advisory_lock(1885825138, 1)";

/// Who holds it, and whether he may provision at all; those who may first, for several may share it.
const HOLDER: &str = "
    SELECT role.rolsuper, pg_catalog.format('%s at %s (process %s, %s)', activity.usename,
        coalesce(activity.client_addr::pg_catalog.text, 'a local socket'), activity.pid, activity.application_name)
    FROM pg_catalog.pg_locks held
        JOIN pg_catalog.pg_stat_activity activity ON activity.pid = held.pid
        JOIN pg_catalog.pg_roles role ON role.oid = activity.usesysid
    WHERE held.locktype = 'advisory' AND held.classid = 1885825138 AND held.objid = 1 AND held.objsubid = 2
        AND held.granted
        AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY role.rolsuper DESC";

impl Session {
    /// Takes the lock of this database. Whoever may connect may hold it too, and is no operator if he is no superuser: then we go on without.
    pub async fn lock(&self) -> Result<(), SqlError> {
        match self.ask("waiting for the operator's lock", TAKE).await {
            Ok(_) => return Ok(()),
            Err(SqlError::Refused { refusal, .. })
                if refusal.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {}
            Err(error) => return Err(error),
        }
        let rows = self.ask("asking who holds the operator's lock", HOLDER).await?;
        let Some(row) = rows.first() else {
            return Err(self.locked("somebody who has gone meanwhile"));
        };
        // A name that is no text is as good as none.
        let text = |column: usize| row.try_get(column).ok().flatten();
        let holder = text(1).unwrap_or("somebody whose name is not UTF-8");
        if text(0) == Some("t") {
            return Err(self.locked(holder));
        }
        tracing::warn!(
            database = self.database,
            holder,
            "somebody who is no operator holds the operator's lock; going on without it"
        );
        Ok(())
    }

    fn locked(&self, holder: &str) -> SqlError {
        SqlError::Locked {
            database: self.database.clone(),
            holder: holder.to_owned(),
        }
    }

    /// One question, one round trip, all values as text.
    pub(super) async fn ask(&self, what: &'static str, query: &str) -> Result<Vec<SimpleQueryRow>, SqlError> {
        let answer = bounded(what, async {
            self.client
                .simple_query(query)
                .await
                .map_err(|error| SqlError::Refused {
                    statement: what.to_owned(),
                    refusal: Refusal::of(&error),
                })
        })
        .await?;
        let rows = answer.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }
}
