//! Registers custom resources that are not there (`enable_crd_registration`). Where the CRDs are installed with the rest, it finds them and
//! writes nothing. Must not: touch a CRD that is there: whoever installed it upgrades it, with the rest of the installation.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use pgherd_model::config::OperatorConfig;
use pgherd_model::crd;
use pgherd_model::names::operator::FIELD_MANAGER;
use tokio::time::timeout;

#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("cannot apply {name}: {source}; install the CRDs of deploy/kustomize/crds by hand")]
    Refused {
        name: String,
        #[source]
        source: kube::Error,
    },
    #[error("{name} did not become established within {within:?} (--crd-ready-wait-timeout)")]
    NotEstablished { name: String, within: Duration },
    #[error(
        "cannot see whether {name} is established: {source}; the controller may get, list and watch CRDs?"
    )]
    Unwatchable {
        name: String,
        #[source]
        source: kube::runtime::wait::Error,
    },
}

/// Makes sure that the kinds exist. Only a missing `postgresqls` is fatal, since there is nothing to watch without it.
pub async fn register(
    client: &Client,
    config: &OperatorConfig,
    within: Duration,
) -> Result<(), RegisterError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for mut wanted in crd::all() {
        let name = wanted.name_any();
        let present = match api.get_opt(&name).await {
            Ok(present) => present,
            Err(error) => {
                tracing::warn!(crd = name, %error, "cannot read the CRD; going on as if it were there");
                continue;
            }
        };
        if present.is_some() || !config.general.enable_crd_registration {
            if present.is_none() {
                tracing::warn!(
                    crd = name,
                    "the CRD is missing and enable_crd_registration is off"
                );
            }
            continue;
        }
        if wanted.spec.names.kind == "postgresql" {
            wanted.spec.names.categories = Some(config.general.crd_categories.clone());
        }
        apply(&api, &name, &wanted, within).await?;
    }
    Ok(())
}

async fn apply(
    api: &Api<CustomResourceDefinition>,
    name: &str,
    wanted: &CustomResourceDefinition,
    within: Duration,
) -> Result<(), RegisterError> {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(name, &params, &Patch::Apply(wanted))
        .await
        .map_err(|source| RegisterError::Refused {
            name: name.to_owned(),
            source,
        })?;
    let established = await_condition(api.clone(), name, is_crd_established());
    match timeout(within, established).await {
        Ok(Ok(_)) => {
            tracing::info!(crd = name, "CRD registered");
            Ok(())
        }
        Ok(Err(source)) => Err(RegisterError::Unwatchable {
            name: name.to_owned(),
            source,
        }),
        Err(_) => Err(RegisterError::NotEstablished {
            name: name.to_owned(),
            within,
        }),
    }
}
