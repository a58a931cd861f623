//! The controller's arguments. Those it shares with the webhook are the runtime's.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Parser};
use pgherd_model::config::{OperatorMode, Overrides};
use pgherd_model::secret::Secret;
use pgherd_runtime::args::{AdminArgs, ClientArgs, ConfigArgs, LeaseArgs, LogArgs, ScopeArgs, duration};

/// Watches postgresql objects and makes running clusters of them.
///
/// In a pod it needs no argument: where it is, who it is and which configuration it follows come from the environment that the deployment
/// sets. Outside of one, name the cluster with --kubeconfig and --context; databases are then reached by their pods' addresses, so these
/// must be reachable from here.
///
/// It asks for a lease first: of several controllers in one namespace, one works and the others wait.
#[derive(Debug, Parser)]
#[command(name = "pgherd-controller", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct ControllerArgs {
    #[command(flatten)]
    pub log: LogArgs,
    #[command(flatten)]
    pub client: ClientArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    #[command(flatten)]
    pub work: WorkArgs,
    #[command(flatten)]
    pub lease: LeaseArgs,
    #[command(flatten)]
    pub admin: AdminArgs,
}

const EXAMPLES: &str = "\
Examples:
  Follow the ConfigMap `pgherd` in namespace `pgherd`, as the deployment does:
    OPERATOR_NAMESPACE=pgherd CONFIG_MAP_NAME=pgherd pgherd-controller
  From a workstation, all namespaces, with compiled defaults:
    pgherd-controller --kubeconfig ~/.kube/config --context test --watched-namespace '*'
  See what it would do to a fleet that another operator looks after, and do nothing; then read the status of the clusters:
    pgherd-controller --kubeconfig ~/.kube/config --watched-namespace '*' --observe
  Only namespaces with a label, and one more:
    pgherd-controller --watched-namespace-selector team=shop --watched-namespace shared
  A second controller beside another, for clusters annotated with acid.zalan.do/controller: blue:
    pgherd-controller --controller-id blue --operator-namespace pgherd-blue";

/// How it works.
#[derive(Debug, Args)]
#[command(next_help_heading = "Work")]
pub struct WorkArgs {
    /// How far it goes: `live` does what it plans; `observe` plans, says in each cluster's status what it would do, and does nothing; `paused`
    /// only says how clusters are. Wins over `operator_mode` of the configuration. The annotation pgherd.io/mode says the same of one
    /// cluster; the more careful of the two counts.
    #[arg(long, env = "OPERATOR_MODE", value_name = "MODE", value_parser = mode)]
    pub mode: Option<OperatorMode>,

    /// The same as `--mode observe`.
    #[arg(long, conflicts_with = "mode")]
    pub observe: bool,

    /// How many clusters have a turn at the same time. One cluster never has two.
    #[arg(long, env = "PGHERD_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub concurrency: u16,

    /// Do not serve the HTTP interface on `api_port`, which tells about clusters to whoever asks. The admin port stays.
    #[arg(long)]
    pub no_rest_api: bool,

    /// Never connect to a database, whatever the configuration says.
    #[arg(long, visible_alias = "nodatabaseaccess")]
    pub no_database_access: bool,

    /// Never ask the teams API, whatever the configuration says.
    #[arg(long, visible_alias = "noteamsapi")]
    pub no_teams_api: bool,

    /// How long a custom resource that it registers may take to become known.
    #[arg(long, env = "CRD_READY_WAIT_TIMEOUT", default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub crd_ready_wait_timeout: Duration,

    /// Accepted from Zalando's deployments and without effect: it is told when the custom resource is known.
    #[arg(long, env = "CRD_READY_WAIT_INTERVAL", hide = true)]
    pub crd_ready_wait_interval: Option<String>,

    /// Accepted from Zalando's deployments and without effect: there is no limit of our own on requests, the API server has one.
    #[arg(long, hide = true)]
    pub kubeqps: Option<u32>,

    /// As `kubeqps`.
    #[arg(long, hide = true)]
    pub kubeburst: Option<u32>,

    /// Key for the Scalyr sidecar; wins over the configuration's.
    #[arg(long, env = "SCALYR_API_KEY", hide = true, hide_env_values = true, value_parser = secret)]
    pub scalyr_api_key: Option<Secret>,
}

impl ControllerArgs {
    /// What wins over the operator's configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            watched_namespace: self.scope.watched_namespace().map(str::to_owned),
            watched_namespace_selector: self.scope.watched_namespace_selector().map(str::to_owned),
            mode: if self.work.observe {
                Some(OperatorMode::Observe)
            } else {
                self.work.mode
            },
            scalyr_api_key: self.work.scalyr_api_key.clone(),
            no_database_access: self.work.no_database_access,
            no_teams_api: self.work.no_teams_api,
        }
    }
}

fn mode(text: &str) -> Result<OperatorMode, String> {
    let mut modes = OperatorMode::ALL.iter();
    let found = modes.find(|mode| mode.as_str() == text);
    found
        .copied()
        .ok_or_else(|| format!("expected one of {}", OperatorMode::WORDS.join(", ")))
}

/// Zalando's operator has flags with one dash: `-nodatabaseaccess`. Whoever has them in a deployment keeps them.
pub fn with_two_dashes(argument: OsString) -> OsString {
    const SWITCHES: [&str; 3] = ["outofcluster", "nodatabaseaccess", "noteamsapi"];
    const WITH_VALUE: [&str; 3] = ["kubeconfig", "kubeqps", "kubeburst"];
    let Some(text) = argument.to_str() else {
        return argument;
    };
    let name = text
        .strip_prefix('-')
        .and_then(|rest| rest.split('=').next())
        .unwrap_or_default();
    match text {
        // A switch is said to be true; there is no other use for its value.
        _ if SWITCHES.contains(&name) => format!("--{name}").into(),
        _ if WITH_VALUE.contains(&name) => format!("-{text}").into(),
        _ => argument,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        ControllerArgs::command().debug_assert();
    }

    #[test]
    fn overrides_come_from_flags() {
        let args =
            ControllerArgs::parse_from(["controller", "--watched-namespace", "*", "--nodatabaseaccess"]);
        let overrides = args.overrides();
        assert_eq!(overrides.watched_namespace.as_deref(), Some("*"));
        assert!(overrides.no_database_access && !overrides.no_teams_api);
        assert_eq!(overrides.mode, None);
    }

    #[test]
    fn zalandos_flags_are_taken_as_they_are_written() {
        let given = [
            "controller",
            "-outofcluster=true",
            "-nodatabaseaccess",
            "-kubeconfig=file",
            "-kubeqps",
            "50",
            "--observe",
        ];
        let args = ControllerArgs::parse_from(given.map(OsString::from).map(with_two_dashes));
        assert!(args.client.out_of_cluster && args.work.no_database_access);
        assert_eq!(
            args.client.kubeconfig.as_deref(),
            Some(std::path::Path::new("file"))
        );
        assert_eq!(args.work.kubeqps, Some(50));
        assert_eq!(args.overrides().mode, Some(OperatorMode::Observe));
    }

    #[test]
    fn a_mode_that_does_not_exist_is_refused() {
        let refused = ControllerArgs::try_parse_from(["controller", "--mode", "watch"]);
        assert!(refused.unwrap_err().to_string().contains("live, observe, paused"));
    }
}
