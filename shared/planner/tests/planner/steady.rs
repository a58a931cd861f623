//! Fleets that Zalando's operator made, as a real API server stores them, defaults and all: we find nothing to change, and can take them over.

use std::path::Path;

use pgherd_model::api::status::ClusterStatus;
use pgherd_model::cluster::Cluster;
use pgherd_model::names::Names;
use pgherd_planner::adopt::{Refusal, Verdict, judge, refuse};
use pgherd_planner::build::{Desired, build};
use pgherd_planner::observed::{
    ClaimView, MemberRole, MemberView, Observed, PatroniView, PodView, SecretView, Source,
};
use pgherd_planner::plan::{Action, Plan, plan};
use serde_json::{Value, json};

use crate::recorded::{config, data, documents, environment, manifest, role_sources};
use crate::world::NOW;

/// What the simulated kubelet and Patroni of these fleets say of their pods' template.
const REVISION: &str = "recorded";

/// Everything of one kind.
fn all<T: serde::de::DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<T> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind
        .map(|object| serde_json::from_value(object.clone()).unwrap())
        .collect()
}

fn secret(object: &Value) -> SecretView {
    let metadata = &object["metadata"];
    let read = |key: &str| metadata[key].clone();
    SecretView {
        namespace: metadata["namespace"].as_str().unwrap().to_owned(),
        name: metadata["name"].as_str().unwrap().to_owned(),
        uid: "stored".to_owned(),
        labels: serde_json::from_value(read("labels")).unwrap_or_default(),
        annotations: serde_json::from_value(read("annotations")).unwrap_or_default(),
        owner_references: serde_json::from_value(read("ownerReferences")).unwrap_or_default(),
        username: object["stringData"]["username"].as_str().map(str::to_owned),
        has_password: true,
        ..SecretView::default()
    }
}

fn claim(object: &Value) -> ClaimView {
    let size = &object["spec"]["resources"]["requests"]["storage"];
    ClaimView {
        name: object["metadata"]["name"].as_str().unwrap().to_owned(),
        phase: "Bound".to_owned(),
        requested: size.as_str().unwrap().to_owned(),
        capacity: size.as_str().unwrap().to_owned(),
        ..ClaimView::default()
    }
}

/// One cluster of a fleet.
struct Recorded {
    cluster: Cluster,
    desired: Desired,
    observed: Observed,
    config: pgherd_model::config::OperatorConfig,
}

impl Recorded {
    /// None for a manifest that we refuse.
    fn read(config_name: &str, case: &str, edit: impl Fn(&mut Value)) -> Option<Self> {
        let config = config(config_name);
        let cluster = Cluster::parse(&manifest(case), &config).ok()?;
        let cluster = cluster.with_roles_of(&role_sources(&config), &config);
        let desired = build(&cluster, &config, &environment(config_name));
        let golden = data().join("golden");
        let mut objects = documents(&golden.join(format!("stored/{config_name}/{case}.yaml")));
        objects.extend(documents(&golden.join(format!("namespace/{config_name}.yaml"))));
        for object in &mut objects {
            object["metadata"]["uid"] = Value::from("stored");
            object["metadata"]["resourceVersion"] = Value::from("1");
            if object["kind"] == "StatefulSet" {
                object["metadata"]["generation"] = json!(1);
                object["status"] =
                    json!({"replicas": 0, "observedGeneration": 1, "updateRevision": REVISION});
            }
            edit(object);
        }
        let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
        let names = Names::of("default", case, &config);
        let mut observed = Observed {
            stateful_set: Source::Known(all(&objects, "StatefulSet").into_iter().next()),
            services: Source::Known(all(&objects, "Service")),
            endpoints: Source::Known(all(&objects, "Endpoints").into_iter().next()),
            disruption_budgets: Source::Known(all(&objects, "PodDisruptionBudget")),
            service_account: Source::Known(all(&objects, "ServiceAccount").into_iter().next()),
            role_binding: Source::Known(all(&objects, "RoleBinding").into_iter().next()),
            secrets: Source::Known(of_kind("Secret").map(secret).collect()),
            claims: Source::Known(of_kind("PersistentVolumeClaim").map(claim).collect()),
            ..Observed::default()
        };
        if config.kubernetes.enable_finalizers {
            observed.cluster.finalizers = vec!["postgres-operator.acid.zalan.do".to_owned()];
        }
        run(&mut observed, &names, cluster.instances);
        if let Source::Known(view) = &mut observed.patroni {
            // Zalando's operator has it set when it makes event streams.
            if case == "streamed" {
                view.config["postgresql"]["parameters"]["wal_level"] = json!("logical");
            }
        }
        Some(Self {
            cluster,
            desired,
            observed,
            config,
        })
    }

    fn plan(&self) -> Plan {
        plan(&self.cluster, &self.desired, &self.observed, &self.config, NOW)
    }
}

/// All members run the stored template, and Patroni's configuration is what the image made of it at the first start.
fn run(observed: &mut Observed, names: &Names, instances: i32) {
    let stored = observed.stateful_set.known().and_then(Option::as_ref);
    let dynamic = stored.map(|stored| {
        let env = stored.spec.clone().unwrap().template.spec.unwrap().containers[0].env.clone().unwrap();
        let text = env.into_iter().find(|it| it.name == "SPILO_CONFIGURATION").unwrap().value.unwrap();
        let mut config = json!({
            "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 33_554_432,
            "postgresql": {"use_slots": true, "parameters": {"max_connections": "100", "wal_level": "replica"}},
        });
        let given: Value = serde_json::from_str(&text).unwrap();
        json_patch::merge(&mut config, &given["bootstrap"]["dcs"]);
        config
    });
    let template = stored.and_then(|stored| stored.spec.clone()?.template.metadata);
    let template = template.unwrap_or_default();
    let annotations = template.annotations.unwrap_or_default();
    let labels = template.labels.unwrap_or_default();
    let ordinals = || 0..u32::try_from(instances).unwrap();
    let pod = |ordinal: u32| PodView {
        name: names.pod(ordinal),
        uid: names.pod(ordinal),
        phase: "Running".to_owned(),
        ready: true,
        ip: "10.0.0.1".to_owned(),
        role_label: if ordinal == 0 { "master" } else { "replica" }.to_owned(),
        revision: REVISION.to_owned(),
        labels: labels.clone(),
        annotations: annotations.clone(),
        ..PodView::default()
    };
    let member = |ordinal: u32| MemberView {
        name: names.pod(ordinal),
        role: if ordinal == 0 {
            MemberRole::Leader
        } else {
            MemberRole::Replica
        },
        state: if ordinal == 0 { "running" } else { "streaming" }.to_owned(),
        lag: (ordinal > 0).then_some(0),
        ..MemberView::default()
    };
    observed.pods = Source::Known(ordinals().map(pod).collect());
    if let Some(config) = dynamic {
        let members = ordinals().map(member).collect();
        observed.patroni = Source::Known(PatroniView {
            members,
            config,
            ..PatroniView::default()
        });
    }
}

fn cases(config_name: &str) -> Vec<String> {
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let listed = std::fs::read_dir(data().join("golden/stored").join(config_name)).unwrap();
    let mut cases: Vec<String> = listed.map(|entry| name(&entry.unwrap().path())).collect();
    cases.sort();
    cases
}

/// The plan for a cluster whose objects are stored like this.
fn plan_for(config_name: &str, case: &str, edit: impl Fn(&mut Value)) -> Plan {
    Recorded::read(config_name, case, edit).unwrap().plan()
}

/// Lines of the steps that concern the stored kinds; what else is missing is not asked about here.
fn changes(plan: &Plan) -> Vec<String> {
    let is_change = |action: &Action| {
        matches!(
            action,
            Action::Apply(_) | Action::Patch { .. } | Action::Scale { .. }
        )
    };
    plan.steps
        .iter()
        .filter(|step| is_change(&step.action))
        .map(ToString::to_string)
        .collect()
}

/// Steps that the recorded fleets do need: what Zalando's operator leaves undone.
const NEEDED: &[(&str, &str)] = &[
    // A user without flags; the CRD of 2.0.1 drops it, so that a manifest that its API server stored does not name it.
    (
        "accounts",
        "create secret default/nothing-given.accounts.credentials.postgresql.acid.zalan.do (missing)",
    ),
    (
        "accounts",
        "create secret default/nothing-given.accounts.creds.postgresql.acid.zalan.do (missing)",
    ),
    // Secrets that were there before the cluster: they get our labels, and keep what is in them.
    (
        "adopted",
        "label secret default/app.adopted.credentials.postgresql.acid.zalan.do (adopted)",
    ),
    (
        "adopted",
        "label secret default/postgres.adopted.credentials.postgresql.acid.zalan.do (adopted)",
    ),
    // It sends pg_hba beside the section in which Patroni reads it.
    (
        "tuned",
        "patch patroni's configuration: postgresql.pg_hba (differs at /postgresql/pg_hba) [reload]",
    ),
];

#[test]
fn what_zalandos_operator_left_is_not_touched() {
    let (mut cases_seen, mut wrong) = (0, Vec::new());
    let mut seen: Vec<(String, String)> = Vec::new();
    for config_name in ["A", "B", "C"] {
        for case in cases(config_name) {
            let Some(recorded) = Recorded::read(config_name, &case, |_| {}) else {
                assert_eq!(case, "bad-user");
                continue;
            };
            cases_seen += 1;
            for step in recorded.plan().steps {
                let line = step.to_string();
                if NEEDED.contains(&(case.as_str(), line.as_str())) {
                    seen.push((case.clone(), line));
                } else {
                    wrong.push(format!("{config_name}/{case}: {line}"));
                }
            }
        }
    }
    let unseen = NEEDED.iter().filter(|(case, line)| {
        !seen
            .iter()
            .any(|it| (it.0.as_str(), it.1.as_str()) == (*case, *line))
    });
    wrong.extend(unseen.map(|(case, line)| format!("stale: {case}: {line}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cases_seen, 84);
}

#[test]
fn a_fleet_can_be_taken_over_under_its_own_configuration_only() {
    for (made_under, taken_under) in [("A", "A"), ("B", "B"), ("C", "C"), ("A", "B"), ("B", "A")] {
        for case in cases(made_under) {
            let Some(recorded) = Recorded::read(made_under, &case, |_| {}) else {
                continue;
            };
            if recorded
                .observed
                .stateful_set
                .known()
                .is_some_and(Option::is_none)
            {
                continue;
            }
            let config = config(taken_under);
            let parsed = Cluster::parse(&manifest(&case), &config);
            let Ok(cluster) = parsed.map(|cluster| cluster.with_roles_of(&role_sources(&config), &config))
            else {
                continue;
            };
            let desired = build(&cluster, &config, &environment(taken_under));
            let plan = plan(&cluster, &desired, &recorded.observed, &config, NOW);
            let adoption = judge(&cluster, &desired, &recorded.observed, &plan);
            let expected = if made_under == taken_under {
                Verdict::Ready
            } else {
                Verdict::Refused
            };
            assert_eq!(
                adoption.verdict, expected,
                "{made_under} under {taken_under}, {case}: {adoption:#?}"
            );
            let held = refuse(&cluster, &desired, &recorded.observed);
            let is_refused = expected == Verdict::Refused && cluster.instances > 0;
            assert_eq!(
                held.is_some(),
                is_refused,
                "{made_under} under {taken_under}, {case}"
            );
            if let Some(held) = held {
                assert!(held.steps.is_empty() && !held.holds.is_empty(), "{held:?}");
            }
            if expected == Verdict::Refused {
                let has = |is: fn(&Refusal) -> bool| adoption.refusals.iter().any(is);
                assert!(has(|it| matches!(it, Refusal::Selector { .. })), "{case}");
                assert!(has(|it| matches!(it, Refusal::Store { .. })), "{case}");
                assert!(has(|it| matches!(it, Refusal::Account { .. })), "{case}");
                assert!(has(|it| matches!(it, Refusal::Secret { .. })), "{case}");
            }
        }
    }
}

#[test]
fn a_superuser_whose_secret_names_another_role_is_told_before_and_keeps_no_pod_waiting() {
    let mut recorded = Recorded::read("A", "minimal", |_| {}).unwrap();
    let login = |recorded: &Recorded| {
        let Recorded {
            cluster,
            desired,
            observed,
            ..
        } = recorded;
        let adoption = judge(cluster, desired, observed, &recorded.plan());
        let is = |it: &&Refusal| matches!(it, Refusal::Login { .. });
        adoption.refusals.iter().find(is).map(ToString::to_string)
    };
    assert_eq!(login(&recorded), None);
    let Source::Known(secrets) = &mut recorded.observed.secrets else {
        panic!("secrets are known")
    };
    let of_superuser = secrets
        .iter_mut()
        .find(|it| it.username.as_deref() == Some("postgres"));
    of_superuser.unwrap().username = Some("postgres260101".to_owned());
    let told = login(&recorded).unwrap();
    assert!(told.contains("holds the password of postgres260101"), "{told}");
    assert_eq!(
        refuse(&recorded.cluster, &recorded.desired, &recorded.observed),
        None
    );
}

#[test]
fn while_nobody_can_tell_how_members_are_kept_everything_waits() {
    let mut recorded = Recorded::read("A", "minimal", |_| {}).unwrap();
    recorded.observed.stateful_set = Source::Unknown("429".to_owned());
    let refused = |recorded: &Recorded| refuse(&recorded.cluster, &recorded.desired, &recorded.observed);
    assert_eq!(refused(&recorded), None, "it was never made");
    recorded.observed.cluster.status.postgres_cluster_status = ClusterStatus::Running;
    let held = refused(&recorded).unwrap();
    assert!(held.steps.is_empty() && held.wake_after.is_some(), "{held:?}");
}

#[test]
fn a_slip_of_the_hand_that_no_member_has_heard_of_is_repaired() {
    for reached in [false, true] {
        let mut recorded = Recorded::read("A", "minimal", |_| {}).unwrap();
        let stored = recorded.observed.stateful_set.known().unwrap().clone().unwrap();
        let own = stored.spec.clone().unwrap().template;
        let mut edited = serde_json::to_value(&stored).unwrap();
        let env = edited["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut();
        let superuser = env
            .unwrap()
            .iter_mut()
            .find(|it| it["name"] == "PGUSER_SUPERUSER");
        superuser.unwrap()["value"] = "somebody".into();
        edited["status"]["updateRevision"] = "edited".into();
        recorded.observed.stateful_set = Source::Known(Some(serde_json::from_value(edited).unwrap()));
        recorded
            .observed
            .templates
            .insert(REVISION.to_owned(), Source::Known(Some(own)));
        if let (true, Source::Known(pods)) = (reached, &mut recorded.observed.pods) {
            pods[0].revision = "edited".to_owned();
        }
        let refused = refuse(&recorded.cluster, &recorded.desired, &recorded.observed);
        assert_eq!(refused.is_some(), reached, "{refused:?}");
        if !reached {
            let plan = recorded.plan();
            let changes = changes(&plan);
            assert!(
                changes.len() == 1 && changes[0].contains("StatefulSet"),
                "{changes:?}"
            );
            assert_eq!(plan.rolled(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_stored_difference_is_repaired_where_it_is() {
    let plan = plan_for("A", "minimal", |object| {
        if object["kind"] == "StatefulSet" {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = Value::from("old");
        }
    });
    assert_eq!(
        changes(&plan),
        ["apply StatefulSet default/minimal (differs at /spec/template/spec/containers/0/image)"]
    );
}

#[test]
fn a_stray_variable_needs_a_patch() {
    let plan = plan_for("A", "minimal", |object| {
        if object["kind"] == "StatefulSet" {
            let env = &mut object["spec"]["template"]["spec"]["containers"][0]["env"];
            env.as_array_mut()
                .unwrap()
                .insert(0, serde_json::json!({ "name": "STRAY", "value": "x" }));
        }
    });
    let changes = changes(&plan);
    assert!(
        changes.len() == 1 && changes[0].starts_with("patch StatefulSet"),
        "{changes:?}"
    );
}

#[test]
fn what_cannot_be_changed_is_replaced_and_the_rest_goes_on() {
    let plan = plan_for("A", "minimal", |object| {
        if object["kind"] == "StatefulSet" {
            object["spec"]["podManagementPolicy"] = Value::from("Parallel");
            object["spec"]["template"]["spec"]["containers"][0]["image"] = Value::from("old");
        }
    });
    let lines: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(has("apply StatefulSet default/minimal"), "{lines:?}");
    assert!(has("delete StatefulSet default/minimal"), "{lines:?}");
    let applied = plan.steps.iter().find_map(|step| match &step.action {
        Action::Apply(object) if object.kind() == "StatefulSet" => Some(object.to_value()),
        _ => None,
    });
    assert_eq!(applied.unwrap()["spec"]["podManagementPolicy"], "Parallel");
}
