//! The plan's statements on the primary, as the superuser. Passwords become verifiers here.

use pgherd_model::names::{Role, ports, roles::MAINTENANCE_DATABASE};
use pgherd_planner::observed::PodView;
use pgherd_planner::sql::{Statement, Verifier, verifier};
use pgherd_runtime::tasks::chain;

use super::Scene;
use crate::context::Context;
use crate::credentials::{password, superuser};
use crate::error::TurnError;
use crate::password::salt;
use crate::sql::{Login, Target, open};

pub(super) async fn run(
    context: &Context,
    scene: &Scene<'_>,
    database: &str,
    statements: &[Statement],
) -> Result<(), TurnError> {
    // Whatever comes of it, what was known of the catalog is out of date.
    context
        .memories
        .with(scene.cluster, |memory| memory.catalog = None);
    let mut verifiers = Vec::with_capacity(statements.len());
    for statement in statements {
        verifiers.push(resolve(context, scene, statement).await?);
    }
    let (user, password) = superuser(context, scene.cluster, scene.names, scene.config).await?;
    let login = Login {
        user,
        password,
        database: database.to_owned(),
    };
    let session = open(&target(scene), &login).await?;
    session.run(statements, &verifiers).await.map_err(TurnError::from)
}

/// Has the primary write a checkpoint. Nothing depends on it but the length of a pause.
pub(super) async fn checkpoint(context: &Context, scene: &Scene<'_>) {
    let outcome = async {
        let (user, password) = superuser(context, scene.cluster, scene.names, scene.config).await?;
        let login = Login {
            user,
            password,
            database: MAINTENANCE_DATABASE.to_owned(),
        };
        let session = open(&target(scene), &login).await?;
        session.checkpoint().await.map_err(TurnError::from)
    };
    if let Err(error) = outcome.await {
        tracing::info!(error = chain(&error), "no checkpoint; going on");
    }
}

async fn resolve(
    context: &Context,
    scene: &Scene<'_>,
    statement: &Statement,
) -> Result<Option<Verifier>, TurnError> {
    let Some(place) = statement.password() else {
        return Ok(None);
    };
    let text = password(context, scene.cluster, &place.namespace, &place.secret).await?;
    let role = statement.role().unwrap_or_default();
    Ok(Some(verifier::create(place.scheme, role, &text, &salt()?)))
}

fn target(scene: &Scene<'_>) -> Target {
    let leads = |pod: &&PodView| pod.role_label == Role::Primary.label();
    let primary = scene.pods.iter().find(leads).and_then(|pod| pod.ip.parse().ok());
    Target {
        service: scene.names.host(Role::Primary),
        primary,
        port: ports::POSTGRES,
    }
}
