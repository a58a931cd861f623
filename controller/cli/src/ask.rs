//! What people ask of clusters that run: switchover, restart, pause, resume. Who decides whether it is safe is Patroni, or the controller.

use std::net::IpAddr;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use pgherd_controller::cluster_ref::ClusterRef;
use pgherd_controller::error::said;
use pgherd_controller::kinds;
use pgherd_controller::patroni::PatroniError;
use pgherd_controller::patroni::members::members;
use pgherd_controller::survey::Sight;
use pgherd_model::names::Names;
use pgherd_model::names::annotations::{MODE, ROLLING_UPDATE_REQUIRED};
use pgherd_planner::observed::{PatroniView, PodView, Source};
use pgherd_planner::plan::Mode;
use serde_json::{Value, json};

use crate::Verdict;
use crate::args::online::{PauseArgs, RestartArgs, ResumeArgs, SwitchoverArgs};
use crate::error::CliError;
use crate::online::{Server, look};
use crate::printer::Printer;

/// Has Patroni move the primary. It answers when that is over.
pub(crate) async fn switchover(args: &SwitchoverArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    let (survey, _) = server.survey(&args.under).await?;
    let sight = look(&survey, &server.named(&args.cluster), None).await?;
    let view = asked(&sight)?;
    let leader = view
        .leader()
        .ok_or_else(|| CliError::Silent("no member leads".to_owned()))?;
    if args.dry_run {
        printer.answer(&standing(view))?;
        return Ok(Verdict::Fine);
    }
    let pods = pods(&sight);
    let at = address(pods, &leader.name)?;
    let patroni = survey.patroni(&sight.cluster, pods);
    let answer = patroni.hand_over(at, &leader.name, args.to.as_deref()).await;
    match answer {
        Ok(()) => {
            let to = args.to.as_deref().unwrap_or("the member that patroni chose");
            printer.answer(&format!("switched over from {} to {to}\n", leader.name))?;
            Ok(Verdict::Fine)
        }
        Err(PatroniError::Refused { message, .. }) => {
            printer.answer(&format!("patroni refuses: {}\n", message.trim()))?;
            Ok(Verdict::Refused)
        }
        Err(error) => Err(CliError::Silent(error.to_string())),
    }
}

/// Marks pods, which the controller then makes anew one by one.
pub(crate) async fn restart(args: &RestartArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    let (survey, config) = server.survey(&args.under).await?;
    let cluster = server.named(&args.cluster);
    let sight = look(&survey, &cluster, None).await?;
    let names = Names::of(&cluster.namespace, &cluster.name, &config);
    let all = pods(&sight)
        .iter()
        .filter(|pod| names.ordinal(&pod.name).is_some());
    let all: Vec<&str> = all.map(|pod| pod.name.as_str()).collect();
    if let Some(stranger) = args.members.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(CliError::Silent(format!(
            "{stranger} is no member; members are {}",
            all.join(", ")
        )));
    }
    let wanted = all
        .into_iter()
        .filter(|name| args.members.is_empty() || args.members.iter().any(|it| it == name));
    let wanted: Vec<&str> = wanted.collect();
    if wanted.is_empty() {
        return Err(CliError::Silent("it has no members".to_owned()));
    }
    if !args.dry_run {
        let annotation = json!({ ROLLING_UPDATE_REQUIRED: "true" });
        for pod in &wanted {
            annotate(&server, "Pod", &cluster.namespace, pod, &annotation).await?;
        }
    }
    let verb = if args.dry_run { "would ask" } else { "asked" };
    printer.answer(&format!(
        "{verb} the controller to make anew: {}\n",
        wanted.join(", ")
    ))?;
    if let mode @ (Mode::Observe | Mode::Paused) = Mode::of(sight.view(), &config) {
        printer.note(&format!(
            "nothing happens before `pgherd resume {}`: the cluster's mode is {mode}",
            args.cluster
        ))?;
    }
    Ok(Verdict::Fine)
}

pub(crate) async fn pause(args: &PauseArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let mode = if args.observe { Mode::Observe } else { Mode::Paused };
    let server = Server::reach(&args.reach).await?;
    set_mode(&server, &args.clusters, &json!(mode.to_string())).await?;
    for cluster in &args.clusters {
        printer.answer(&format!(
            "{} is {mode}: `pgherd resume {cluster}` ends that\n",
            server.named(cluster)
        ))?;
    }
    Ok(Verdict::Fine)
}

pub(crate) async fn resume(args: &ResumeArgs, printer: &mut Printer) -> Result<Verdict, CliError> {
    let server = Server::reach(&args.reach).await?;
    set_mode(&server, &args.clusters, &Value::Null).await?;
    for cluster in &args.clusters {
        printer.answer(&format!("{} is live\n", server.named(cluster)))?;
    }
    Ok(Verdict::Fine)
}

async fn set_mode(server: &Server, clusters: &[String], mode: &Value) -> Result<(), CliError> {
    for cluster in clusters {
        let annotation = json!({ MODE: mode });
        annotate(server, "postgresql", &server.namespace, cluster, &annotation).await?;
    }
    Ok(())
}

async fn annotate(
    server: &Server,
    kind: &str,
    namespace: &str,
    name: &str,
    annotations: &Value,
) -> Result<(), CliError> {
    let object = ClusterRef::new(namespace, name);
    let unknown = || CliError::Silent(format!("{kind} is no kind of ours"));
    let resource = kinds::resource_of(kind).ok_or_else(unknown)?;
    let api: Api<DynamicObject> = Api::namespaced_with(server.client.clone(), namespace, &resource);
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    let answer = api.patch_metadata(name, &PatchParams::default(), &patch).await;
    answer.map(drop).map_err(|error| CliError::Kubernetes {
        what: format!("annotate {kind} {object}"),
        said: said(&error),
    })
}

fn asked(sight: &Sight) -> Result<&PatroniView, CliError> {
    match &sight.observed.patroni {
        Source::Known(view) => Ok(view),
        Source::Unknown(why) => Err(CliError::Silent(why.clone())),
    }
}

fn pods(sight: &Sight) -> &[PodView] {
    sight.observed.pods.known().map(Vec::as_slice).unwrap_or_default()
}

fn address(pods: &[PodView], member: &str) -> Result<IpAddr, CliError> {
    let mut running = members(pods).into_iter();
    let found = running
        .find(|(name, _)| *name == member)
        .map(|(_, address)| address);
    found.ok_or_else(|| CliError::Silent(format!("{member} does not run")))
}

fn standing(view: &PatroniView) -> String {
    let line = |member: &pgherd_planner::observed::MemberView| {
        let lag = member
            .lag
            .map(|lag| format!("  {lag} bytes behind"))
            .unwrap_or_default();
        let word = match (member.leads(), member.never_leads || !member.is_up()) {
            (true, _) => "leads",
            (false, true) => "cannot take over",
            (false, false) => "could take over",
        };
        format!("{}  {word}  {}{lag}\n", member.name, member.state)
    };
    view.members.iter().map(line).collect()
}
