//! Passwords out of secrets, for those who log in or make verifiers. Must not: be used for anything that is shown.

use pgherd_model::config::OperatorConfig;
use pgherd_model::names::{Names, secrets};
use pgherd_model::secret::Secret as Text;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::cache::Key;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;
use crate::kinds::Watched;

/// The password in a secret: from the cache when it is there, otherwise from the API server.
pub async fn password(
    context: &Context,
    cluster: &ClusterRef,
    namespace: &str,
    name: &str,
) -> Result<Text, TurnError> {
    let unreadable = |message| TurnError::Credentials {
        secret: format!("{namespace}/{name}"),
        message,
    };
    let cached = if namespace == cluster.namespace {
        context.cache.owned.content(
            cluster,
            &Key {
                kind: Watched::Secret,
                name: name.to_owned(),
            },
        )
    } else {
        None
    };
    let secret = match cached {
        Some(secret) => Some(secret),
        None => context
            .read("Secret", namespace, name)
            .await
            .map_err(|_| unreadable("the API server did not answer"))?,
    };
    let secret = secret.ok_or_else(|| unreadable("it does not exist"))?;
    decode(&secret).ok_or_else(|| unreadable("it has none"))
}

/// Who logs in to provision: name and password.
pub async fn superuser(
    context: &Context,
    cluster: &ClusterRef,
    names: &Names,
    config: &OperatorConfig,
) -> Result<(String, Text), TurnError> {
    let user = config.users.super_username.clone();
    let password = password(context, cluster, &cluster.namespace, &names.secret(&user)).await?;
    Ok((user, password))
}

fn decode(secret: &Value) -> Option<Text> {
    let bytes: k8s_openapi::ByteString =
        serde_json::from_value(secret["data"][secrets::PASSWORD].clone()).ok()?;
    let bytes = Zeroizing::new(bytes.0);
    let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.is_empty())?;
    Some(Text::new(text))
}
