//! The order of the end, and what survives it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use pgherd_model::config::Form;
use serde_json::json;

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
        namespace: Some("default".to_owned()),
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
            uid: "uid".to_owned(),
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

/// A StatefulSet on which the deletion of this object is marked.
fn marked(uid: &str, replicas: i32) -> StatefulSet {
    let mark = DeletionMark {
        uid: uid.to_owned(),
        since: NOW,
        controller: None,
    };
    StatefulSet {
        metadata: ObjectMeta {
            annotations: Some([(annotations::DELETION.to_owned(), mark.to_string())].into()),
            ..metadata("demo")
        },
        spec: Some(StatefulSetSpec {
            replicas: Some(replicas),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

fn operations(plan: &Plan) -> serde_json::Value {
    let found = plan.steps.iter().find_map(|step| match &step.action {
        Action::Patch { operations, .. } => Some(serde_json::to_value(operations).unwrap()),
        _ => None,
    });
    found.unwrap_or_default()
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.to_string()).collect()
}

#[test]
fn members_go_before_all_else() {
    let plan = plan_deletion(&names(), &alive(), &config(), NOW);
    assert_eq!(
        lines(&plan),
        [
            "patch StatefulSet default/demo (4 operations)",
            "delete Pod default/demo-0"
        ]
    );
    assert!(matches!(plan.holds[0].reason, HoldReason::PodsTerminating(_)));
    assert_eq!(
        plan.steps[0].precondition,
        Precondition::SameObject("uid-demo".to_owned())
    );
}

#[test]
fn stateful_set_and_finalizer_are_the_last_to_go_and_only_ours() {
    let mut observed = without_members();
    observed.stateful_set = Source::Known(Some(marked("uid", 0)));
    let plan = plan_deletion(&names(), &observed, &config(), NOW);
    let lines = lines(&plan);
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "delete StatefulSet default/demo".to_owned(),
            format!("remove finalizer {}", annotations::FINALIZER)
        ]
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

#[test]
fn members_end_with_the_first_step_and_their_claims_do_not() {
    let mut observed = alive();
    observed.cluster.annotations = [(annotations::CONTROLLER.to_owned(), "blue".to_owned())].into();
    let mut set = marked("of-the-object-before", 3);
    set.spec
        .as_mut()
        .unwrap()
        .persistent_volume_claim_retention_policy = Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some("Delete".to_owned()),
        when_scaled: Some("Delete".to_owned()),
    });
    observed.stateful_set = Source::Known(Some(set));
    let plan = plan_deletion(&names(), &observed, &config(), NOW);
    let mark = "/metadata/annotations/pgherd.io~1deletion";
    assert_eq!(
        operations(&plan),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "uid-demo"},
            {"op": "add", "path": mark, "value": "uid 1970-01-01T00:00:00Z blue"},
            {"op": "add", "path": "/spec/replicas", "value": 0},
            {"op": "add", "path": "/spec/persistentVolumeClaimRetentionPolicy",
                "value": {"whenDeleted": "Retain", "whenScaled": "Retain"}},
        ])
    );
    observed.stateful_set = Source::Known(Some(marked("uid", 1)));
    let lines_of = |observed: &Observed| lines(&plan_deletion(&names(), observed, &config(), NOW));
    assert_eq!(
        lines_of(&observed).len(),
        2,
        "somebody has given it members again"
    );
    observed.stateful_set = Source::Known(Some(marked("uid", 0)));
    assert_eq!(lines_of(&observed), ["delete Pod default/demo-0"]);
}

#[test]
fn a_mark_is_read_as_it_was_written_and_half_a_one_is_none() {
    let read = |text: &str| DeletionMark::of(&[(annotations::DELETION.to_owned(), text.to_owned())].into());
    for text in ["u 1970-01-01T00:00:00Z", "u 1970-01-01T00:00:00Z blue"] {
        assert_eq!(read(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "u",
        "u yesterday",
        " 1970-01-01T00:00:00Z",
        "u 1970-01-01T00:00:00Z a b",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

fn dated() -> OperatorConfig {
    let mut config = config();
    config.kubernetes.delete_annotation_date_key = Some("delete-date".to_owned());
    config
}

#[test]
fn a_deletion_that_was_allowed_does_not_end_with_the_day() {
    let goes = |consent: &str, asked: &str, now: &str| {
        let mut observed = alive();
        observed.cluster.deletion_timestamp = Some(asked.to_owned());
        observed.cluster.annotations = [("delete-date".to_owned(), consent.to_owned())].into();
        let plan = plan_deletion(&names(), &observed, &dated(), now.parse().unwrap());
        !plan.steps.is_empty()
    };
    let (evening, morning) = ("2026-01-31T23:59:00Z", "2026-02-01T06:00:00Z");
    assert!(goes("2026-01-31", evening, evening));
    assert!(
        goes("2026-01-31", evening, morning),
        "it waited for the controller"
    );
    assert!(
        goes("2026-02-01", evening, morning),
        "allowed later than asked for"
    );
    assert!(!goes("2026-01-31", morning, morning), "of the day before");
    assert!(!goes("2026-01-30", evening, morning));
    assert!(!goes("2026-02-02", evening, morning));
}

#[test]
fn what_has_begun_is_allowed_for_this_very_object() {
    let goes = |uid: &str, annotations: &[(&str, &str)], set: StatefulSet| {
        let mut observed = alive();
        observed.cluster.uid = uid.to_owned();
        let annotations = annotations.iter();
        observed.cluster.annotations = annotations
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect();
        observed.stateful_set = Source::Known(Some(set));
        !plan_deletion(&names(), &observed, &dated(), NOW).steps.is_empty()
    };
    let mark = [(annotations::DELETION, "u 1970-01-01T00:00:00Z")];
    assert!(goes("u", &[], marked("u", 0)));
    assert!(!goes("u", &[], marked("of-the-object-before", 0)));
    assert!(
        !goes("u", &mark, marked("of-the-object-before", 0)),
        "anybody can write that"
    );
    assert!(!goes("", &[], marked("u", 0)));
    assert!(
        goes("", &mark, marked("u", 0)),
        "stands for the one that nobody has seen"
    );
}

#[test]
fn another_clusters_secret_stays() {
    let secret = |change: &dyn Fn(&mut SecretView)| {
        let mut observed = without_members();
        let mut secrets = observed.secrets.known().cloned().unwrap();
        secrets.truncate(1);
        secrets[0].namespace = "apps".to_owned();
        secrets[0].name = names().secret("apps.reader");
        change(&mut secrets[0]);
        observed.secrets = Source::Known(secrets);
        let plan = plan_deletion(&names(), &observed, &config(), NOW);
        lines(&plan).iter().any(|line| line.contains("Secret"))
    };
    let of = |cluster: &'static str| {
        move |secret: &mut SecretView| {
            let key = annotations::SECRET_OF.to_owned();
            secret.annotations.insert(key, cluster.to_owned());
        }
    };
    let owned = |uid: &'static str| {
        move |secret: &mut SecretView| {
            secret.owner_references.push(OwnerReference {
                kind: "postgresql".to_owned(),
                uid: uid.to_owned(),
                ..OwnerReference::default()
            });
        }
    };
    assert!(secret(&|_| {}) && secret(&of("default/demo")) && secret(&owned("uid")));
    assert!(!secret(&of("elsewhere/demo")));
    assert!(!secret(&owned("anothers")));
}

#[test]
fn of_what_carries_the_labels_only_some_goes_along() {
    let mut config = config();
    let goes = |config: &OperatorConfig, kind: &str, name: &str| goes_along(&names(), config, kind, name);
    let (owner, sent) = (names().secret("owner"), names().secret("default.app"));
    for (kind, name, wanted) in [
        ("Pod", "demo-0", true),
        ("Pod", "demo-pooler-5f7", false),
        ("PersistentVolumeClaim", "pgdata-demo-0", true),
        ("PersistentVolumeClaim", "exports", false),
        ("Secret", &owner, true),
        ("Secret", &sent, true),
        ("Secret", "somebody-elses", false),
        ("Service", "demo-repl", true),
        ("Service", "demo-config", true),
        ("Service", "demo-pooler", false),
        ("PodDisruptionBudget", "postgres-demo-pdb", true),
        ("ServiceAccount", "postgres-pod", false),
    ] {
        assert_eq!(goes(&config, kind, name), wanted, "{kind} {name}");
    }
    config.kubernetes.enable_cross_namespace_secret = true;
    assert!(!goes(&config, "Secret", &sent), "it may be another cluster's");
    config.kubernetes.enable_persistent_volume_claim_deletion = false;
    config.kubernetes.enable_secrets_deletion = false;
    for (kind, name) in [
        ("PersistentVolumeClaim", "pgdata-demo-0"),
        ("Secret", owner.as_str()),
    ] {
        assert!(!goes(&config, kind, name), "{kind} stays on purpose");
    }
}
