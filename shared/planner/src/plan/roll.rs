//! Pods of an older template are made anew, one by one (zalando-behaviour 4.5). Lives here: which differences are a reason.

use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;

use super::{HoldReason, Plan};
use crate::observed::Observed;

const STEP: &str = "roll the pods";
const TEMPLATE: &str = "/spec/template/";
/// A running pod can do without these: they are only read by others, and can be changed on it.
const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

/// A difference of the StatefulSet at this path concerns the pods that run.
pub(super) fn is_reason(path: &str) -> bool {
    path.starts_with(TEMPLATE) && !path.starts_with(ANNOTATIONS)
}

/// The template is changed in this very plan: whatever pods there are will run an older one.
pub(super) fn hold_all(cluster: &Cluster, observed: &Observed, config: &OperatorConfig, plan: &mut Plan) {
    let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, config);
    let pods = observed.pods.known().into_iter().flatten();
    let mut members: Vec<String> = pods
        .filter(|pod| names.ordinal(&pod.name).is_some())
        .map(|pod| pod.name.clone())
        .collect();
    members.sort();
    if !members.is_empty() {
        plan.hold(STEP, HoldReason::RollPending(members));
    }
}
