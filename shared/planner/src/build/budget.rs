//! The two disruption budgets (zalando-behaviour 3.6).

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use pgherd_model::names::{Labels, Role};

use super::Blueprint;

/// The primary's budget, then that of critical operations. Switched off they stay, and protect nothing.
pub(super) fn build(blueprint: Blueprint<'_>) -> Vec<PodDisruptionBudget> {
    let protects =
        blueprint.config.kubernetes.enable_pod_disruption_budget && blueprint.cluster.instances > 0;
    vec![primary(blueprint, protects), critical(blueprint, protects)]
}

fn primary(blueprint: Blueprint<'_>, protects: bool) -> PodDisruptionBudget {
    let only_primary = blueprint.config.kubernetes.pdb_master_label_selector;
    let patroni = &blueprint.cluster.patroni;
    let available = match (protects, only_primary || !patroni.synchronous_mode_strict) {
        (false, _) => 0,
        (true, true) => 1,
        // Writes need the primary and as many replicas as each commit waits for.
        (true, false) => patroni.synchronous_node_count.map_or(1, |replicas| {
            i32::try_from(replicas.get()).unwrap_or(i32::MAX - 1) + 1
        }),
    };
    let selector = if only_primary {
        blueprint.names.role_selector(Role::Primary)
    } else {
        blueprint.names.selector()
    };
    let spec = PodDisruptionBudgetSpec {
        min_available: Some(IntOrString::Int(available)),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(
        blueprint,
        blueprint.names.primary_budget().to_owned(),
        selector,
        spec,
    )
}

fn critical(blueprint: Blueprint<'_>, protects: bool) -> PodDisruptionBudget {
    let unavailable = if protects {
        IntOrString::Int(0)
    } else {
        IntOrString::String("100%".to_owned())
    };
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(unavailable),
        ..PodDisruptionBudgetSpec::default()
    };
    let names = blueprint.names;
    budget(
        blueprint,
        names.critical_budget(),
        names.critical_selector(),
        spec,
    )
}

fn budget(
    blueprint: Blueprint<'_>,
    name: String,
    selector: Labels,
    spec: PodDisruptionBudgetSpec,
) -> PodDisruptionBudget {
    let selector = LabelSelector {
        match_labels: Some(selector),
        match_expressions: None,
    };
    PodDisruptionBudget {
        metadata: blueprint.metadata(name, blueprint.labels(), blueprint.inherited_annotations()),
        spec: Some(PodDisruptionBudgetSpec {
            selector: Some(selector),
            ..spec
        }),
        status: None,
    }
}
