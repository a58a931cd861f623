//! One cluster without Kubernetes: a manifest, secrets in memory, a real server; and turns as the controller takes them. Lives here: the stage
//! of all trials. Must not: expectations.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use pgherd_controller::cluster_ref::ClusterRef;
use pgherd_controller::context::Context;
use pgherd_controller::execute::{Scene, execute};
use pgherd_controller::memory::Memories;
use pgherd_controller::password;
use pgherd_controller::sql::catalog::Inside;
use pgherd_controller::sql::{self, Target, Trust};
use pgherd_model::api;
use pgherd_model::api::status::Provisioned;
use pgherd_model::cluster::{Cluster, RoleSources, SecretKey};
use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::names::{Names, Role};
use pgherd_model::secret::Secret;
use pgherd_planner::assess::Outcome;
use pgherd_planner::build::build;
use pgherd_planner::observed::{Catalog, ClusterView, Observed, PodEnvironment, PodView, SecretView, Source};
use pgherd_planner::plan::{Action, Plan, SecretDraft, Step, plan};
use pgherd_tests::postgres::{Major, Options, SUPERUSER, SUPERUSER_PASSWORD, Server};
use pgherd_tests::progress::Progress;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::api::{Api, Fault, UID, Witness};
use crate::door::Door;

pub(crate) const NAMESPACE: &str = "apps";
pub(crate) const CLUSTER: &str = "acid-demo";

/// A secret as somebody stored it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) username: String,
    pub(crate) password: Secret,
    pub(crate) next_rotation: Option<String>,
    pub(crate) previous: Option<Secret>,
    /// It counts up with every write of the operator.
    pub(crate) version: u64,
}

/// Namespace and name.
pub(crate) type Place = (String, String);
pub(crate) type Secrets = BTreeMap<Place, Stored>;
pub(crate) type Given = BTreeMap<SecretKey, Secret>;

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) config: OperatorConfig,
    pub(crate) manifest: Value,
    pub(crate) secrets: Secrets,
    pub(crate) sources: RoleSources,
    pub(crate) now: Timestamp,
    /// Where the operator believes the server to be, if not where it is.
    pub(crate) detour: Option<u16>,
    /// Who reads his secret and logs in, before and after every request of the operator and at the end of every turn.
    pub(crate) client: Option<String>,
    /// What the status says that the manifest gave.
    pub(crate) provisioned: Option<Provisioned>,
    /// Passwords that others give, by the key that the sources of roles name.
    given: Given,
    /// What happens to the next changes of secrets.
    pub(crate) faults: Vec<Fault>,
    /// What the operator remembers from one turn to the next.
    memories: Arc<Memories>,
    /// What the last turn asked of the API server.
    pub(crate) asked: Vec<String>,
    door: Door,
    pub(crate) runtime: Arc<Runtime>,
}

/// What one turn did.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Lines of the plan's SQL and secret steps.
    pub(crate) steps: Vec<String>,
    pub(crate) failures: Vec<String>,
    pub(crate) holds: Vec<String>,
}

impl Round {
    pub(crate) fn is_quiet(&self) -> bool {
        self.steps.is_empty()
    }
}

impl World {
    /// A server, and a manifest with this `spec` beside what every manifest has.
    pub(crate) fn start(major: Major, spec: Value) -> Result<Self> {
        Self::start_with(major, spec, &Options::default())
    }

    pub(crate) fn start_with(major: Major, spec: Value, options: &Options) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start a runtime")?;
        let mut world = Self {
            server: Server::start(major, options, &Progress::silent())?,
            config: OperatorConfig::default_for(Form::ConfigMap),
            manifest: Value::Null,
            secrets: Secrets::new(),
            sources: RoleSources::none(),
            now: "2030-01-31T12:00:00Z".parse()?,
            detour: None,
            client: None,
            provisioned: None,
            given: Given::new(),
            faults: Vec::new(),
            memories: Arc::default(),
            asked: Vec::new(),
            door: Door::open()?,
            runtime: Arc::new(runtime),
        };
        // As in the sample configuration; without a teams API nobody answers for its members.
        world.config.teams_api.enable_teams_api = false;
        // What is remembered of servers goes by their names.
        world.config.kubernetes.cluster_domain = format!("{}.test", world.door.address);
        world.set_spec(spec);
        let superuser = Stored {
            username: SUPERUSER.to_owned(),
            password: Secret::new(SUPERUSER_PASSWORD),
            next_rotation: None,
            previous: None,
            version: 1,
        };
        world.secrets.insert(world.place(SUPERUSER), superuser);
        Ok(world)
    }

    /// Replaces the manifest.
    pub(crate) fn set_spec(&mut self, spec: Value) {
        let mut whole = json!({
            "teamId": "acid",
            "numberOfInstances": 1,
            "postgresql": {"version": self.server.major.number().to_string()},
            "volume": {"size": "1Gi"},
        });
        if let (Some(whole), Value::Object(spec)) = (whole.as_object_mut(), spec) {
            whole.extend(spec);
        }
        self.manifest = json!({
            "apiVersion": "acid.zalan.do/v1",
            "kind": "postgresql",
            "metadata": {"name": CLUSTER, "namespace": NAMESPACE, "uid": "11111111-2222-3333-4444-555555555555", "generation": 1},
            "spec": whole,
        });
    }

    /// Where the secret of a role is.
    pub(crate) fn place(&self, role: &str) -> (String, String) {
        let names = Names::of(NAMESPACE, CLUSTER, &self.config);
        (NAMESPACE.to_owned(), names.secret(role))
    }

    pub(crate) fn secret(&self, role: &str) -> Result<&Stored> {
        let place = self.place(role);
        self.secrets
            .get(&place)
            .with_context(|| format!("role {role} has no secret"))
    }

    /// Edits a secret as a person does.
    pub(crate) fn set_password(&mut self, role: &str, password: &str) -> Result<()> {
        let place = self.place(role);
        let secret = self.secrets.get_mut(&place).context("no such secret")?;
        secret.password = Secret::new(password);
        Ok(())
    }

    /// Wants the password of a role's secret to rotate now.
    pub(crate) fn force_rotation(&mut self, role: &str) -> Result<()> {
        let place = self.place(role);
        let secret = self.secrets.get_mut(&place).context("no such secret")?;
        secret.next_rotation = Some("2020-01-01T00:00:00Z".to_owned());
        Ok(())
    }

    /// What the manifest means, with the roles of others.
    pub(crate) fn cluster(&self) -> Result<Cluster> {
        let raw = api::decode(&self.manifest).map_err(|error| anyhow::anyhow!("{error}"))?;
        let cluster = Cluster::parse(&raw, &self.config)
            .map_err(|violations| anyhow::anyhow!("the manifest is not valid: {violations:?}"))?;
        Ok(cluster.with_roles_of(&self.sources, &self.config))
    }

    /// The server as the operator enters it.
    pub(crate) fn entrance(&self) -> Result<sql::Server> {
        let superuser = self.secret(&self.config.users.super_username)?;
        Ok(sql::Server {
            target: Target {
                service: "localhost".to_owned(),
                primary: "127.0.0.1".parse().ok(),
                port: self.detour.unwrap_or(self.server.port),
            },
            user: superuser.username.clone(),
            password: superuser.password.clone(),
            previous: superuser.previous.clone(),
            trust: Trust::anybody()?,
        })
    }

    /// The catalog as the operator sees it.
    pub(crate) fn catalog(&self) -> Result<Catalog> {
        let cluster = self.cluster()?;
        let server = self.entrance()?;
        let reading = self.runtime.block_on(server.read(&Inside::of(&cluster)))?;
        ensure!(reading.unread.is_empty(), "{:?}", reading.unread);
        let passwords = self
            .secrets
            .values()
            .map(|secret| (secret.username.clone(), secret.password.clone()));
        Ok(reading.compared(&passwords.collect()))
    }

    /// What would be done now.
    pub(crate) fn plan(&self) -> Result<Plan> {
        let cluster = self.cluster()?;
        let desired = build(&cluster, &self.config, &Source::Known(PodEnvironment::default()));
        let mut view = ClusterView::default();
        view.status.provisioned.clone_from(&self.provisioned);
        let observed = Observed {
            cluster: view,
            secrets: Source::Known(self.views(&desired.secrets)),
            role_sources: self.sources.clone(),
            catalog: match self.catalog() {
                Ok(catalog) => Source::Known(catalog),
                Err(error) => Source::Unknown(format!("{error:#}")),
            },
            ..Observed::default()
        };
        Ok(plan(&cluster, &desired, &observed, &self.config, self.now))
    }

    fn views(&self, drafts: &[SecretDraft]) -> Vec<SecretView> {
        let view = |((namespace, name), stored): (&(String, String), &Stored)| {
            let draft = drafts
                .iter()
                .find(|draft| draft.namespace == *namespace && draft.name == *name)
                .cloned()
                .unwrap_or_default();
            SecretView {
                namespace: namespace.clone(),
                name: name.clone(),
                uid: UID.to_owned(),
                resource_version: stored.version.to_string(),
                labels: draft.labels,
                annotations: draft.annotations,
                owner_references: draft.owner_references,
                username: Some(stored.username.clone()),
                has_password: !stored.password.is_empty(),
                has_previous: stored.previous.is_some(),
                next_rotation: stored.next_rotation.clone(),
                ..SecretView::default()
            }
        };
        self.secrets.iter().map(view).collect()
    }

    /// One turn, as far as it concerns secrets and the database.
    pub(crate) fn sync(&mut self) -> Result<Round> {
        // The detour is for what is written: without reading there is nothing to write.
        let detour = self.detour.take();
        let plan = self.plan();
        self.detour = detour;
        let plan = plan?;
        let mut round = Round {
            holds: plan.holds.iter().map(ToString::to_string).collect(),
            ..Round::default()
        };
        let (steps, failures) = self.take_steps(plan.steps)?;
        round.steps = steps;
        round.failures = failures;
        Ok(round)
    }

    /// As the controller carries them out, with its own code from the first request to the last statement. The lines of the steps that were taken
    /// or tried, and what failed.
    fn take_steps(&mut self, steps: Vec<Step>) -> Result<(Vec<String>, Vec<String>)> {
        let is_ours = |step: &Step| {
            matches!(
                step.action,
                Action::RunSql { .. } | Action::CreateSecret(_) | Action::ChangeSecret(_)
            )
        };
        let plan = Plan {
            steps: steps.into_iter().filter(is_ours).collect(),
            ..Plan::default()
        };
        if plan.steps.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        self.give()?;
        self.door.lead_to(self.detour.unwrap_or(self.server.port));
        let witness = self.client.as_ref().map(|role| Witness {
            place: self.place(role),
            socket: self.server.socket(),
            port: self.server.port,
        });
        let faults = std::mem::take(&mut self.faults);
        let api = Api::of(&self.secrets, &self.given, faults, witness);
        let (mut lines, failures) = self.execute(&api, &plan);
        self.secrets = api.secrets();
        self.faults = api.faults();
        self.asked = api.asked();
        let shut_out = api.shut_out();
        ensure!(shut_out.is_empty(), "shut out: {}", shut_out.join("; "));
        if let Some(role) = &self.client {
            self.login(role, "postgres").context("at the end of the turn")?;
        }
        lines.extend(failures.iter().cloned());
        Ok((lines, failures))
    }

    /// Whoever defines a role with a password has one where he says.
    fn give(&mut self) -> Result<()> {
        let sources = self.sources.infrastructure.iter().filter_map(Source::known);
        let keys = sources.flat_map(|source| &source.roles);
        for key in keys.filter_map(|role| role.password.clone()) {
            if let Entry::Vacant(free) = self.given.entry(key) {
                free.insert(password::generate()?);
            }
        }
        Ok(())
    }

    fn execute(&self, api: &Api, plan: &Plan) -> (Vec<String>, Vec<String>) {
        let primary = PodView {
            name: format!("{CLUSTER}-0"),
            ip: self.door.address.to_string(),
            role_label: Role::Primary.label().to_owned(),
            ready: true,
            ..PodView::default()
        };
        let scene = Scene {
            cluster: &ClusterRef::new(NAMESPACE, CLUSTER),
            names: &Names::of(NAMESPACE, CLUSTER, &self.config),
            config: &self.config,
            view: &ClusterView::default(),
            pods: &[primary],
        };
        let executed = self.runtime.block_on(async {
            let context = Context {
                memories: Arc::clone(&self.memories),
                ..Context::alone(api.client(), Arc::new(self.config.clone()))
            };
            execute(&context, &scene, plan).await
        });
        let lines = executed.done.iter().map(ToString::to_string).collect();
        let failures = match &executed.outcome {
            Outcome::Stopped { step, reason } => vec![format!("{step}: {reason}")],
            outcome => outcome.failures().iter().map(ToString::to_string).collect(),
        };
        (lines, failures)
    }

    /// Turns until there is nothing to do.
    pub(crate) fn converge(&mut self) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        for _ in 0..8 {
            let round = self.sync()?;
            if round.is_quiet() {
                return Ok(rounds);
            }
            if let Some(failure) = round.failures.first() {
                bail!("{failure} (of {} failures)", round.failures.len());
            }
            rounds.push(round);
        }
        bail!("it does not converge: {:?}", rounds.last())
    }

    /// A real login with the password in the role's secret.
    pub(crate) fn login(&self, role: &str, database: &str) -> Result<Login> {
        let secret = self.secret(role)?;
        self.login_as(&secret.username, secret.password.expose(), database)
    }

    pub(crate) fn superuser(&self, database: &str) -> Result<Login> {
        self.login_as(SUPERUSER, SUPERUSER_PASSWORD, database)
    }

    pub(crate) fn login_as(&self, user: &str, password: &str, database: &str) -> Result<Login> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(self.server.socket())
            .port(self.server.port)
            .user(user)
            .password(password)
            .dbname(database);
        let (client, connection) = self
            .runtime
            .block_on(config.connect(NoTls))
            .map_err(|error| anyhow::anyhow!("{}", said(&error)))?;
        self.runtime.spawn(connection);
        Ok(Login {
            client,
            runtime: Arc::clone(&self.runtime),
        })
    }
}

/// Somebody who is connected.
pub(crate) struct Login {
    client: Client,
    runtime: Arc<Runtime>,
}

impl Login {
    /// Runs SQL; the last row's first value, or nothing.
    pub(crate) fn run(&self, sql: &str) -> Result<String> {
        let answer = self
            .runtime
            .block_on(self.client.simple_query(sql))
            .map_err(|error| anyhow::anyhow!("{}", said(&error)))?;
        let last = answer.into_iter().rev().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(last.unwrap_or_default())
    }
}

pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |said| format!("{} {}", said.code().code(), said.message()),
    )
}
