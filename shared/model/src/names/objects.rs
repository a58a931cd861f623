//! Names of a cluster's Kubernetes objects (zalando-behaviour 3.1), and how long they may be.

use super::{Names, labels::Role};

/// Longest cluster name: the replica service appends five characters and a service name ends at 63.
pub const CLUSTER_NAME_LIMIT: usize = 58;
/// Longest name of services and label values.
pub const LABEL_LIMIT: usize = 63;
/// Longest name of most other objects.
pub const OBJECT_NAME_LIMIT: usize = 253;
/// Longest name of a CronJob, which the API server refuses beyond: the controller appends eleven characters for the names of its jobs, which
/// end at 63 (kubernetes.io, concepts/workloads/controllers/cron-jobs).
pub const CRON_JOB_LIMIT: usize = 52;

/// Prefix of the data volume's claims, and name of their template.
pub const DATA_VOLUME: &str = "pgdata";

/// Patroni's state objects: ConfigMaps, or Endpoints when it uses Endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatroniObject {
    /// Its dynamic configuration and history.
    Config,
    /// Who leads.
    Leader,
    /// A wanted failover or switchover.
    Failover,
    /// Who is synchronous.
    Sync,
}

impl PatroniObject {
    /// All of them, in the order in which the operator deletes them.
    pub const ALL: [Self; 4] = [Self::Config, Self::Leader, Self::Failover, Self::Sync];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Leader => "leader",
            Self::Failover => "failover",
            Self::Sync => "sync",
        }
    }
}

impl Names {
    /// The StatefulSet.
    pub fn stateful_set(&self) -> &str {
        &self.cluster
    }

    /// The member with this ordinal.
    pub fn pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.cluster)
    }

    /// The ordinal of a member, or none for a pod that is no member.
    pub fn ordinal(&self, pod: &str) -> Option<u32> {
        let digits = pod.strip_prefix(&self.cluster)?.strip_prefix('-')?;
        let plain = digits == "0" || !digits.starts_with('0');
        digits.parse().ok().filter(|_| plain && !digits.starts_with('+'))
    }

    /// The data volume's claim of the member with this ordinal.
    pub fn claim(&self, ordinal: u32) -> String {
        format!("{DATA_VOLUME}-{}", self.pod(ordinal))
    }

    /// The service, and in Endpoints mode the Endpoints, of a role.
    pub fn service(&self, role: Role) -> String {
        match role {
            Role::Primary => self.cluster.clone(),
            Role::Replica => format!("{}-repl", self.cluster),
        }
    }

    /// The headless service that Patroni makes beside its configuration.
    pub fn config_service(&self) -> String {
        self.patroni(PatroniObject::Config)
    }

    /// One of Patroni's state objects.
    pub fn patroni(&self, object: PatroniObject) -> String {
        format!("{}-{}", self.cluster, object.suffix())
    }

    /// The budget that protects the primary.
    pub fn primary_budget(&self) -> &str {
        &self.budget
    }

    /// The budget that protects all members during critical operations.
    pub fn critical_budget(&self) -> String {
        format!("postgres-{}-critical-op-pdb", self.cluster)
    }

    /// Deployment and service of the role's pooler.
    pub fn pooler(&self, role: Role) -> String {
        match role {
            Role::Primary => format!("{}-pooler", self.cluster),
            Role::Replica => format!("{}-pooler-repl", self.cluster),
        }
    }

    /// The secret with the user list of the role's pooler.
    pub fn pooler_user_list(&self, role: Role) -> String {
        format!("{}-u", self.pooler(role))
    }

    /// The job that dumps the cluster: cut to what a CronJob's name may have, without a dash at the end.
    pub fn backup_job(&self) -> String {
        let name: String = format!("{}{}", self.backup_prefix, self.cluster)
            .chars()
            .take(CRON_JOB_LIMIT)
            .collect();
        name.trim_end_matches('-').to_owned()
    }

    /// The event stream object, told from others by a random part that the caller draws.
    pub fn event_stream(&self, random: &str) -> String {
        format!("{}-{random}", self.cluster)
    }

    /// The service account of all pods of the namespace; its role binding and cluster role have the same name.
    pub fn service_account(&self) -> &str {
        &self.account
    }
}
