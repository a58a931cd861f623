//! The database catalog: read when something that it depends on has changed, otherwise remembered. Must not: change the database.

use std::collections::BTreeMap;

use pgherd_model::names::{Role, ports, roles::MAINTENANCE_DATABASE};
use pgherd_model::secret::Secret;
use pgherd_planner::build::Desired;
use pgherd_planner::observed::{Catalog, ObjectRef, Observed, PodView, RoleView, Source};
use pgherd_planner::sql::verifier;

use super::Question;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::credentials;
use crate::error::TurnError;
use crate::memory::CatalogKey;
use crate::sql::catalog::RoleRow;
use crate::sql::{Login, Session, SqlError, Target, open};

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
    let remembered = context
        .memories
        .with(question.cluster, |memory| memory.catalog.clone());
    if let Some((_, catalog)) = remembered.filter(|(known, _)| *known == key) {
        return Source::Known(catalog);
    }
    let primary = pods
        .iter()
        .find(|pod| pod.name == leader)
        .and_then(|pod| pod.ip.parse().ok());
    let target = Target {
        service: question.names.host(Role::Primary),
        primary,
        port: ports::POSTGRES,
    };
    match ask(context, question, &target).await {
        Ok(catalog) => {
            context.memories.with(question.cluster, |memory| {
                memory.catalog = Some((key, catalog.clone()));
            });
            Source::Known(catalog)
        }
        Err(error) => Source::Unknown(pgherd_runtime::tasks::chain(&error)),
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
        databases: question.prepared.clone(),
    }
}

async fn ask(context: &Context, question: &Question<'_>, target: &Target) -> Result<Catalog, TurnError> {
    let (user, password) =
        credentials::superuser(context, question.cluster, question.names, question.config).await?;
    let login = |database: &str| Login {
        user: user.clone(),
        password: password.clone(),
        database: database.to_owned(),
    };
    let session = open(target, &login(MAINTENANCE_DATABASE)).await?;
    let rows = session.roles().await?;
    let mut databases = session.databases().await?;
    let settings = session.settings().await?;
    drop(session);
    for name in &question.prepared {
        if let Some(database) = databases.get_mut(name) {
            database.content = Some(inside(target, &login(name)).await?);
        }
    }
    let passwords = passwords(context, question.cluster, question.desired).await;
    let roles = tokio::task::spawn_blocking(move || compare(rows, &passwords))
        .await
        .unwrap_or_default();
    Ok(Catalog {
        roles,
        databases,
        settings,
    })
}

async fn inside(
    target: &Target,
    login: &Login,
) -> Result<pgherd_planner::observed::catalog::ContentView, SqlError> {
    let session: Session = open(target, login).await?;
    session.content().await
}

/// Passwords by role, of the secrets that can be read.
async fn passwords(
    context: &Context,
    cluster: &ClusterRef,
    desired: Option<&Desired>,
) -> BTreeMap<String, Secret> {
    let mut passwords = BTreeMap::new();
    for draft in desired.into_iter().flat_map(|desired| &desired.secrets) {
        if let Ok(password) = credentials::password(context, cluster, &draft.namespace, &draft.name).await {
            passwords.insert(draft.username.clone(), password);
        }
    }
    passwords
}

/// Some milliseconds of arithmetic per password: not for a thread that serves others.
fn compare(rows: Vec<RoleRow>, passwords: &BTreeMap<String, Secret>) -> BTreeMap<String, RoleView> {
    let judge = |row: RoleRow| {
        let stored = row.verifier.as_ref().map_or("", Secret::expose);
        let password_matches = passwords
            .get(&row.name)
            .map(|password| verifier::matches(stored, &row.name, password));
        (
            row.name,
            RoleView {
                password_matches,
                ..row.view
            },
        )
    };
    rows.into_iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use pgherd_planner::sql::Scheme;

    use super::*;

    #[test]
    fn only_roles_with_a_secret_are_compared() {
        let password = Secret::new("hunter2");
        let made = verifier::create(Scheme::ScramSha256, "app", &password, b"salt");
        let row = |name: &str, stored: Option<&str>| RoleRow {
            name: name.to_owned(),
            view: RoleView::default(),
            verifier: stored.map(Secret::new),
        };
        let rows = vec![
            row("app", Some(made.expose())),
            row("other", None),
            row("free", Some(made.expose())),
        ];
        let passwords = BTreeMap::from([
            ("app".to_owned(), password.clone()),
            ("other".to_owned(), password),
        ]);
        let roles = compare(rows, &passwords);
        assert_eq!(roles["app"].password_matches, Some(true));
        assert_eq!(roles["other"].password_matches, Some(false));
        assert_eq!(roles["free"].password_matches, None);
    }
}
