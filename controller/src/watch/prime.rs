//! Fills the cache of owned objects with whole objects before their metadata is watched, page by page: after a restart no object is read one
//! by one. Must not: be relied on. What it misses is read when it is needed.

use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::Scope;
use crate::cache::{Key, Owned};
use crate::cluster_ref::ClusterRef;
use crate::kinds::{FoundBy, Watched};
use crate::whole::Whole;

/// Objects per page: a StatefulSet has ten to twenty kilobytes with its managedFields.
const PAGE: u32 = 100;

/// Lists everything of one kind.
pub(super) async fn prime(api: &Api<Whole>, scope: &Scope, kind: Watched, owned: &Owned) {
    let mut params = selecting(scope, kind).limit(PAGE);
    loop {
        let page = match api.list(&params).await {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(?kind, %error, "cannot list beforehand");
                return;
            }
        };
        for object in page.items {
            keep(object, scope, kind, owned);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return,
        }
    }
}

fn selecting(scope: &Scope, kind: Watched) -> ListParams {
    match kind.found_by() {
        FoundBy::ClusterLabels => ListParams::default().labels(&scope.selector()),
        FoundBy::AccountName => ListParams::default().fields(&scope.account_field()),
    }
}

fn keep(object: Whole, scope: &Scope, kind: Watched, owned: &Owned) {
    let Some(cluster) = owner(&object, scope, kind) else {
        return;
    };
    let key = Key {
        kind,
        name: object.name_any(),
    };
    owned.keep(&cluster, key, object);
}

fn owner(object: &Whole, scope: &Scope, kind: Watched) -> Option<ClusterRef> {
    match kind.found_by() {
        FoundBy::ClusterLabels => scope.cluster_of(&object.metadata),
        FoundBy::AccountName => object.namespace().map(ClusterRef::of_namespace),
    }
}
