//! Pods: variables, containers, volumes and placement, as the manifest and the operator want them.

use serde_json::{Value, json};

use super::super::{
    Cluster, Targets, rules,
    tests::{config, manifest, parse, parse_with, reasons, violations},
};
use crate::config::ReadinessMerge::{And, Or};

#[test]
fn variables_of_the_operator_are_left_out_and_noted() {
    let cluster = parse(json!({"env": [
        {"name": "APP", "value": "1"}, {"name": "scope", "value": "x"}, {"name": "app", "value": "2"},
    ]}));
    assert_eq!(cluster.pod.env.len(), 1);
    assert_eq!(reasons(&cluster), [rules::reason::VARIABLE_SKIPPED; 2]);
}

#[test]
fn clashing_volumes_are_left_out_as_recorded() {
    let volume =
        |name: &str, path: &str| json!({"name": name, "mountPath": path, "volumeSource": {"emptyDir": {}}});
    let cluster = parse(json!({"additionalVolumes": [
        volume("first", "/same"), volume("second", "/same"), volume("onto-data", "/home/postgres/pgdata"),
    ]}));
    let names: Vec<_> = cluster
        .pod
        .volumes
        .iter()
        .map(|volume| volume.volume.name.as_str())
        .collect();
    assert_eq!(names, ["first"]);
    assert_eq!(reasons(&cluster), [rules::reason::VOLUME_SKIPPED; 2]);
}

#[test]
fn a26_volumes_go_to_their_targets() {
    let targets = |targets: Value| {
        let volume = json!({"name": "v", "mountPath": "/v", "targetContainers": targets, "subPath": "$(POD_NAME)",
            "isSubPathExpr": true, "volumeSource": {"secret": {"secretName": "s", "defaultMode": 288}}});
        let volume = parse(json!({"additionalVolumes": [volume]}))
            .pod
            .volumes
            .remove(0);
        assert_eq!(volume.mount.sub_path_expr.as_deref(), Some("$(POD_NAME)"));
        assert_eq!(volume.volume.secret.unwrap().default_mode, Some(288));
        volume.targets
    };
    let postgres = Targets::Named(vec!["postgres".to_owned()]);
    assert_eq!(targets(Value::Null), postgres);
    assert_eq!(targets(json!([])), postgres);
    assert_eq!(targets(json!(["all"])), Targets::All);
    assert!(targets(json!(["a", "b"])).include("b"));
}

#[test]
fn a_volume_source_of_the_wrong_shape_is_a_violation() {
    let volume = json!({"name": "v", "mountPath": "/v", "volumeSource": {"emptyDir": 3}});
    let path = "spec.additionalVolumes[0].volumeSource".to_owned();
    assert_eq!(
        violations(json!({"additionalVolumes": [volume]})),
        [(path, rules::ADDITIONAL_VOLUME)]
    );
}

#[test]
fn sidecars_by_precedence_and_sorted_images() {
    let mut config = config();
    config.general.sidecar_docker_images = [("logger", "l"), ("aaa", "a"), ("exporter", "op")]
        .map(|(name, image)| (name.to_owned(), image.to_owned()))
        .into_iter()
        .collect();
    let cluster = parse_with(
        json!({"sidecars": [{"name": "exporter", "image": "mine"}, {"image": "nameless"}, {"name": "exporter", "image": "twice"}]}),
        &config,
    );
    let sidecars: Vec<_> = cluster
        .pod
        .sidecars
        .iter()
        .map(|sidecar| {
            (
                sidecar.container.name.as_str(),
                sidecar.container.image.as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        sidecars,
        [
            ("exporter", "mine"),
            ("sidecar-1", "nameless"),
            ("aaa", "a"),
            ("logger", "l")
        ]
    );
    assert_eq!(reasons(&cluster), [rules::reason::CONTAINER_SKIPPED; 2]);
}

#[test]
fn sidecars_that_the_operator_switched_off_are_violations() {
    let mut config = config();
    config.kubernetes.enable_sidecars = false;
    let manifest = manifest(json!({"sidecars": [{"name": "a", "image": "b"}]}));
    assert_eq!(
        Cluster::parse(&manifest, &config).unwrap_err()[0].path,
        "spec.sidecars"
    );
}

#[test]
fn readiness_label_joins_the_manifests_affinity() {
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]},
        {"matchExpressions": [{"key": "pool", "operator": "NotIn", "values": ["spot"]}]},
    ]}}});
    let terms = |spec: Value, merge| {
        let mut config = config();
        config.kubernetes.node_readiness_label =
            [("ready".to_owned(), "yes".to_owned())].into_iter().collect();
        config.kubernetes.node_readiness_label_merge = merge;
        let affinity = parse_with(spec, &config).pod.scheduling.node_affinity.unwrap();
        let terms = affinity
            .required_during_scheduling_ignored_during_execution
            .unwrap()
            .node_selector_terms;
        terms
            .into_iter()
            .map(|term| term.match_expressions.unwrap().len())
            .collect::<Vec<_>>()
    };
    assert_eq!(terms(affinity.clone(), Some(Or)), [1, 1, 1]);
    assert_eq!(terms(affinity.clone(), Some(And)), [2, 2]);
    assert_eq!(terms(affinity, None), [1, 1]);
    assert_eq!(terms(json!({}), None), [1]);
}

#[test]
fn the_operators_toleration_counts_only_without_the_manifests() {
    let mut config = config();
    config.kubernetes.toleration = [("key", "db"), ("operator", "Exists")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let of_operator = parse_with(json!({}), &config).pod.scheduling.tolerations;
    assert_eq!(
        (of_operator.len(), of_operator[0].key.as_deref()),
        (1, Some("db"))
    );
    let own = parse_with(json!({"tolerations": [{"key": "x"}]}), &config)
        .pod
        .scheduling
        .tolerations;
    assert_eq!(own[0].key.as_deref(), Some("x"));
    assert!(parse(json!({})).pod.scheduling.tolerations.is_empty());
}

#[test]
fn tls_paths_are_absolute() {
    let tls = parse(
        json!({"tls": {"secretName": "db-tls", "certificateFile": "server.crt",
        "privateKeyFile": "/abs/server.key", "caFile": "root.crt", "caSecretName": "db-ca"}}),
    )
    .pod
    .tls
    .unwrap();
    assert_eq!(tls.certificate_file, "/tls/server.crt");
    assert_eq!(tls.private_key_file, "/abs/server.key");
    assert_eq!(tls.ca_file.as_deref(), Some("/tlsca/root.crt"));
    let plain = parse(json!({"tls": {"secretName": "s", "caFile": "ca"}}))
        .pod
        .tls
        .unwrap();
    assert_eq!(
        (plain.certificate_file.as_str(), plain.ca_file.as_deref()),
        ("/tls/tls.crt", Some("/tls/ca"))
    );
    assert!(parse(json!({"tls": {"secretName": ""}})).pod.tls.is_none());
}

#[test]
fn pod_annotations_by_precedence() {
    let mut config = config();
    config.kubernetes.custom_pod_annotations = [("a", "op"), ("b", "op")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    config.aws_or_gcp.kube_iam_role = Some("role".to_owned());
    let annotations = parse_with(json!({"podAnnotations": {"b": "own"}}), &config)
        .pod
        .annotations;
    let expected = [("a", "op"), ("b", "own"), ("iam.amazonaws.com/role", "role")];
    assert_eq!(
        annotations,
        expected
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    );
}
