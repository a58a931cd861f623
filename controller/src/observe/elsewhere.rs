//! Which secrets a cluster has in other namespaces: what is wanted says so, and of a cluster of whom nothing but its leftovers is known, the
//! secrets themselves. Must not: read them, or decide what becomes of them.

use kube::api::{Api, DynamicObject, ListParams};
use pgherd_model::names::annotations::SECRET_OF;
use pgherd_model::names::labels::selector_text;

use super::Question;
use crate::answer::{said, status};
use crate::context::Context;
use crate::kinds::Watched;

/// No cluster's cache has a place for them: they are read each time.
pub(super) async fn secrets(
    context: &Context,
    question: &Question<'_>,
) -> Result<Vec<(String, String)>, String> {
    let Some(desired) = question.desired else {
        let is_asked = question.deleting && question.config.kubernetes.enable_secrets_deletion;
        return if is_asked {
            sent_away(context, question).await
        } else {
            Ok(Vec::new())
        };
    };
    let drafts = desired.secrets.iter();
    let drafts = drafts.filter(|draft| draft.namespace != question.cluster.namespace);
    Ok(drafts
        .map(|draft| (draft.namespace.clone(), draft.name.clone()))
        .collect())
}

/// By the annotation that says whose they are. An operator that may not look into all namespaces has sent none there.
async fn sent_away(context: &Context, question: &Question<'_>) -> Result<Vec<(String, String)>, String> {
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &Watched::Secret.resource());
    let params = ListParams::default().labels(&selector_text(&question.names.selector()));
    let listed = match api.list_metadata(&params).await {
        Ok(listed) => listed.items.into_iter(),
        Err(error) if status(&error).is_some_and(|status| status.code == 403) => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot list secrets: {}", said(&error))),
    };
    let home = question.cluster.to_string();
    let places = listed.filter_map(|secret| {
        let metadata = secret.metadata;
        let is_ours = metadata.annotations.as_ref()?.get(SECRET_OF) == Some(&home);
        let place = (metadata.namespace?, metadata.name?);
        (is_ours && place.0 != question.cluster.namespace).then_some(place)
    });
    Ok(places.collect())
}
