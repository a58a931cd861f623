//! Creation and server-side apply. Must not: build objects.

use kube::api::{Api, Patch, PatchParams, PostParams};
use pgherd_model::names::Role;
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_planner::observed::ObjectRef;
use pgherd_planner::plan::{Object, Precondition, rewritten};
use serde_json::Value;

use super::{Scene, ownership};
use crate::cache::Key;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::error::{TurnError, is_conflict};
use crate::kinds::{FoundBy, Watched};
use crate::whole::Whole;

/// Makes the object be as given in every field that it gives, whoever else wrote them. Creates it when it is missing.
pub(super) async fn apply(
    context: &Context,
    scene: &Scene<'_>,
    object: &Object,
    precondition: &Precondition,
) -> Result<(), TurnError> {
    let target = object.reference();
    let mut body = object.to_value();
    require(&mut body, precondition);
    let place = place(scene, &target);
    if place.is_some_and(|(owner, key)| context.cache.owned.is_updated(&owner, &key))
        && let Some(versions) = ownership::unite(&context.client, &target).await?
    {
        follow(&mut body, &versions.before, versions.after);
    }
    send(context, scene, &target, &body).await
}

/// Creates what is missing, which costs the API server two thirds of an apply. What is there after all is applied.
pub(super) async fn create(context: &Context, scene: &Scene<'_>, object: &Object) -> Result<(), TurnError> {
    let (target, body) = (object.reference(), object.to_value());
    if place(scene, &target).is_none() {
        // Of what no watch covers it is not known how it came about.
        return send(context, scene, &target, &body).await;
    }
    let failed = |error| TurnError::kubernetes("create", &target, error);
    let whole = serde_json::from_value(body.clone());
    let whole = whole.map_err(|error| failed(kube::Error::SerdeError(error)))?;
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let api = api(context, &target)?;
    match api.create(&params, &whole).await {
        Ok(written) => remember(context, scene, &target, written),
        Err(error) if is_conflict(&error) => send(context, scene, &target, &body).await?,
        Err(error) => return Err(failed(error)),
    }
    Ok(())
}

/// Asks the API server, admission webhooks and all, whether it would take this object, and as it is; under another name, because the present
/// one is there. Remembers what would be rewritten.
pub(super) async fn check(context: &Context, scene: &Scene<'_>, object: &Object) -> Result<(), TurnError> {
    let target = object.reference();
    let mut body = object.to_value();
    if let Some(metadata) = body["metadata"].as_object_mut() {
        metadata.remove("name");
        metadata.insert("generateName".to_owned(), format!("{}-try-", target.name).into());
    }
    let cannot = |error| TurnError::kubernetes("make (in a dry run)", &target, error);
    let trial = serde_json::from_value(body).map_err(|error| cannot(kube::Error::SerdeError(error)))?;
    let params = PostParams {
        dry_run: true,
        field_manager: Some(FIELD_MANAGER.to_owned()),
    };
    let api = api(context, &target)?;
    let answer = api.create(&params, &trial).await.map_err(cannot)?;
    let paths = rewritten(object, answer.value(), scene.config);
    if paths.is_empty() {
        return Ok(());
    }
    context.memories.with(scene.cluster, |memory| {
        memory.rewritten = (scene.view.generation, paths.clone());
    });
    Err(TurnError::Rewritten {
        object: target.to_string(),
        paths,
    })
}

/// Asks for the version `after` where the one `before` was asked for. Where none was, none is named: not even null is none.
fn follow(body: &mut Value, before: &str, after: String) {
    let metadata = body.get_mut("metadata");
    let version = metadata.and_then(|metadata| metadata.get_mut("resourceVersion"));
    if let Some(version) = version.filter(|version| **version == before) {
        *version = after.into();
    }
}

/// Applies a body with nothing but what it says.
pub(super) async fn send(
    context: &Context,
    scene: &Scene<'_>,
    target: &ObjectRef,
    body: &Value,
) -> Result<(), TurnError> {
    let api = api(context, target)?;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api
        .patch(&target.name, &params, &Patch::Apply(body))
        .await
        .map_err(|error| TurnError::kubernetes("apply", target, error))?;
    remember(context, scene, target, written);
    Ok(())
}

/// Lets the API server refuse when the object is another one, or another version, than the plan was made for.
pub(super) fn require(body: &mut Value, precondition: &Precondition) {
    match precondition {
        Precondition::Unchanged(version) => body["metadata"]["resourceVersion"] = version.as_str().into(),
        Precondition::SameObject(uid) => body["metadata"]["uid"] = uid.as_str().into(),
        Precondition::None | Precondition::StillPrimary(_) => {}
    }
}

/// Puts the API server's answer into the cache, so that the watch's echo is no news and the next turn need not read.
pub(super) fn remember(context: &Context, scene: &Scene<'_>, target: &ObjectRef, written: Whole) {
    if is_of_patroni(target) {
        let owners = written.metadata.owner_references.clone().unwrap_or_default();
        context.memories.with(scene.cluster, |memory| {
            memory.note_owners(target, Some(owners));
            if target.name == scene.names.service(Role::Primary) {
                memory.endpoints = Some(written.value());
            }
        });
        return;
    }
    if let Some((owner, key)) = place(scene, target) {
        context.cache.owned.keep(&owner, key, written);
    }
}

/// What Patroni writes to all the time, so that no watch covers it.
pub(super) fn is_of_patroni(target: &ObjectRef) -> bool {
    matches!(target.kind.as_str(), "Endpoints" | "ConfigMap")
}

/// Where the cache keeps an object; nowhere, when no watch of this cluster covers it.
pub(super) fn place(scene: &Scene<'_>, target: &ObjectRef) -> Option<(ClusterRef, Key)> {
    let kind = Watched::of_kind(&target.kind)?;
    if target.namespace != scene.cluster.namespace {
        return None;
    }
    let owner = match kind.found_by() {
        FoundBy::ClusterLabels => scene.cluster.clone(),
        FoundBy::AccountName => ClusterRef::of_namespace(&target.namespace),
    };
    Some((
        owner,
        Key {
            kind,
            name: target.name.clone(),
        },
    ))
}

/// Where requests about an object go.
pub(super) fn api(context: &Context, target: &ObjectRef) -> Result<Api<Whole>, TurnError> {
    context
        .objects(&target.kind, &target.namespace)
        .ok_or_else(|| TurnError::UnknownKind {
            object: target.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_asked_for_only_where_one_was() {
        let followed = |mut body: Value| {
            follow(&mut body, "7", "8".to_owned());
            body
        };
        let of = |version: &str| json!({"metadata": {"name": "a", "resourceVersion": version}});
        assert_eq!(followed(of("7")), of("8"));
        assert_eq!(followed(of("6")), of("6"), "another one that was seen");
        let without = json!({"metadata": {"name": "a"}});
        assert_eq!(followed(without.clone()), without);
    }

    #[test]
    fn preconditions_travel_with_the_request() {
        let mut body = json!({"metadata": {"name": "a"}});
        require(&mut body, &Precondition::Unchanged("7".to_owned()));
        require(&mut body, &Precondition::SameObject("u".to_owned()));
        require(&mut body, &Precondition::StillPrimary("a-0".to_owned()));
        assert_eq!(
            body,
            json!({"metadata": {"name": "a", "resourceVersion": "7", "uid": "u"}})
        );
    }
}
