//! The loop of a tool that applies from Git: the same manifest is applied again and again while the operator's configuration changes. Nothing that the tool wrote
//! ever differs, and nothing is stored anew.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Test;
use super::stage::{CONTROLLER, LONG, NAMESPACE, Stage};

pub(crate) const TESTS: &[Test] = &[("applying_again_changes_nothing", applying_again_changes_nothing)];

const ROUNDS: usize = 10;
/// Whoever applies, the flags.
const APPLIES: [(&str, &[&str]); 2] = [
    ("it-client-side", &[]),
    ("it-server-side", &["--server-side", "--field-manager=gitops"]),
];
/// Parameters that defaults follow, with a value for even and for odd rounds.
const PARAMETERS: [(&str, [&str; 2]); 4] = [
    ("min_instances", ["3", "4"]),
    ("target_major_version", ["17", "18"]),
    ("default_memory_request", ["100Mi", "200Mi"]),
    ("enable_master_load_balancer", ["false", "true"]),
];

fn manifest(name: &str) -> String {
    format!(
        "apiVersion: acid.zalan.do/v1\nkind: postgresql\nmetadata:\n  name: {name}\n  namespace: {NAMESPACE}\nspec:\n  \
         volume: {{size: 1Gi}}\n  users: {{shop_owner: [createdb, login]}}\n  databases: {{shop: shop_owner}}\n  \
         patroni: {{pg_hba: [\"local all all trust\", \"hostssl all all all md5\", \"hostssl replication standby all md5\"]}}\n"
    )
}

fn applying_again_changes_nothing(stage: &Stage) -> Result<()> {
    // What is applied is looked at, not carried out.
    stage.without(CONTROLLER, || {
        let before = parameters(stage)?;
        let outcome = loops(stage);
        let deleted: Result<()> = APPLIES.into_iter().try_for_each(|(name, _)| {
            let line = format!("-n {NAMESPACE} delete postgresql {name} --ignore-not-found");
            stage.kubectl().run(&line).map(drop)
        });
        let reset = stage.configure(&before);
        outcome.and(deleted).and(reset)
    })
}

fn loops(stage: &Stage) -> Result<()> {
    for (name, flags) in APPLIES {
        apply(stage, name, flags)?;
        let first = stored(stage, name)?;
        ensure!(
            first["spec"]["numberOfInstances"].is_u64(),
            "{name} got no default"
        );
        for round in 0..ROUNDS {
            stage.configure(&of_round(round))?;
            wait_until_in_force(stage, round)?;
            ensure!(is_same(stage, name, flags)?, "{name}: a diff in round {round}");
            apply(stage, name, flags)?;
            let again = stored(stage, name)?;
            for field in ["spec", "metadata/generation", "metadata/resourceVersion"] {
                let pointer = format!("/{field}");
                let (was, is) = (first.pointer(&pointer), again.pointer(&pointer));
                ensure!(
                    was == is,
                    "{name}: round {round} changed {field} from {was:?} to {is:?}"
                );
            }
        }
    }
    Ok(())
}

fn apply(stage: &Stage, name: &str, flags: &[&str]) -> Result<()> {
    let call = stage.kubectl().call(["apply", "-f", "-"]).args(flags);
    call.stdin_text(manifest(name)).output()?;
    Ok(())
}

/// What such a tool asks before it applies.
fn is_same(stage: &Stage, name: &str, flags: &[&str]) -> Result<bool> {
    let call = stage.kubectl().call(["diff", "-f", "-"]).args(flags);
    call.stdin_text(manifest(name)).succeeds()
}

fn stored(stage: &Stage, name: &str) -> Result<Value> {
    let text = stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} get postgresql {name} -o json"))?;
    serde_json::from_str(&text).context("kubectl prints JSON")
}

/// The parameters as they are; null for one that is not given.
fn parameters(stage: &Stage) -> Result<Value> {
    let text = stage.kubectl().run("-n pgherd get configmap pgherd -o json")?;
    let map: Value = serde_json::from_str(&text)?;
    let given = |(name, _): (&str, [&str; 2])| (name.to_owned(), map["data"][name].clone());
    Ok(PARAMETERS.into_iter().map(given).collect())
}

fn of_round(round: usize) -> Value {
    let value = |(name, values): (&str, [&str; 2])| (name.to_owned(), Value::from(values[round % 2]));
    PARAMETERS.into_iter().map(value).collect()
}

/// The change arrives by a watch: a new cluster gets the round's number of members.
fn wait_until_in_force(stage: &Stage, round: usize) -> Result<()> {
    let wanted = PARAMETERS[0].1[round % 2];
    let end = Instant::now() + LONG;
    loop {
        let call = stage.kubectl().call(["create", "--dry-run=server", "-f", "-"]);
        let call = call.args(["-o", "jsonpath={.spec.numberOfInstances}"]);
        if call.stdin_text(manifest("it-probe")).output()?.trim() == wanted {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "round {round}: the webhook does not follow its configuration"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
