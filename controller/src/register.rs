//! Registers custom resources that are not there, or are of another version (`enable_crd_registration`): under Zalando's definition most of a
//! status is pruned, and Zalando's operator puts its own in place at each of its starts. Where ours are installed with the rest, it finds them
//! and writes nothing. Must not: take the place of a later version of ours.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use pgherd_model::config::{OperatorConfig, OperatorMode};
use pgherd_model::crd::{self, Standing};
use pgherd_model::names::operator::FIELD_MANAGER;
use pgherd_runtime::client;
use pgherd_runtime::tasks::chain;
use tokio::time::timeout;

use crate::context::Context;

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

/// The definition that statuses are stored by.
const CLUSTERS: &str = "postgresqls.acid.zalan.do";

/// Makes sure that the kinds exist and store what is written. Only that a missing one cannot be made is fatal, since there is nothing to watch
/// without it.
pub async fn register(context: &Context, within: Duration) -> Result<(), RegisterError> {
    let config = context.config();
    let api: Api<CustomResourceDefinition> = Api::all(context.client.clone());
    let mut foreign = 0;
    for mut wanted in crd::all() {
        if wanted.spec.names.kind == "postgresql" {
            wanted.spec.names.categories = Some(config.general.crd_categories.clone());
        }
        let name = wanted.name_any();
        match api.get_opt(&name).await {
            Ok(Some(present)) => foreign += i64::from(!upgrade(&api, &present, &wanted, &config).await),
            Ok(None) if may_write(&config) => {
                apply(&api, &wanted).await?;
                establish(&api, &name, within).await?;
            }
            Ok(None) => tracing::warn!(
                crd = name,
                "the CRD is missing and is not registered: see enable_crd_registration and operator_mode"
            ),
            Err(error) => {
                tracing::warn!(crd = name, %error, "cannot read the CRD; going on as if it were there");
            }
        }
    }
    context.metrics.foreign_definitions.set(foreign);
    Ok(())
}

/// Who only looks writes no definitions either.
fn may_write(config: &OperatorConfig) -> bool {
    config.general.enable_crd_registration && config.fleet.operator_mode == OperatorMode::Live
}

/// Whether ours is in force in the end. That it is not is said, and nothing ends because of it.
async fn upgrade(
    api: &Api<CustomResourceDefinition>,
    present: &CustomResourceDefinition,
    wanted: &CustomResourceDefinition,
    config: &OperatorConfig,
) -> bool {
    let name = wanted.name_any();
    match Standing::of(present, wanted) {
        Standing::Same => true,
        Standing::Newer(version) => {
            tracing::warn!(
                crd = name,
                version,
                "a later pgherd registered the CRD; it is left as it is"
            );
            false
        }
        Standing::Other if may_write(config) => match apply(api, wanted).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(crd = name, error = chain(&error), "the CRD is of another version");
                false
            }
        },
        Standing::Other => {
            tracing::warn!(
                crd = name,
                "the CRD is of another version: parts of what is written are lost, or all of it is refused; apply \
                 deploy/kustomize/crds"
            );
            false
        }
    }
}

/// Looks again whenever somebody changes the definition of clusters, or the configuration. Never ends.
pub async fn keep(context: &Context, within: Duration) {
    let api: Api<CustomResourceDefinition> = Api::all(context.client.clone());
    let named = client::watching().fields(&format!("metadata.name={CLUSTERS}"));
    // Not `Patience`: nobody waits for this, and where the right to watch is missing it fails for good.
    let events = watcher(api, named).default_backoff();
    let mut settings = context.config.clone();
    pin_mut!(events);
    let mut is_failing = false;
    loop {
        let is_news = tokio::select! {
            Some(event) = events.next() => note(event, &mut is_failing),
            Ok(()) = settings.changed() => true,
            else => std::future::pending().await,
        };
        if is_news && let Err(error) = register(context, within).await {
            tracing::warn!(error = chain(&error), "cannot register the custom resources");
        }
    }
}

/// Whether the definition may be another now.
fn note(event: watcher::Result<Event<CustomResourceDefinition>>, is_failing: &mut bool) -> bool {
    let was_failing = std::mem::replace(is_failing, event.is_err());
    match event {
        Ok(Event::Apply(_) | Event::InitApply(_)) => true,
        Ok(_) => false,
        Err(error) => {
            if !was_failing {
                tracing::warn!(
                    error = chain(&error),
                    "cannot watch the CRD; a change of it counts at the next start"
                );
            }
            false
        }
    }
}

async fn apply(
    api: &Api<CustomResourceDefinition>,
    wanted: &CustomResourceDefinition,
) -> Result<(), RegisterError> {
    let name = wanted.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch(&name, &params, &Patch::Apply(wanted)).await {
        Ok(_) => {
            tracing::info!(crd = name, "CRD registered");
            Ok(())
        }
        Err(source) => Err(RegisterError::Refused { name, source }),
    }
}

async fn establish(
    api: &Api<CustomResourceDefinition>,
    name: &str,
    within: Duration,
) -> Result<(), RegisterError> {
    let established = await_condition(api.clone(), name, is_crd_established());
    match timeout(within, established).await {
        Ok(Ok(_)) => Ok(()),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;
    use tokio::sync::watch;

    use super::*;
    use crate::testing::FakeApi;

    const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

    struct Case {
        api: FakeApi,
        context: Context,
    }

    /// All three are there; the first as changed.
    fn case(change: impl FnOnce(&mut Value), set: impl FnOnce(&mut OperatorConfig)) -> Case {
        let api = FakeApi::default();
        let mut definitions = crd::all().map(|crd| serde_json::to_value(crd).unwrap());
        change(&mut definitions[0]);
        for definition in definitions {
            let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
            api.put(&format!("{PATH}/{name}"), definition);
        }
        let mut context = api.context();
        let mut config = (*context.config()).clone();
        config.general.enable_crd_registration = true;
        set(&mut config);
        context.config = watch::channel(Arc::new(config)).1;
        Case { api, context }
    }

    impl Case {
        /// What was written, and how many are not ours in the end.
        async fn register(&self) -> (Vec<String>, i64) {
            register(&self.context, Duration::from_secs(1)).await.unwrap();
            let mut asked = self.api.asked();
            asked.retain(|line| !line.starts_with("GET"));
            (asked, self.context.metrics.foreign_definitions.get())
        }
    }

    /// What Zalando's operator does at its start: its own spec, the annotations as they were.
    fn zalandos(crd: &mut Value) {
        let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status";
        *crd.pointer_mut(status).unwrap() =
            serde_json::json!({"type": "object", "additionalProperties": {"type": "string"}});
    }

    fn later(crd: &mut Value) {
        crd["metadata"]["annotations"]["pgherd.io/version"] = "99.0.0".into();
        let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
        crd.pointer_mut(status).unwrap()["more"] = serde_json::json!({"type": "string"});
    }

    #[tokio::test]
    async fn ours_are_left_alone() {
        assert_eq!(case(|_| {}, |_| {}).register().await, (vec![], 0));
    }

    #[tokio::test]
    async fn anothers_is_replaced_once() {
        let case = case(zalandos, |_| {});
        let expected = format!("PATCH {PATH}/{CLUSTERS}");
        assert_eq!(case.register().await, (vec![expected], 0));
        assert_eq!(case.register().await, (vec![], 0));
    }

    #[tokio::test]
    async fn anothers_is_only_told_of_where_we_may_not_write() {
        let off = case(zalandos, |config| config.general.enable_crd_registration = false);
        assert_eq!(off.register().await, (vec![], 1));
        let looking = case(zalandos, |config| {
            config.fleet.operator_mode = OperatorMode::Observe;
        });
        assert_eq!(looking.register().await, (vec![], 1));
    }

    #[tokio::test]
    async fn a_later_one_of_ours_stays() {
        assert_eq!(case(later, |_| {}).register().await, (vec![], 1));
    }

    #[tokio::test]
    async fn a_configuration_that_allows_it_later_counts() {
        let mut case = case(zalandos, |config| {
            config.fleet.operator_mode = OperatorMode::Observe;
        });
        let config = case.context.config();
        let (sender, settings) = watch::channel(Arc::clone(&config));
        case.context.config = settings;
        let mut live = (*config).clone();
        live.fleet.operator_mode = OperatorMode::Live;
        let written = async {
            sender.send_replace(Arc::new(live));
            while !case.api.asked().iter().any(|line| line.starts_with("PATCH")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let kept = keep(&case.context, Duration::from_secs(1));
        tokio::select! {
            () = kept => unreachable!("it never ends"),
            written = timeout(Duration::from_secs(5), written) => written.unwrap(),
        }
    }
}
