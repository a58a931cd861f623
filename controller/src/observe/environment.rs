//! Objects that add to the pods' environment, where the operator's configuration names some. Must not: read a secret's values.

use k8s_openapi::api::core::v1::ConfigMap;
use pgherd_model::config::OperatorConfig;
use pgherd_planner::observed::{PodEnvironment, Source};
use serde_json::Value;

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
        None => Ok(ConfigMap::default()),
        Some(place) => config_map(context, namespace, &place.namespace, &place.name).await,
    };
    match (secret_keys, config_map) {
        (Ok(secret_keys), Ok(config_map)) => Source::Known(PodEnvironment {
            secret_keys,
            config_map: config_map.data.unwrap_or_default(),
        }),
        (Err(problem), _) | (_, Err(problem)) => Source::Unknown(problem),
    }
}

async fn secret_keys(context: &Context, namespace: &str, name: &str) -> Result<Vec<String>, String> {
    let secret = context.read("Secret", namespace, name).await?;
    let secret =
        secret.ok_or_else(|| format!("secret {namespace}/{name} (pod_environment_secret) is not there"))?;
    let keys = secret["data"]
        .as_object()
        .map(|data| data.keys().cloned().collect());
    Ok(keys.unwrap_or_default())
}

/// From its own namespace, or else from the cluster's.
async fn config_map(context: &Context, cluster: &str, own: &str, name: &str) -> Result<ConfigMap, String> {
    let mut found: Option<Value> = context.read("ConfigMap", own, name).await?;
    if found.is_none() && own != cluster {
        found = context.read("ConfigMap", cluster, name).await?;
    }
    let found =
        found.ok_or_else(|| format!("config map {own}/{name} (pod_environment_configmap) is not there"))?;
    serde_json::from_value(found).map_err(|error| format!("cannot decode config map {own}/{name}: {error}"))
}
