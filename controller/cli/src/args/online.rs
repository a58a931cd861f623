//! What can be asked of clusters that run, and the help that teaches it. Must not: do anything.

use clap::{Args, ValueEnum};
use pgherd_runtime::args::{ClientArgs, ConfigArgs};

use super::ListFormat;

pub(crate) const PLAN_HELP: &str = "\
Examples:
  pgherd plan acid-shop                     what the controller is about to do, and what it waits for
  pgherd plan -A                            of all clusters
  pgherd plan acid-shop --manifest new.yaml what it would do if this were applied
  pgherd plan acid-shop --databases         with what would be done about roles and databases
  pgherd snapshot acid-shop > now.json; pgherd plan --snapshot now.json --manifest new.yaml --config operator.yaml
                                            the same from files alone

A step is one line: what, (why), [what clients notice]. A line with `waits` is wanted and held back: by what.
Statements to the database are in it with --databases only, which connects to each primary by its pod's address: run it where those can be
reached, such as in a pod. A snapshot holds nothing of a database.

Exit code: 0 answered, 1 a manifest cannot be used, 2 the question could not be answered.";

pub(crate) const STATUS_HELP: &str = "\
Examples:
  pgherd status                             the clusters of the namespace
  pgherd status acid-shop                   one, with its members and what it waits for
  pgherd status -A --format json            all, for programs

Shown is what the controller has written into the objects' status.

Exit code: 0 all are Ready, 1 some are not, 2 the question could not be answered.";

pub(crate) const SNAPSHOT_HELP: &str = "\
Examples:
  pgherd snapshot acid-shop > now.json
  pgherd plan --snapshot now.json --config operator.yaml

It is one JSON object: `manifest` as stored, `observed` as the controller sees the cluster. Passwords are never read into it, and keys that
stand in clear in a manifest or in the pods' variables are replaced by (hidden), which counts as equal to anything.";

pub(crate) const ADOPT_HELP: &str = "\
Examples:
  pgherd adopt -A --config-map postgres-operator --operator-namespace default
      default/acid-shop   ready
      default/acid-old    refused
        its members keep their state in endpoints, and would in config maps: set kubernetes_use_configmaps ...
  pgherd adopt acid-shop --config new.yaml  under a configuration that is not stored yet

To take clusters over from Zalando's operator: give pgherd the same configuration, run this, mend what is refused, stop the old operator,
start pgherd. One by one: annotate a cluster with acid.zalan.do/controller: ID, and start a pgherd with --controller-id ID; the old operator
leaves it alone from then on. To hand back, take the annotation away, or stop pgherd and start the old operator.

ready               nothing that clients notice; the changes that would be made are listed
would be disturbed  members would restart or the primary would move: listed
refused             its members would be told to be something else than they are: listed, with what to do
not there yet       there is no StatefulSet: the cluster would be made

JSON (--format json) is one object: format 1, clusters [{namespace, name, verdict, refusals, disturbances, changes, held}].

Exit code: 0 all can be taken over and none is disturbed, 1 otherwise, 2 the question could not be answered.";

pub(crate) const SWITCHOVER_HELP: &str = "\
Examples:
  pgherd switchover acid-shop               Patroni chooses who takes over
  pgherd switchover acid-shop --to acid-shop-2
  pgherd switchover acid-shop --dry-run     only who leads and who could take over

The request goes to Patroni itself, through the API server, for which the right `create pods/proxy` is needed. Patroni refuses what is not
safe: a member that lags, or another leader than the one that was shown.

Exit code: 0 done, 1 refused, 2 the question could not be answered.";

pub(crate) const RESTART_HELP: &str = "\
Examples:
  pgherd restart acid-shop                  every member anew: replicas first, one switchover, then the old primary
  pgherd restart acid-shop --member acid-shop-1
  pgherd status acid-shop                   how far it is

The pods are marked with an annotation, which Zalando's operator knows as well, and the controller makes them anew as in any roll: one by one,
inside maintenance windows, only while the others are up.

Exit code: 0 asked, 2 it could not be.";

pub(crate) const PAUSE_HELP: &str = "\
Examples:
  pgherd pause acid-shop                    nothing is done to it until `pgherd resume acid-shop`; Patroni still fails over
  pgherd pause acid-shop --observe          planned and reported, not done

It sets the annotation pgherd.io/mode of the postgresql object.";

/// Which API server.
#[derive(Debug, Args)]
pub(crate) struct ReachArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,

    /// Namespace of the clusters. Without it: that of the kubeconfig's context
    #[arg(short, long, value_name = "NAMESPACE", help_heading = "Kubernetes")]
    pub(crate) namespace: Option<String>,
}

/// Under which configuration.
#[derive(Debug, Args)]
pub(crate) struct UnderArgs {
    /// A file with the operator's configuration (an `OperatorConfiguration` or its ConfigMap), in place of the stored one
    #[arg(long, value_name = "FILE", help_heading = "Operator configuration")]
    pub(crate) config: Option<String>,

    #[command(flatten)]
    pub(crate) stored: ConfigArgs,

    /// How Patroni is asked
    #[arg(long, value_enum, default_value_t = Way::ApiServer, value_name = "WAY", help_heading = "Kubernetes")]
    pub(crate) patroni: Way,
}

/// How Patroni is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Through the API server, with the right `get pods/proxy`
    ApiServer,
    /// By the pods' addresses, from inside of their network
    Direct,
    /// Not at all: what depends on it is unknown
    Never,
}

/// Which clusters.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Names of clusters. Without any: all of the namespace
    #[arg(value_name = "CLUSTER")]
    pub(crate) clusters: Vec<String>,

    /// The clusters of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["clusters", "namespace"])]
    pub(crate) all_namespaces: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// What would be applied, in place of what is stored
    #[arg(long, value_name = "FILE", conflicts_with = "all_namespaces")]
    pub(crate) manifest: Option<String>,

    /// A snapshot of one cluster (`pgherd snapshot`), in place of a running one: nothing is asked of an API server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["clusters", "all_namespaces", "namespace"])]
    pub(crate) snapshot: Option<String>,

    /// Ask the databases as well: as the superuser, whose secret is read, and from inside of the pods' network
    #[arg(long, conflicts_with = "snapshot")]
    pub(crate) databases: bool,

    /// Lines for people, or one JSON object for programs
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,

    #[command(flatten)]
    pub(crate) under: UnderArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Lines for people, or one JSON object for programs
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// Name of the cluster
    #[arg(value_name = "CLUSTER")]
    pub(crate) cluster: String,

    #[command(flatten)]
    pub(crate) under: UnderArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Lines for people, or one JSON object for programs
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,

    #[command(flatten)]
    pub(crate) under: UnderArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SwitchoverArgs {
    /// Name of the cluster
    #[arg(value_name = "CLUSTER")]
    pub(crate) cluster: String,

    /// The member that shall lead. Without it Patroni chooses
    #[arg(long, value_name = "POD")]
    pub(crate) to: Option<String>,

    /// Only say who leads and who could take over
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) under: UnderArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    /// Name of the cluster
    #[arg(value_name = "CLUSTER")]
    pub(crate) cluster: String,

    /// Only this member; may be given several times
    #[arg(long = "member", value_name = "POD")]
    pub(crate) members: Vec<String>,

    /// Only say which pods would be made anew
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) under: UnderArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Names of clusters
    #[arg(value_name = "CLUSTER", required = true)]
    pub(crate) clusters: Vec<String>,

    /// Go on planning and reporting, and only do nothing
    #[arg(long)]
    pub(crate) observe: bool,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Names of clusters
    #[arg(value_name = "CLUSTER", required = true)]
    pub(crate) clusters: Vec<String>,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}
