//! Reading the system catalogs: one question per database, whose answer is a document in the shape of the planner's own types. Lives here:
//! asking, and what came of it. Must not: compare with what is wanted.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use pgherd_model::names::roles::MAINTENANCE_DATABASE;
use pgherd_model::secret::Secret;
use pgherd_planner::observed::catalog::ContentView;
use pgherd_planner::observed::{Catalog, DatabaseView, RoleView};
use pgherd_planner::sql::verifier;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Server, Session, SqlError};

mod query;

/// How many databases of one server are looked into at a time.
const AT_ONCE: usize = 4;

/// What all databases share.
#[derive(Debug, Deserialize)]
pub struct Shared {
    roles: BTreeMap<String, RoleView>,
    /// By role; no part of the view.
    verifiers: BTreeMap<String, Secret>,
    databases: BTreeMap<String, DatabaseView>,
    settings: BTreeMap<String, String>,
}

/// A catalog as read, and the verifiers, which are no part of it.
#[derive(Debug)]
pub struct Reading {
    catalog: Catalog,
    verifiers: BTreeMap<String, Secret>,
    /// Databases that could not be looked into.
    pub unread: Vec<(String, SqlError)>,
}

impl Server {
    /// Reads what all databases share, and the inside of those of `prepared` that exist: one connection and one question each.
    pub async fn read(&self, prepared: &[String]) -> Result<Reading, SqlError> {
        let session = self.open(MAINTENANCE_DATABASE).await?;
        let shared = session.shared().await?;
        let version = session.version / 10_000;
        drop(session);
        let Shared {
            roles,
            verifiers,
            mut databases,
            settings,
        } = shared;
        let there = |name: &String| databases.get(name).is_some_and(|it| !it.closed);
        let there: Vec<String> = prepared.iter().filter(|name| there(name)).cloned().collect();
        let insides = there.into_iter().map(|name| self.inside(name));
        let mut insides = stream::iter(insides).buffered(AT_ONCE);
        let mut unread = Vec::new();
        let mut contents = Vec::new();
        while let Some((name, inside)) = insides.next().await {
            match inside {
                Ok(content) => contents.push((name, content)),
                Err(error) => unread.push((name, error)),
            }
        }
        drop(insides);
        for (name, content) in contents {
            if let Some(database) = databases.get_mut(&name) {
                database.content = Some(content);
            }
        }
        Ok(Reading {
            catalog: Catalog {
                version,
                roles,
                databases,
                settings,
            },
            verifiers,
            unread,
        })
    }

    async fn inside(&self, name: String) -> (String, Result<ContentView, SqlError>) {
        let content = async { self.open(&name).await?.content().await };
        let content = content.await;
        (name, content)
    }
}

impl Session {
    /// Roles, databases and settings.
    pub async fn shared(&self) -> Result<Shared, SqlError> {
        self.document("reading roles and databases", &query::shared(self.version))
            .await
    }

    /// The inside of the database that this session is in.
    pub async fn content(&self) -> Result<ContentView, SqlError> {
        self.document("reading what is in the database", query::CONTENT)
            .await
    }

    async fn document<T: DeserializeOwned>(&self, what: &'static str, query: &str) -> Result<T, SqlError> {
        let unreadable = |message: String| SqlError::Unreadable {
            database: self.database.clone(),
            message,
        };
        let rows = self.ask(what, query).await?;
        let text = rows.first().and_then(|row| row.get(0));
        let text = text.ok_or_else(|| unreadable("no row came back".to_owned()))?;
        // Where, not what: the document holds verifiers.
        serde_json::from_str(text).map_err(|error| {
            unreadable(format!(
                "{:?} error in column {}",
                error.classify(),
                error.column()
            ))
        })
    }
}

impl Reading {
    /// The catalog, with a word on each password that is known: whether the stored verifier was made of it. Some milliseconds of arithmetic
    /// per password: not for a thread that serves others.
    pub fn compared(mut self, passwords: &BTreeMap<String, Secret>) -> Catalog {
        for (name, password) in passwords {
            if let Some(role) = self.catalog.roles.get_mut(name) {
                let stored = self.verifiers.get(name).map_or("", Secret::expose);
                role.password_matches = Some(verifier::matches(stored, name, password));
            }
        }
        self.catalog
    }
}

#[cfg(test)]
mod tests {
    use pgherd_planner::sql::Scheme;

    use super::*;

    #[test]
    fn only_roles_with_a_password_are_compared() {
        let password = Secret::new("hunter2");
        let made = verifier::create(Scheme::ScramSha256, "app", &password, b"salt");
        let stored = Secret::new(made.expose());
        let names = ["app", "other", "free"];
        let reading = Reading {
            catalog: Catalog {
                roles: names.map(|name| (name.to_owned(), RoleView::default())).into(),
                ..Catalog::default()
            },
            verifiers: [("app".to_owned(), stored.clone()), ("free".to_owned(), stored)].into(),
            unread: Vec::new(),
        };
        let passwords = BTreeMap::from([
            ("app".to_owned(), password.clone()),
            ("other".to_owned(), password),
        ]);
        let roles = reading.compared(&passwords).roles;
        assert_eq!(roles["app"].password_matches, Some(true));
        assert_eq!(roles["other"].password_matches, Some(false));
        assert_eq!(roles["free"].password_matches, None);
    }
}
