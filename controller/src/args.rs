//! The controller's arguments. Those it shares with the webhook are the runtime's.

use clap::{Args, Parser};
use pgherd_model::config::Overrides;
use pgherd_model::secret::Secret;
use pgherd_runtime::args::{AdminArgs, ClientArgs, ConfigArgs, LeaseArgs, LogArgs, ScopeArgs};

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
  A second controller beside another, for clusters annotated with acid.zalan.do/controller: blue:
    pgherd-controller --controller-id blue --operator-namespace pgherd-blue";

/// How it works.
#[derive(Debug, Args)]
#[command(next_help_heading = "Work")]
pub struct WorkArgs {
    /// How many clusters have a turn at the same time. One cluster never has two.
    #[arg(long, env = "PGHERD_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub concurrency: u16,

    /// Never connect to a database, whatever the configuration says.
    #[arg(long, visible_alias = "nodatabaseaccess")]
    pub no_database_access: bool,

    /// Never ask the teams API, whatever the configuration says.
    #[arg(long, visible_alias = "noteamsapi")]
    pub no_teams_api: bool,

    /// Key for the Scalyr sidecar; wins over the configuration's.
    #[arg(long, env = "SCALYR_API_KEY", hide = true, hide_env_values = true, value_parser = secret)]
    pub scalyr_api_key: Option<Secret>,
}

impl ControllerArgs {
    /// What wins over the operator's configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            watched_namespace: self.scope.watched_namespace().map(str::to_owned),
            scalyr_api_key: self.work.scalyr_api_key.clone(),
            no_database_access: self.work.no_database_access,
            no_teams_api: self.work.no_teams_api,
        }
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
    }
}
