//! Stateful sets, which are large: what is the same to the letter is found by type, and only the rest is compared by meaning, as JSON.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Difference, difference, equal};

/// As [`difference`] of both.
pub(crate) fn of_stateful_sets(desired: &StatefulSet, stored: &StatefulSet) -> Option<Difference> {
    let (mut desired, mut stored) = (desired.clone(), stored.clone());
    forget_same(&mut desired, &mut stored);
    let json = |object| serde_json::to_value(object).unwrap_or_default();
    difference("StatefulSet", &json(desired), &json(stored))
}

/// Spells values in `desired` as in `stored` where both mean the same, so that they do not make a new revision of the pods.
pub(crate) fn respell(desired: &mut StatefulSet, stored: &StatefulSet) {
    let stored = stored.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let desired = desired.spec.as_mut();
    let desired = desired.and_then(|spec| spec.template.spec.as_mut());
    let (Some(desired), Some(stored)) = (desired, stored) else {
        return;
    };
    for container in &mut desired.containers {
        respell_container(container, &stored.containers);
    }
    for container in desired.init_containers.iter_mut().flatten() {
        respell_container(container, stored.init_containers.as_deref().unwrap_or_default());
    }
    for volume in desired.volumes.iter_mut().flatten() {
        respell_volume(volume, stored.volumes.as_deref().unwrap_or_default());
    }
}

fn respell_container(desired: &mut Container, stored: &[Container]) {
    let Some(stored) = stored.iter().find(|stored| stored.name == desired.name) else {
        return;
    };
    let known = stored.env.as_deref().unwrap_or_default();
    for (index, variable) in desired.env.iter_mut().flatten().enumerate() {
        let is_same = |known: &&EnvVar| known.name == variable.name;
        let same_place = known.get(index).filter(is_same);
        if let Some(stored) = same_place.or_else(|| known.iter().rfind(is_same)) {
            respell_variable(variable, stored);
        }
    }
    let (Some(desired), Some(stored)) = (&mut desired.resources, &stored.resources) else {
        return;
    };
    for (desired, stored) in [
        (&mut desired.limits, &stored.limits),
        (&mut desired.requests, &stored.requests),
    ] {
        for (name, quantity) in desired.iter_mut().flatten() {
            respell_quantity(quantity, stored.as_ref().and_then(|stored| stored.get(name)));
        }
    }
}

fn respell_variable(desired: &mut EnvVar, stored: &EnvVar) {
    if let (Some(new), Some(old)) = (&mut desired.value, &stored.value)
        && equal::variables(&desired.name, new, old)
    {
        new.clone_from(old);
    }
    let divisor = |variable: &EnvVar| {
        let source = variable.value_from.as_ref()?.resource_field_ref.as_ref()?;
        source.divisor.clone()
    };
    let source = desired.value_from.as_mut();
    if let Some(new) = source.and_then(|source| source.resource_field_ref.as_mut()?.divisor.as_mut()) {
        respell_quantity(new, divisor(stored).as_ref());
    }
}

fn respell_volume(desired: &mut Volume, stored: &[Volume]) {
    let stored = stored.iter().find(|stored| stored.name == desired.name);
    let limit = stored.and_then(|stored| stored.empty_dir.as_ref()?.size_limit.as_ref());
    let new = desired.empty_dir.as_mut();
    if let Some(new) = new.and_then(|directory| directory.size_limit.as_mut()) {
        respell_quantity(new, limit);
    }
}

fn respell_quantity(desired: &mut Quantity, stored: Option<&Quantity>) {
    if let Some(stored) = stored.filter(|stored| equal::quantities(&desired.0, &stored.0)) {
        desired.0.clone_from(&stored.0);
    }
}

/// Takes fields of two values away that are the same.
macro_rules! forget {
    ($one:expr, $other:expr, $($field:ident),+) => {
        $(if $one.$field == $other.$field {
            $one.$field = Default::default();
            $other.$field = Default::default();
        })+
    };
}

/// Parts that are large, and no places in lists: paths stay as they are.
fn forget_same(one: &mut StatefulSet, other: &mut StatefulSet) {
    forget!(
        one.metadata,
        other.metadata,
        labels,
        annotations,
        owner_references
    );
    other.status = None;
    let (Some(one), Some(other)) = (&mut one.spec, &mut other.spec) else {
        return;
    };
    forget!(one, other, selector, volume_claim_templates, update_strategy);
    forget!(one.template, other.template, metadata, spec);
    if let (Some(one), Some(other)) = (&mut one.template.spec, &mut other.template.spec) {
        forget_same_of_pods(one, other);
    }
}

fn forget_same_of_pods(one: &mut PodSpec, other: &mut PodSpec) {
    forget!(
        one,
        other,
        affinity,
        init_containers,
        security_context,
        tolerations
    );
    forget!(one, other, topology_spread_constraints, volumes);
    for (one, other) in one.containers.iter_mut().zip(&mut other.containers) {
        if one.name == other.name {
            forget!(
                one, other, args, command, env, env_from, lifecycle, ports, resources
            );
            forget!(one, other, liveness_probe, readiness_probe, startup_probe);
            forget!(one, other, security_context, volume_mounts);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stateful_set(image: &str, memory: &str, limit: &str, connections: u32, size: &str) -> StatefulSet {
        let configuration = json!({ "bootstrap": { "dcs": { "max_connections": connections } } });
        let pods = json!({
            "containers": [{
                "name": "postgres",
                "image": image,
                "env": [
                    { "name": "SCOPE", "value": "demo" },
                    { "name": "SPILO_CONFIGURATION", "value": configuration.to_string() },
                    { "name": "LIMIT", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory", "divisor": size } } },
                ],
                "resources": { "limits": { "memory": memory }, "requests": { "cpu": limit } },
            }],
            "volumes": [{ "name": "shm", "emptyDir": { "sizeLimit": size } }],
        });
        let spec =
            json!({ "selector": {}, "template": { "metadata": { "labels": { "a": "b" } }, "spec": pods } });
        serde_json::from_value(json!({ "metadata": { "name": "demo" }, "spec": spec })).unwrap()
    }

    #[test]
    fn what_means_the_same_is_spelled_as_it_is_stored() {
        let stored = stateful_set("a", "1Gi", "1", 100, "1Gi");
        let mut desired = stateful_set("a", "1024Mi", "1000m", 200, "1024Mi");
        respell(&mut desired, &stored);
        assert_eq!(desired, stored);
        let mut other = stateful_set("b", "2Gi", "1", 100, "2Gi");
        let wanted = other.clone();
        respell(&mut other, &stored);
        assert_eq!(other, wanted, "what differs stays as it is wanted");
    }

    /// Leaving out what is the same changes nothing of the outcome.
    #[test]
    fn the_difference_is_that_of_the_whole_objects() {
        let json = |object: &StatefulSet| serde_json::to_value(object).unwrap();
        let kinds: Vec<StatefulSet> = ["a", "b"]
            .into_iter()
            .flat_map(|image| ["1Gi", "1024Mi", "2Gi"].map(|memory| (image, memory)))
            .flat_map(|(image, memory)| [100, 200].map(|connections| (image, memory, connections)))
            .map(|(image, memory, connections)| stateful_set(image, memory, "1", connections, memory))
            .collect();
        let mut found = 0;
        for desired in &kinds {
            for stored in &kinds {
                let mut stored = stored.clone();
                let pods = stored.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
                pods.tolerations = Some(Vec::new());
                pods.containers.push(Container {
                    name: "other".to_owned(),
                    ..Container::default()
                });
                let whole = difference("StatefulSet", &json(desired), &json(&stored));
                assert_eq!(of_stateful_sets(desired, &stored), whole);
                found += usize::from(whole.is_some());
            }
        }
        assert_eq!(found, kinds.len() * kinds.len());
    }
}
