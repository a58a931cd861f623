//! Names that are made of the cluster's name, and keys that become annotations and labels of its objects.

use std::collections::BTreeMap;

use super::{
    super::{Hit, Subject},
    syntax,
};
use crate::{
    cluster::{Service, ServiceKind},
    names::{
        Names, Role,
        annotations::{AWS_ROLE, EXTERNAL_DNS_HOSTNAME, ROLLING_UPDATE_REQUIRED},
        objects::{CRON_JOB_LIMIT, LABEL_LIMIT, OBJECT_NAME_LIMIT},
    },
};

/// Longest name of a StatefulSet: its pods carry the label `controller-revision-hash` with it, a dash and up to ten more characters, and a label
/// ends at 63 (kubernetes/kubernetes issue 64023).
const STATEFUL_SET_LIMIT: usize = 52;
/// Starts of keys that operators read and write.
const OWN_PREFIXES: &[&str] = &["pgherd.io/", "acid.zalan.do/"];

type Annotations = BTreeMap<String, String>;

fn sections<'a>(subject: &'a Subject<'_>) -> [(&'static str, &'a Annotations); 4] {
    let spec = &subject.spec;
    [
        ("podAnnotations", &spec.pod_annotations),
        ("serviceAnnotations", &spec.service_annotations),
        ("masterServiceAnnotations", &spec.master_service_annotations),
        ("replicaServiceAnnotations", &spec.replica_service_annotations),
    ]
}

pub(in super::super) fn keys_are_qualified(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (section, annotations) in sections(subject) {
        // Kubernetes looks at keys of annotations without case.
        let bad = annotations
            .keys()
            .filter(|key| !syntax::is_qualified(&key.to_lowercase()));
        hits.extend(bad.map(|key| {
            let message = format!(
                "{key:?} cannot be a key: letters, digits, -_. inside, at most 63, perhaps with a domain and / in front"
            );
            Hit::new(format!("spec.{section}.{key}"), message)
        }));
    }
    hits
}

pub(in super::super) fn keys_are_free(subject: &Subject<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (section, annotations) in sections(subject) {
        for key in annotations.keys().filter(|key| is_taken(subject, section, key)) {
            let message = "is the operator's: it reads it, or writes over it";
            hits.push(Hit::new(format!("spec.{section}.{key}"), message));
        }
    }
    hits
}

fn is_taken(subject: &Subject<'_>, section: &str, key: &str) -> bool {
    let is_pods = section == "podAnnotations";
    let by_role = subject.config.aws_or_gcp.kube_iam_role.is_some();
    OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || key == ROLLING_UPDATE_REQUIRED
        || (key == AWS_ROLE && is_pods && by_role)
        || (key == EXTERNAL_DNS_HOSTNAME && !is_pods && services(subject).into_iter().any(is_balanced))
}

pub(in super::super) fn team_is_a_label(subject: &Subject<'_>) -> Vec<Hit> {
    let team = subject.spec.team_id.as_deref().unwrap_or_default();
    if syntax::is_label_value(team) {
        return Vec::new();
    }
    let message = format!(
        "{team:?} cannot be a label's value: letters, digits, -_. inside, at most {}",
        syntax::LABEL
    );
    vec![Hit::new("spec.teamId", message)]
}

pub(super) fn names(subject: &Subject<'_>) -> Names {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let meta = &subject.object.metadata;
    Names::of(&text(&meta.namespace), &text(&meta.name), subject.config)
}

/// The services of poolers have longer names than the cluster's own.
pub(in super::super) fn pooler_names_fit(subject: &Subject<'_>) -> Vec<Hit> {
    let (names, spec) = (names(subject), &subject.spec);
    let (primary, replica) = crate::cluster::pooler::wanted(spec);
    let sides = [(primary, Role::Primary), (replica, Role::Replica)];
    let too_long = sides
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, role)| names.pooler(role))
        .find(|service| service.len() > LABEL_LIMIT);
    too_long
        .map(|service| {
            let message = format!(
                "makes the pooler's service {service:?}, longer than {LABEL_LIMIT}: it cannot be made; do without this pooler"
            );
            Hit::new("metadata.name", message)
        })
        .into_iter()
        .collect()
}

/// The services that will be there.
fn services<'a>(subject: &'a Subject<'_>) -> Vec<&'a Service> {
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let exposure = &cluster.exposure;
    let serves = |role: Role| cluster.pooler.as_ref().is_some_and(|own| own.serves(role));
    let all = [
        (&exposure.primary, true),
        (&exposure.replica, true),
        (&exposure.primary_pooler, serves(Role::Primary)),
        (&exposure.replica_pooler, serves(Role::Replica)),
    ];
    all.into_iter()
        .filter(|(_, there)| *there)
        .map(|(service, _)| service)
        .collect()
}

pub(super) fn is_balanced(service: &Service) -> bool {
    matches!(service.kind, ServiceKind::LoadBalancer { .. })
}

/// Whether any service that will be there has a load balancer; not known where the manifest cannot be parsed.
pub(super) fn has_balancer(subject: &Subject<'_>) -> Option<bool> {
    subject.cluster()?;
    Some(services(subject).into_iter().any(is_balanced))
}

/// Names that Kubernetes or the operator cuts or cannot use.
pub(in super::super) fn names_fit(subject: &Subject<'_>) -> Vec<Hit> {
    const PATH: &str = "metadata.name";
    let names = names(subject);
    let mut hits = Vec::new();
    if names.cluster().len() > STATEFUL_SET_LIMIT {
        let message = format!(
            "has {} characters: above {STATEFUL_SET_LIMIT} Kubernetes may be unable to label and make the pods",
            names.cluster().len()
        );
        hits.push(Hit::new(PATH, message));
    }
    let job = names.backup_job();
    let wanted = subject.spec.enable_logical_backup == Some(true);
    if wanted && !job.ends_with(names.cluster()) {
        let message = format!(
            "is cut in the backup job {job:?}, which ends at {CRON_JOB_LIMIT}: clusters may share it"
        );
        hits.push(Hit::new(PATH, message));
    }
    for service in services(subject)
        .into_iter()
        .filter(|service| is_balanced(service))
    {
        let external = service.annotations.get(EXTERNAL_DNS_HOSTNAME);
        let long = external
            .into_iter()
            .flat_map(|names| names.split(','))
            .find(|name| {
                name.len() > OBJECT_NAME_LIMIT || name.split('.').any(|label| label.len() > LABEL_LIMIT)
            });
        if let Some(name) = long {
            let message = format!("makes the DNS name {name:?}, which has a part longer than {LABEL_LIMIT}");
            hits.push(Hit::new(PATH, message));
        }
    }
    hits
}
