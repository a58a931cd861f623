//! What a review needs to know of the cluster beside its own object: read when it is needed, briefly waited for, done without otherwise.
//!
//! Only two kinds of reviews need anything, and neither is made often. Clusters are reviewed without asking anybody.

use std::fmt;
use std::time::Duration;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, Resource};
use pgherd_model::api::postgresql::Postgresql;
use pgherd_model::api::team::PostgresTeam;
use pgherd_runtime::tasks::chain;
use serde_json::Value;
use tokio::time::timeout;
use tracing::debug;

use crate::review::Question;
use crate::route::Route;

/// More teams than this do not fit into a second.
const MOST_TEAMS: u32 = 500;

/// Where to look.
#[derive(Clone)]
pub struct Lookup {
    client: Option<Client>,
    patience: Duration,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Related {
    /// The postgresql that is being scaled.
    pub parent: Option<Value>,
    /// The other `PostgresTeam` objects of the namespace.
    pub teams: Vec<Value>,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup(patience {:?})", self.patience)
    }
}

impl Lookup {
    /// Asks the API server, for no longer than `patience`.
    pub fn new(client: Client, patience: Duration) -> Self {
        Self {
            client: Some(client),
            patience,
        }
    }

    /// Finds nothing.
    pub fn none() -> Self {
        Self {
            client: None,
            patience: Duration::ZERO,
        }
    }

    /// What asks the API server, if anything does.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// What the question on this route needs.
    pub async fn related(&self, route: Route, question: &Question) -> Related {
        match route {
            Route::ValidateScale => Related {
                parent: self.parent(question).await,
                teams: Vec::new(),
            },
            Route::ValidatePostgresTeam => Related {
                parent: None,
                teams: self.teams(question).await,
            },
            _ => Related::default(),
        }
    }

    async fn parent(&self, question: &Question) -> Option<Value> {
        let api = self.api::<Postgresql>(question)?;
        let found = self.patiently(api.get_opt(&question.name)).await?;
        found.and_then(|object| serde_json::to_value(object).ok())
    }

    async fn teams(&self, question: &Question) -> Vec<Value> {
        let Some(api) = self.api::<PostgresTeam>(question) else {
            return Vec::new();
        };
        let params = ListParams::default().limit(MOST_TEAMS);
        let Some(list) = self.patiently(api.list(&params)).await else {
            return Vec::new();
        };
        let others = list
            .items
            .into_iter()
            .filter(|team| team.metadata.name.as_deref() != Some(&question.name));
        others
            .filter_map(|team| serde_json::to_value(team).ok())
            .collect()
    }

    /// Read as JSON: an object that cannot be decoded is reviewed as well.
    fn api<K: Resource<DynamicType = ()>>(&self, question: &Question) -> Option<Api<DynamicObject>> {
        let resource = ApiResource::erase::<K>(&());
        Some(Api::namespaced_with(
            self.client.clone()?,
            &question.namespace,
            &resource,
        ))
    }

    async fn patiently<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Option<T> {
        match timeout(self.patience, request).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(err)) => {
                debug!(reason = %chain(&err), "reviewing without what could not be read");
                None
            }
            Err(_) => {
                debug!(patience = ?self.patience, "reviewing without what was not answered in time");
                None
            }
        }
    }
}
