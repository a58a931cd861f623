//! Field names of version 1, translated in memory (zalando-behaviour 1.1). The stored object keeps what its user wrote.

use std::borrow::Cow;

use super::rules::reason::OLD_FIELD;
use crate::{api::postgresql::PostgresqlSpec, finding::Finding};

/// The spec with new names only, and what was found under old ones.
pub(crate) fn translate(spec: &PostgresqlSpec) -> (Cow<'_, PostgresqlSpec>, Vec<Finding>) {
    if !uses_old_names(spec) {
        return (Cow::Borrowed(spec), Vec::new());
    }
    let mut spec = spec.clone();
    let mut findings = balancers(&mut spec);
    if !spec.init_containers_v1.is_empty() {
        let old = std::mem::take(&mut spec.init_containers_v1);
        let taken = spec.init_containers.is_empty();
        findings.push(finding("init_containers", "initContainers", taken));
        if taken {
            spec.init_containers = old;
        }
    }
    if let Some(old) = spec.pod_priority_class_name_v1.take() {
        let taken = spec.pod_priority_class_name.as_ref().is_none_or(String::is_empty);
        findings.push(finding("pod_priority_class_name", "podPriorityClassName", taken));
        if taken {
            spec.pod_priority_class_name = Some(old);
        }
    }
    (Cow::Owned(spec), findings)
}

fn uses_old_names(spec: &PostgresqlSpec) -> bool {
    spec.use_load_balancer.is_some()
        || spec.replica_load_balancer.is_some()
        || !spec.init_containers_v1.is_empty()
        || spec.pod_priority_class_name_v1.is_some()
}

/// The old switches count only where none of the new ones is there.
fn balancers(spec: &mut PostgresqlSpec) -> Vec<Finding> {
    let taken = spec.enable_master_load_balancer.is_none() && spec.enable_replica_load_balancer.is_none();
    let (primary, replica) = (spec.use_load_balancer.take(), spec.replica_load_balancer.take());
    if taken {
        spec.enable_master_load_balancer = primary;
        spec.enable_replica_load_balancer = replica;
    }
    let primary = primary.map(|_| finding("useLoadBalancer", "enableMasterLoadBalancer", taken));
    let replica = replica.map(|_| finding("replicaLoadBalancer", "enableReplicaLoadBalancer", taken));
    primary.into_iter().chain(replica).collect()
}

fn finding(old: &str, new: &str, taken: bool) -> Finding {
    let message = if taken {
        format!("is the old name of {new}: rename it")
    } else {
        format!("is ignored: it is the old name of {new}, and new names are used beside it")
    };
    Finding::new(OLD_FIELD, format!("spec.{old}"), message)
}
