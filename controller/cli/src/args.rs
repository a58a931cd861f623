//! What can be asked, and the help that teaches it. Must not: do anything.

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) mod online;

use online::{
    AdoptArgs, PauseArgs, PlanArgs, RestartArgs, ResumeArgs, SnapshotArgs, StatusArgs, SwitchoverArgs,
};

const EXAMPLES: &str = "\
Examples:
  pgherd lint deploy/*.yaml               check manifests before they are committed
  helm template . | pgherd lint -         check what a chart makes
  kustomize build | pgherd lint --config operator.yaml -
                                          check under the operator's own configuration
  kubectl get pg -A -o yaml > now.yaml; pgherd lint --old now.yaml new.yaml
                                          check a change: what is wrong already is not held against it
  pgherd default --diff db.yaml           what admission would fill in
  pgherd explain PGV-017                  what a rule wants, and why
  pgherd impact --old now.yaml --new db.yaml
                                          what an edit will do to what runs
  pgherd objects db.yaml                  what would stand in Kubernetes
  pgherd status; pgherd plan acid-shop    how clusters do, and what is about to be done to one
  pgherd adopt -A --config-map postgres-operator
                                          whether a fleet of Zalando's operator can be taken over as it runs

Exit code: 0 nothing would be refused, 1 something would be, 2 the question could not be answered.
A copy of or a link to this program called kubectl-pgherd, anywhere in PATH, makes it `kubectl pgherd`.";

/// Says what pgherd would do with manifests, and what it does with clusters that run.
///
/// Manifests are those of Zalando's postgres-operator (acid.zalan.do/v1). The code that answers is the code that runs in the admission
/// webhook and in the controller. lint, default, rules, explain, impact and objects work from files alone; the others ask the API server that
/// kubectl asks.
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
    /// Looks at what the webhook looks at, by the same rules and in the same words (`pgherd rules`), and at what the API server itself
    /// refuses by the schema and the CEL rules of the CRDs (rule CRD in the answer).
    #[command(after_long_help = LINT_HELP)]
    Lint(LintArgs),
    /// Show objects with what admission would fill in, as YAML
    ///
    /// That is what is decided once, when a cluster is made (docs/reference/defaults.md), and the constants of the CRD's schema. Nulls that
    /// the API server does not keep are left out.
    #[command(after_long_help = DEFAULT_HELP)]
    Default(DefaultArgs),
    /// List the rules that an object must keep
    Rules {
        /// A table for people, or one JSON array for programs
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
    /// Say what a rule demands, why, and when, with an example that keeps it and one that breaks it
    Explain {
        /// The rule's id, as `lint` and refusals print it: PGV-017 or just 17 (manifests), PGC-001 (the operator's configuration), PGT-001
        /// (teams), CRD (the schema)
        id: String,
    },
    /// Say what an edit will do: which pods roll, what restarts, reloads, grows or is made, and when
    ///
    /// In the words of the warnings that kubectl prints when the edit is applied. Clusters are matched by namespace and name. What the
    /// running pods are like is not looked at: taken is that everything of the old manifest is in place, and the first member leads.
    Impact(ImpactArgs),
    /// Show the Kubernetes objects that would be made for a cluster, as YAML; secrets without passwords
    Objects(ObjectsArgs),
    /// Say what the controller is about to do to clusters, step by step, and what it waits for
    ///
    /// The plan is made here, anew, by the controller's own code from what the API server and Patroni say now. Nothing is changed.
    #[command(after_long_help = online::PLAN_HELP)]
    Plan(PlanArgs),
    /// Show how clusters do
    #[command(after_long_help = online::STATUS_HELP)]
    Status(StatusArgs),
    /// Write down what the controller sees of a cluster, without secrets, as JSON
    #[command(after_long_help = online::SNAPSHOT_HELP)]
    Snapshot(SnapshotArgs),
    /// Check whether clusters of Zalando's operator can be taken over as they run
    ///
    /// Says for each what would be changed, and whether clients would notice; nothing is changed by asking.
    #[command(after_long_help = online::ADOPT_HELP)]
    Adopt(AdoptArgs),
    /// Make another member the primary
    #[command(after_long_help = online::SWITCHOVER_HELP)]
    Switchover(SwitchoverArgs),
    /// Have a cluster's pods made anew, one by one
    #[command(after_long_help = online::RESTART_HELP)]
    Restart(RestartArgs),
    /// Have nothing done to clusters
    #[command(after_long_help = online::PAUSE_HELP)]
    Pause(PauseArgs),
    /// End a pause
    Resume(ResumeArgs),
}

const LINT_HELP: &str = "\
Examples:
  pgherd lint db.yaml
      db.yaml:7:11 refused spec.volume.size: ... (PGV-012)
  kustomize build overlays/prod | pgherd lint --format sarif - > pgherd.sarif
  git show HEAD:db.yaml > before.yaml && pgherd lint --old before.yaml db.yaml

JSON (--format json) is one object, and its fields stay what they are while `format` is 1:
  format      1
  refused     how many findings would be refused
  warnings    how many would be warned about
  checked     objects that were looked at
  skipped     objects of kinds that are not ours
  documents   [{file, document, kind, namespace, name, checked, findings}]: `document` counts within the file, from 1
    findings  [{severity: refused | warning, rule, path, message, line, column}]: line and column, from 1, where they are known
  errors      [text]: what could not be read

SARIF (--format sarif) is version 2.1.0, with every rule and its help text.

Exit code: 0 nothing would be refused, 1 something would be, 2 something could not be read.";

const DEFAULT_HELP: &str = "\
Examples:
  pgherd default db.yaml | kubectl diff -f -
  pgherd default --diff db.yaml
      postgresql acid-orders
        + spec.numberOfInstances: 2
  pgherd default --patch db.yaml            a JSON patch per object, one a line";

#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// YAML or JSON with any number of documents and lists; - is standard input. Looked at are `postgresql`, `OperatorConfiguration` and
    /// `PostgresTeam` objects and the operator's ConfigMap; other kinds are skipped and counted
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,

    /// The operator's configuration (an `OperatorConfiguration` or its ConfigMap) that manifests are checked under. Without it: the
    /// defaults of an `OperatorConfiguration`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// The name of the operator's ConfigMap, or namespace/name. Without it, a ConfigMap is taken for it when at least half of its keys are
    /// parameters of the operator
    #[arg(long, value_name = "NAME")]
    pub(crate) config_map: Option<String>,

    /// What is stored now, as `kubectl get -o yaml` prints it. An object that it holds by the same namespace and name is checked as a change
    /// of it: what it breaks already is let pass, and rules about changes count. Others are checked as new ones
    #[arg(long, value_name = "FILE")]
    pub(crate) old: Option<String>,

    /// Lines for people, one JSON object for programs, or a SARIF log for code hosts
    #[arg(long, alias = "output", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DefaultArgs {
    /// YAML or JSON with objects; - is standard input. Shown are those that admission fills in, others are left out
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// The operator's configuration (an `OperatorConfiguration` or its ConfigMap). Without it: the defaults of an `OperatorConfiguration`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// What is stored now: what was decided stays, whatever the configuration says today
    #[arg(long, value_name = "FILE")]
    pub(crate) old: Option<String>,

    /// Only what would be filled in, a line per field
    #[arg(long, conflicts_with = "patch")]
    pub(crate) diff: bool,

    /// Only what would be filled in, as a JSON patch per object
    #[arg(long)]
    pub(crate) patch: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImpactArgs {
    /// What is stored now, as `kubectl get -o yaml` prints it, or the file that was applied last; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) old: String,

    /// What will be applied
    #[arg(long, value_name = "FILE")]
    pub(crate) new: String,

    /// The operator's configuration (an `OperatorConfiguration` or its ConfigMap). Without it: the defaults of an `OperatorConfiguration`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,
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
pub(crate) enum Format {
    Text,
    Json,
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Text,
    Json,
}
