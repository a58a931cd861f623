//! Secrets with credentials. The password is drawn here and goes nowhere but into the request. Must not: overwrite one that exists.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use pgherd_model::names::{operator::FIELD_MANAGER, secrets};
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::{Precondition, SecretDraft};
use serde_json::json;

use super::apply::{remember, send};
use super::{Scene, change};
use crate::context::Context;
use crate::error::{TurnError, is_conflict};
use crate::password;

/// Creates the secret with a new password. One that exists already wins, and is read so that the next turn knows it.
pub(super) async fn create(
    context: &Context,
    scene: &Scene<'_>,
    draft: &SecretDraft,
) -> Result<(), TurnError> {
    let target = reference(draft);
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &draft.namespace);
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let secret = match api.create(&params, &filled(draft)?).await {
        Ok(created) => created,
        Err(error) if is_conflict(&error) => {
            tracing::info!(secret = %target, "secret exists already; its password is in force");
            api.get(&draft.name)
                .await
                .map_err(|error| TurnError::kubernetes("read", &target, error))?
        }
        Err(error) => return Err(TurnError::kubernetes("create", &target, error)),
    };
    remember(
        context,
        scene,
        &target,
        serde_json::to_value(secret).unwrap_or_default(),
    );
    Ok(())
}

/// Applies metadata only: the data belongs to whoever wrote it, and is not ours to apply.
pub(super) async fn label(
    context: &Context,
    scene: &Scene<'_>,
    draft: &SecretDraft,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let mut body = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": draft.name,
            "namespace": draft.namespace,
            "labels": draft.labels,
            "annotations": draft.annotations,
            "ownerReferences": draft.owner_references,
        },
    });
    super::apply::require(&mut body, precondition);
    send(context, scene, &reference(draft), &body).await
}

/// Puts name and a new password into a secret that has none.
pub(super) async fn fill(
    context: &Context,
    scene: &Scene<'_>,
    draft: &SecretDraft,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let body = json!({ "stringData": {
        secrets::USERNAME: draft.username,
        secrets::PASSWORD: password::generate()?.expose(),
    } });
    change::merge(context, scene, &reference(draft), body, precondition).await
}

fn filled(draft: &SecretDraft) -> Result<Secret, TurnError> {
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let password = password::generate()?;
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(draft.name.clone()),
            namespace: Some(draft.namespace.clone()),
            labels: Some(draft.labels.clone()),
            annotations: Some(draft.annotations.clone()).filter(|annotations| !annotations.is_empty()),
            owner_references: Some(draft.owner_references.clone()).filter(|owners| !owners.is_empty()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(
            [
                (secrets::USERNAME.to_owned(), bytes(&draft.username)),
                (secrets::PASSWORD.to_owned(), bytes(password.expose())),
            ]
            .into(),
        ),
        ..Secret::default()
    })
}

fn reference(draft: &SecretDraft) -> ObjectRef {
    ObjectRef {
        kind: "Secret".to_owned(),
        namespace: draft.namespace.clone(),
        name: draft.name.clone(),
        ..ObjectRef::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_gets_a_password_of_its_own() {
        let draft = SecretDraft {
            name: "s".into(),
            username: "app".into(),
            ..SecretDraft::default()
        };
        let password = || filled(&draft).unwrap().data.unwrap()["password"].0.clone();
        let (one, other) = (password(), password());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_eq!(filled(&draft).unwrap().data.unwrap()["username"].0, b"app");
    }
}
