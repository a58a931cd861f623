//! What the program takes.

use std::net::SocketAddr;

use clap::Parser;
use pgherd_certs::files::CertificateFiles;
use pgherd_certs::inject::Kind;
use pgherd_certs::leaf::service_names;
use pgherd_certs::policy::Policy;
use pgherd_certs::{follow, keep};
use pgherd_model::names::operator;
use pgherd_runtime::args::{AdminArgs, ClientArgs, ConfigArgs, LogArgs, any_address};

use crate::limits::Limits;

/// The admission webhook of pgherd.
///
/// The API server calls it, over TLS, whenever a postgresql manifest or the operator's own configuration is created or changed. It adds what
/// is decided once (team, number of instances, Postgres version), and refuses what cannot work, naming everything that is wrong at once.
///
/// It makes its own certificates: an authority in one Secret, shared by all replicas, and a serving certificate per replica in memory. It
/// tells the API server whom to trust by setting caBundle in the two webhook configurations, and keeps it set. With --tls-cert-file it
/// serves a certificate from elsewhere instead.
#[derive(Debug, Parser)]
#[command(
    name = "pgherd-webhook",
    version,
    after_help = "To try it against a cluster from outside: name the address by which the API server reaches this machine, and point \
                  clientConfig.url of a webhook configuration there:\n\n  pgherd-webhook --kubeconfig FILE --operator-namespace pgherd --tls-name 10.0.0.7"
)]
pub struct Args {
    /// Address on which the API server reaches the webhook.
    #[arg(long, env = "WEBHOOK_ADDRESS", default_value_t = any_address(9443), value_name = "ADDRESS:PORT")]
    pub address: SocketAddr,

    /// Service by which the API server reaches the webhook, in the operator's namespace. Part of the certificate.
    #[arg(long, default_value = operator::WEBHOOK, value_name = "NAME")]
    pub service: String,

    /// Further name or address for the certificate; may be given several times.
    #[arg(long = "tls-name", value_name = "NAME")]
    pub tls_names: Vec<String>,

    /// Secret with the certificate authorities, in the operator's namespace. Made when it is not there. Delete it to have a new authority:
    /// no call fails meanwhile.
    #[arg(long, default_value = operator::WEBHOOK_CA, value_name = "NAME")]
    pub ca_secret: String,

    /// Configuration of mutating webhooks whose caBundle is kept; empty for none.
    #[arg(long, default_value = operator::WEBHOOK_CONFIGURATION, value_name = "NAME")]
    pub mutating_configuration: String,

    /// Configuration of validating webhooks whose caBundle is kept; empty for none.
    #[arg(long, default_value = operator::WEBHOOK_CONFIGURATION, value_name = "NAME")]
    pub validating_configuration: String,

    /// Set caBundle in the webhook configurations, and keep it set. Say false when something else does (cert-manager's injector, OLM);
    /// then the certificate has to come from files, too.
    #[arg(
        long,
        env = "MANAGE_WEBHOOK_CONFIGURATIONS",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "BOOL"
    )]
    pub manage_webhook_configurations: bool,

    /// Certificates from elsewhere.
    #[command(flatten)]
    pub files: CertificateFiles,

    /// How long certificates live.
    #[command(flatten)]
    pub policy: Policy,

    /// Where the operator's configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// How to reach the API server.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Bounds.
    #[command(flatten)]
    pub limits: Limits,

    /// Admin port and end.
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Where certificates come from.
#[derive(Debug, Clone)]
pub enum Certificates {
    /// From us.
    Own(keep::Settings),
    /// From files.
    Files(follow::Settings),
}

/// Flags about certificates that do not fit together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// Our own authority has to be made known by ourselves.
    #[error(
        "--manage-webhook-configurations=false needs --tls-cert-file: nobody else can tell the API server of our own authority"
    )]
    NobodyTells,
    /// Nothing to set caBundle to.
    #[error(
        "--tls-cert-file needs --tls-ca-file, for caBundle; or --manage-webhook-configurations=false when something else sets it"
    )]
    NothingToTell,
}

impl Args {
    /// Where certificates come from, and who is told of them.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] names the flags that do not fit together.
    pub fn certificates(&self) -> Result<Certificates, ArgsError> {
        let namespace = self.config.namespace();
        let mut names = service_names(&self.service, &namespace);
        let configurations = self.configurations();
        if let Some(paths) = self.files.paths() {
            if self.manage_webhook_configurations && !paths.has_authorities() && !configurations.is_empty() {
                return Err(ArgsError::NothingToTell);
            }
            return Ok(Certificates::Files(follow::Settings {
                paths,
                name: names.swap_remove(0),
                configurations,
            }));
        }
        if !self.manage_webhook_configurations {
            return Err(ArgsError::NobodyTells);
        }
        names.extend(self.tls_names.iter().cloned());
        Ok(Certificates::Own(keep::Settings {
            namespace,
            secret: self.ca_secret.clone(),
            configurations,
            names,
            policy: self.policy,
        }))
    }

    /// The configurations to keep.
    fn configurations(&self) -> Vec<(Kind, String)> {
        let all = [
            (Kind::Mutating, &self.mutating_configuration),
            (Kind::Validating, &self.validating_configuration),
        ];
        all.into_iter()
            .filter(|(_, name)| self.manage_webhook_configurations && !name.is_empty())
            .map(|(kind, name)| (kind, name.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn certificate_has_the_services_names_and_those_given() {
        let args = Args::parse_from([
            "webhook",
            "--operator-namespace",
            "ops",
            "--tls-name",
            "10.0.0.7",
            "--mutating-configuration",
            "",
        ]);
        let Ok(Certificates::Own(settings)) = args.certificates() else {
            panic!("no files were named")
        };
        assert!(
            settings.names.contains(&"pgherd-webhook.ops.svc".to_owned()),
            "{:?}",
            settings.names
        );
        assert!(settings.names.contains(&"10.0.0.7".to_owned()));
        assert_eq!(settings.configurations, [(Kind::Validating, "pgherd".to_owned())]);
    }

    #[test]
    fn certificates_from_files_are_told_of_or_left_to_others() {
        let certificates = |more: &[&str]| {
            let files = [
                "webhook",
                "--tls-cert-file",
                "/tls/tls.crt",
                "--tls-key-file",
                "/tls/tls.key",
            ];
            Args::parse_from(files.iter().chain(more)).certificates()
        };
        let told = certificates(&["--tls-ca-file", "/tls/ca.crt"]).unwrap();
        assert!(matches!(told, Certificates::Files(settings) if settings.configurations.len() == 2));
        let left = certificates(&["--manage-webhook-configurations=false"]).unwrap();
        assert!(matches!(left, Certificates::Files(settings) if settings.configurations.is_empty()));
        assert_eq!(certificates(&[]).unwrap_err(), ArgsError::NothingToTell);
        let own = Args::parse_from(["webhook", "--manage-webhook-configurations", "false"]);
        assert_eq!(own.certificates().unwrap_err(), ArgsError::NobodyTells);
        assert!(
            Args::try_parse_from(["webhook", "--tls-cert-file", "/tls/tls.crt"]).is_err(),
            "a certificate without its key"
        );
    }

    #[test]
    fn limits_default_to_their_flags() {
        let args = Args::parse_from(["webhook"]);
        assert_eq!(format!("{:?}", args.limits), format!("{:?}", Limits::default()));
    }
}
