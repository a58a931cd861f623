//! The database catalog: read when something that it depends on has changed, otherwise remembered. Must not: change the database.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pgherd_model::secret::Secret;
use pgherd_planner::build::Desired;
use pgherd_planner::observed::{Catalog, ObjectRef, Observed, PodView, Source};
use pgherd_runtime::tasks::chain;
use tokio::time::Instant;

use super::Question;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::credentials;
use crate::database::server;
use crate::error::TurnError;
use crate::memory::CatalogKey;

pub(super) async fn read(
    context: &Context,
    question: &Question<'_>,
    observed: &Observed,
    pods: &[PodView],
) -> Source<Catalog> {
    let leader = match leader(question, observed) {
        Ok(leader) => leader,
        Err(reason) => return Source::Unknown(reason),
    };
    let key = key(question, observed, leader);
    let remembered = context.memories.with(question.cluster, |memory| {
        memory.catalog_for(&key, Instant::now())
    });
    if let Some(catalog) = remembered {
        return Source::Known(catalog);
    }
    let primary = pods
        .iter()
        .find(|pod| pod.name == leader)
        .and_then(|pod| pod.ip.parse().ok());
    match ask(context, question, primary).await {
        Ok((catalog, is_whole)) => {
            context.memories.with(question.cluster, |memory| {
                memory.note_catalog(key, catalog.clone(), is_whole, Instant::now());
            });
            Source::Known(catalog)
        }
        Err(error) => Source::Unknown(chain(&error)),
    }
}

/// The pod that leads and takes connections.
fn leader<'a>(question: &Question<'_>, observed: &'a Observed) -> Result<&'a str, String> {
    if let Some(reason) = question.catalog_unwanted {
        return Err(format!("not asked: {reason}"));
    }
    match &observed.patroni {
        Source::Unknown(reason) => Err(reason.clone()),
        Source::Known(view) => view
            .running_leader()
            .map(|leader| leader.name.as_str())
            .ok_or_else(|| "not asked: no primary".to_owned()),
    }
}

fn key(question: &Question<'_>, observed: &Observed, leader: &str) -> CatalogKey {
    let secrets = observed
        .secrets
        .known()
        .into_iter()
        .flatten()
        .map(|secret| ObjectRef {
            kind: "Secret".to_owned(),
            namespace: secret.namespace.clone(),
            name: secret.name.clone(),
            uid: secret.uid.clone(),
            resource_version: secret.resource_version.clone(),
        });
    let patroni = observed.patroni.known();
    let restarts = patroni.and_then(|view| Some(view.member(leader)?.pending_restart));
    CatalogKey {
        manifest: (question.view.uid.clone(), question.view.generation),
        primary: leader.to_owned(),
        restarts: restarts.unwrap_or_default(),
        secrets: secrets.collect(),
        databases: question.inside.clone(),
    }
}

/// The catalog, and whether it is all of it: nothing tells when what is missing could be read.
async fn ask(
    context: &Context,
    question: &Question<'_>,
    primary: Option<IpAddr>,
) -> Result<(Catalog, bool), TurnError> {
    let server = server(
        context,
        question.cluster,
        question.names,
        question.config,
        primary,
    )
    .await?;
    let reading = server.read(&question.inside).await?;
    for (database, error) in &reading.unread {
        tracing::warn!(database, error = chain(error), "cannot look into the database");
    }
    let (passwords, heard) = passwords(context, question.cluster, question.desired).await;
    let compared = tokio::task::spawn_blocking(move || reading.compared(&passwords));
    let catalog = compared.await.expect("arithmetic does not panic");
    let superuser = catalog.roles.get(&server.user);
    if superuser.is_some_and(|role| role.password_matches == Some(true)) {
        context.memories.with(question.cluster, |memory| {
            memory.entrance = Some(server.password.clone());
        });
    }
    let is_whole = heard && is_whole(&catalog);
    Ok((catalog, is_whole))
}

fn is_whole(catalog: &Catalog) -> bool {
    catalog
        .databases
        .values()
        .all(|database| database.silence.is_none())
}

/// Passwords of the secrets that can be read, by the role that each one names: rotation changes the name. And whether it is all of them.
async fn passwords(
    context: &Context,
    cluster: &ClusterRef,
    desired: Option<&Desired>,
) -> (BTreeMap<String, Secret>, bool) {
    let (mut own, mut others, mut is_whole) = (BTreeMap::new(), BTreeMap::new(), true);
    for draft in desired.into_iter().flat_map(|desired| &desired.secrets) {
        match credentials::held(context, cluster, &draft.namespace, &draft.name).await {
            // An answer: as long as the secret is as it is, there is nothing to compare.
            Ok(None) => {}
            Ok(Some(account)) => {
                let user = account.user.unwrap_or_else(|| draft.username.clone());
                let passwords = if user == draft.username {
                    &mut own
                } else {
                    &mut others
                };
                passwords.insert(user, account.password);
            }
            Err(_) => is_whole = false,
        }
    }
    // A role's own secret counts more than one that names it after a rotation.
    others.extend(own);
    (others, is_whole)
}

#[cfg(test)]
mod tests {
    use pgherd_model::api::status::PostgresqlStatus;
    use pgherd_model::config::{Form, OperatorConfig};
    use pgherd_planner::build::SecretDraft;
    use pgherd_planner::observed::PodEnvironment;
    use serde_json::json;

    use super::*;
    use crate::manifest::Meaning;
    use crate::testing::{FakeApi, manifest};

    /// Of a role that two secrets name its own tells the password, whichever comes last.
    #[tokio::test]
    async fn a_role_has_one_password() {
        let api = FakeApi::default();
        let context = api.context();
        let cluster = api.submit(&context, &manifest());
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let meaning = Meaning::of(&manifest(), &PostgresqlStatus::default(), &config);
        let environment = Source::Known(PodEnvironment::default());
        let mut desired = pgherd_planner::build::build(meaning.cluster().unwrap(), &config, &environment);
        let draft = |role: &str, name: &str| SecretDraft {
            namespace: "apps".to_owned(),
            name: name.to_owned(),
            username: role.to_owned(),
            ..SecretDraft::default()
        };
        // `b260131` and `bzz`, in base64.
        for (name, password) in [("x", "YjI2MDEzMQ=="), ("y", "Ynp6")] {
            let secret = json!({"metadata": {"name": name, "namespace": "apps"},
                "data": {"username": "YjI2MDEzMQ==", "password": password}});
            api.put(&format!("/api/v1/namespaces/apps/secrets/{name}"), secret);
        }
        for drafts in [
            [draft("b", "y"), draft("b260131", "x")],
            [draft("b260131", "x"), draft("b", "y")],
        ] {
            desired.secrets = drafts.into();
            let (passwords, is_whole) = passwords(&context, &cluster, Some(&desired)).await;
            let found = passwords.get("b260131").map(Secret::expose);
            assert_eq!((found, passwords.len(), is_whole), (Some("b260131"), 1, true));
        }
    }

    /// A secret that holds nothing to log in with has answered; one that cannot be read has not.
    #[tokio::test]
    async fn bytes_that_are_no_password_are_an_answer() {
        let api = FakeApi::default();
        let context = api.context();
        let cluster = api.submit(&context, &manifest());
        let path = |name: &str| format!("/api/v1/namespaces/elsewhere/secrets/{name}");
        api.put(
            &path("bytes"),
            json!({"metadata": {"name": "bytes"}, "data": {"password": "/w=="}}),
        );
        let held = async |name: &str| {
            let held = credentials::held(&context, &cluster, "elsewhere", name).await;
            held.map(|account| account.is_some())
                .map_err(|error| error.to_string())
        };
        assert_eq!(held("bytes").await, Ok(false));
        assert_eq!(held("none").await, Ok(false));
        let refused = credentials::password(&context, &cluster, "elsewhere", "bytes").await;
        assert!(refused.unwrap_err().to_string().contains("UTF-8"));
        api.refuse(&format!("GET {}", path("bytes")), 500);
        assert!(held("bytes").await.is_err());
    }
}
