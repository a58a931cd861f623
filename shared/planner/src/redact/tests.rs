//! What is printed, with credentials planted wherever there is room for one.

use serde_json::json;

use super::*;
use crate::observed::{
    ClaimView, ClusterView, ObjectRef, Observed, PatroniView, PodEnvironment, PodView, SecretView, Source,
};
use crate::plan::Action;

#[test]
fn a_printed_patch_has_places_and_single_words_but_nothing_from_containers() {
    let operations = json!([
        {"op": "replace", "path": "/spec/type", "value": "NodePort"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "spilo:2"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/env/3/value", "value": "hunter2"},
        {"op": "add", "path": "/spec/template/spec/containers/1", "value": {"args": ["--key=hunter2"]}},
        {"op": "remove", "path": "/spec/template/spec/initContainers/0/command/1"},
    ]);
    let action = Action::Patch {
        target: ObjectRef::default(),
        operations: serde_json::from_value(operations).unwrap(),
    };
    let shown = format!("{action:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    for part in ["NodePort", "spilo:2", "env/3/value", "command/1"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_printed_configuration_of_patroni_has_its_numbers_and_not_its_commands() {
    let config = json!({
        "ttl": 30,
        "standby_cluster": {"host": "a.example.org", "restore_command": "fetch --password=hunter2"},
        "postgresql": {"parameters": {"max_connections": "90", "primary_conninfo": "password=hunter2"}},
    });
    let view = PatroniView {
        config,
        ..PatroniView::default()
    };
    let shown = format!("{view:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let back: PatroniView = serde_json::from_str(&shown).unwrap();
    assert_eq!(back.config["postgresql"]["parameters"]["max_connections"], "90");
    assert_eq!(back.config["standby_cluster"]["restore_command"], HIDDEN);
}

/// With a credential in every place where one may stand.
fn container() -> Value {
    json!({
        "name": "c", "image": "registry.example.org/c:1",
        "command": ["/bin/c", "--api-key", "hunter2-after-a-flag", "--verbose"],
        "args": ["--password=hunter2-in-a-flag", "--level=debug"],
        "env": [
            {"name": "db_password", "value": "hunter2-by-name"},
            {"name": "SOURCE", "value": "postgres://u:hunter2-in-a-url@h/d"},
            {"name": "MODE", "value": "seen"},
            {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
        ],
        "livenessProbe": {
            "exec": {"command": ["sh", "-c", "PGPASSWORD=hunter2-in-a-script psql"]},
            "httpGet": {"port": 1, "httpHeaders": [{"name": "X-Token", "value": "hunter2-in-a-header"}]},
        },
    })
}

fn spec() -> Value {
    json!({
        "teamId": "acid",
        "clone": {"cluster": "old", "s3_access_key_id": "hunter2-id", "s3_secret_access_key": "hunter2-key"},
        "env": container()["env"],
        "sidecars": [container()],
        "initContainers": [container()],
        "postgresql": {"version": "17", "parameters": {
            "archive_command": "send hunter2-command", "primary_conninfo": "hunter2-conninfo",
            "max_connections": "90", "password_encryption": "scram-sha-256",
        }},
        "patroni": {"pg_hba": ["host all all all md5", "host a b c ldap ldapbindpasswd=hunter2-line"]},
    })
}

#[test]
fn a_veil_hides_credentials_and_leaves_what_plans_are_made_of() {
    let mut shown = spec();
    veil(&mut shown, Veil::Telling);
    let text = shown.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    let sidecar = &shown["sidecars"][0];
    assert_eq!(
        sidecar["command"],
        json!(["/bin/c", "--api-key", HIDDEN, "--verbose"])
    );
    assert_eq!(sidecar["args"], json!([HIDDEN, "--level=debug"]));
    assert_eq!(sidecar["env"][2]["value"], "seen");
    assert_eq!(
        sidecar["env"][3],
        container()["env"][3],
        "where a secret is, is none"
    );
    let parameters = &shown["postgresql"]["parameters"];
    assert_eq!(parameters["max_connections"], "90");
    assert_eq!(parameters["password_encryption"], "scram-sha-256");
    assert_eq!(parameters["archive_command"], HIDDEN);
    assert_eq!(
        shown["patroni"]["pg_hba"],
        json!(["host all all all md5", HIDDEN])
    );
}

#[test]
fn a_full_veil_leaves_no_word_of_a_command_and_no_value_of_a_variable() {
    let mut shown = spec();
    veil(&mut shown, Veil::Full);
    let text = shown.to_string();
    for hidden in ["hunter2", "seen", "/bin/c", "verbose", "debug"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    for open in ["acid", "registry.example.org/c:1", "MODE", "90", "secretKeyRef"] {
        assert!(text.contains(open), "{open} in {text}");
    }
}

#[test]
fn what_was_found_of_a_cluster_is_shown_without_credentials_and_read_back_with_the_rest() {
    const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let entries = |entries: Value| -> BTreeMap<String, String> { serde_json::from_value(entries).unwrap() };
    let copied = || entries(json!({COPY: "hunter2-copied", "a": "b"}));
    let observed = Observed {
        cluster: ClusterView {
            name: "acid-demo".to_owned(),
            annotations: copied(),
            status: serde_json::from_value(
                json!({"PostgresClusterStatus": "Running", "lastGoodSpec": spec()}),
            )
            .unwrap(),
            ..ClusterView::default()
        },
        secrets: Source::Known(vec![SecretView {
            annotations: copied(),
            ..SecretView::default()
        }]),
        pods: Source::Known(vec![PodView {
            annotations: copied(),
            ..PodView::default()
        }]),
        claims: Source::Known(vec![ClaimView {
            annotations: copied(),
            ..ClaimView::default()
        }]),
        pod_environment: Source::Known(PodEnvironment {
            secret_keys: vec!["TOKEN".to_owned()],
            config_map: entries(json!({
                "AWS_SECRET_ACCESS_KEY": "hunter2-entry", "PROXY": "http://u:hunter2-url@h", "REGION": "seen",
            })),
        }),
        ..Observed::default()
    };
    let text = serde_json::to_string(&observed).unwrap();
    let parts = format!("{:?}{:?}", observed.cluster, observed.pod_environment);
    let more = format!("{:?}{:?}{:?}", observed.secrets, observed.pods, observed.claims);
    for text in [&text, &format!("{observed:?}"), &parts, &more] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let back: Observed = serde_json::from_str(&text).unwrap();
    assert_eq!(back.cluster.annotations, entries(json!({"a": "b"})));
    let environment = back.pod_environment.known().unwrap();
    assert_eq!(environment.secret_keys, ["TOKEN"]);
    assert_eq!(
        environment.config_map,
        entries(json!({"AWS_SECRET_ACCESS_KEY": HIDDEN, "PROXY": HIDDEN, "REGION": "seen"}))
    );
    let last = back.cluster.status.last_good_spec.unwrap();
    assert_eq!(last.env[2].value.as_deref(), Some("seen"));
    assert_eq!(last.sidecars.len(), 1);
}
