//! The operator's configuration as an OperatorConfiguration: what is in force follows the object while the controller runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{ALONE, Place, cluster, condition, metric};
use crate::away::controller::Controller;
use crate::stage::Stage;

const PLACE: &str = "it-operator-object";
const ID: &str = "it-operator-object";
const OBJECT: &str = "operatorconfiguration/settings";
const SERVICE: &str = "service/one";
/// A limit against hanging; nothing but the watch tells of an edit before.
const SOON: Duration = Duration::from_mins(1);

/// What is watched for: an annotation that every service carries.
fn configuration(mark: &str, more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "OperatorConfiguration", "metadata": {"name": "settings"},
        "configuration": {
            "max_instances": -1,
            "kubernetes": {"enable_finalizers": true},
            "load_balancer": {"custom_service_annotations": {"it/mark": mark}},
        },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        object["configuration"][name] = value.clone();
    }
    object
}

fn is_marked(place: &Place<'_>, mark: &str) -> Result<()> {
    place.wait(SERVICE, ".metadata.annotations.it/mark", SOON, |found| {
        found == mark
    })?;
    Ok(())
}

/// Waits for the condition, of this generation of the object.
fn accepted(place: &Place<'_>, wanted: &str) -> Result<(String, String)> {
    let generation = place.value(OBJECT, ".metadata.generation")?;
    let path = ".status.conditions[?(@.type==\"Accepted\")].observedGeneration";
    place.wait(OBJECT, path, SOON, |seen| seen == generation)?;
    let object = format!("-n {PLACE} {OBJECT}");
    let found = condition(place.stage, &object, "Accepted")?;
    ensure!(found.0 == wanted, "Accepted is {found:?}");
    Ok(found)
}

fn told(place: &Place<'_>, reason: &str, words: &[&str]) -> Result<String> {
    let list = format!("events --field-selector reason={reason},involvedObject.kind=OperatorConfiguration");
    let says = |text: &str| words.iter().all(|word| text.contains(word));
    place.wait(&list, ".items[*].message", SOON, says)
}

/// Waits until the metric tells of problems, or of none.
fn has_problems(controller: &Controller, wanted: bool) -> Result<()> {
    let end = Instant::now() + SOON;
    loop {
        let metrics = controller.ask("/metrics")?;
        let count = metric(&metrics, "pgherd_controller_configuration_problems");
        if count.is_some_and(|count| (count > 0.0) == wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the metric counts {count:?} problems");
        std::thread::sleep(Duration::from_millis(200));
    }
}

pub(super) fn counts(stage: &Stage) -> Result<()> {
    may_write_its_status(stage)?;
    let place = Place::new(stage, PLACE)?;
    place.apply(&configuration("one", &json!({})))?;
    let more = [&["--operator-configuration", "settings"], &ALONE[..]].concat();
    let kubeconfig = stage.local.cluster.kubeconfig();
    let controller = place.controller("operator-object", ID, &kubeconfig, &more)?;
    place.apply(&cluster("one", Some(ID), 0))?;
    is_marked(&place, "one")?;
    accepted(&place, "True")?;

    place.apply(&configuration("two", &json!({})))?;
    is_marked(&place, "two").context("an edit of the object")?;
    told(&place, "ConfigurationInForce", &["custom_service_annotations"])?;
    accepted(&place, "True")?;

    refused(&place, &controller)?;

    place.apply(&configuration("four", &json!({})))?;
    is_marked(&place, "four").context("healed")?;
    accepted(&place, "True")?;
    has_problems(&controller, false).context("healed")?;
    deleted(&place, &controller)?;
    controller.stop()?;
    place.remove()
}

/// Its schema admits it, and it has no meaning: what is good in it does not count either.
fn refused(place: &Place<'_>, controller: &Controller) -> Result<()> {
    let contradiction = json!({"min_instances": 3, "max_instances": 2});
    place.apply(&configuration("three", &contradiction))?;
    let (_, message) = accepted(place, "False")?;
    let words = ["min_instances", "last good"];
    let event = told(place, "InvalidConfiguration", &words)?;
    eprintln!("refused: {message}\nevent: {event}");
    ensure!(
        words.iter().all(|word| message.contains(word)),
        "it says {message:?}"
    );
    has_problems(controller, true).context("refused")?;
    // A cluster is looked after meanwhile, under the last good one.
    place.apply(&cluster("other", Some(ID), 0))?;
    place.wait("service/other", ".metadata.annotations.it/mark", SOON, |found| {
        found == "two"
    })?;
    is_marked(place, "two")
}

/// An object that is gone is no configuration: the last good one counts.
fn deleted(place: &Place<'_>, controller: &Controller) -> Result<()> {
    place.run(&format!("delete {OBJECT}"))?;
    place.apply(&cluster("third", Some(ID), 0))?;
    place
        .wait("service/third", ".metadata.annotations.it/mark", SOON, |found| {
            found == "four"
        })
        .context("the last good one does not count without its object")?;
    has_problems(controller, true).context("a configuration that is not there")?;
    place.apply(&configuration("five", &json!({})))?;
    is_marked(place, "five").context("made anew")?;
    accepted(place, "True")?;
    Ok(())
}

/// The trial's controller may do everything; the deployed one has the rights of `deploy/`.
fn may_write_its_status(stage: &Stage) -> Result<()> {
    let who = "--as=system:serviceaccount:pgherd:pgherd-controller";
    for (verb, what) in [
        ("get", "operatorconfigurations.acid.zalan.do"),
        ("watch", "operatorconfigurations.acid.zalan.do"),
        (
            "patch",
            "operatorconfigurations.acid.zalan.do --subresource=status",
        ),
    ] {
        let answer = stage
            .kubectl()
            .run(&format!("auth can-i {verb} {what} -n pgherd {who}"))?;
        ensure!(
            answer.trim() == "yes",
            "the deployed controller may not {verb} {what}"
        );
    }
    Ok(())
}
