//! Endpoints, services and disruption budgets.

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Matter, Object, Plan, ensure};
use crate::build::Desired;
use crate::observed::{Observed, Source};

/// Endpoints first: a service without selector is useless without them. Once there they are Patroni's, and never touched.
pub(super) fn ensure(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    if let Some(wanted) = &desired.endpoints {
        match &observed.endpoints {
            Source::Unknown(why) => plan.hold_unknown(Matter::Endpoints, "endpoints", why),
            Source::Known(Some(_)) => {}
            Source::Known(None) => ensure::object(Object::Endpoints(wanted.clone()), None, plan),
        }
    }
    match &observed.services {
        Source::Unknown(why) => plan.hold_unknown(Matter::Services, "services", why),
        Source::Known(stored) => each(&desired.services, stored, Object::Service, plan),
    }
}

pub(super) fn ensure_budgets(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    match &observed.disruption_budgets {
        Source::Unknown(why) => plan.hold_unknown(Matter::DisruptionBudgets, "disruption budgets", why),
        Source::Known(stored) => each(
            &desired.disruption_budgets,
            stored,
            Object::PodDisruptionBudget,
            plan,
        ),
    }
}

fn each<K>(wanted: &[K], stored: &[K], into: fn(K) -> Object, plan: &mut Plan)
where
    K: Metadata<Ty = ObjectMeta> + Clone,
{
    for object in wanted {
        let found = stored
            .iter()
            .find(|stored| stored.metadata().name == object.metadata().name);
        ensure::object(into(object.clone()), found.cloned().map(into), plan);
    }
}
