//! Nothing that is secret is told: markers are planted wherever a cluster or its operator has a secret, a good deal is made to happen with them
//! and to fail, and then everything is searched that both programs and the command line have said of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pgherd_tests::psql::secret_name;
use serde_json::{Value, json};

use super::Test;
use super::programs::decode;
use super::stage::{NAMESPACE, Stage, manifest};

mod told;

pub(crate) const TESTS: &[Test] = &[("no_secret_is_told", no_secret_is_told)];

const CLUSTER: &str = "it-markers";
/// Secrets of others.
const ROBOTS: &str = "it-markers-robots";
const VAULT: &str = "it-markers-vault";
const ENVIRONMENT: &str = "it-markers-env";
const TOKEN: &str = "it-markers-token";
/// How long somebody who edits may have to wait; a limit against hanging.
const SOON: Duration = Duration::from_mins(2);

const SPEC: &str = "teamId: it
users:
  app: []
  vaulted: []
databases:
  shop: app
userOptions:
  vaulted:
    passwordFrom: {name: it-markers-vault, key: pw}";
/// A setting that no server takes, in the same transaction as a new role's password; an extension that there is none of; and rotation.
const MORE: &str = "usersWithSecretRotation: [app]
preparedDatabases:
  depot:
    extensions: {nonesuch: public}";

/// What nobody is to be told, by what it is.
struct Markers<'a> {
    stage: &'a Stage,
    planted: BTreeMap<String, String>,
}

impl Markers<'_> {
    /// A new one; letters and digits, so that nothing has to quote it.
    fn plant(&mut self, what: &str) -> String {
        let marker = format!("Hidden{}x{}", self.planted.len(), what.replace(' ', ""));
        let known = self.planted.insert(format!("the {what}"), marker.clone());
        assert!(known.is_none(), "{what} is planted once");
        marker
    }

    /// Every password that is in a secret now.
    fn collect(&mut self) -> Result<()> {
        let listed = self
            .stage
            .kubectl()
            .run(&format!("-n {NAMESPACE} get secrets -o json"))?;
        let listed: Value = serde_json::from_str(&listed)?;
        for secret in listed["items"].as_array().into_iter().flatten() {
            let name = &secret["metadata"]["name"];
            for key in ["password", "previousPassword"] {
                if let Some(encoded) = secret["data"][key].as_str().filter(|text| !text.is_empty()) {
                    let password = decode(encoded)?;
                    let what = format!("{key} of {name}, {}", self.planted.len());
                    if !self.planted.values().any(|known| *known == password) {
                        self.planted.insert(what, password);
                    }
                }
            }
        }
        Ok(())
    }

    /// As it is, and as API servers show it.
    fn forms(&self) -> impl Iterator<Item = (&str, String)> {
        self.planted
            .iter()
            .flat_map(|(what, marker)| [(what.as_str(), marker.clone()), (what, BASE64.encode(marker))])
    }
}

fn no_secret_is_told(stage: &Stage) -> Result<()> {
    let mut markers = Markers {
        stage,
        planted: BTreeMap::new(),
    };
    let outcome = play(stage, &mut markers);
    let searched = outcome.and_then(|()| told::search(stage, CLUSTER, &markers));
    let deleted = stage.delete(CLUSTER);
    let cleaned = stage.configure(&json!({
        "infrastructure_roles_secret_name": null, "pod_environment_secret": null, "enable_teams_api": "false",
        "teams_api_url": null, "oauth_token_secret_name": null, "logical_backup_s3_secret_access_key": null,
    }));
    for secret in [ROBOTS, VAULT, ENVIRONMENT, TOKEN] {
        stage.kubectl().run(&format!(
            "-n {NAMESPACE} delete secret {secret} --ignore-not-found"
        ))?;
    }
    searched?;
    deleted?;
    cleaned
}

fn play(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    stage.delete(CLUSTER)?;
    set_the_stage(stage, markers)?;
    stage.kubectl().apply(&manifest(CLUSTER, 1, SPEC))?;
    stage.wait_until_ready(CLUSTER, 1)?;
    markers.collect()?;
    for (user, why) in [
        (
            "app",
            "the password that was there before the cluster is in force",
        ),
        ("vaulted", "so is the one that is given elsewhere"),
        ("robot", "and that of a role of infrastructure"),
    ] {
        until(why, || logs_in(stage, user))?;
    }
    edits(stage, markers)?;
    locked_out(stage, markers)?;
    superuser_edited(stage, markers)?;
    refused(stage, markers)?;
    rotated(stage, markers)?;
    markers.collect()
}

/// Secrets of others, and one that is there before its cluster, with nothing in it but a password.
fn set_the_stage(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    let robots = json!({"user1": "robot", "password1": markers.plant("robot"), "inrole1": "app"});
    store(stage, ROBOTS, &robots)?;
    store(stage, VAULT, &json!({"pw": markers.plant("vault")}))?;
    store(
        stage,
        ENVIRONMENT,
        &json!({"IT_TOKEN": markers.plant("variable")}),
    )?;
    let token = json!({"read-only-token-type": "Bearer", "read-only-token-secret": markers.plant("token")});
    store(stage, TOKEN, &token)?;
    let own = secret_name(CLUSTER, "app");
    store(
        stage,
        &own,
        &json!({"password": markers.plant("password before")}),
    )?;
    stage.configure(&json!({
        "infrastructure_roles_secret_name": format!("{NAMESPACE}/{ROBOTS}"),
        "pod_environment_secret": ENVIRONMENT,
        "enable_teams_api": "true",
        // Nobody listens there.
        "teams_api_url": "http://127.0.0.1:1/api",
        "oauth_token_secret_name": format!("{NAMESPACE}/{TOKEN}"),
        "logical_backup_s3_secret_access_key": markers.plant("backup key"),
    }))?;
    // A cluster that is made before would roll for it.
    stage.wait_for_parameter("EnableTeamsAPI", &json!(true))
}

/// What people edit in secrets comes to the database.
fn edits(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    let typed = markers.plant("typed password");
    store(stage, &secret_name(CLUSTER, "app"), &json!({"password": typed}))?;
    until("an edited password is in force", || logs_in(stage, "app"))?;
    let given = markers.plant("vault again");
    store(stage, VAULT, &json!({"pw": given}))?;
    let copy = format!("-n {NAMESPACE} secret/{}", secret_name(CLUSTER, "vaulted"));
    until("a changed password of a vault is copied", || {
        let held = stage.kubectl().value(&copy, ".data.password")?;
        ensure!(held == BASE64.encode(&given), "it is not there");
        Ok(())
    })?;
    until("and in force", || logs_in(stage, "vaulted"))?;
    store(
        stage,
        ROBOTS,
        &json!({"user2": "droid", "password2": markers.plant("droid")}),
    )?;
    until("another robot logs in", || logs_in(stage, "droid"))
}

/// The superuser's secret is edited, and deleted: neither keeps the operator out.
fn superuser_edited(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    let secret = secret_name(CLUSTER, "postgres");
    let edited = markers.plant("superuser edited");
    store(stage, &secret, &json!({"password": edited}))?;
    until("an edited password of the superuser is in force", || {
        logs_in(stage, "postgres")
    })?;
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} delete secret {secret}"))?;
    until("and so is the one that comes after it was deleted", || {
        logs_in(stage, "postgres")
    })?;
    markers.collect()
}

/// The server has a password of the superuser that is in no secret, and the secret another one: nobody can log in to mend that, and who looks
/// is told.
fn locked_out(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    let secret = secret_name(CLUSTER, "postgres");
    let (there, elsewhere) = (
        markers.plant("superuser there"),
        markers.plant("superuser elsewhere"),
    );
    let pod = stage.primary(CLUSTER)?;
    let inside = ["-n", NAMESPACE, "exec", "-i", &pod, "-c", "postgres", "--"];
    let psql = ["psql", "--no-psqlrc", "-U", "postgres", "-d", "postgres"];
    let call = stage.kubectl().call(inside.into_iter().chain(psql));
    let sql = format!("ALTER ROLE postgres PASSWORD '{there}';");
    call.stdin_text(sql).purpose("change a password").output()?;
    store(stage, &secret, &json!({"password": elsewhere}))?;
    let object = format!("-n {NAMESPACE} postgresql/{CLUSTER}");
    let says = |path: &str| stage.kubectl().value(&object, path);
    until("it is told that nobody can log in", || {
        let (reason, status) = (
            says(".status.conditions[?(@.type==\"RolesInSync\")].reason")?,
            says(".status.conditions[?(@.type==\"RolesInSync\")].status")?,
        );
        ensure!(
            status == "False" && reason == "LoginRefused",
            "RolesInSync is {status} {reason}"
        );
        let message = says(".status.conditions[?(@.type==\"Ready\")].message")?;
        ensure!(
            says(".status.conditions[?(@.type==\"Ready\")].status")? == "False",
            "{message}"
        );
        Ok(())
    })?;
    told::search(stage, CLUSTER, markers)?;
    store(stage, &secret, &json!({"password": there}))?;
    stage.wait_until_ready(CLUSTER, 1)?;
    until("the right one in the secret lets us in", || {
        logs_in(stage, "postgres")
    })
}

/// Statements that the server does not take: one of them in the same transaction as a role's password.
fn refused(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    let spec = SPEC.replace("  vaulted: []", "  vaulted: []\n  bad: []").replace(
        "userOptions:",
        "userOptions:\n  bad:\n    parameters: {work_mem: nonsense}",
    );
    stage
        .kubectl()
        .apply(&manifest(CLUSTER, 1, &format!("{spec}\n{MORE}")))?;
    let object = format!("-n {NAMESPACE} postgresql/{CLUSTER}");
    for (condition, word) in [("RolesInSync", "bad"), ("DatabasesInSync", "nonesuch")] {
        let path = format!(".status.conditions[?(@.type==\"{condition}\")].message");
        until(&format!("{condition} tells of {word}"), || {
            let message = stage.kubectl().value(&object, &path)?;
            ensure!(message.contains(word), "{message}");
            Ok(())
        })?;
    }
    markers.collect()
}

fn rotated(stage: &Stage, markers: &mut Markers<'_>) -> Result<()> {
    let secret = secret_name(CLUSTER, "app");
    for turn in 1..=2 {
        let object = format!("-n {NAMESPACE} secret/{secret}");
        let before = stage.kubectl().value(&object, ".data.password")?;
        store(stage, &secret, &json!({"nextRotation": "2020-01-01T00:00:00Z"}))?;
        until(&format!("rotation {turn} of today is over"), || {
            let now = stage.kubectl().value(&object, ".data.password")?;
            ensure!(now != before, "it has the password so far");
            Ok(())
        })?;
        let name = decode(&stage.kubectl().value(&object, ".data.username")?)?;
        ensure!(name.len() == "app".len() + 6, "the secret names {name}");
        markers.collect()?;
    }
    Ok(())
}

fn logs_in(stage: &Stage, user: &str) -> Result<()> {
    let answer = stage.sql(CLUSTER, user, "postgres", "SELECT 1;")?;
    ensure!(answer == "1", "{answer}");
    Ok(())
}

/// Merges into a secret, which is made if there is none.
fn store(stage: &Stage, name: &str, data: &Value) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data,
    });
    let is_there = stage.kubectl().run(&format!(
        "-n {NAMESPACE} get secret {name} --ignore-not-found -o name"
    ))?;
    let call = if is_there.trim().is_empty() {
        stage.kubectl().call(["-n", NAMESPACE, "create", "-f", "-"])
    } else {
        let patch = json!({ "stringData": data }).to_string();
        let words = [
            "-n",
            NAMESPACE,
            "patch",
            "secret",
            name,
            "--type=merge",
            "-p",
            &patch,
        ];
        stage.kubectl().call(words)
    };
    call.stdin_text(secret.to_string())
        .purpose(format!("write secret {name}"))
        .output()?;
    Ok(())
}

/// Tries until it succeeds.
fn until(what: &str, mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    loop {
        let outcome = attempt();
        if outcome.is_ok() {
            eprintln!("{what}: {:.1} s", start.elapsed().as_secs_f32());
            return Ok(());
        }
        if start.elapsed() > SOON {
            return outcome.with_context(|| format!("{what}: not within {} s", SOON.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
