//! The vectors of zalando-behaviour A.17.

use serde_json::json;

use super::*;
use crate::cluster::{
    Cluster,
    tests::{config, manifest, parse, parse_with},
};

#[test]
fn a17_manifest_switches_win_over_the_operators() {
    let mut config = config();
    config.load_balancer.enable_replica_load_balancer = true;
    config.load_balancer.external_traffic_policy = TrafficPolicy::Local;
    let exposure = parse_with(
        json!({"enableMasterLoadBalancer": false, "allowedSourceRanges": ["10.0.0.0/8"]}),
        &config,
    )
    .exposure;
    assert_eq!(exposure.primary.kind, ServiceKind::ClusterIp);
    assert_eq!(
        exposure.replica.kind,
        ServiceKind::LoadBalancer {
            source_ranges: vec!["10.0.0.0/8".to_owned()],
            policy: TrafficPolicy::Local
        }
    );
    assert_eq!(exposure.primary_pooler.kind, ServiceKind::ClusterIp);
}

#[test]
fn a_load_balancer_without_ranges_lets_nobody_in() {
    let ServiceKind::LoadBalancer { source_ranges, .. } = parse(json!({})).exposure.primary.kind else {
        panic!("the ConfigMap form has a load balancer by default");
    };
    assert_eq!(source_ranges, ["127.0.0.1/32"]);
}

#[test]
fn node_port_wins_and_its_number_needs_the_manifests_switch() {
    let exposure = parse(json!({
        "enableMasterNodePort": true, "masterNodePort": 31432, "enableMasterLoadBalancer": true, "replicaNodePort": 31433,
    }))
    .exposure;
    let node_port = |port| ServiceKind::NodePort {
        port,
        policy: TrafficPolicy::Cluster,
    };
    assert_eq!(exposure.primary.kind, node_port(Some(31432)));
    let mut config = config();
    config.load_balancer.enable_replica_node_port = true;
    assert_eq!(
        parse_with(json!({"replicaNodePort": 31433}), &config)
            .exposure
            .replica
            .kind,
        node_port(None)
    );
}

#[test]
fn a17_annotations_of_services_by_precedence() {
    let mut config = config();
    config.load_balancer.custom_service_annotations = [("a", "op"), ("b", "op"), ("c", "op")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    config.kubernetes.inherited_annotations = vec!["owner".to_owned()];
    let mut manifest = manifest(json!({
        "serviceAnnotations": {"b": "all", "c": "all", EXTERNAL_DNS_HOSTNAME: "ignored.example.org"},
        "masterServiceAnnotations": {"c": "primary"},
    }));
    manifest.metadata.annotations = Some(
        [
            ("owner".to_owned(), "me".to_owned()),
            ("x".to_owned(), "y".to_owned()),
        ]
        .into(),
    );
    let exposure = Cluster::parse(&manifest, &config).unwrap().exposure;
    let expected = [
        ("a", "op"),
        ("b", "all"),
        ("c", "primary"),
        (
            EXTERNAL_DNS_HOSTNAME,
            "acid-test.test.db.example.com,test.acid.db.example.com",
        ),
        ("owner", "me"),
    ];
    assert_eq!(
        exposure.primary.annotations,
        expected
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    );
    assert_eq!(
        exposure.replica.annotations[EXTERNAL_DNS_HOSTNAME],
        "ignored.example.org"
    );
}
