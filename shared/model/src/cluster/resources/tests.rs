//! The vectors of zalando-behaviour A.18.

use serde_json::{Value, json};

use super::*;
use crate::cluster::{
    Cluster,
    tests::{config, manifest, parse_with},
};

#[expect(clippy::unnecessary_wraps, reason = "parameters are optional")]
fn quantity(text: &str) -> Option<Quantity> {
    Some(Quantity::parse(text).unwrap())
}

/// Requests 100m/100Mi, limits 1/500Mi.
fn with_defaults() -> OperatorConfig {
    let mut config = config();
    let resources = &mut config.postgres_pod_resources;
    resources.default_cpu_request = quantity("100m");
    resources.default_memory_request = quantity("100Mi");
    resources.default_cpu_limit = quantity("1");
    resources.default_memory_limit = quantity("500Mi");
    config
}

/// The same with requests of at most 500m/1Gi and limits of at least 250m/250Mi.
fn with_limits() -> OperatorConfig {
    let mut config = with_defaults();
    let resources = &mut config.postgres_pod_resources;
    resources.max_cpu_request = quantity("500m");
    resources.max_memory_request = quantity("1Gi");
    resources.min_cpu_limit = quantity("250m");
    resources.min_memory_limit = quantity("250Mi");
    config
}

fn pair(cpu: &str, memory: &str) -> Value {
    let given = |text: &str| if text == "-" { Value::Null } else { json!(text) };
    json!({"cpu": given(cpu), "memory": given(memory)})
}

/// `request cpu/request memory ; limit cpu/limit memory`, with a dash for none.
fn shown(resources: &Resources) -> String {
    let amount = |side: &BTreeMap<String, Quantity>, name| {
        side.get(name).map_or_else(|| "-".to_owned(), ToString::to_string)
    };
    let side = |side| format!("{}/{}", amount(side, CPU), amount(side, MEMORY));
    format!("{} ; {}", side(&resources.requests), side(&resources.limits))
}

#[expect(clippy::needless_pass_by_value, reason = "callers write the value in place")]
fn effective(requests: Value, limits: Value, config: &OperatorConfig) -> String {
    let spec = json!({"resources": {"requests": requests, "limits": limits}});
    shown(&parse_with(spec, config).resources)
}

#[test]
fn a18_defaults_fill_what_the_manifest_leaves_out() {
    let config = with_defaults();
    assert_eq!(
        shown(&parse_with(json!({}), &config).resources),
        "100m/100Mi ; 1/500Mi"
    );
    assert_eq!(
        effective(pair("50m", "50Mi"), Value::Null, &config),
        "50m/50Mi ; 1/500Mi"
    );
    assert_eq!(
        effective(pair("-", "100Mi"), pair("-", "1Gi"), &config),
        "100m/100Mi ; 1/1Gi"
    );
    for none in ["", "0", "null"] {
        assert_eq!(
            effective(pair(none, none), pair(none, none), &config),
            "100m/100Mi ; 1/500Mi"
        );
    }
}

#[test]
fn a18_without_default_limits_there_are_none() {
    let mut config = with_defaults();
    config.postgres_pod_resources.default_cpu_limit = None;
    config.postgres_pod_resources.default_memory_limit = None;
    assert_eq!(
        shown(&parse_with(json!({}), &config).resources),
        "100m/100Mi ; -/-"
    );
}

#[test]
fn a18_defaults_of_zero_are_none() {
    let mut config = with_defaults();
    let resources = &mut config.postgres_pod_resources;
    resources.default_cpu_request = quantity("0");
    resources.default_memory_request = quantity("0");
    resources.default_cpu_limit = quantity("0");
    resources.default_memory_limit = quantity("0");
    assert_eq!(effective(Value::Null, pair("5m", "5Mi"), &config), "-/- ; 5m/5Mi");
}

#[test]
fn a18_a_limit_below_its_request_is_raised() {
    assert_eq!(
        effective(pair("-", "750Mi"), pair("-", "300Mi"), &with_defaults()),
        "100m/750Mi ; 1/750Mi"
    );
}

#[test]
fn a18_a_missing_limit_is_raised_to_the_minimum() {
    let mut config = config();
    config.postgres_pod_resources.min_memory_limit = quantity("250Mi");
    assert_eq!(
        effective(pair("-", "500Mi"), Value::Null, &config),
        "-/500Mi ; -/500Mi"
    );
}

#[test]
fn a18_memory_requests_rise_to_limits_where_configured() {
    let mut config = with_defaults();
    config.general.set_memory_request_to_limit = true;
    let spec = json!({
        "resources": {"requests": {"memory": "200Mi"}, "limits": {"memory": "300Mi"}},
        "sidecars": [{"name": "s", "image": "i", "resources": {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}}}],
    });
    let cluster = parse_with(spec, &config);
    assert_eq!(shown(&cluster.resources), "100m/300Mi ; 1/300Mi");
    let sidecar = cluster.pod.sidecars[0].container.resources.clone().unwrap();
    assert_eq!(sidecar.requests.unwrap()[MEMORY].0, "64Mi");
}

#[test]
fn a18_limits_below_the_minimum_are_raised_and_noted() {
    let config = with_limits();
    assert_eq!(
        effective(pair("100m", "100Mi"), pair("200m", "200Mi"), &config),
        "100m/100Mi ; 250m/250Mi"
    );
    let spec = json!({"resources": {"limits": {"cpu": "200m", "memory": "200Mi"}}});
    let findings = parse_with(spec, &config).findings;
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].reason, "ResourceLimits");
    assert_eq!(
        findings[0].to_string(),
        "spec.resources.limits.cpu: 200m becomes 250m, the operator's minimum"
    );
}

#[test]
fn a18_requests_above_the_maximum_are_cut() {
    let requests = pair("1", "2Gi");
    assert_eq!(
        effective(requests, pair("2", "4Gi"), &with_limits()),
        "500m/1Gi ; 2/4Gi"
    );
}

#[test]
fn a18_the_cut_comes_after_request_to_limit() {
    let mut config = with_limits();
    config.general.set_memory_request_to_limit = true;
    assert_eq!(
        effective(Value::Null, pair("-", "2Gi"), &config),
        "100m/1Gi ; 1/2Gi"
    );
}

#[test]
fn a18_an_annotation_lifts_the_operators_limits() {
    let mut config = with_limits();
    config.general.ignore_resources_limits_annotation_key = Some("ignore".to_owned());
    let with_annotation = |value: &str, requests: Value, limits: Value| {
        let mut manifest = manifest(json!({"resources": {"requests": requests, "limits": limits}}));
        manifest.metadata.annotations = Some([("ignore".to_owned(), value.to_owned())].into());
        shown(&Cluster::parse(&manifest, &config).unwrap().resources)
    };
    let (small, low) = (pair("100m", "100Mi"), pair("200m", "200Mi"));
    assert_eq!(with_annotation("true", small, low), "100m/100Mi ; 200m/200Mi");
    let (large, high) = (pair("1", "2Gi"), pair("2", "4Gi"));
    assert_eq!(
        with_annotation("yes", large.clone(), high.clone()),
        "500m/1Gi ; 2/4Gi"
    );
    assert_eq!(with_annotation("true", large, high), "1/2Gi ; 2/4Gi");
}

#[test]
fn a18_sidecars_have_no_minimum_or_maximum() {
    let spec = json!({"sidecars": [{"name": "s", "image": "i", "resources": {
        "requests": {"cpu": "10m", "memory": "10Mi"}, "limits": {"cpu": "100m", "memory": "100Mi"}}}]});
    let resources = parse_with(spec, &with_limits()).pod.sidecars[0]
        .container
        .resources
        .clone()
        .unwrap();
    assert_eq!(resources.requests.unwrap()[CPU].0, "10m");
    assert_eq!(resources.limits.unwrap()[MEMORY].0, "100Mi");
}

#[test]
fn a18_huge_pages_are_copied_and_spelling_is_canonical() {
    let spec = json!({"resources": {
        "requests": {"cpu": "250m", "memory": "768Mi", "hugepages-2Mi": "64Mi", "hugepages-1Gi": "1Gi"},
        "limits": {"cpu": "1.5", "memory": "1024Mi", "hugepages-2Mi": "64Mi", "hugepages-1Gi": "1Gi"}}});
    let limits = parse_with(spec, &config())
        .resources
        .to_kubernetes()
        .limits
        .unwrap();
    let shown: Vec<_> = limits
        .iter()
        .map(|(name, amount)| (name.as_str(), amount.0.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("cpu", "1500m"),
            ("hugepages-1Gi", "1Gi"),
            ("hugepages-2Mi", "64Mi"),
            ("memory", "1Gi")
        ]
    );
}
