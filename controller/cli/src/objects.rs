//! The objects that the controller would make, as YAML. Must not: what they are; that is `planner::build`.

use pgherd_model::api::{self, postgresql::Postgresql};
use pgherd_model::cluster::Cluster;
use pgherd_model::config::OperatorConfig;
use pgherd_model::default;
use pgherd_planner::build::{Desired, build};
use pgherd_planner::observed::{PodEnvironment, Source};
use pgherd_planner::plan::{Object, SecretDraft};
use serde_json::Value;

use crate::Verdict;
use crate::args::ObjectsArgs;
use crate::configuration;
use crate::error::CliError;
use crate::finding::Severity;
use crate::input::{self, Document, Sort};
use crate::lint::{self, Setting};
use crate::printer::Printer;

/// All objects of all clusters in the file, or what is wrong with them.
pub(crate) fn objects(args: &ObjectsArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let config = configuration::load(args.config.as_deref(), None)?;
    let mut documents = input::read(&args.file)?;
    documents.retain(|document| document.sort(None) == Sort::Cluster);
    if documents.is_empty() {
        return Err(CliError::NoCluster {
            file: args.file.clone(),
        });
    }
    let setting = Setting {
        config: &config,
        config_map: None,
        stored: &[],
        all: &documents,
    };
    let mut verdict = Verdict::Fine;
    for document in &documents {
        let report = lint::report(document, &setting);
        match parse(document, &config) {
            Some(cluster) if report.count(Severity::Refused) == 0 => show(&cluster, &config, printer)?,
            _ => {
                printer.note(&format!(
                    "no objects, because this would be refused: {}",
                    report.text().trim_end()
                ))?;
                verdict = Verdict::Refused;
            }
        }
    }
    Ok(verdict)
}

fn parse(document: &Document, config: &OperatorConfig) -> Option<Cluster> {
    let mut object = default::complete(&document.object, None, config).into_owned();
    object
        .get_mut("metadata")?
        .as_object_mut()?
        .insert("namespace".to_owned(), document.namespace().into());
    Cluster::parse(&api::decode::<Postgresql>(&object).ok()?, config).ok()
}

fn show(cluster: &Cluster, config: &OperatorConfig, printer: &mut Printer) -> Result<(), CliError> {
    let kubernetes = &config.kubernetes;
    if kubernetes.pod_environment_configmap.is_some() || kubernetes.pod_environment_secret.is_some() {
        printer.note("variables from pod_environment_configmap and pod_environment_secret are in the cluster, not shown here")?;
    }
    let desired = build(cluster, config, &Source::Known(PodEnvironment::default()));
    for finding in &desired.findings {
        printer.note(&finding.to_string())?;
    }
    let secrets = desired
        .secrets
        .iter()
        .map(SecretDraft::to_value)
        .collect::<Vec<_>>();
    let (before, after) = around_secrets(desired);
    for object in before
        .iter()
        .map(shown)
        .chain(secrets)
        .chain(after.iter().map(shown))
    {
        let yaml = serde_yaml::to_string(&object).map_err(CliError::Yaml)?;
        printer.answer(&format!("---\n{yaml}"))?;
    }
    Ok(())
}

/// The order in which the controller makes them: what comes before the secrets, and what comes after.
fn around_secrets(desired: Desired) -> (Vec<Object>, Vec<Object>) {
    let mut before = vec![
        Object::ServiceAccount(desired.service_account),
        Object::RoleBinding(desired.role_binding),
    ];
    before.extend(desired.endpoints.map(Object::Endpoints));
    before.extend(desired.services.into_iter().map(Object::Service));
    let budgets = desired
        .disruption_budgets
        .into_iter()
        .map(Object::PodDisruptionBudget);
    let set = desired
        .stateful_set
        .known()
        .cloned()
        .map(|set| Object::StatefulSet(Box::new(set)));
    (before, budgets.chain(set).collect())
}

/// An object for people: unlike `to_value`, serialising hides keys that a manifest gives in clear.
fn shown(object: &Object) -> Value {
    let tagged = serde_json::to_value(object).unwrap_or_default();
    tagged.get(object.kind()).cloned().unwrap_or_default()
}
