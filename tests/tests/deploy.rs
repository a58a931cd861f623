//! What `deploy/` says about the programs is what the programs do: paths of the webhook configurations, metrics of the alerts.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use pgherd_certs::metrics::CertMetrics;
use pgherd_controller::metrics::{ControllerMetrics, Sources, TurnLabels};
use pgherd_runtime::metrics::Metrics;
use pgherd_webhook::metrics::WebhookMetrics;
use pgherd_webhook::route::Route;
use serde::Deserialize;
use serde_json::Value;

/// Metrics of the API server that alerts may use.
const OF_THE_API_SERVER: [&str; 2] = [
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_rejection_count",
];

/// Seen with their first value only: requests to the API server, broken rules. The tests of the client and of the webhook see them counted.
const UNSEEN: [&str; 2] = ["pgherd_api_requests_total", "pgherd_violations_total"];

fn text(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(path).expect("the file is there")
}

fn documents(path: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(&text(path))
        .map(|document| Value::deserialize(document).expect("deploy/ holds YAML"))
        .collect()
}

fn entries(path: &str) -> Vec<Value> {
    let documents = documents(path);
    documents[0]["webhooks"]
        .as_array()
        .expect("it has entries")
        .clone()
}

fn alerts() -> Vec<Value> {
    let documents = documents("deploy/monitoring/alerts.yaml");
    let groups = documents[0]["spec"]["groups"].as_array().expect("it has groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("a group has rules"));
    rules.cloned().collect()
}

/// The names under which both programs show their families.
fn emitted() -> BTreeSet<String> {
    let mut metrics = Metrics::new("test");
    WebhookMetrics::registered(metrics.registry());
    CertMetrics::registered(metrics.registry()).show_sync("any", true);
    let controller = ControllerMetrics::registered(metrics.registry(), Sources::default());
    // Families show up with their first value.
    let (lane, outcome) = ("edit", "done");
    let _ = controller.turns.get_or_create(&TurnLabels { lane, outcome });
    controller.count_step("Apply", outcome);
    let shown = metrics.render().expect("metrics can be shown");
    let families = shown.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = families.flat_map(|family| {
        let (name, kind) = family.split_once(' ').expect("a family has a type");
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        endings.iter().map(move |ending| format!("{name}{ending}"))
    });
    names.collect()
}

/// The metrics that an expression of Prometheus is made of, which are all there.
fn metrics_of<'a>(expression: &'a str, emitted: &BTreeSet<String>) -> BTreeSet<&'a str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let prefixes = ["pgherd_", "apiserver_", "process_"];
    let metrics: BTreeSet<_> = words
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect();
    assert!(!metrics.is_empty(), "no metric in {expression}");
    for metric in &metrics {
        assert!(
            emitted.contains(*metric) || OF_THE_API_SERVER.contains(metric) || UNSEEN.contains(metric),
            "{metric} is of nobody; there are {emitted:#?}"
        );
    }
    metrics
}

#[test]
fn alerts_use_metrics_that_exist() {
    let emitted = emitted();
    for alert in alerts() {
        let expression = alert["expr"].as_str().expect("an alert has an expression");
        metrics_of(expression, &emitted);
    }
}

#[test]
fn the_dashboard_shows_what_both_programs_measure_and_nothing_else() {
    let emitted = emitted();
    let dashboard: Value =
        serde_json::from_str(&text("deploy/monitoring/dashboard.json")).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions: Vec<&str> = targets
        .map(|target| target["expr"].as_str().expect("a target has an expression"))
        .collect();
    assert!(expressions.len() > 25, "{expressions:?}");
    let shown: BTreeSet<&str> = expressions
        .iter()
        .flat_map(|expression| metrics_of(expression, &emitted))
        .collect();
    // What an alert is about is looked at when it fires.
    for alert in alerts() {
        let expression = alert["expr"].as_str().expect("an alert has an expression");
        for metric in metrics_of(expression, &emitted) {
            let for_alerts_only = [
                "pgherd_ca_bundle_in_sync",
                "pgherd_certificate_reloads_total",
                "pgherd_controller_foreign_definitions",
            ];
            assert!(
                shown.contains(metric) || for_alerts_only.contains(&metric),
                "{metric} is not on the dashboard"
            );
        }
    }
}

#[test]
fn operations_page_says_what_to_do_about_every_alert() {
    let page = text("docs/operations.md");
    for alert in alerts() {
        let name = alert["alert"].as_str().expect("an alert has a name");
        assert!(page.contains(&format!("`{name}`")), "{name} is not on the page");
    }
}

#[test]
fn operations_page_names_every_metric() {
    let page = text("docs/operations.md");
    for metric in emitted() {
        let histogram = metric.strip_suffix("_bucket");
        let is_part = metric.ends_with("_sum") || metric.ends_with("_count");
        let name = histogram.unwrap_or(&metric);
        let short = name.replacen("pgherd_controller", "…", 1);
        let is_named = page.contains(&format!("`{name}`")) || page.contains(&format!("`{short}`"));
        assert!(is_named || is_part, "{name} is not on the page");
    }
}

#[test]
fn webhook_configurations_call_every_route_by_its_path() {
    let mutating = entries("deploy/kustomize/webhook/mutating.yaml");
    let validating = entries("deploy/kustomize/webhook/validating.yaml");
    let called: BTreeSet<String> = mutating
        .iter()
        .chain(&validating)
        .filter_map(|entry| {
            entry["clientConfig"]["service"]["path"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    let routes: BTreeSet<String> = Route::ALL.map(|route| route.path().to_owned()).into();
    assert_eq!(called, routes);
}

#[test]
fn only_changes_of_a_clusters_spec_depend_on_the_webhook() {
    for entry in entries("deploy/kustomize/webhook/mutating.yaml") {
        assert_eq!(entry["failurePolicy"], "Ignore", "{}", entry["name"]);
    }
    for entry in entries("deploy/kustomize/webhook/validating.yaml") {
        let is_strict = entry["failurePolicy"] == "Fail";
        assert_eq!(is_strict, entry["name"] == "validate.postgresql.pgherd.io");
        assert!(entry["timeoutSeconds"].as_i64() <= Some(3), "{}", entry["name"]);
        assert!(
            entry["clientConfig"].get("caBundle").is_none(),
            "{} says whom to trust",
            entry["name"]
        );
    }
}

fn rules_of_the_controller() -> Vec<Value> {
    let documents = documents("deploy/kustomize/controller/rbac.yaml");
    let mut roles = documents
        .iter()
        .filter(|document| document["kind"] == "ClusterRole");
    let role = roles.next().expect("it has a role");
    role["rules"].as_array().expect("the role has rules").clone()
}

fn has(list: &Value, word: &str) -> bool {
    list.as_array()
        .is_some_and(|list| list.iter().any(|it| it == word))
}

#[test]
fn the_controller_changes_no_definitions_but_its_own() {
    let named: BTreeSet<String> = pgherd_model::crd::all()
        .into_iter()
        .filter_map(|crd| crd.metadata.name)
        .collect();
    let rules = rules_of_the_controller();
    let of_definitions: Vec<&Value> = rules
        .iter()
        .filter(|rule| has(&rule["resources"], "customresourcedefinitions"))
        .collect();
    assert_eq!(of_definitions.len(), 2);
    for rule in of_definitions {
        match rule.get("resourceNames").and_then(Value::as_array) {
            Some(list) => {
                let listed = list.iter().filter_map(Value::as_str).map(str::to_owned);
                assert_eq!(listed.collect::<BTreeSet<String>>(), named);
            }
            // A name cannot be asked for before there is an object.
            None => assert_eq!(rule["verbs"], serde_json::json!(["create"])),
        }
    }
}

#[test]
fn the_right_to_create_pods_is_for_dry_runs() {
    let may_create = rules_of_the_controller()
        .iter()
        .any(|rule| has(&rule["resources"], "pods") && has(&rule["verbs"], "create"));
    assert!(may_create, "else the guard is for nothing");
    let installed = documents("deploy/kustomize/controller/kustomization.yaml");
    assert!(has(&installed[0]["resources"], "guard.yaml"));
    let guard = documents("deploy/kustomize/controller/guard.yaml");
    let (policy, binding) = (&guard[0]["spec"], &guard[1]["spec"]);
    let matched = &policy["matchConstraints"]["resourceRules"][0];
    assert_eq!(matched["resources"], serde_json::json!(["pods"]));
    assert_eq!(matched["operations"], serde_json::json!(["CREATE"]));
    let who = policy["matchConditions"][0]["expression"].as_str();
    let account = format!(
        "system:serviceaccount:{}:{}",
        pgherd_model::names::operator::NAMESPACE,
        pgherd_model::names::operator::CONTROLLER
    );
    assert!(who.is_some_and(|who| who.contains(&account)), "{who:?}");
    assert_eq!(
        policy["validations"][0]["expression"],
        "has(request.dryRun) && request.dryRun"
    );
    assert_eq!(binding["policyName"], guard[0]["metadata"]["name"]);
    assert_eq!(binding["validationActions"], serde_json::json!(["Deny"]));
}

#[test]
fn the_account_of_the_pods_is_bound_to_the_role_that_may_be() {
    let config = pgherd_model::config::OperatorConfig::default_for(pgherd_model::config::Form::ConfigMap);
    let rules = rules_of_the_controller();
    let mut bind = rules.iter().filter(|rule| has(&rule["verbs"], "bind"));
    let bound = bind.next().expect("it may bind");
    let account = config.kubernetes.pod_service_account_name;
    assert_eq!(bound["resourceNames"], serde_json::json!([account]));
    let about = text("docs/reference/operator-configuration.md");
    let mut rows = about
        .lines()
        .filter(|line| line.contains("`pod_service_account_name`"));
    let row = rows.next().expect("the parameter is in the reference");
    assert!(row.contains("verb `bind`"), "{row}");
}
