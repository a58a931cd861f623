//! Objects that add to the pods' environment, where the operator's configuration names some: known from their watches, or read where none
//! runs. Must not: read a secret's values.

use k8s_openapi::api::core::v1::ConfigMap;
use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::{PodEnvironment, Source};
use serde_json::Value;

use crate::cache::environment::{Entries, Known, Source as From};
use crate::context::Context;

/// Known and empty when nothing is configured; unknown when something configured is not there, so that no pod loses its environment.
pub async fn environment(
    context: &Context,
    namespace: &str,
    config: &OperatorConfig,
) -> Source<PodEnvironment> {
    let secret_keys = match &config.kubernetes.pod_environment_secret {
        None => Ok(Vec::new()),
        Some(name) => secret_keys(context, namespace, name).await,
    };
    let config_map = match &config.kubernetes.pod_environment_configmap {
        None => Ok(Entries::new()),
        Some(place) => config_map(context, namespace, &place.namespace, &place.name).await,
    };
    match (secret_keys, config_map) {
        (Ok(secret_keys), Ok(config_map)) => Source::Known(PodEnvironment {
            secret_keys,
            config_map,
        }),
        (Err(problem), _) | (_, Err(problem)) => Source::Unknown(problem),
    }
}

async fn secret_keys(context: &Context, namespace: &str, name: &str) -> Result<Vec<String>, String> {
    match context.cache.environments.get(From::Secret, namespace) {
        Known::Present(entries) => return Ok(entries.into_keys().collect()),
        Known::Absent => return Err(no_secret(namespace, name)),
        Known::Unwatched => {}
    }
    let secret = context.read("Secret", namespace, name).await?;
    let secret = secret.ok_or_else(|| no_secret(namespace, name))?;
    let keys = secret["data"]
        .as_object()
        .map(|data| data.keys().cloned().collect());
    Ok(keys.unwrap_or_default())
}

fn no_secret(namespace: &str, name: &str) -> String {
    format!("secret {namespace}/{name} (pod_environment_secret) is not there")
}

/// From its own namespace, or else from the cluster's.
async fn config_map(context: &Context, cluster: &str, own: &str, name: &str) -> Result<Entries, String> {
    let mut places = vec![own];
    if own != cluster {
        places.push(cluster);
    }
    for place in places {
        match context.cache.environments.get(From::ConfigMap, place) {
            Known::Present(entries) => return Ok(entries),
            Known::Absent => {}
            Known::Unwatched => {
                if let Some(found) = context.read("ConfigMap", place, name).await? {
                    return decode(found)
                        .map_err(|error| format!("cannot decode config map {place}/{name}: {error}"));
                }
            }
        }
    }
    Err(format!(
        "config map {own}/{name} (pod_environment_configmap) is not there"
    ))
}

fn decode(found: Value) -> Result<Entries, serde_json::Error> {
    let map: ConfigMap = serde_json::from_value(found)?;
    Ok(map.data.unwrap_or_default())
}
