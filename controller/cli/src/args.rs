//! What can be asked, and the help that teaches it. Must not: do anything.

use clap::{Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  pgherd lint deploy/*.yaml               check manifests before they are committed
  helm template . | pgherd lint -         check what a chart makes
  pgherd lint --config operator.yaml db.yaml
                                          check under the operator's own configuration
  pgherd explain PGV-017                  what a rule wants, and why
  pgherd objects db.yaml                  what would stand in Kubernetes

Exit code: 0 nothing would be refused, 1 something would be, 2 the question could not be answered.
A copy of or a link to this program called kubectl-pgherd, anywhere in PATH, makes it `kubectl pgherd`.";

/// Says what pgherd would do with manifests, from files alone: nothing is sent anywhere.
///
/// Manifests are those of Zalando's postgres-operator (acid.zalan.do/v1). The code that answers is the code that runs in the admission
/// webhook and in the controller.
#[derive(Debug, Parser)]
#[command(name = "pgherd", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check manifests and configurations: everything that would be refused, and everything worth a warning
    ///
    /// Manifests are checked as new ones, by the rules of the webhook (`pgherd rules`). What only the schema of the CRD limits, such as
    /// the range of `spec.volume.iops`, is left to the API server.
    Lint(LintArgs),
    /// List the rules that a manifest must keep
    Rules,
    /// Say what a rule demands, why, and when, with an example that keeps it and one that breaks it
    Explain {
        /// The rule's id, as `lint` and refusals print it: PGV-017, or just 17
        id: String,
    },
    /// Show the Kubernetes objects that would be made for a cluster, as YAML; secrets without passwords
    Objects(ObjectsArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// YAML or JSON with any number of documents; - is standard input. Looked at are `postgresql` and `OperatorConfiguration` objects and
    /// the operator's ConfigMap; other kinds are skipped
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,

    /// The operator's configuration (an `OperatorConfiguration` or its ConfigMap) that manifests are checked under. Without it: the
    /// defaults of an `OperatorConfiguration`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// Lines for people, or one JSON object for programs
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ObjectsArgs {
    /// YAML or JSON with one or more `postgresql` objects; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// The operator's configuration (an `OperatorConfiguration` or its ConfigMap). Without it: the defaults of an `OperatorConfiguration`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}
