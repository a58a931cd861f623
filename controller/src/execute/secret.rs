//! Secrets with credentials. The password is drawn here and goes nowhere but into the request. Must not: overwrite one that exists.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use pgherd_model::names::{connection, operator::FIELD_MANAGER, secrets};
use pgherd_model::secret::Secret as Text;
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::{NewPassword, NextRotation, Precondition, Previous, SecretChange, SecretDraft};
use serde_json::{Value, json};

use super::apply::{api, remember, send};
use super::{Scene, change, sql};
use crate::context::Context;
use crate::credentials;
use crate::error::{TurnError, is_conflict};
use crate::password;

/// Creates the secret with a new password. One that exists already wins, and is read so that the next turn knows it.
pub(super) async fn create(
    context: &Context,
    scene: &Scene<'_>,
    draft: &SecretDraft,
) -> Result<(), TurnError> {
    let target = reference(draft);
    let api = api(context, &target)?;
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let password = new_password(context, draft).await?;
    let failed = |error| TurnError::kubernetes("create", &target, error);
    let secret = serde_json::to_value(filled(draft, &password)).and_then(serde_json::from_value);
    let secret = secret.map_err(|error| failed(kube::Error::SerdeError(error)))?;
    let secret = match api.create(&params, &secret).await {
        Ok(created) => created,
        Err(error) if is_conflict(&error) => {
            tracing::info!(secret = %target, "secret exists already; its password is in force");
            api.get(&draft.name)
                .await
                .map_err(|error| TurnError::kubernetes("read", &target, error))?
        }
        Err(error) => return Err(failed(error)),
    };
    remember(context, scene, &target, secret);
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
    let password = new_password(context, draft).await?;
    let body = json!({ "data": encoded(&data(draft, &draft.username, &password)) });
    change::merge(context, scene, &reference(draft), body, precondition).await
}

/// Writes into a secret what has changed, after the statements that have to come before, over the connection behind `door`.
pub(super) async fn rewrite(
    context: &Context,
    scene: &Scene<'_>,
    change: &SecretChange,
    precondition: &Precondition,
    door: &mut sql::Door,
) -> Result<(), TurnError> {
    let draft = &change.draft;
    let (namespace, name) = (&draft.namespace, &draft.name);
    // The server must not be told a password that the secret will not hold.
    let before = if change.before.is_empty() {
        credentials::account(context, scene.cluster, namespace, name).await?
    } else {
        credentials::unchanged(context, namespace, name, precondition).await?
    };
    let password = match &change.password {
        NewPassword::Keep => before.password.clone(),
        NewPassword::Draw => password::generate()?,
        NewPassword::Copy(key) => credentials::given(context, key).await?,
    };
    if !change.before.is_empty() {
        let statements = (change.username.as_str(), change.before.as_slice());
        sql::prepare(context, scene, door, statements, &password).await?;
    }
    let mut written = data(draft, &change.username, &password);
    match &change.next_rotation {
        NextRotation::Keep => written.remove(secrets::NEXT_ROTATION),
        NextRotation::At(date) => written.insert(secrets::NEXT_ROTATION.to_owned(), Text::new(date.clone())),
        NextRotation::Clear => written.insert(secrets::NEXT_ROTATION.to_owned(), Text::default()),
    };
    if change.previous == Previous::Keep {
        written.insert(secrets::PREVIOUS_PASSWORD.to_owned(), before.password);
    }
    let mut body = json!({ "data": encoded(&written) });
    if change.previous == Previous::Forget {
        body["data"][secrets::PREVIOUS_PASSWORD] = Value::Null;
    }
    change::merge(context, scene, &reference(draft), body, precondition).await
}

/// The password that is given elsewhere, or one that nobody has had before.
async fn new_password(context: &Context, draft: &SecretDraft) -> Result<Text, TurnError> {
    match &draft.given {
        Some(key) => credentials::given(context, key).await,
        None => Ok(password::generate()?),
    }
}

/// All keys of a secret.
fn data(draft: &SecretDraft, username: &str, password: &Text) -> BTreeMap<String, Text> {
    let mut data = BTreeMap::from([
        (secrets::USERNAME.to_owned(), Text::new(username)),
        (secrets::PASSWORD.to_owned(), password.clone()),
    ]);
    if let Some(connection) = &draft.connection {
        let keys = connection::keys(connection, username, password);
        data.extend(keys.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    data
}

/// As the API server takes it.
fn encoded(data: &BTreeMap<String, Text>) -> BTreeMap<String, ByteString> {
    let bytes = |text: &Text| ByteString(text.expose().as_bytes().to_vec());
    data.iter()
        .map(|(key, value)| (key.clone(), bytes(value)))
        .collect()
}

fn filled(draft: &SecretDraft, password: &Text) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(draft.name.clone()),
            namespace: Some(draft.namespace.clone()),
            labels: Some(draft.labels.clone()),
            annotations: Some(draft.annotations.clone()).filter(|annotations| !annotations.is_empty()),
            owner_references: Some(draft.owner_references.clone()).filter(|owners| !owners.is_empty()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(encoded(&data(draft, &draft.username, password))),
        ..Secret::default()
    }
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
    use pgherd_model::config::{Form, OperatorConfig};
    use pgherd_model::names::Names;
    use pgherd_planner::observed::ClusterView;
    use pgherd_planner::plan::Why;
    use pgherd_planner::sql::Statement;

    use super::*;
    use crate::cluster_ref::ClusterRef;
    use crate::testing::FakeApi;

    /// A rotation that was planned for this version of the secret, where there is no server to be told of it.
    async fn rotated(version: &str) -> (TurnError, Vec<String>) {
        let api = FakeApi::default();
        let context = api.context();
        let stored = json!({
            "metadata": {"name": "s", "namespace": "apps"}, "data": {"username": "YXBw", "password": "b2xk"},
        });
        for name in ["s", "postgres.acid-demo.credentials.postgresql.acid.zalan.do"] {
            api.put(&format!("/api/v1/namespaces/apps/secrets/{name}"), stored.clone());
        }
        let (config, cluster) = (
            OperatorConfig::default_for(Form::ConfigMap),
            ClusterRef::new("apps", "acid-demo"),
        );
        let (names, view) = (Names::of("apps", "acid-demo", &config), ClusterView::default());
        let scene = Scene {
            cluster: &cluster,
            names: &names,
            config: &config,
            view: &view,
            pods: &[],
        };
        let change = SecretChange {
            draft: SecretDraft {
                name: "s".into(),
                namespace: "apps".into(),
                ..SecretDraft::default()
            },
            why: Why::RotatedPassword,
            username: "app".into(),
            password: NewPassword::Draw,
            next_rotation: NextRotation::Keep,
            previous: Previous::Leave,
            before: vec![Statement::DropRole { role: "x".into() }],
        };
        api.asked();
        let precondition = Precondition::Unchanged(version.to_owned());
        let outcome = rewrite(
            &context,
            &scene,
            &change,
            &precondition,
            &mut sql::Door::default(),
        )
        .await;
        (outcome.unwrap_err(), api.asked())
    }

    #[tokio::test]
    async fn no_statement_comes_before_a_secret_that_has_changed() {
        let (error, asked) = rotated("7").await;
        assert!(error.is_overtaken(), "{error}");
        assert_eq!(asked, ["GET /api/v1/namespaces/apps/secrets/s"]);
        let (error, asked) = rotated("2").await;
        assert_eq!(error.category(), "sql", "now the server is to be told: {error}");
        assert!(
            asked.iter().all(|request| request.starts_with("GET")),
            "{asked:?}"
        );
    }

    #[test]
    fn a_secret_is_made_with_all_its_keys_and_those_only() {
        let draft = SecretDraft {
            name: "s".into(),
            username: "app".into(),
            ..SecretDraft::default()
        };
        let keys = |draft: &SecretDraft| -> BTreeMap<String, String> {
            let data = filled(draft, &Text::new("p w")).data.unwrap();
            let text = |bytes: ByteString| String::from_utf8(bytes.0).unwrap();
            data.into_iter().map(|(key, bytes)| (key, text(bytes))).collect()
        };
        let plain = [("password", "p w"), ("username", "app")].map(|(key, value)| (key.into(), value.into()));
        assert_eq!(keys(&draft), BTreeMap::from(plain));
        let full = SecretDraft {
            connection: Some(connection::Connection::default()),
            ..draft
        };
        let found: Vec<String> = keys(&full).into_keys().collect();
        let all = [
            "dbname", "host", "jdbc-uri", "password", "port", "uri", "username",
        ];
        assert_eq!(found, all);
    }
}
