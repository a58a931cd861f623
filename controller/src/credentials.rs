//! Passwords out of secrets, for those who log in or make verifiers. Must not: be used for anything that is shown.

use k8s_openapi::ByteString;
use pgherd_model::cluster::SecretKey;
use pgherd_model::config::{NamespacedName, OperatorConfig};
use pgherd_model::names::{Names, secrets};
use pgherd_model::secret::Secret as Text;
use pgherd_planner::plan::Precondition;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::cache::Key;
use crate::cache::environment::Source;
use crate::cache::outside::{Data, decode as decoded};
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::TurnError;
use crate::kinds::Watched;

/// What is wrong with a secret.
const ABSENT: &str = "it does not exist";
const UNFIT: &str = "it has none that is text (UTF-8)";

/// Who logs in with a secret.
#[derive(Debug)]
pub struct Account {
    /// None where the secret does not say.
    pub user: Option<String>,
    pub password: Text,
    /// The one before, where it may still be in force.
    pub previous: Option<Text>,
}

/// The password in a secret.
pub async fn password(
    context: &Context,
    cluster: &ClusterRef,
    namespace: &str,
    name: &str,
) -> Result<Text, TurnError> {
    Ok(account(context, cluster, namespace, name).await?.password)
}

/// What a secret holds.
pub async fn account(
    context: &Context,
    cluster: &ClusterRef,
    namespace: &str,
    name: &str,
) -> Result<Account, TurnError> {
    let secret = whole(context, cluster, namespace, name).await?;
    let secret = secret.ok_or_else(|| unusable(namespace, name, ABSENT))?;
    decode(&secret).ok_or_else(|| unusable(namespace, name, UNFIT))
}

/// The same; none where there is no such secret, or no password in it that anybody could log in with.
pub async fn held(
    context: &Context,
    cluster: &ClusterRef,
    namespace: &str,
    name: &str,
) -> Result<Option<Account>, TurnError> {
    let secret = whole(context, cluster, namespace, name).await?;
    Ok(secret.as_ref().and_then(decode))
}

/// What a secret holds now, if it is still the one that a plan was made for: what was cached or sent with the write would be too late for
/// those who do something else before it.
pub async fn unchanged(
    context: &Context,
    namespace: &str,
    name: &str,
    precondition: &Precondition,
) -> Result<Account, TurnError> {
    let secret = read(context, namespace, name).await?;
    let secret = secret.ok_or_else(|| unusable(namespace, name, ABSENT))?;
    let metadata = &secret["metadata"];
    let holds = match precondition {
        Precondition::Unchanged(version) => metadata["resourceVersion"] == version.as_str(),
        Precondition::SameObject(uid) => metadata["uid"] == uid.as_str(),
        Precondition::None | Precondition::StillPrimary(_) => true,
    };
    if !holds {
        let object = format!("Secret {namespace}/{name}");
        return Err(TurnError::Overtaken { object });
    }
    decode(&secret).ok_or_else(|| unusable(namespace, name, UNFIT))
}

/// From the cache when it is there, otherwise from the API server.
async fn whole(
    context: &Context,
    cluster: &ClusterRef,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, TurnError> {
    let key = Key {
        kind: Watched::Secret,
        name: name.to_owned(),
    };
    let is_home = namespace == cluster.namespace;
    let cached = is_home
        .then(|| context.cache.owned.content(cluster, &key))
        .flatten();
    match cached {
        Some(secret) => Ok(Some(secret)),
        None => read(context, namespace, name).await,
    }
}

async fn read(context: &Context, namespace: &str, name: &str) -> Result<Option<Value>, TurnError> {
    let answer = context.read("Secret", namespace, name).await;
    answer.map_err(|_| unusable(namespace, name, "the API server did not answer"))
}

fn unusable(namespace: &str, name: &str, message: &'static str) -> TurnError {
    TurnError::Credentials {
        secret: format!("{namespace}/{name}"),
        message,
    }
}

/// Who logs in to provision.
pub async fn superuser(
    context: &Context,
    cluster: &ClusterRef,
    names: &Names,
    config: &OperatorConfig,
) -> Result<(String, Account), TurnError> {
    let user = config.users.super_username.clone();
    let account = account(context, cluster, &cluster.namespace, &names.secret(&user)).await?;
    Ok((user, account))
}

/// What is in a secret or a config map that is somebody else's; none when there is no such object.
pub async fn data(context: &Context, source: Source, place: &NamespacedName) -> Result<Option<Data>, String> {
    if let Some(known) = context.cache.outside.get(source, place) {
        return Ok(known);
    }
    let kind = match source {
        Source::Secret => "Secret",
        Source::ConfigMap => "ConfigMap",
    };
    let found = context.read(kind, &place.namespace, &place.name).await?;
    if source == Source::Secret {
        let version = found
            .as_ref()
            .map(|it| it["metadata"]["resourceVersion"].as_str());
        context.cache.given.note_read(place, version.flatten());
    }
    Ok(found.map(|object| decoded(source, &object["data"])))
}

/// A password that somebody gives in a secret of his own.
pub async fn given(context: &Context, key: &SecretKey) -> Result<Text, TurnError> {
    let place = place_of(key);
    let unreadable = |message| TurnError::Credentials {
        secret: place.to_string(),
        message,
    };
    let data = data(context, Source::Secret, &place).await;
    let data = data.map_err(|_| unreadable("the API server did not answer"))?;
    let data = data.ok_or_else(|| unreadable("it does not exist"))?;
    key.of(&data)
        .ok_or_else(|| unreadable("it does not hold the password that it is to give"))
}

/// The secret that a password is copied from.
pub fn place_of(key: &SecretKey) -> NamespacedName {
    NamespacedName {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

fn decode(secret: &Value) -> Option<Account> {
    let text = |key: &str| {
        let bytes: ByteString = serde_json::from_value(secret["data"][key].clone()).ok()?;
        let bytes = Zeroizing::new(bytes.0);
        let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.is_empty())?;
        Some(Text::new(text))
    };
    Some(Account {
        user: text(secrets::USERNAME).map(|name| name.expose().to_owned()),
        password: text(secrets::PASSWORD)?,
        previous: text(secrets::PREVIOUS_PASSWORD),
    })
}
