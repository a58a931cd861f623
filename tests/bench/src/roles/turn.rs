//! The controller's turns on one server, with secrets in memory, and the script that does the same work. Lives here: what stands in for
//! Kubernetes. Must not: measure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, anyhow, ensure};
use pgherd_controller::error::TurnError;
use pgherd_controller::execute::sql::{Passwords, deadline, run_length, take};
use pgherd_controller::password;
use pgherd_controller::sql::catalog::Inside;
use pgherd_controller::sql::{Server, Target, Trust};
use pgherd_model::api;
use pgherd_model::cluster::{Cluster as Wanted, RoleSources};
use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::names::Names;
use pgherd_model::secret::Secret;
use pgherd_planner::build::build;
use pgherd_planner::observed::{Observed, PodEnvironment, SecretView, Source};
use pgherd_planner::plan::{Action, SecretDraft, Step, plan};
use pgherd_planner::sql::{PasswordRef, Scheme, Statement, verifier};
use pgherd_tests::postgres::{SUPERUSER, SUPERUSER_PASSWORD};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::Size;

/// Where the script has a password: the server makes a verifier of it, as ours are made by us.
const IN_CLEAR: &str = "a-password-as-long-as-those-that-are-drawn-0123456789-0123456789";

/// A draft's metadata, and its password.
type Secrets = BTreeMap<String, (SecretDraft, Secret)>;

pub(super) struct Cluster {
    wanted: Wanted,
    config: OperatorConfig,
    server: Server,
    secrets: Secrets,
    runtime: Runtime,
}

/// What was done, to be done again by psql.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) statements: usize,
}

struct InMemory<'a>(&'a Secrets);

impl Passwords for InMemory<'_> {
    async fn read(&self, place: &PasswordRef) -> Result<Secret, TurnError> {
        let found = self.0.get(&place.secret);
        found
            .map(|(_, password)| password.clone())
            .ok_or_else(|| TurnError::Credentials {
                secret: place.secret.clone(),
                message: "it does not exist",
            })
    }
}

impl Cluster {
    pub(super) fn of(size: Size, port: u16) -> Result<Self> {
        let mut config = OperatorConfig::default_for(Form::ConfigMap);
        config.teams_api.enable_teams_api = false;
        let raw = api::decode(&manifest(size)).map_err(|error| anyhow!("{error}"))?;
        let wanted = Wanted::parse(&raw, &config).map_err(|violations| anyhow!("{violations:?}"))?;
        let names = Names::of("bench", "acid-bench", &config);
        let superuser = SecretDraft {
            namespace: "bench".to_owned(),
            name: names.secret(SUPERUSER),
            username: SUPERUSER.to_owned(),
            ..SecretDraft::default()
        };
        let password = Secret::new(SUPERUSER_PASSWORD);
        Ok(Self {
            wanted,
            config,
            server: Server {
                target: Target {
                    service: "localhost".to_owned(),
                    primary: None,
                    port,
                },
                user: SUPERUSER.to_owned(),
                password: password.clone(),
                previous: None,
                trust: Trust::anybody()?,
            },
            secrets: [(superuser.name.clone(), (superuser, password))].into(),
            runtime: Runtime::new().context("start a runtime")?,
        })
    }

    /// Turns until one finds nothing to do, which then is not counted among the work of the others but takes its time.
    pub(super) fn converge(&mut self) -> Result<Script> {
        let mut script = Script::default();
        for _ in 0..6 {
            let steps = self.plan()?;
            if steps.is_empty() {
                return Ok(script);
            }
            self.take(&steps, &mut script)?;
        }
        anyhow::bail!("it does not converge")
    }

    fn plan(&self) -> Result<Vec<Step>> {
        let inside = Inside::of(&self.wanted);
        let reading = self.runtime.block_on(self.server.read(&inside))?;
        ensure!(reading.unread.is_empty(), "{:?}", reading.unread);
        let passwords = self.secrets.values();
        let passwords = passwords.map(|(draft, password)| (draft.username.clone(), password.clone()));
        let desired = build(
            &self.wanted,
            &self.config,
            &Source::Known(PodEnvironment::default()),
        );
        let observed = Observed {
            secrets: Source::Known(
                self.secrets
                    .values()
                    .map(|(draft, _)| view(draft, &desired.secrets))
                    .collect(),
            ),
            role_sources: RoleSources::none(),
            catalog: Source::Known(reading.compared(&passwords.collect())),
            ..Observed::default()
        };
        let now = "2030-01-31T12:00:00Z".parse()?;
        let all = plan(&self.wanted, &desired, &observed, &self.config, now).steps;
        let is_ours = |step: &Step| matches!(step.action, Action::RunSql { .. } | Action::CreateSecret(_));
        Ok(all.into_iter().filter(is_ours).collect())
    }

    fn take(&mut self, steps: &[Step], script: &mut Script) -> Result<()> {
        let mut rest = steps;
        let mut failed = BTreeSet::new();
        while let Some(step) = rest.first() {
            let (now, later) = rest.split_at(run_length(rest));
            rest = later;
            if let Action::CreateSecret(draft) = &step.action {
                let secret = ((**draft).clone(), password::generate()?);
                self.secrets.insert(draft.name.clone(), secret);
                continue;
            }
            let passwords = InMemory(&self.secrets);
            let done = take(Ok(self.server.clone()), now, &passwords, &mut failed, deadline());
            for result in self.runtime.block_on(done) {
                result?;
            }
            script.add(now)?;
        }
        Ok(())
    }
}

impl Script {
    /// The same statements, in one transaction where they can be.
    fn add(&mut self, steps: &[Step]) -> Result<()> {
        let mut open = false;
        let mut place = None;
        for step in steps {
            let Action::RunSql {
                database, statements, ..
            } = &step.action
            else {
                continue;
            };
            if place != Some(database) {
                place = Some(database);
                if std::mem::take(&mut open) {
                    self.text += "COMMIT;\n";
                }
                writeln!(self.text, "\\connect -reuse-previous=on \"dbname='{database}'\"")?;
            }
            for statement in statements {
                let transactional = statement.is_transactional();
                if transactional != open {
                    self.text += if transactional { "BEGIN;\n" } else { "COMMIT;\n" };
                    open = transactional;
                }
                writeln!(self.text, "{};", text(statement)?)?;
                self.statements += 1;
            }
        }
        if open {
            self.text += "COMMIT;\n";
        }
        Ok(())
    }
}

fn text(statement: &Statement) -> Result<String> {
    // Only something to be replaced: the cheap kind, for this is inside of what is measured.
    let verifier = verifier::create(Scheme::Md5, "", &Secret::new("x"), b"");
    let text = statement.render(Some(&verifier))?;
    Ok(text.replace(verifier.expose(), IN_CLEAR))
}

fn view(stored: &SecretDraft, wanted: &[SecretDraft]) -> SecretView {
    let draft = wanted
        .iter()
        .find(|draft| draft.name == stored.name)
        .unwrap_or(stored);
    SecretView {
        namespace: draft.namespace.clone(),
        name: draft.name.clone(),
        uid: "u".to_owned(),
        resource_version: "1".to_owned(),
        labels: draft.labels.clone(),
        annotations: draft.annotations.clone(),
        owner_references: draft.owner_references.clone(),
        username: Some(draft.username.clone()),
        has_password: true,
        ..SecretView::default()
    }
}

fn manifest(size: Size) -> Value {
    let prepared =
        (0..size.databases).map(|index| (format!("shop{index:03}"), json!({"schemas": {"data": {}}})));
    let users = (0..size.users).map(|index| (format!("user{index:03}"), json!([])));
    json!({
        "apiVersion": "acid.zalan.do/v1",
        "kind": "postgresql",
        "metadata": {"name": "acid-bench", "namespace": "bench", "uid": "11111111-2222-3333-4444-555555555555"},
        "spec": {
            "teamId": "acid",
            "numberOfInstances": 1,
            "postgresql": {"version": "17"},
            "volume": {"size": "1Gi"},
            "users": users.collect::<Map<_, _>>(),
            "preparedDatabases": prepared.collect::<Map<_, _>>(),
        },
    })
}
