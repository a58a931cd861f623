//! The order of the end, and what survives it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pgherd_model::config::Form;

use super::*;
use crate::observed::{ClaimView, PodView, SecretView};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn config() -> OperatorConfig {
    OperatorConfig::default_for(Form::ConfigMap)
}

fn names() -> Names {
    Names::of("default", "demo", &config())
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        uid: Some(format!("uid-{name}")),
        ..ObjectMeta::default()
    }
}

/// All that a cluster has, its members gone.
fn without_members() -> Observed {
    let labels: BTreeMap<String, String> = names()
        .selector()
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let secret = |name: &str, labels| SecretView {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        labels,
        ..SecretView::default()
    };
    Observed {
        cluster: ClusterView {
            name: "demo".to_owned(),
            finalizers: vec!["other.io/keep".to_owned(), annotations::FINALIZER.to_owned()],
            ..ClusterView::default()
        },
        stateful_set: Source::Known(None),
        pods: Source::Known(Vec::new()),
        claims: Source::Known(vec![ClaimView {
            name: "pgdata-demo-0".to_owned(),
            ..ClaimView::default()
        }]),
        secrets: Source::Known(vec![
            secret(&names().secret("owner"), labels.clone()),
            secret("labelled-by-somebody-else", labels),
            secret("somebody-elses", BTreeMap::new()),
        ]),
        services: Source::Known(vec![Service {
            metadata: metadata("demo"),
            ..Service::default()
        }]),
        disruption_budgets: Source::Known(Vec::new()),
        patroni_objects: Source::Known(vec![ObjectRef {
            kind: "ConfigMap".to_owned(),
            name: "demo-config".to_owned(),
            ..ObjectRef::default()
        }]),
        ..Observed::default()
    }
}

fn alive() -> Observed {
    Observed {
        stateful_set: Source::Known(Some(StatefulSet {
            metadata: metadata("demo"),
            ..StatefulSet::default()
        })),
        pods: Source::Known(vec![PodView {
            name: "demo-0".to_owned(),
            ..PodView::default()
        }]),
        ..without_members()
    }
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.to_string()).collect()
}

#[test]
fn members_go_before_all_else() {
    let plan = plan_deletion(&names(), &alive(), &config(), NOW);
    assert_eq!(
        lines(&plan),
        ["delete StatefulSet default/demo", "delete Pod default/demo-0"]
    );
    assert!(matches!(plan.holds[0].reason, HoldReason::PodsTerminating(_)));
    assert_eq!(
        plan.steps[0].precondition,
        Precondition::SameObject("uid-demo".to_owned())
    );
}

#[test]
fn finalizer_is_the_last_to_go_and_only_ours() {
    let plan = plan_deletion(&names(), &without_members(), &config(), NOW);
    let lines = lines(&plan);
    assert_eq!(
        lines.last().unwrap(),
        &format!("remove finalizer {}", annotations::FINALIZER)
    );
    assert!(lines.contains(&"delete PersistentVolumeClaim default/pgdata-demo-0".to_owned()));
    let secrets: Vec<_> = lines.iter().filter(|line| line.contains("Secret")).collect();
    assert_eq!(
        secrets,
        [&format!("delete Secret default/{}", names().secret("owner"))]
    );
}

#[test]
fn a_secret_that_was_sent_here_stays() {
    let mut observed = without_members();
    let mut secrets = observed.secrets.known().cloned().unwrap();
    secrets[1].name = names().secret("default.app");
    observed.secrets = Source::Known(secrets);
    let deleted = |config: &OperatorConfig| {
        let lines = lines(&plan_deletion(&names(), &observed, config, NOW));
        lines.contains(&format!(
            "delete Secret default/{}",
            names().secret("default.app")
        ))
    };
    let mut config = config();
    assert!(deleted(&config), "nobody can send one");
    config.kubernetes.enable_cross_namespace_secret = true;
    assert!(!deleted(&config));
}

#[test]
fn data_stays_where_the_configuration_says_so() {
    let mut config = config();
    config.kubernetes.enable_persistent_volume_claim_deletion = false;
    config.kubernetes.enable_secrets_deletion = false;
    let plan = plan_deletion(&names(), &without_members(), &config, NOW);
    assert!(plan.impact() < Impact::DataRewrite);
    assert!(
        !lines(&plan)
            .iter()
            .any(|line| line.contains("Claim") || line.contains("Secret"))
    );
}

#[test]
fn what_only_carries_the_labels_stays() {
    let mut observed = alive();
    let pooler = PodView {
        name: "demo-pooler-5f7".to_owned(),
        ..PodView::default()
    };
    observed.pods = Source::Known(vec![pooler]);
    observed.stateful_set = Source::Known(None);
    let claim = |name: &str| ClaimView {
        name: name.to_owned(),
        ..ClaimView::default()
    };
    observed.claims = Source::Known(vec![
        claim("exports"),
        claim("pgdata-demo-1"),
        claim("pgdata-demo-x"),
    ]);
    let lines = lines(&plan_deletion(&names(), &observed, &config(), NOW));
    assert!(!lines.iter().any(|line| line.contains("Pod ")), "{lines:?}");
    let claims: Vec<_> = lines.iter().filter(|line| line.contains("Claim")).collect();
    assert_eq!(claims, ["delete PersistentVolumeClaim default/pgdata-demo-1"]);
}

#[test]
fn silence_of_a_source_keeps_the_finalizer() {
    let mut observed = without_members();
    observed.patroni_objects = Source::Unknown("timed out".to_owned());
    let plan = plan_deletion(&names(), &observed, &config(), NOW);
    assert!(!lines(&plan).iter().any(|line| line.contains("finalizer")));
    assert!(plan.wake_after.is_some());
}

#[test]
fn gate_asks_for_both_annotations() {
    let mut config = config();
    config.kubernetes.delete_annotation_date_key = Some("delete-date".to_owned());
    config.kubernetes.delete_annotation_name_key = Some("delete-name".to_owned());
    let mut observed = alive();
    let reason = |observed: &Observed| {
        let plan = plan_deletion(&names(), observed, &config, NOW);
        plan.holds
            .first()
            .filter(|_| plan.steps.is_empty())
            .map(|hold| hold.reason.to_string())
    };
    assert_eq!(
        reason(&observed).unwrap(),
        "annotation delete-date not set in manifest to allow cluster deletion"
    );
    observed
        .cluster
        .annotations
        .insert("delete-date".to_owned(), "1970-01-01".to_owned());
    observed
        .cluster
        .annotations
        .insert("delete-name".to_owned(), "other".to_owned());
    assert_eq!(
        reason(&observed).unwrap(),
        "annotation delete-name not matching the cluster name: got other, expected demo"
    );
    observed
        .cluster
        .annotations
        .insert("delete-name".to_owned(), "demo".to_owned());
    assert_eq!(reason(&observed), None);
}

#[test]
fn nothing_is_left_to_do_when_all_has_gone() {
    let gone = Observed {
        cluster: ClusterView {
            name: "demo".to_owned(),
            ..ClusterView::default()
        },
        claims: Source::Known(Vec::new()),
        secrets: Source::Known(Vec::new()),
        services: Source::Known(Vec::new()),
        patroni_objects: Source::Known(Vec::new()),
        ..without_members()
    };
    assert!(plan_deletion(&names(), &gone, &config(), NOW).is_empty());
}

/// With etcd there are Endpoints, whatever is said of config maps.
#[test]
fn endpoints_that_could_not_be_read_hold_the_end_up_where_there_are_some() {
    let held = |config_maps: bool, etcd: Option<&str>| {
        let mut config = config();
        config.general.kubernetes_use_configmaps = config_maps;
        config.general.etcd_host = etcd.map(str::to_owned);
        let plan = plan_deletion(&names(), &without_members(), &config, NOW);
        let mut holds = plan.holds.iter();
        holds.any(|hold| hold.to_string().contains("endpoints"))
    };
    let etcd = Some("etcd:2379");
    assert_eq!(
        [
            held(true, None),
            held(true, etcd),
            held(false, None),
            held(false, etcd)
        ],
        [false, true, true, true]
    );
}
