//! Variables that the image reads when it makes a cluster, and that say nothing to one that runs: whom a standby follows. Lives here: which.
//! Patroni's configuration is what counts later (`plan::dynamic`), so that no pod is made anew for them.

use k8s_openapi::api::core::v1::{EnvVar, PodTemplateSpec};
use pgherd_model::names::env::STANDBY_ARCHIVES;

const PREFIX: &str = "STANDBY_";
/// The host to follow.
const OF_HOST: [&str; 3] = ["STANDBY_HOST", "STANDBY_PORT", "STANDBY_PRIMARY_SLOT_NAME"];

/// Both without those variables. Where an archive is to be read, its place and its keys are read from the pod, and count.
pub(in crate::plan) fn forgotten(
    wanted: Option<&PodTemplateSpec>,
    found: Option<&PodTemplateSpec>,
) -> [Option<PodTemplateSpec>; 2] {
    let is_of_archive = |variable: &EnvVar| STANDBY_ARCHIVES.contains(&variable.name.as_str());
    let reads_archive = wanted.is_some_and(|template| variables(template).any(is_of_archive));
    let counts = |variable: &EnvVar| {
        let name = variable.name.as_str();
        !OF_HOST.contains(&name) && (reads_archive || !name.starts_with(PREFIX))
    };
    [wanted, found].map(|template| {
        let mut template = template.cloned()?;
        let container = template
            .spec
            .as_mut()
            .and_then(|spec| spec.containers.first_mut());
        if let Some(variables) = container.and_then(|container| container.env.as_mut()) {
            variables.retain(counts);
        }
        Some(template)
    })
}

fn variables(template: &PodTemplateSpec) -> impl Iterator<Item = &EnvVar> {
    let container = template.spec.as_ref().and_then(|spec| spec.containers.first());
    container
        .and_then(|container| container.env.as_deref())
        .unwrap_or_default()
        .iter()
}
