//! Arguments that the programs share, as structs to flatten into a `clap` parser, under Zalando's environment names where there are such.
//!
//! Not here: what only one program takes.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::config_source::ConfigSource;

/// Where Kubernetes tells a pod its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// How to log.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or directives such as `info,pgherd_webhook=debug`.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,

    /// How lines look. `auto` is plain, with colours on a terminal.
    #[arg(long, env = "LOG_FORMAT", default_value = "auto", value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// The same as `--log-format json`, under the name that Zalando's operator has for it.
    #[arg(
        long,
        env = "ENABLE_JSON_LOGGING",
        hide = true,
        num_args = 0..=1,
        default_value = "false",
        default_missing_value = "true",
        value_parser = clap::builder::FalseyValueParser::new()
    )]
    pub enable_json_logging: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain, with colours when written to a terminal.
    Auto,
    /// Plain, never with colours.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Where the admin port listens.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Process")]
pub struct AdminArgs {
    /// Address of the admin port: /livez, /readyz and /metrics over plain HTTP.
    #[arg(long, env = "ADMIN_ADDRESS", default_value_t = any_address(8081), value_name = "ADDRESS:PORT")]
    pub admin_address: SocketAddr,

    /// How long work in progress may take to end after SIGTERM. A second signal ends the process at once.
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub shutdown_timeout: Duration,
}

/// How to reach the API server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct ClientArgs {
    /// Kubeconfig file. Without it: $KUBECONFIG, then the pod's service account, then ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Use a kubeconfig even in a pod: $KUBECONFIG, or else ~/.kube/config.
    #[arg(long, visible_alias = "outofcluster")]
    pub out_of_cluster: bool,

    /// Context of the kubeconfig, in place of its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// How long an API server that does not answer is waited for at the start.
    #[arg(long, default_value = "20s", value_parser = duration, value_name = "TIME")]
    pub connect_patience: Duration,

    /// How long a request may take until its answer begins.
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub request_timeout: Duration,
}

/// Where the operator's configuration is, and which namespace is the operator's own.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Operator configuration")]
pub struct ConfigArgs {
    /// Name of the OperatorConfiguration to follow, in the operator's namespace.
    #[arg(long, env = "POSTGRES_OPERATOR_CONFIGURATION_OBJECT", value_name = "NAME")]
    pub operator_configuration: Option<String>,

    /// ConfigMap to follow when no OperatorConfiguration is named: NAME in the operator's namespace, or NAMESPACE/NAME.
    #[arg(long, env = "CONFIG_MAP_NAME", value_name = "[NAMESPACE/]NAME")]
    pub config_map: Option<String>,

    /// Namespace of the operator itself. Without it: the pod's, or else `default`.
    #[arg(long, env = "OPERATOR_NAMESPACE", value_name = "NAMESPACE")]
    pub operator_namespace: Option<String>,
}

/// Which clusters are this operator's, beside what its configuration says.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Scope")]
pub struct ScopeArgs {
    /// Namespace whose clusters are watched, several separated by commas, or `*` for all. Wins over `watched_namespace` of the configuration;
    /// without either, it is the operator's own.
    #[arg(long, env = "WATCHED_NAMESPACE", value_name = "NAMESPACE[,..]")]
    pub watched_namespace: Option<String>,

    /// Labels of further namespaces whose clusters are watched, such as `team=shop`. Wins over `watched_namespace_selector` of the
    /// configuration.
    #[arg(long, env = "WATCHED_NAMESPACE_SELECTOR", value_name = "SELECTOR")]
    pub watched_namespace_selector: Option<String>,

    /// Only clusters whose annotation acid.zalan.do/controller has this value are this operator's. Without it: only
    /// clusters that do not have the annotation.
    #[arg(long, env = "CONTROLLER_ID", value_name = "ID")]
    pub controller_id: Option<String>,
}

/// How to elect one of several replicas.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseArgs {
    /// What this process is called in the lease. In a pod: the pod's name. Without it: host name and process id.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,

    /// How long others wait for a holder that no longer renews.
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "TIME")]
    pub lease_duration: Duration,

    /// How long the holder acts without a successful renewal. Must be shorter than the lease's duration.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "TIME")]
    pub renew_deadline: Duration,
}

impl ConfigArgs {
    /// The operator's own namespace: as told, or else the pod's, or else `default`.
    pub fn namespace(&self) -> String {
        given(self.operator_namespace.as_ref())
            .map(ToOwned::to_owned)
            .or_else(|| namespace_from(Path::new(NAMESPACE_FILE)))
            .unwrap_or_else(|| "default".to_owned())
    }

    /// What to follow. An OperatorConfiguration wins over a ConfigMap, as in Zalando's operator.
    pub fn source(&self) -> ConfigSource {
        let own = self.namespace();
        if let Some(name) = given(self.operator_configuration.as_ref()) {
            return ConfigSource::OperatorConfiguration {
                namespace: own,
                name: name.to_owned(),
            };
        }
        match given(self.config_map.as_ref()) {
            Some(text) => {
                let (namespace, name) = text.split_once('/').unwrap_or((&own, text));
                ConfigSource::ConfigMap {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                }
            }
            None => ConfigSource::Defaults,
        }
    }
}

impl ScopeArgs {
    /// The identity of this operator among several; an empty one is none.
    pub fn controller_id(&self) -> Option<&str> {
        given(self.controller_id.as_ref())
    }

    /// Labels of namespaces to watch; an empty selector is none.
    pub fn watched_namespace_selector(&self) -> Option<&str> {
        given(self.watched_namespace_selector.as_ref())
    }

    /// The namespaces to watch, as written; an empty text is none.
    pub fn watched_namespace(&self) -> Option<&str> {
        given(self.watched_namespace.as_ref())
    }
}

impl LeaseArgs {
    /// What this process is called in the lease.
    pub fn identity(&self) -> String {
        given(self.identity.as_ref()).map_or_else(host_and_pid, ToOwned::to_owned)
    }
}

/// Reads `30s`, `1m30s`, `2h`.
///
/// # Errors
///
/// What is wrong with the text, for clap to print.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text
        .parse()
        .map_err(|_| "expected a time such as 30s, 1m30s or 2h".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".to_owned())
}

/// Every address of the machine, IPv6 and IPv4.
pub fn any_address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
}

/// An empty environment variable is the same as none: manifests blank what they do not use.
fn given(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn namespace_from(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

fn host_and_pid() -> String {
    let system = rustix::system::uname();
    format!("{}_{}", system.nodename().to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(object: Option<&str>, config_map: Option<&str>) -> ConfigArgs {
        ConfigArgs {
            operator_configuration: object.map(str::to_owned),
            config_map: config_map.map(str::to_owned),
            operator_namespace: Some("ops".to_owned()),
        }
    }

    #[test]
    fn operator_configuration_wins_over_config_map() {
        let expected = ConfigSource::OperatorConfiguration {
            namespace: "ops".into(),
            name: "pgherd".into(),
        };
        assert_eq!(args(Some("pgherd"), Some("postgres-operator")).source(), expected);
    }

    #[test]
    fn config_map_may_be_in_another_namespace() {
        let expected = ConfigSource::ConfigMap {
            namespace: "other".into(),
            name: "settings".into(),
        };
        assert_eq!(args(Some(""), Some("other/settings")).source(), expected);
        let expected = ConfigSource::ConfigMap {
            namespace: "ops".into(),
            name: "settings".into(),
        };
        assert_eq!(args(None, Some("settings")).source(), expected);
    }

    #[test]
    fn blank_names_mean_compiled_defaults() {
        assert_eq!(args(Some(""), Some(" ")).source(), ConfigSource::Defaults);
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(duration("-3s").is_err());
        assert!(duration("soon").is_err());
    }
}
