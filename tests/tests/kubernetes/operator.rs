//! What the operator itself answers to: its configuration in the form of an object, objects that add to the pods' environment, the scale
//! subresource, Zalando's HTTP interface, looks by time and on demand, and what was deleted while nobody looked. Each with a controller of
//! the trial's own in a namespace of its own, but for scaling, which is the deployed one's.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Test;
use super::away::controller::{self, Controller};
use super::stage::{PATIENTLY, Stage};

mod configuration;
mod environment;
mod kind;
mod leftovers;
mod rest;
mod resync;
mod scale;
mod silence;

pub(crate) const TESTS: &[Test] = &[
    ("kubectl_and_an_autoscaler_scale_a_cluster", scale::scales),
    (
        "an_operator_configuration_counts_while_it_runs",
        configuration::counts,
    ),
    (
        "objects_that_add_to_the_environment_roll_only_what_they_change",
        environment::rolls,
    ),
    ("zalandos_interface_answers_on_the_wire", rest::answers),
    ("everything_is_looked_at_by_time_and_on_demand", resync::looks),
    (
        "what_was_deleted_unseen_is_found_counted_and_removed",
        leftovers::found,
    ),
    ("a_deletion_that_is_interrupted_is_finished", leftovers::finished),
    ("watches_that_fall_silent_are_noticed", silence::is_noticed),
    ("no_database_goes_with_its_kind", kind::removed),
];

/// Of the controllers' admin interface; there is one at a time.
const PORT: u16 = 18181;
/// Where no database is needed, and nobody asks for Zalando's interface.
const ALONE: [&str; 2] = ["--no-database-access", "--no-rest-api"];

/// A namespace of the trial's own, empty at the start.
struct Place<'a> {
    stage: &'a Stage,
    namespace: &'static str,
}

impl<'a> Place<'a> {
    /// What an earlier run left there is removed first.
    fn new(stage: &'a Stage, namespace: &'static str) -> Result<Self> {
        let place = Self { stage, namespace };
        place.remove()?;
        stage.kubectl().apply(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n"
        ))?;
        Ok(place)
    }

    /// The namespace with all that is in it; whoever held its clusters is gone.
    fn remove(&self) -> Result<()> {
        let names = self.names("postgresql")?;
        for name in names {
            self.patch(
                &format!("postgresql/{name}"),
                &serde_json::json!({"metadata": {"finalizers": null}}),
            )?;
        }
        self.stage.kubectl().run(&format!(
            "delete namespace {} --ignore-not-found {PATIENTLY}",
            self.namespace
        ))?;
        Ok(())
    }

    /// A controller of the trial's own for the clusters that carry `id`, once it works.
    fn controller(&self, name: &str, id: &str, kubeconfig: &Path, more: &[&str]) -> Result<Controller> {
        let own = ["--operator-namespace", self.namespace, "--controller-id", id];
        let controller = controller::start_as(self.stage, name, PORT, kubeconfig, &[&own, more].concat())?;
        controller.wait_until_it_works()?;
        Ok(controller)
    }

    /// The operator's settings in the form of a ConfigMap.
    fn settings(&self, data: &Value) -> Result<()> {
        self.apply(&serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data,
        }))
    }

    fn apply(&self, object: &Value) -> Result<()> {
        let call = self
            .stage
            .kubectl()
            .call(["-n", self.namespace, "apply", "-f", "-"]);
        call.stdin_text(object.to_string()).output()?;
        Ok(())
    }

    /// Merges into an object.
    fn patch(&self, object: &str, patch: &Value) -> Result<()> {
        let call = self.stage.kubectl().call(["-n", self.namespace, "patch", object]);
        call.args(["--type=merge", "-p", &patch.to_string()])
            .output()
            .with_context(|| format!("cannot patch {object}"))?;
        Ok(())
    }

    /// kubectl with these words, in the namespace.
    fn run(&self, line: &str) -> Result<String> {
        self.stage.kubectl().run(&format!("-n {} {line}", self.namespace))
    }

    fn value(&self, object: &str, path: &str) -> Result<String> {
        self.stage
            .kubectl()
            .value(&format!("-n {} {object}", self.namespace), path)
    }

    fn wait(
        &self,
        object: &str,
        path: &str,
        limit: std::time::Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let object = format!("-n {} {object}", self.namespace);
        self.stage
            .kubectl()
            .wait_for_value(&object, path, limit, wanted, |_| {})
    }

    fn names(&self, kind: &str) -> Result<Vec<String>> {
        let text = self.run(&format!("get {kind} -o name"))?;
        let name = |line: &str| line.rsplit('/').next().unwrap_or(line).to_owned();
        Ok(text.lines().map(name).collect())
    }

    /// A whole object.
    fn object(&self, object: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.run(&format!("get {object} -o json"))?,
        )?)
    }
}

/// A cluster without members, of the controller with this id.
fn cluster(name: &str, id: Option<&str>, members: u32) -> Value {
    let mut manifest = serde_json::json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {"name": name},
        "spec": {"teamId": "it", "numberOfInstances": members, "postgresql": {"version": "17"}, "volume": {"size": "1Gi"}},
    });
    if let Some(id) = id {
        manifest["metadata"]["annotations"] = serde_json::json!({"acid.zalan.do/controller": id});
    }
    manifest
}

/// How many requests of a verb the API server has answered with 200.
fn requests(metrics: &str, verb: &str) -> f64 {
    let of_verb = format!("pgherd_api_requests_total{{verb=\"{verb}\"");
    let counted = metrics
        .lines()
        .filter(|line| line.starts_with(&of_verb) && line.contains("code=\"200\""));
    let counts = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    counts.sum()
}

/// The value of a metric in what the admin port shows.
fn metric(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// Status and reason with message of one of an object's conditions.
fn condition(stage: &Stage, object: &str, kind: &str) -> Result<(String, String)> {
    let of = |field: &str| {
        let path = format!(".status.conditions[?(@.type==\"{kind}\")].{field}");
        stage.kubectl().value(object, &path)
    };
    Ok((of("status")?, format!("{}: {}", of("reason")?, of("message")?)))
}
