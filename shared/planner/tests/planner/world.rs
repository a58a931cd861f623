//! A small Kubernetes with Patroni and Postgres in it: carries plans out and lets time pass. Only what the planner can see is modelled, but
//! what the API server adds to objects is, because a plan must not mind it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use pgherd_model::api::postgresql::PostgresqlSpec;
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::names::Names;
use pgherd_planner::assess::{Manifest, Outcome, Subject, assess};
use pgherd_planner::build::{Desired, build};
use pgherd_planner::observed::{
    ClaimView, MemberRole, MemberView, ObjectRef, Observed, PatroniView, PodEnvironment, PodView, SecretView,
    Source,
};
use pgherd_planner::plan::{
    Action, NewPassword, NextRotation, Object, Plan, SecretChange, SecretDraft, plan, plan_deletion,
};
use serde_json::{Value, json};

mod catalog;
mod configuration;
mod json;

use json::{from_value, named, replace, to_value};

pub(crate) use configuration::leader;

pub(crate) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// One cluster in its world.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) config: OperatorConfig,
    environment: Source<PodEnvironment>,
    names: Names,
    pub(crate) observed: Observed,
    /// For uids and versions.
    counter: u64,
}

impl World {
    pub(crate) fn new(cluster: Cluster, config: OperatorConfig, environment: Source<PodEnvironment>) -> Self {
        let names = Names::of(&cluster.identity.namespace, &cluster.identity.name, &config);
        let mut observed = Observed {
            stateful_set: Source::Known(None),
            services: Source::Known(Vec::new()),
            endpoints: Source::Known(None),
            disruption_budgets: Source::Known(Vec::new()),
            service_account: Source::Known(None),
            role_binding: Source::Known(None),
            secrets: Source::Known(Vec::new()),
            pods: Source::Known(Vec::new()),
            claims: Source::Known(Vec::new()),
            patroni_objects: Source::Known(Vec::new()),
            ..Observed::default()
        };
        names.namespace().clone_into(&mut observed.cluster.namespace);
        names.cluster().clone_into(&mut observed.cluster.name);
        observed.cluster.uid.clone_from(&cluster.identity.uid);
        Self {
            cluster,
            config,
            environment,
            names,
            observed,
            counter: 0,
        }
    }

    pub(crate) fn desired(&self) -> Desired {
        build(&self.cluster, &self.config, &self.environment)
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.cluster, &self.desired(), &self.observed, &self.config, NOW)
    }

    pub(crate) fn plan_deletion(&self) -> Plan {
        plan_deletion(&self.names, &self.observed, &self.config, NOW)
    }

    /// Plans, executes and lets time pass until a plan has no steps and nothing waits for members; gives all plans.
    pub(crate) fn settle(&mut self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for _ in 0..20 {
            let plan = self.plan();
            let is_done = plan.steps.is_empty() && plan.wake_after.is_none();
            self.execute(&plan);
            self.remember();
            plans.push(plan);
            if is_done {
                return plans;
            }
            self.pass();
        }
        panic!(
            "does not settle: {:#?}",
            plans
                .last()
                .unwrap()
                .steps
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        );
    }

    pub(crate) fn execute(&mut self, plan: &Plan) {
        for step in &plan.steps {
            self.take(&step.action);
        }
    }

    fn take(&mut self, action: &Action) {
        match action {
            Action::AddFinalizer(name) => self.observed.cluster.finalizers.push(name.clone()),
            Action::RemoveFinalizer(name) => self.observed.cluster.finalizers.retain(|other| other != name),
            Action::Apply(object) => self.apply(object),
            Action::Patch { target, operations } => {
                self.change(target, |value| json_patch::patch(value, operations).unwrap());
            }
            Action::Scale { target, replicas } => {
                self.change(target, |value| value["spec"]["replicas"] = json!(replicas));
            }
            Action::CreateSecret(draft) => self.create_secret(draft),
            Action::LabelSecret(draft) | Action::FillSecret(draft) => self.label_secret(draft),
            Action::GrowClaim { target, size } => {
                let claims = known(&mut self.observed.claims);
                claims
                    .iter_mut()
                    .filter(|claim| claim.name == target.name)
                    .for_each(|claim| {
                        claim.requested.clone_from(size);
                    });
            }
            Action::PatchPatroni(patch) => {
                json_patch::merge(&mut known(&mut self.observed.patroni).config, patch);
            }
            Action::RunSql {
                database, statements, ..
            } => {
                let catalog = known(&mut self.observed.catalog);
                for statement in statements {
                    catalog::run(catalog, database, statement);
                }
            }
            Action::ChangeSecret(change) => self.change_secret(change),
            Action::Delete { target, .. } => self.delete(target),
            Action::CheckObject(_) => {}
            Action::Relabel {
                target,
                labels,
                annotations,
            } => {
                let pods = known(&mut self.observed.pods).iter_mut();
                for pod in pods.filter(|pod| pod.uid == target.uid) {
                    wear(&mut pod.labels, labels);
                    wear(&mut pod.annotations, annotations);
                }
                let claims = known(&mut self.observed.claims).iter_mut();
                for claim in claims.filter(|claim| claim.name == target.name) {
                    wear(&mut claim.annotations, annotations);
                }
            }
            Action::CheckTemplate { .. }
            | Action::Checkpoint { .. }
            | Action::DeletePod { .. }
            | Action::Switchover { .. }
            | Action::TakeBackHandover { .. }
            | Action::RestartPostgres { .. } => panic!("nothing rolls in this world: {action}"),
        }
    }

    fn next(&mut self) -> String {
        self.counter += 1;
        self.counter.to_string()
    }

    /// Server-side apply of one manager that owns everything: maps are merged, lists replaced.
    fn apply(&mut self, object: &Object) {
        let target = object.reference();
        let mut body = object.to_value();
        let exists = self.stored(&target).is_some();
        body["metadata"]["resourceVersion"] = json!(self.next());
        if exists {
            self.change(&target, |value| merge(value, &body));
        } else {
            body["metadata"]["uid"] = json!(self.next());
            add_defaults(&mut body);
            self.store(&target, Some(body));
        }
    }

    fn change(&mut self, target: &ObjectRef, edit: impl FnOnce(&mut Value)) {
        let mut value = self
            .stored(target)
            .unwrap_or_else(|| panic!("{target} is not there"));
        edit(&mut value);
        value["metadata"]["generation"] = json!(value["metadata"]["generation"].as_i64().unwrap_or(1) + 1);
        add_defaults(&mut value);
        self.store(target, Some(value));
    }

    fn stored(&mut self, target: &ObjectRef) -> Option<Value> {
        let observed = &mut self.observed;
        match target.kind.as_str() {
            "StatefulSet" => known(&mut observed.stateful_set).as_ref().map(to_value),
            "ServiceAccount" => known(&mut observed.service_account).as_ref().map(to_value),
            "RoleBinding" => known(&mut observed.role_binding).as_ref().map(to_value),
            "Endpoints" => known(&mut observed.endpoints).as_ref().map(to_value),
            "Service" => named(known(&mut observed.services), &target.name),
            "PodDisruptionBudget" => named(known(&mut observed.disruption_budgets), &target.name),
            other => panic!("no {other} in this world"),
        }
    }

    fn store(&mut self, target: &ObjectRef, value: Option<Value>) {
        let observed = &mut self.observed;
        match target.kind.as_str() {
            "StatefulSet" => *known(&mut observed.stateful_set) = value.map(from_value),
            "ServiceAccount" => *known(&mut observed.service_account) = value.map(from_value),
            "RoleBinding" => *known(&mut observed.role_binding) = value.map(from_value),
            "Endpoints" => *known(&mut observed.endpoints) = value.map(from_value),
            "Service" => replace(known(&mut observed.services), &target.name, value),
            "PodDisruptionBudget" => replace(known(&mut observed.disruption_budgets), &target.name, value),
            other => panic!("no {other} in this world"),
        }
    }

    fn delete(&mut self, target: &ObjectRef) {
        match target.kind.as_str() {
            "Pod" => known(&mut self.observed.pods).retain(|pod| pod.name != target.name),
            "PersistentVolumeClaim" => {
                known(&mut self.observed.claims).retain(|claim| claim.name != target.name);
            }
            "Secret" => known(&mut self.observed.secrets)
                .retain(|secret| secret.name != target.name || secret.namespace != target.namespace),
            "ConfigMap" => {}
            _ if target.name.ends_with("-config") => {}
            _ => self.store(target, None),
        }
        known(&mut self.observed.patroni_objects).retain(|object| object != target);
    }

    fn create_secret(&mut self, draft: &SecretDraft) {
        let uid = self.next();
        known(&mut self.observed.secrets).push(SecretView {
            namespace: draft.namespace.clone(),
            name: draft.name.clone(),
            uid,
            labels: draft.labels.clone(),
            annotations: draft.annotations.clone(),
            owner_references: draft.owner_references.clone(),
            username: Some(draft.username.clone()),
            has_password: true,
            ..SecretView::default()
        });
    }

    fn change_secret(&mut self, change: &SecretChange) {
        let catalog = known(&mut self.observed.catalog);
        for statement in &change.before {
            catalog::run(catalog, "postgres", statement);
        }
        let found = known(&mut self.observed.secrets)
            .iter_mut()
            .find(|secret| secret.name == change.draft.name && secret.namespace == change.draft.namespace)
            .unwrap();
        found.username = Some(change.username.clone());
        match &change.next_rotation {
            NextRotation::Keep => {}
            NextRotation::At(date) => found.next_rotation = Some(date.clone()),
            NextRotation::Clear => found.next_rotation = Some(String::new()),
        }
        found.connection_matches = found.connection_matches.map(|_| true);
        if change.password == NewPassword::Keep {
            return;
        }
        found.has_password = true;
        found.given_matches = found.given_matches.map(|_| true);
        if let Some(role) = catalog
            .roles
            .get_mut(&change.username)
            .filter(|_| change.before.is_empty())
        {
            role.password_matches = Some(false);
        }
    }

    fn label_secret(&mut self, draft: &SecretDraft) {
        let found = known(&mut self.observed.secrets)
            .iter_mut()
            .find(|secret| secret.name == draft.name && secret.namespace == draft.namespace)
            .unwrap();
        found.labels.extend(draft.labels.clone());
        found.annotations.extend(draft.annotations.clone());
        found.owner_references.clone_from(&draft.owner_references);
        found.has_password = true;
    }

    /// What the status keeps of what the manifest set in Patroni.
    pub(crate) fn remember(&mut self) {
        let (spec, plan) = (PostgresqlSpec::default(), Plan::default());
        let subject = Subject {
            manifest: Manifest::Valid {
                cluster: &self.cluster,
                spec: &spec,
            },
            config: &self.config,
            observed: &self.observed,
            plan: &plan,
            outcome: &Outcome::Done,
            is_edited: false,
            now: NOW,
        };
        self.observed.cluster.status.patroni_settings = assess(&subject).patroni_settings;
    }

    /// Pods come up and go, Patroni elects the first, Postgres answers.
    pub(crate) fn pass(&mut self) {
        self.remember();
        let Some(stateful_set) = known(&mut self.observed.stateful_set).clone() else {
            return;
        };
        let spec = stateful_set.spec.as_ref().unwrap();
        let members = u32::try_from(spec.replicas.unwrap()).unwrap();
        self.pods(members, &stateful_set);
        self.claims(members, &stateful_set);
        self.patroni(members);
        if members > 0 && matches!(self.observed.catalog, Source::Unknown(_)) {
            self.observed.catalog = Source::Known(catalog::first(&self.config));
        }
        known(&mut self.observed.patroni_objects).clear();
        for name in ["config", "leader", "failover"] {
            let object = ObjectRef {
                kind: "ConfigMap".to_owned(),
                namespace: self.names.namespace().to_owned(),
                name: format!("{}-{name}", self.names.cluster()),
                ..ObjectRef::default()
            };
            known(&mut self.observed.patroni_objects).push(object);
        }
    }

    fn pods(&mut self, members: u32, stateful_set: &StatefulSet) {
        let names = &self.names;
        let template = &to_value(stateful_set)["spec"]["template"];
        let worn = |part: &str| -> BTreeMap<String, String> {
            let worn: Option<_> = serde_json::from_value(template["metadata"][part].clone()).unwrap();
            worn.unwrap_or_default()
        };
        let before = self.observed.pods.known().cloned().unwrap_or_default();
        let made = |ordinal| PodView {
            name: names.pod(ordinal),
            uid: format!("pod-{ordinal}"),
            phase: "Running".to_owned(),
            ready: true,
            ip: "10.0.0.1".to_owned(),
            role_label: if ordinal == 0 { "master" } else { "replica" }.to_owned(),
            labels: worn("labels"),
            annotations: worn("annotations"),
            ..PodView::default()
        };
        // What a live pod was given stays on it.
        let pod = |ordinal| {
            let mut pod: PodView = made(ordinal);
            if let Some(before) = before.iter().find(|before| before.name == pod.name) {
                pod.labels.clone_from(&before.labels);
                pod.annotations.clone_from(&before.annotations);
            }
            pod
        };
        self.observed.pods = Source::Known((0..members).map(pod).collect());
    }

    /// It is made anew.
    pub(crate) fn forget_pod(&mut self, name: &str) {
        known(&mut self.observed.pods).retain(|pod| pod.name != name);
    }

    fn claims(&mut self, members: u32, stateful_set: &StatefulSet) {
        let template = to_value(stateful_set)["spec"]["volumeClaimTemplates"][0].clone();
        let size = template["spec"]["resources"]["requests"]["storage"]
            .as_str()
            .unwrap()
            .to_owned();
        let claims = known(&mut self.observed.claims);
        for ordinal in 0..members {
            let name = self.names.claim(ordinal);
            if claims.iter().all(|claim| claim.name != name) {
                claims.push(ClaimView {
                    name,
                    phase: "Bound".to_owned(),
                    requested: size.clone(),
                    capacity: size.clone(),
                    ..ClaimView::default()
                });
            }
        }
    }

    fn patroni(&mut self, members: u32) {
        if members == 0 {
            self.observed.patroni = Source::Unknown("no pod runs".to_owned());
            return;
        }
        let config = match &self.observed.patroni {
            Source::Known(view) => view.config.clone(),
            Source::Unknown(_) => configuration::first(&self.cluster),
        };
        let leader = leader(&config);
        let member = |ordinal: u32| MemberView {
            name: self.names.pod(ordinal),
            role: if ordinal == 0 { leader } else { MemberRole::Replica },
            state: if ordinal == 0 { "running" } else { "streaming" }.to_owned(),
            lag: Some(0),
            ..MemberView::default()
        };
        let members = (0..members).map(member).collect();
        self.observed.patroni = Source::Known(PatroniView {
            members,
            config,
            ..PatroniView::default()
        });
    }
}

/// A merge patch.
fn wear(worn: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => worn.insert(key.clone(), value.clone()),
            None => worn.remove(key),
        };
    }
}

/// Fields that an API server fills in.
fn add_defaults(object: &mut Value) {
    let mut default = |pointer: &str, field: &str, value: Value| {
        if let Some(Value::Object(fields)) = object.pointer_mut(pointer) {
            fields.entry(field).or_insert(value);
        }
    };
    default("/spec", "sessionAffinity", json!("None"));
    default("/spec/ports/0", "protocol", json!("TCP"));
    default("/spec/template/spec", "restartPolicy", json!("Always"));
    default("/spec/template/spec", "dnsPolicy", json!("ClusterFirst"));
    default(
        "/spec/template/spec/containers/0",
        "terminationMessagePath",
        json!("/dev/termination-log"),
    );
    default(
        "/spec/template/spec/containers/0",
        "terminationMessagePolicy",
        json!("File"),
    );
}

fn merge(stored: &mut Value, wanted: &Value) {
    match (stored, wanted) {
        (Value::Object(stored), Value::Object(wanted)) => {
            for (name, value) in wanted {
                merge(stored.entry(name).or_insert(Value::Null), value);
            }
        }
        (stored, wanted) => *stored = wanted.clone(),
    }
}

/// In this world every source but the database answers.
pub(crate) fn known<T>(source: &mut Source<T>) -> &mut T {
    match source {
        Source::Known(value) => value,
        Source::Unknown(reason) => panic!("not known: {reason}"),
    }
}
