//! Plans of clusters, whole. Must not: make them; that is the planner's, as in the controller.

use std::fmt::Write;

use jiff::Timestamp;
use pgherd_controller::manifest::Meaning;
use pgherd_controller::survey::Sight;
use pgherd_model::cluster::RoleSources;
use pgherd_model::cluster::role::outside::NOT_ASKED;
use pgherd_model::config::OperatorConfig;
use pgherd_model::default;
use pgherd_planner::adopt;
use pgherd_planner::build::build;
use pgherd_planner::plan::{Action, Hold, HoldReason, Impact, Matter, Plan};
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::ListFormat;
use crate::args::online::PlanArgs;
use crate::configuration;
use crate::error::CliError;
use crate::input::{self, Sort};
use crate::online::{self, Server, look};
use crate::printer::{BAD, DOUBTFUL, GOOD, Printer, QUIET, TITLE, plain};
use crate::snapshot::Snapshot;

/// A plan, or what is wrong with the manifest.
struct Planned {
    cluster: String,
    plan: Plan,
    violations: Vec<String>,
}

pub(crate) fn plan(args: &PlanArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let planned = match &args.snapshot {
        Some(file) => vec![from_files(file, args)?],
        None => online::run(of_running(args))?,
    };
    let answer = match args.format {
        ListFormat::Text => planned.iter().map(Planned::text).collect(),
        ListFormat::Json => format!(
            "{:#}\n",
            json!({
                "format": 1,
                "clusters": planned.iter().map(Planned::json).collect::<Vec<_>>(),
            })
        ),
    };
    printer.answer(&answer)?;
    let is_refused = planned.iter().any(|planned| !planned.violations.is_empty());
    Ok(if is_refused {
        Verdict::Refused
    } else {
        Verdict::Fine
    })
}

async fn of_running(args: &PlanArgs) -> Result<Vec<Planned>, CliError> {
    let server = Server::reach(&args.reach).await?;
    let (survey, config) = server.survey(&args.under).await?;
    let survey = survey.with_databases(args.databases);
    let mut planned = Vec::new();
    for cluster in server.meant(&survey, &args.which).await? {
        let instead = match &args.manifest {
            // What is stored decides what a file leaves out.
            Some(file) => {
                let stored = look(&survey, &cluster, None).await?.manifest;
                Some(from_file(file, &cluster.name, &stored, &config)?)
            }
            None => None,
        };
        planned.push(Planned::of(look(&survey, &cluster, instead.as_ref()).await?));
    }
    Ok(planned)
}

fn from_files(file: &str, args: &PlanArgs) -> Result<Planned, CliError> {
    let snapshot = Snapshot::read(file)?;
    let config = configuration::load(args.under.config.as_deref(), None)?;
    let mut manifest = snapshot.manifest;
    if let Some(file) = &args.manifest {
        let name = manifest["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let given = from_file(file, &name, &manifest, &config)?;
        manifest["spec"] = given["spec"].clone();
        for part in ["labels", "annotations"] {
            manifest["metadata"][part] = given["metadata"][part].clone();
        }
    }
    let observed = snapshot.observed;
    let meaning = Meaning::of(&manifest, &observed.cluster.status, &config)
        .with_roles_of(&observed.role_sources, &config);
    let now = Timestamp::now();
    let plan = meaning.cluster().map(|cluster| {
        let desired = build(cluster, &config, &observed.pod_environment);
        let mut plan = adopt::refuse(cluster, &desired, &observed)
            .unwrap_or_else(|| pgherd_planner::plan::plan(cluster, &desired, &observed, &config, now));
        plan.holds
            .extend(not_given(&observed.role_sources, &cluster.identity.team, &config));
        plan
    });
    let cluster = format!("{}/{}", observed.cluster.namespace, observed.cluster.name);
    Ok(Planned {
        cluster,
        plan: plan.unwrap_or_default(),
        violations: violations(&meaning),
    })
}

/// Sources of roles that nobody asked when the file was made: what they would say is missing from the plan.
fn not_given(sources: &RoleSources, team: &str, config: &OperatorConfig) -> Vec<Hold> {
    let gaps = sources.gaps(team, config).into_iter();
    gaps.filter(|(_, why)| why == NOT_ASKED)
        .map(|(source, _)| Hold {
            matter: Matter::OthersRoles,
            reason: HoldReason::Unheard {
                source,
                why: "the file does not hold it".to_owned(),
            },
            until: None,
        })
        .collect()
}

/// The cluster of this name in a file, as admission would store it.
fn from_file(file: &str, name: &str, stored: &Value, config: &OperatorConfig) -> Result<Value, CliError> {
    let mut documents = input::read(file)?;
    documents.retain(|document| document.sort(None) == Sort::Cluster);
    let held: Vec<String> = documents
        .iter()
        .map(|document| document.name().to_owned())
        .collect();
    let found = documents.into_iter().find(|document| document.name() == name);
    let found = found.ok_or_else(|| CliError::NotInFile {
        file: file.to_owned(),
        cluster: name.to_owned(),
        held: if held.is_empty() {
            "none".to_owned()
        } else {
            held.join(", ")
        },
    })?;
    Ok(default::complete(&found.object, Some(stored), config).into_owned())
}

fn violations(meaning: &Meaning) -> Vec<String> {
    match meaning {
        Meaning::Valid { .. } => Vec::new(),
        Meaning::Invalid { violations, .. } => violations.iter().map(ToString::to_string).collect(),
    }
}

/// Those of a step that are only counted where the step is one line.
fn statements(action: &Action) -> Vec<String> {
    let statements = match action {
        Action::RunSql { statements, .. } if statements.len() > 1 => statements,
        Action::ChangeSecret(change) => &change.before,
        _ => return Vec::new(),
    };
    statements.iter().map(ToString::to_string).collect()
}

impl Planned {
    fn of(sight: Sight) -> Self {
        Self {
            cluster: sight.cluster.to_string(),
            violations: violations(&sight.meaning),
            plan: sight.plan,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{TITLE}{}{TITLE:#}\n", plain(&self.cluster));
        // Writing into a string cannot fail.
        for violation in &self.violations {
            let _ = writeln!(text, "  {BAD}cannot be used:{BAD:#} {}", plain(violation));
        }
        for (number, step) in self.plan.steps.iter().enumerate() {
            let style = match step.impact {
                Impact::None | Impact::Reload => GOOD,
                _ => BAD,
            };
            let _ = writeln!(
                text,
                "  {style}{}.{style:#} {}",
                number + 1,
                plain(&step.to_string())
            );
            for statement in statements(&step.action) {
                let _ = writeln!(text, "     {}", plain(&statement));
            }
        }
        for hold in &self.plan.holds {
            let until = hold
                .until
                .map(|until| format!(" (until {until})"))
                .unwrap_or_default();
            let _ = writeln!(
                text,
                "  {DOUBTFUL}waits:{DOUBTFUL:#} {}{until}",
                plain(&hold.to_string())
            );
        }
        if self.plan.is_empty() && self.violations.is_empty() {
            let _ = writeln!(text, "  {QUIET}nothing to do{QUIET:#}");
        }
        text
    }

    fn json(&self) -> Value {
        let steps = self.plan.steps.iter().map(|step| {
            json!({
                "text": step.to_string(),
                "action": step.action.kind(),
                "statements": statements(&step.action),
                "impact": step.impact.to_string(),
            })
        });
        let holds = self.plan.holds.iter().map(|hold| {
            json!({
                "step": hold.matter.to_string(),
                "reason": hold.reason.to_string(),
                "until": hold.until.map(|until| until.to_string()),
            })
        });
        let (namespace, name) = self.cluster.split_once('/').unwrap_or_default();
        json!({
            "namespace": namespace,
            "name": name,
            "steps": steps.collect::<Vec<_>>(),
            "holds": holds.collect::<Vec<_>>(),
            "impact": self.plan.impact().to_string(),
            "madeAnew": self.plan.rolled(),
            "violations": self.violations,
        })
    }
}
