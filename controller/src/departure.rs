//! Why a cluster's object goes, or is gone: somebody deleted it, or the kind itself (`kubectl delete crd`), with which Kubernetes deletes all
//! objects of it, while it goes on answering questions about them. Asks the API server. Must not: what follows from that (planner).

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::PartialObjectMeta;
use pgherd_model::api::GROUP;
use serde_json::Value;

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{TurnError, is_not_found, status};

/// What a deletion waits for whose cause is the kind's.
pub const KIND_REMOVED: &str =
    "the kind postgresql was removed, not this cluster: its object goes, everything else stays";

/// What became of an object that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It is still there.
    None,
    Deleted,
    /// It went, or goes, with its kind.
    WithItsKind,
}

/// Of an object that a watch or a list says is gone. Asks the API server: databases are not removed because a list was short. `last` is the
/// object as last seen, or what stands for one that nobody has seen: of that any object of its name is a reason to leave everything as it is.
pub async fn of_absent(
    context: &Context,
    cluster: &ClusterRef,
    last: &Value,
) -> Result<Departure, TurnError> {
    let uid = last["metadata"]["uid"].as_str().unwrap_or_default();
    let unconfirmed =
        |error| TurnError::kubernetes("confirm the deletion of", &format!("postgresql {cluster}"), error);
    match context
        .postgresqls(&cluster.namespace)
        .get_metadata(&cluster.name)
        .await
    {
        Ok(present) if uid.is_empty() || present.metadata.uid.as_deref() == Some(uid) => Ok(Departure::None),
        Ok(_) => of_going(context, last).await,
        Err(error) if is_not_found(&error) => match of_going(context, last).await? {
            // That the kind is not served does not say that the object is gone.
            Departure::Deleted if !names_the_object(&error) => Err(unconfirmed(error)),
            departure => Ok(departure),
        },
        Err(error) => Err(unconfirmed(error)),
    }
}

/// Of an object that goes, or is gone for sure: one is not deleted for its own sake that is older than its kind, or that goes since its kind
/// does.
pub async fn of_going(context: &Context, last: &Value) -> Result<Departure, TurnError> {
    let Some(kind) = kind(context).await? else {
        return Ok(Departure::WithItsKind);
    };
    let date = |key: &str| last["metadata"][key].as_str()?.parse::<Timestamp>().ok();
    let (made, ended) = (date("creationTimestamp"), date("deletionTimestamp"));
    let kind_made = kind.metadata.creation_timestamp.map(|made| made.0);
    let kind_ended = kind.metadata.deletion_timestamp.map(|ended| ended.0);
    let is_older = made
        .zip(kind_made)
        .is_some_and(|(made, kind_made)| made < kind_made);
    let goes_along = kind_ended.is_some_and(|kind_ended| ended.is_none_or(|ended| ended >= kind_ended));
    Ok(if is_older || goes_along {
        Departure::WithItsKind
    } else {
        Departure::Deleted
    })
}

/// None when there is no such kind.
async fn kind(context: &Context) -> Result<Option<PartialObjectMeta<CustomResourceDefinition>>, TurnError> {
    let name = format!("postgresqls.{GROUP}");
    let api: Api<CustomResourceDefinition> = Api::all(context.client.clone());
    match api.get_metadata(&name).await {
        Ok(kind) => Ok(Some(kind)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(TurnError::kubernetes(
            "read",
            &format!("CustomResourceDefinition {name}, without which nothing is deleted"),
            error,
        )),
    }
}

/// "Not found" about an object names it; about a kind it does not.
fn names_the_object(error: &kube::Error) -> bool {
    let details = status(error).and_then(|status| status.details.as_ref());
    details.is_some_and(|details| !details.name.is_empty())
}
