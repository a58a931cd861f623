//! Tells that something may have changed: the Secret, or a webhook configuration. By metadata only; what it is has to be read.

use std::fmt::Debug;

use futures::stream::{BoxStream, select_all};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use tracing::warn;

use crate::inject::Kind;

/// One item whenever something may have changed.
pub(crate) type News = BoxStream<'static, ()>;

/// Changes of the configurations, and of a Secret by namespace and name.
pub(crate) fn news(client: &Client, configurations: &[(Kind, String)], secret: Option<(&str, &str)>) -> News {
    let configurations = configurations.iter().map(|(kind, name)| match kind {
        Kind::Mutating => changes(
            Api::<PartialObjectMeta<MutatingWebhookConfiguration>>::all(client.clone()),
            name,
        ),
        Kind::Validating => changes(
            Api::<PartialObjectMeta<ValidatingWebhookConfiguration>>::all(client.clone()),
            name,
        ),
    });
    let secret = secret.map(|(namespace, name)| {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(client.clone(), namespace);
        changes(api, name)
    });
    select_all(configurations.chain(secret).collect::<Vec<_>>()).boxed()
}

/// Waits for news, and takes all that is there. For ever where there is nothing to be told.
pub(crate) async fn next(news: &mut News) {
    if news.next().await.is_none() {
        std::future::pending::<()>().await;
    }
    while news.next().now_or_never().flatten().is_some() {}
}

fn changes<K>(api: Api<PartialObjectMeta<K>>, name: &str) -> News
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let named = pgherd_runtime::client::watching().fields(&format!("metadata.name={name}"));
    // Not `Patience`: news only hasten a look that comes anyway.
    let seen = watcher(api, named).default_backoff();
    seen.map(|seen| {
        if let Err(err) = seen {
            let reason = pgherd_runtime::tasks::chain(&err);
            warn!(%reason, "cannot watch certificates; looking from time to time instead");
        }
    })
    .boxed()
}
