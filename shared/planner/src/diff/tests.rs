//! What counts as a difference, and what does not.

use serde_json::json;

use super::*;

fn service(spec: &Value) -> Value {
    json!({ "metadata": { "name": "demo", "labels": { "team": "core" } }, "spec": spec })
}

fn pod(container: &Value) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [container] } } } })
}

fn paths(kind: &str, desired: &Value, stored: &Value) -> Vec<String> {
    difference(kind, desired, stored)
        .map(|difference| difference.paths())
        .unwrap_or_default()
}

/// The stored object after the operations.
fn applied(difference: &Difference, mut stored: Value) -> Value {
    json_patch::patch(&mut stored, &difference.operations).unwrap();
    stored
}

#[test]
fn what_others_add_is_none() {
    let desired = service(&json!({ "type": "ClusterIP", "ports": [{ "port": 5432, "targetPort": 5432 }] }));
    let mut stored = service(&json!({
        "type": "ClusterIP", "clusterIP": "10.0.0.1", "sessionAffinity": "None",
        "ports": [{ "port": 5432, "targetPort": 5432, "protocol": "TCP", "nodePort": 30000 }],
    }));
    stored["metadata"]["labels"]["somebody"] = json!("else");
    stored["metadata"]["uid"] = json!("1");
    assert_eq!(difference("Service", &desired, &stored), None);
}

#[test]
fn a_changed_label_and_a_changed_port_are_found() {
    let desired = service(&json!({ "ports": [{ "port": 5432, "targetPort": 5432 }] }));
    let mut stored = service(&json!({ "ports": [{ "port": 5432, "targetPort": 5433 }] }));
    stored["metadata"]["labels"]["team"] = json!("other");
    let found = difference("Service", &desired, &stored).unwrap();
    assert_eq!(
        found.paths(),
        ["/metadata/labels/team", "/spec/ports/0/targetPort"]
    );
    assert!(!found.removes());
}

#[test]
fn what_we_decide_has_to_go_when_it_is_not_wanted() {
    let desired = service(&json!({ "type": "ClusterIP" }));
    let stored = service(&json!({
        "type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"], "selector": { "a": "b" },
    }));
    let found = difference("Service", &desired, &stored).unwrap();
    assert!(found.removes());
    assert_eq!(
        found.paths(),
        ["/spec/type", "/spec/loadBalancerSourceRanges", "/spec/selector"]
    );
}

#[test]
fn a_budget_changes_its_kind() {
    let desired = json!({ "spec": { "maxUnavailable": 0 } });
    let stored = json!({ "spec": { "minAvailable": 2 } });
    assert!(
        difference("PodDisruptionBudget", &desired, &stored)
            .unwrap()
            .removes()
    );
}

#[test]
fn quantities_are_compared_by_value() {
    let limits = |cpu: &str, memory: &str| {
        pod(&json!({ "name": "postgres", "resources": { "limits": { "cpu": cpu, "memory": memory } } }))
    };
    assert_eq!(
        paths("StatefulSet", &limits("1500m", "1Gi"), &limits("1.5", "1024Mi")),
        [""; 0]
    );
    assert_eq!(
        paths("StatefulSet", &limits("1", "1Gi"), &limits("2", "1Gi")),
        ["/spec/template/spec/containers/0/resources/limits/cpu"]
    );
}

#[test]
fn order_of_variables_does_not_count_and_strays_go() {
    let env = |items: Value| pod(&json!({ "name": "postgres", "env": items }));
    let (a, b) = (
        json!({ "name": "A", "value": "1" }),
        json!({ "name": "B", "value": "2" }),
    );
    assert_eq!(
        paths("StatefulSet", &env(json!([a, b])), &env(json!([b, a]))),
        [""; 0]
    );
    let found = difference("StatefulSet", &env(json!([a])), &env(json!([b, a]))).unwrap();
    assert!(found.removes());
    assert_eq!(applied(&found, env(json!([b, a]))), env(json!([a])));
}

#[test]
fn a_variable_that_turns_into_a_reference_loses_its_value() {
    let env = |item: Value| pod(&json!({ "name": "postgres", "env": [item] }));
    let reference = json!({ "name": "A", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } });
    let found = difference(
        "StatefulSet",
        &env(reference),
        &env(json!({ "name": "A", "value": "1" })),
    )
    .unwrap();
    assert!(found.removes());
}

#[test]
fn dynamic_settings_are_no_difference_and_keep_their_stored_text() {
    let spilo = |buffers: u32, connections: u32| {
        let text = json!({ "postgresql": { "b": buffers }, "bootstrap": { "dcs": { "c": connections } } })
            .to_string();
        pod(&json!({ "name": "postgres", "env": [{ "name": "SPILO_CONFIGURATION", "value": text }] }))
    };
    assert_eq!(difference("StatefulSet", &spilo(1, 100), &spilo(1, 200)), None);
    assert!(difference("StatefulSet", &spilo(1, 100), &spilo(2, 100)).is_some());
}

#[test]
fn another_volume_source_replaces_the_old_one() {
    let volumes = |volume: Value| json!({ "spec": { "template": { "spec": { "volumes": [volume] } } } });
    let desired = volumes(json!({ "name": "v", "secret": { "secretName": "s" } }));
    let stored = volumes(json!({ "name": "v", "emptyDir": {} }));
    let found = difference("StatefulSet", &desired, &stored).unwrap();
    assert_eq!(applied(&found, stored), desired);
}

#[test]
fn empty_wishes_are_none() {
    let desired = pod(&json!({ "name": "postgres", "resources": {}, "command": [] }));
    let stored = pod(&json!({ "name": "postgres" }));
    assert_eq!(difference("StatefulSet", &desired, &stored), None);
}

#[test]
fn items_come_change_and_go_at_once() {
    let env = |items: Value| pod(&json!({ "name": "postgres", "env": items }));
    let variable = |name: &str, value: &str| json!({ "name": name, "value": value });
    let stored = env(json!([
        variable("A", "1"),
        variable("B", "1"),
        variable("C", "1"),
        variable("D", "1")
    ]));
    let desired = env(json!([
        variable("E", "1"),
        variable("D", "2"),
        variable("B", "1"),
        variable("F", "1")
    ]));
    let found = difference("StatefulSet", &desired, &stored).unwrap();
    let env_path = |rest: &str| format!("/spec/template/spec/containers/0/env/{rest}");
    assert_eq!(found.paths(), ["3/value", "2", "0", "2", "3"].map(env_path));
    let wanted = [
        variable("B", "1"),
        variable("D", "2"),
        variable("E", "1"),
        variable("F", "1"),
    ];
    assert_eq!(applied(&found, stored), env(json!(wanted)));
}

#[test]
fn a_list_without_keys_is_compared_in_order() {
    let command = |items: Value| pod(&json!({ "name": "postgres", "command": items }));
    for (desired, stored, paths) in [
        (
            json!(["a", "c"]),
            json!(["a", "b", "c", "d"]),
            vec!["1", "3", "2"],
        ),
        (json!(["a", "b", "c"]), json!(["a"]), vec!["1", "2"]),
    ] {
        let (desired, stored) = (command(desired), command(stored));
        let found = difference("StatefulSet", &desired, &stored).unwrap();
        let full = |rest: &str| format!("/spec/template/spec/containers/0/command/{rest}");
        assert_eq!(found.paths(), paths.into_iter().map(full).collect::<Vec<_>>());
        assert_eq!(applied(&found, stored), desired);
    }
}

#[test]
fn init_containers_run_in_their_order() {
    let pod = |names: [&str; 2]| {
        let containers = names.map(|name| json!({ "name": name }));
        json!({ "spec": { "template": { "spec": { "initContainers": containers } } } })
    };
    let (desired, stored) = (pod(["a", "b"]), pod(["b", "a"]));
    let found = difference("StatefulSet", &desired, &stored).unwrap();
    assert_eq!(applied(&found, stored), desired);
}

#[test]
fn a_label_whose_key_looks_like_a_path_is_a_label() {
    let labelled = |value: &str| json!({ "metadata": { "labels": { "x/limits": value } } });
    let found = difference("Service", &labelled("1"), &labelled("2")).unwrap();
    assert_eq!(found.paths(), ["/metadata/labels/x~1limits"]);
    let found = difference("Service", &labelled("1"), &labelled("1.0")).unwrap();
    assert_eq!(
        applied(&found, labelled("1.0")),
        labelled("1"),
        "it is no quantity"
    );
}

/// Each field of the template that a manifest or the configuration can take away again, as it is stored.
#[test]
#[expect(clippy::too_many_lines, reason = "a few lines for each field")]
fn what_can_be_unset_of_a_template_has_to_go() {
    let container = |fields: Value| {
        let mut container = json!({ "name": "postgres", "image": "a" });
        json_patch::merge(&mut container, &fields);
        container
    };
    let of = |pods: Value| json!({ "spec": { "template": { "spec": pods } } });
    let inside = |fields: Value| of(json!({ "containers": [container(fields)] }));
    let first = |fields: Value| of(json!({ "initContainers": [container(fields)] }));
    let probe = |fields: Value| inside(json!({ "livenessProbe": fields }));
    let volume = |fields: Value| of(json!({ "volumes": [fields] }));
    let terms = |fields: Value| {
        let required = json!({ "nodeSelectorTerms": [{ "matchExpressions": [fields] }] });
        of(
            json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } } }),
        )
    };
    let table = [
        (of(json!({})), of(json!({ "schedulerName": "other" }))),
        (of(json!({})), of(json!({ "priorityClassName": "high" }))),
        (
            of(json!({})),
            of(json!({ "affinity": { "podAntiAffinity": {} } })),
        ),
        (
            of(json!({})),
            of(json!({ "topologySpreadConstraints": [{ "maxSkew": 1 }] })),
        ),
        (
            of(json!({ "tolerations": [{ "key": "a" }] })),
            of(json!({ "tolerations": [{ "key": "a", "effect": "NoSchedule" }] })),
        ),
        (
            of(json!({ "topologySpreadConstraints": [{ "maxSkew": 1 }] })),
            of(json!({ "topologySpreadConstraints": [{ "maxSkew": 1, "minDomains": 2 }] })),
        ),
        (
            terms(json!({ "key": "disk", "operator": "Exists" })),
            terms(json!({ "key": "disk", "operator": "Exists", "values": ["ssd"] })),
        ),
        (
            inside(json!({})),
            inside(json!({ "securityContext": { "privileged": true } })),
        ),
        (
            inside(json!({ "securityContext": { "privileged": true } })),
            inside(json!({ "securityContext": { "privileged": true, "runAsNonRoot": true } })),
        ),
        (
            first(json!({})),
            first(json!({ "resources": { "limits": { "cpu": "1" } } })),
        ),
        (first(json!({})), first(json!({ "restartPolicy": "Always" }))),
        (
            probe(json!({ "exec": { "command": ["a"] } })),
            probe(json!({ "exec": { "command": ["a"] }, "initialDelaySeconds": 30 })),
        ),
        (
            probe(json!({ "exec": { "command": ["a"] } })),
            probe(json!({ "exec": { "command": ["a"] }, "timeoutSeconds": 5 })),
        ),
        (
            probe(json!({ "httpGet": { "port": 1 } })),
            probe(json!({ "httpGet": { "port": 1, "path": "/up" } })),
        ),
        (
            inside(json!({ "ports": [{ "containerPort": 1 }] })),
            inside(json!({ "ports": [{ "containerPort": 1, "name": "web" }] })),
        ),
        (
            inside(json!({ "volumeMounts": [{ "mountPath": "/a", "name": "a" }] })),
            inside(
                json!({ "volumeMounts": [{ "mountPath": "/a", "name": "a", "mountPropagation": "HostToContainer" }] }),
            ),
        ),
        (
            volume(json!({ "name": "a", "secret": { "secretName": "s" } })),
            volume(json!({ "name": "a", "secret": { "secretName": "s", "optional": true } })),
        ),
        (
            volume(json!({ "name": "a", "secret": { "secretName": "s" } })),
            volume(json!({ "name": "a", "secret": { "secretName": "s", "defaultMode": 256 } })),
        ),
    ];
    for (desired, stored) in table {
        let found = difference("StatefulSet", &desired, &stored).unwrap_or_default();
        assert!(found.removes(), "{desired} beside {stored}");
        assert_eq!(applied(&found, stored), desired);
    }
}

#[test]
fn what_the_api_server_writes_by_itself_is_no_difference() {
    let probe = json!({ "httpGet": { "port": 1 } });
    let bare = json!({ "name": "postgres", "livenessProbe": probe, "ports": [{ "containerPort": 1 }] });
    let desired = json!({ "spec": { "template": { "spec": {
        "containers": [bare], "volumes": [{ "name": "a", "secret": { "secretName": "s" } }],
    } } } });
    let probe = json!({ "httpGet": { "port": 1, "path": "/", "scheme": "HTTP" }, "timeoutSeconds": 1, "periodSeconds": 10,
        "successThreshold": 1, "failureThreshold": 3 });
    let full = json!({ "name": "postgres", "livenessProbe": probe, "resources": {},
        "ports": [{ "containerPort": 1, "protocol": "TCP" }] });
    let stored = json!({ "spec": { "template": { "spec": {
        "containers": [full], "schedulerName": "default-scheduler",
        "volumes": [{ "name": "a", "secret": { "secretName": "s", "defaultMode": 420 } }],
    } } } });
    assert_eq!(difference("StatefulSet", &desired, &stored), None);
}

#[test]
fn labels_and_annotations_go_that_we_wrote_and_no_others() {
    let desired =
        json!({ "metadata": { "annotations": { "kept": "1" } }, "spec": { "template": { "metadata": {} } } });
    let annotations = json!({ "kept": "1", "ours": "2", "theirs": "3" });
    let managed = |manager: &str, key: &str| {
        let keys = json!({ "f:annotations": { format!("f:{key}"): {} } });
        json!({ "manager": manager, "fieldsV1": { "f:metadata": keys, "f:spec": { "f:template": { "f:metadata": keys } } } })
    };
    let stored = json!({
        "metadata": { "annotations": annotations, "managedFields": [managed("pgherd", "ours"), managed("somebody", "theirs")] },
        "spec": { "template": { "metadata": { "annotations": annotations } } },
    });
    let found = difference("StatefulSet", &desired, &stored).unwrap();
    assert!(found.removes());
    assert_eq!(
        found.paths(),
        [
            "/metadata/annotations/ours",
            "/spec/template/metadata/annotations/ours"
        ]
    );
}
