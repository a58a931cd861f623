//! Reading the system catalogs: one question per database, whose answer is a document in the shape of the planner's own types. Lives here:
//! asking, and what came of it. Must not: compare with what is wanted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::stream::{self, StreamExt as _};
use pgherd_model::cluster::Cluster;
use pgherd_model::names::roles::MAINTENANCE_DATABASE;
use pgherd_model::postgres_parameters::stored_name;
use pgherd_model::secret::Secret;
use pgherd_planner::observed::catalog::ContentView;
use pgherd_planner::observed::{Catalog, DatabaseView, RoleView};
use pgherd_planner::sql::{Subject, verifier};
use pgherd_runtime::tasks::chain;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Server, Session, SqlError};

mod query;

/// How many databases of one server are looked into at a time.
const AT_ONCE: usize = 4;

/// A document of so many bytes is read beside any others. What one is made of stands in memory several times while it is understood.
const SMALL: usize = 1 << 20;
/// More is not read at all; up to that in turns, over all clusters.
const LARGE: usize = 8 << 20;
/// What is read of all databases of one server together; those that come after are not looked into.
const TOTAL: usize = 32 << 20;
/// Who reads a large one.
static LARGE_ONES: Semaphore = Semaphore::const_new(2);
/// How long a turn waits for the large ones of others.
const LARGE_WAIT: Duration = Duration::from_secs(30);

/// Stands for bytes that are no text.
const NO_TEXT: char = char::REPLACEMENT_CHARACTER;

/// Which databases are looked into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    /// These, as far as they exist.
    pub named: Vec<String>,
    /// All others too that take connections and are no templates.
    pub others: bool,
    /// Of these the tables and sequences as well.
    pub objects: BTreeSet<String>,
}

impl Inside {
    /// As the plan for this cluster needs to know.
    pub fn of(cluster: &Cluster) -> Self {
        let prepared = cluster.prepared_databases.iter();
        Self {
            named: prepared.clone().map(|database| database.name.clone()).collect(),
            others: cluster.pooler.is_some(),
            objects: prepared
                .filter(|database| database.grant_existing)
                .map(|database| database.name.clone())
                .collect(),
        }
    }

    fn has(&self, name: &str, view: &DatabaseView) -> bool {
        let is_named = self.named.iter().any(|named| named == name);
        !view.closed && (is_named || self.others && !view.template)
    }
}

/// What all databases share.
#[derive(Debug, Deserialize)]
pub struct Shared {
    roles: BTreeMap<String, RoleView>,
    /// By role; no part of the view.
    verifiers: BTreeMap<String, Secret>,
    /// What is set for a role, `name=value` each.
    parameters: BTreeMap<String, Vec<String>>,
    databases: BTreeMap<String, DatabaseView>,
    settings: BTreeMap<String, String>,
    #[serde(skip)]
    illegible: BTreeSet<Subject>,
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
    /// Reads what all databases share, and the inside of some: one connection and one question each.
    pub async fn read(&self, inside: &Inside) -> Result<Reading, SqlError> {
        let session = self.open(MAINTENANCE_DATABASE).await?;
        let shared = session.shared().await?;
        let version = session.version / 10_000;
        drop(session);
        let Shared {
            roles,
            verifiers,
            mut databases,
            settings,
            illegible,
            ..
        } = shared;
        let open = databases.iter().filter(|(name, view)| inside.has(name, view));
        let open: Vec<String> = open.map(|(name, _)| name.clone()).collect();
        let insides = open.into_iter().map(|name| self.inside(name, inside));
        let mut insides = stream::iter(insides).buffered(AT_ONCE);
        let mut unread = Vec::new();
        let mut contents = Vec::new();
        let mut total = 0;
        while let Some((name, inside)) = insides.next().await {
            match inside {
                Ok((_, size)) if total + size > TOTAL => unread.push((name.clone(), too_much(name))),
                Ok((content, size)) => {
                    total += size;
                    contents.push((name, content));
                }
                Err(error) => unread.push((name, error)),
            }
        }
        drop(insides);
        for (name, error) in &unread {
            if let Some(database) = databases.get_mut(name) {
                database.silence = Some(chain(error));
            }
        }
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
                illegible,
            },
            verifiers,
            unread,
        })
    }

    /// And how many bytes it was made of.
    async fn inside(
        &self,
        name: String,
        wanted: &Inside,
    ) -> (String, Result<(ContentView, usize), SqlError>) {
        let objects = wanted.objects.contains(&name);
        let content = async { self.open(&name).await?.content(objects).await };
        let content = content.await;
        (name, content)
    }
}

fn too_much(database: String) -> SqlError {
    let message = format!("those before it have {TOTAL} bytes together, and no more are read of one server");
    SqlError::Unreadable { database, message }
}

/// What a question was answered with.
struct Document<T> {
    document: T,
    /// All of it was text.
    whole: bool,
    /// In bytes.
    size: usize,
}

impl Session {
    /// Roles, databases and settings.
    pub async fn shared(&self) -> Result<Shared, SqlError> {
        let question = query::shared(self.version);
        let read = self
            .document::<Shared>("reading roles and databases", &question)
            .await?;
        Ok(read.document.with_settings().legible(read.whole))
    }

    /// The inside of the database that this session is in, with its tables and sequences or without, and how many bytes it was made of.
    async fn content(&self, objects: bool) -> Result<(ContentView, usize), SqlError> {
        let question = query::content(objects);
        let read = self
            .document::<ContentView>("reading what is in the database", &question)
            .await?;
        let mut content = read.document;
        for view in &mut content.objects {
            view.names.retain(|name| !name.contains(NO_TEXT));
        }
        Ok((content, read.size))
    }

    async fn document<T: DeserializeOwned>(
        &self,
        what: &'static str,
        query: &str,
    ) -> Result<Document<T>, SqlError> {
        let unreadable = |message: String| SqlError::Unreadable {
            database: self.database.clone(),
            message,
        };
        let (mut encoded, size) = self.encoded(what, query, SMALL).await?;
        let mut turn = None;
        if encoded.is_none() && size.is_some_and(|size| size <= LARGE) {
            let acquired = timeout(LARGE_WAIT, LARGE_ONES.acquire()).await;
            turn = Some(acquired.map_err(|_| SqlError::TimedOut {
                what: "waiting for others who read large catalogs",
                limit: LARGE_WAIT,
            })?);
            (encoded, _) = self.encoded(what, query, LARGE).await?;
        }
        let encoded = encoded.ok_or_else(|| {
            unreadable(match size {
                // Without its size, which changes: this is told in the status.
                Some(_) => format!("no more than {LARGE} bytes are read, and it has more"),
                None => "no row came back".to_owned(),
            })
        })?;
        let bytes = BASE64.decode(encoded);
        let bytes = bytes.map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8_lossy(&bytes);
        // Where, not what: the document holds verifiers.
        let document = serde_json::from_str(&text).map_err(|error| {
            unreadable(format!(
                "{:?} error in column {}",
                error.classify(),
                error.column()
            ))
        })?;
        drop(turn);
        Ok(Document {
            document,
            whole: matches!(text, Cow::Borrowed(_)),
            size: bytes.len(),
        })
    }

    /// The document, if it has no more bytes than that, and how many it has.
    async fn encoded(
        &self,
        what: &'static str,
        query: &str,
        limit: usize,
    ) -> Result<(Option<String>, Option<usize>), SqlError> {
        let rows = self.ask(what, &query::within(query, limit)).await?;
        let column = |column: usize| rows.first().and_then(|row| row.try_get(column).ok().flatten());
        let encoded = column(0).map(|text| text.split_ascii_whitespace().collect());
        Ok((encoded, column(1).and_then(|size| size.parse().ok())))
    }
}

impl Shared {
    /// Each role with what is set for it, under the names that the server gives to parameters.
    fn with_settings(mut self) -> Self {
        for (role, items) in std::mem::take(&mut self.parameters) {
            if let Some(view) = self.roles.get_mut(&role) {
                let items = items.iter().filter_map(|item| item.split_once('='));
                view.settings = items
                    .map(|(name, value)| (stored_name(name), value.to_owned()))
                    .collect();
            }
        }
        self
    }

    /// Without roles and databases whose names are no text, unless all was text: nobody can speak of them, and several may look like one.
    fn legible(mut self, whole: bool) -> Self {
        if whole {
            return self;
        }
        let mut illegible = BTreeSet::new();
        let mut is_legible = |of: fn(String) -> Subject, name: &str| {
            let is = !name.contains(NO_TEXT);
            if !is {
                illegible.insert(of(name.to_owned()));
            }
            is
        };
        self.roles.retain(|name, _| is_legible(Subject::Role, name));
        self.databases
            .retain(|name, _| is_legible(Subject::Database, name));
        self.verifiers.retain(|name, _| !name.contains(NO_TEXT));
        self.illegible = illegible;
        self
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
                role.verbatim = verifier::is_verifier(password.expose());
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
