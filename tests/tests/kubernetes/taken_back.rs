//! What is taken back: settings that leave the manifest, a standby's role, a change that a policy refuses, the owner of what Patroni makes. And
//! a newer pgherd, which changes nothing. On real pods, of one member each.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgherd_tests::psql::secret_name;
use serde_json::{Value, json};

use super::Test;
use super::stage::{CONTROLLER, NAMESPACE, PATIENTLY, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    ("what_leaves_the_manifest_leaves_patroni_and_postgres", settings),
    ("a_newer_pgherd_restarts_nothing", upgrades),
    ("beside_a_refused_change_all_else_is_kept", refused),
    ("what_patroni_makes_goes_with_its_cluster", owned),
    ("a_standby_becomes_a_primary_without_a_roll", promotes),
];

const CLUSTER: &str = "it-back";
const STANDBY: &str = "it-back-standby";
const LIMIT: Duration = Duration::from_mins(4);
const QUIET: Duration = Duration::from_secs(8);

/// One member; made by whichever trial comes first.
fn start(stage: &Stage) -> Result<()> {
    let found = stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get pg {CLUSTER} --ignore-not-found"))?;
    if found.is_empty() {
        stage.kubectl().apply(&manifest(CLUSTER, 1, "teamId: it"))?;
    }
    stage.wait_until_ready(CLUSTER, 1)
}

fn object(cluster: &str) -> String {
    format!("-n {NAMESPACE} postgresql/{cluster}")
}

fn patch(stage: &Stage, object: &str, options: &[&str], patch: &Value) -> Result<()> {
    let patch = patch.to_string();
    let args = ["patch"].into_iter().chain(object.split_whitespace());
    let args = args.chain(options.iter().copied()).chain(["-p", patch.as_str()]);
    stage.kubectl().call(args).output()?;
    Ok(())
}

fn edit(stage: &Stage, cluster: &str, change: &Value) -> Result<()> {
    patch(stage, &object(cluster), &["--type=merge"], change)
}

/// What a value of an object becomes.
fn wait(stage: &Stage, object: &str, path: &str, is: impl Fn(&str) -> bool) -> Result<String> {
    stage.kubectl().wait_for_value(object, path, LIMIT, is, |_| {})
}

fn uid(stage: &Stage, pod: &str) -> Result<String> {
    stage
        .kubectl()
        .value(&format!("-n {NAMESPACE} pod/{pod}"), ".metadata.uid")
}

/// Runs a command in the first member.
fn inside(stage: &Stage, cluster: &str, command: &[&str]) -> Result<String> {
    let pod = format!("{cluster}-0");
    let args = ["-n", NAMESPACE, "exec", pod.as_str(), "-c", "postgres", "--"];
    let text = stage.kubectl().call(args.iter().chain(command)).output()?;
    Ok(text.trim().to_owned())
}

fn query(stage: &Stage, cluster: &str, sql: &str) -> Result<String> {
    let command = format!("psql -tAc \"{sql}\"");
    inside(stage, cluster, &["su", "postgres", "-c", &command])
}

/// Patroni's dynamic configuration.
fn patroni(stage: &Stage, cluster: &str) -> Result<Value> {
    const ASK: &str = "import urllib.request; print(urllib.request.urlopen('http://localhost:8008/config').read().decode())";
    Ok(serde_json::from_str(&inside(
        stage,
        cluster,
        &["python3", "-c", ASK],
    )?)?)
}

/// Asks until it is so.
fn until(what: &str, mut is: impl FnMut() -> Result<bool>) -> Result<f32> {
    let begin = Instant::now();
    loop {
        if is().unwrap_or(false) {
            return Ok(begin.elapsed().as_secs_f32());
        }
        ensure!(begin.elapsed() < LIMIT, "not after {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

const SLOT: &str = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'taken'";

fn settings(stage: &Stage) -> Result<()> {
    start(stage)?;
    let before = uid(stage, &format!("{CLUSTER}-0"))?;
    let service = format!("-n {NAMESPACE} service/{CLUSTER}");
    let pod = format!("-n {NAMESPACE} pod/{CLUSTER}-0");
    edit(
        stage,
        CLUSTER,
        &json!({"spec": {
            "postgresql": {"parameters": {"work_mem": "7MB"}},
            "patroni": {"slots": {"taken": {"type": "physical"}}},
            "serviceAnnotations": {"it/note": "a"}, "podAnnotations": {"it/note": "b"},
        }}),
    )?;
    let annotation = ".metadata.annotations.it/note";
    until("what the manifest asks for is there", || {
        Ok(query(stage, CLUSTER, "SHOW work_mem")? == "7MB" && query(stage, CLUSTER, SLOT)? == "1")
    })?;
    wait(stage, &service, annotation, |value| value == "a")?;
    wait(stage, &pod, annotation, |value| value == "b")?;
    edit(
        stage,
        CLUSTER,
        &json!({"spec": {
            "postgresql": {"parameters": null}, "patroni": null, "serviceAnnotations": null, "podAnnotations": null,
        }}),
    )?;
    let took =
        until("what left the manifest is gone", || {
            let config = patroni(stage, CLUSTER)?;
            let is_gone = config["postgresql"]["parameters"]["work_mem"].is_null()
                && config["slots"]["taken"].is_null();
            Ok(is_gone
                && query(stage, CLUSTER, "SHOW work_mem")? == "4MB"
                && query(stage, CLUSTER, SLOT)? == "0")
        })?;
    wait(stage, &service, annotation, str::is_empty)?;
    // A live pod keeps what it was given as it ran.
    let of_template = ".spec.template.metadata.annotations.it/note";
    let set = format!("-n {NAMESPACE} statefulset/{CLUSTER}");
    wait(stage, &set, of_template, str::is_empty)?;
    eprintln!("a parameter, a slot and annotations are gone after {took:.1} s");
    ensure!(
        before == uid(stage, &format!("{CLUSTER}-0"))?,
        "the pod was made anew"
    );
    stage.wait_until_ready(CLUSTER, 1)
}

/// A variable that the image can do without.
const LACKING: &str = "PAM_OAUTH2";

/// Takes a variable out of the template and of the pod, and says that an older one did. The pod's uid.
fn made_older(stage: &Stage, set: &str, pod: &str, place: usize) -> Result<String> {
    let path = format!("/spec/template/spec/containers/0/env/{place}");
    patch(
        stage,
        set,
        &["--type=json"],
        &json!([{"op": "remove", "path": path}]),
    )?;
    stage.kubectl().run(&format!("-n {NAMESPACE} delete pod {pod}"))?;
    wait(
        stage,
        &format!("-n {NAMESPACE} pod/{pod}"),
        ".metadata.labels.spilo-role",
        |role| !role.is_empty(),
    )?;
    let older = json!({"status": {"template": {"builder": "0.0.1"}}});
    patch(
        stage,
        &object(CLUSTER),
        &["--subresource=status", "--type=merge"],
        &older,
    )?;
    uid(stage, pod)
}

/// A cluster as an older pgherd would have left it: a variable less in the template, of which its pod was made, and in the status what that one
/// remembered.
fn upgrades(stage: &Stage) -> Result<()> {
    start(stage)?;
    let (set, pod) = (
        format!("-n {NAMESPACE} statefulset/{CLUSTER}"),
        format!("{CLUSTER}-0"),
    );
    let names = ".spec.template.spec.containers[0].env[*].name";
    let known = wait(stage, &object(CLUSTER), ".status.template.builder", |text| {
        !text.is_empty()
    })?;
    let text = stage.kubectl().value(&set, names)?;
    let variables = text.split_whitespace().count();
    let place = text.split_whitespace().position(|name| name == LACKING);
    let place = place.with_context(|| format!("no {LACKING} in {text}"))?;
    let before = stage.without(CONTROLLER, || made_older(stage, &set, &pod, place))?;
    wait(stage, &object(CLUSTER), ".status.holds[*].reason", |text| {
        text.contains("otherwise than the one before")
    })?;
    wait(stage, &object(CLUSTER), ".status.template.builder", |text| {
        text == known
    })?;
    stage.wait_until_ready(CLUSTER, 1)?;
    std::thread::sleep(QUIET);
    ensure!(before == uid(stage, &pod)?, "a newer pgherd made the pod anew");
    let found = stage.kubectl().value(&set, names)?.split_whitespace().count();
    ensure!(found == variables - 1, "the template was changed");
    // The next change that rolls anyway brings it along.
    edit(
        stage,
        CLUSTER,
        &json!({"spec": {"env": [{"name": "IT_ROLLS", "value": "1"}]}}),
    )?;
    wait(
        stage,
        &format!("-n {NAMESPACE} pod/{pod} --ignore-not-found"),
        ".metadata.uid",
        |now| !now.is_empty() && now != before,
    )?;
    stage.wait_until_ready(CLUSTER, 1)?;
    let found = stage.kubectl().value(&set, names)?.split_whitespace().count();
    ensure!(found == variables + 1, "{found} variables, not {}", variables + 1);
    Ok(())
}

const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: it-back}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [statefulsets]}]
  matchConditions: [{name: ours, expression: "object.metadata.name == 'it-back'"}]
  validations: [{expression: "object.spec.template == oldObject.spec.template", message: "templates are frozen here"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: it-back}
spec: {policyName: it-back, validationActions: [Deny]}
"#;

fn refused(stage: &Stage) -> Result<()> {
    start(stage)?;
    stage.kubectl().apply(POLICY)?;
    let outcome = until("the policy is in force", || Ok(is_frozen(stage))).and_then(|_| beside(stage));
    let gone = "delete validatingadmissionpolicy,validatingadmissionpolicybinding it-back --ignore-not-found";
    stage.kubectl().run(gone)?;
    let healed = edit(stage, CLUSTER, &json!({"spec": {"env": null}}));
    let ready = healed.and_then(|()| stage.wait_until_ready(CLUSTER, 1));
    outcome.and(ready)
}

/// Policies take a moment.
fn is_frozen(stage: &Stage) -> bool {
    let set = format!("-n {NAMESPACE} statefulset/{CLUSTER}");
    let probe = json!({"spec": {"template": {"metadata": {"annotations": {"it/probe": "1"}}}}});
    let tried = patch(stage, &set, &["--dry-run=server", "--type=merge"], &probe);
    tried.is_err_and(|refusal| format!("{refusal:#}").contains("templates are frozen here"))
}

fn beside(stage: &Stage) -> Result<()> {
    let pod = format!("{CLUSTER}-0");
    let before = uid(stage, &pod)?;
    edit(
        stage,
        CLUSTER,
        &json!({"spec": {
            "env": [{"name": "IT_REFUSED", "value": "1"}],
            "postgresql": {"parameters": {"max_connections": "60"}},
        }}),
    )?;
    let ready = ".status.conditions[?(@.type==\"Ready\")].message";
    let told = wait(stage, &object(CLUSTER), ready, |text| {
        text.contains("templates are frozen here")
    })?;
    eprintln!("told: {told}");
    let took = until("the parameter is restarted into", || {
        Ok(query(stage, CLUSTER, "SHOW max_connections")? == "60")
    })?;
    let service = format!("-n {NAMESPACE} service {CLUSTER}");
    let old = stage.kubectl().value(&service, ".metadata.uid")?;
    stage.kubectl().run(&format!("{} {service}", "delete"))?;
    let again = format!("{service} --ignore-not-found");
    wait(stage, &again, ".metadata.uid", |now| {
        !now.is_empty() && now != old
    })?;
    eprintln!("restarted after {took:.1} s, and the service is back");
    ensure!(before == uid(stage, &pod)?, "the pod was made anew");
    let still = stage.kubectl().value(&object(CLUSTER), ready)?;
    ensure!(
        still.contains("templates are frozen here"),
        "not told any more: {still}"
    );
    Ok(())
}

/// What Patroni keeps its state in, each by its name or uid, and its owners.
fn state(stage: &Stage, by: &str) -> Result<String> {
    let list = format!("-n {NAMESPACE} configmaps,endpoints -l cluster-name={CLUSTER}");
    let path = format!("range .items[*]}}{{.metadata.{by}}}={{.metadata.ownerReferences[*].kind}} {{end");
    stage.kubectl().value(&list, &path)
}

fn owned(stage: &Stage) -> Result<()> {
    start(stage)?;
    stage.configure(&json!({"enable_owner_references": "true"}))?;
    let outcome = is_owned(stage).and_then(|()| stage.without(CONTROLLER, || goes_with_it(stage)));
    let reset = stage.configure(&json!({"enable_owner_references": null}));
    outcome.and(reset)
}

fn is_owned(stage: &Stage) -> Result<()> {
    let took = until("Patroni's configuration is owned", || {
        Ok(state(stage, "name")?.contains(&format!("{CLUSTER}-config=postgresql")))
    })?;
    eprintln!("owned after {took:.1} s: {}", state(stage, "name")?);
    ensure!(
        patroni(stage, CLUSTER)?["loop_wait"].is_number(),
        "its content was lost"
    );
    Ok(())
}

fn goes_with_it(stage: &Stage) -> Result<()> {
    let owned = state(stage, "uid")?;
    let owned: Vec<&str> = owned
        .split_whitespace()
        .filter(|object| object.ends_with("=postgresql"))
        .collect();
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} delete pg {CLUSTER} {PATIENTLY}"))?;
    stage.wait_for_none("pods", CLUSTER)?;
    until("what Patroni made is gone", || {
        let left = state(stage, "uid")?;
        Ok(!owned.iter().any(|object| left.contains(object)))
    })?;
    // Data has no owner, and the next cluster of that name would have it with other passwords. Patroni writes its state again if it sees the
    // old one go before it is ended itself.
    let left = format!("-n {NAMESPACE} delete pvc,configmap,endpoints -l cluster-name={CLUSTER}");
    stage.kubectl().run(&left)?;
    Ok(())
}

/// Both clusters have the same credentials, as it has to be.
fn promotes(stage: &Stage) -> Result<()> {
    let outcome = start(stage).and_then(|()| follows_and_leads(stage));
    let deleted = stage.delete(STANDBY);
    let source = stage.delete(CLUSTER);
    outcome.and(deleted).and(source)
}

fn follows_and_leads(stage: &Stage) -> Result<()> {
    stage.delete(STANDBY)?;
    for user in ["postgres", "standby"] {
        let from = secret_name(CLUSTER, user);
        let data = format!("-n {NAMESPACE} secret/{from}");
        let field = |name: &str| stage.kubectl().value(&data, &format!(".data.{name}"));
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": secret_name(STANDBY, user), "namespace": NAMESPACE},
            "data": {"username": field("username")?, "password": field("password")?},
        });
        stage.kubectl().apply(&secret.to_string())?;
    }
    let source = format!("{CLUSTER}.{NAMESPACE}.svc.cluster.local");
    let more = format!("teamId: it\nstandby:\n  standby_host: {source}\n  standby_port: \"5432\"");
    stage.kubectl().apply(&manifest(STANDBY, 1, &more))?;
    let began = Instant::now();
    stage.wait_until_ready(STANDBY, 1)?;
    let recovers = "SELECT pg_is_in_recovery()";
    ensure!(query(stage, STANDBY, recovers)? == "t", "it does not follow");
    eprintln!("a standby after {:.1} s", began.elapsed().as_secs_f32());
    let pod = format!("{STANDBY}-0");
    let before = uid(stage, &pod)?;
    edit(stage, STANDBY, &json!({"spec": {"standby": null}}))?;
    let took = until("it writes", || {
        query(stage, STANDBY, "CREATE TABLE IF NOT EXISTS of_its_own (id int)")?;
        Ok(query(stage, STANDBY, recovers)? == "f")
    })?;
    eprintln!("a primary {took:.1} s after the edit");
    stage.wait_until_ready(STANDBY, 1)?;
    ensure!(
        patroni(stage, STANDBY)?["standby_cluster"].is_null(),
        "patroni still follows"
    );
    std::thread::sleep(QUIET);
    ensure!(before == uid(stage, &pod)?, "the pod was made anew");
    Ok(())
}
