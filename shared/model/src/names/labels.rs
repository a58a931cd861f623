//! Labels and selectors (zalando-behaviour 3.1).

use std::collections::BTreeMap;

use super::Names;

/// Labels as Kubernetes takes them.
pub type Labels = BTreeMap<String, String>;

/// Label with the owning team.
pub const TEAM: &str = "team";
/// Labels that every object of a cluster has as long as nobody sets the parameters that name them; they never go.
pub const STANDING: [&str; 4] = ["application", "cluster-name", "spilo-role", TEAM];
/// Label that tells one pooler's objects from another's.
pub const CONNECTION_POOLER: &str = "connection-pooler";
/// Label of members while no node may be drained: during bootstrap and major upgrades.
pub const CRITICAL_OPERATION: &str = "critical-operation";
/// Value of [`CRITICAL_OPERATION`].
pub const CRITICAL_OPERATION_ON: &str = "true";

/// Label by which poolers and backups are told from databases, with `spilo` on the latter by default.
const APPLICATION: &str = "application";
const APPLICATION_POOLER: &str = "db-connection-pooler";
const APPLICATION_BACKUP: &str = "spilo-logical-backup";

/// The two things a client can want: the one member that writes, or any that only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes writes; on the wire `master`.
    Primary,
    /// Only reads.
    Replica,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Replica];

    /// Value of the role label. Patroni writes it on pods, `master` also for the leader of a standby cluster.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Primary => "master",
            Self::Replica => "replica",
        }
    }
}

impl Names {
    /// Key of the label with the member's role.
    pub fn role_label(&self) -> &str {
        &self.role_label
    }

    /// Key of the label with the cluster's name.
    pub fn cluster_label(&self) -> &str {
        &self.cluster_label
    }

    /// The labels of every cluster of this operator: what Patroni gets as `KUBERNETES_LABELS`.
    pub fn operator_labels(&self) -> &Labels {
        &self.cluster_labels
    }

    /// What finds the objects of this cluster, and the StatefulSet's immutable selector.
    pub fn selector(&self) -> Labels {
        with(self.cluster_labels.clone(), &self.cluster_label, &self.cluster)
    }

    /// What finds the members with a role.
    pub fn role_selector(&self, role: Role) -> Labels {
        with(self.selector(), &self.role_label, role.label())
    }

    /// What finds members during a critical operation.
    pub fn critical_selector(&self) -> Labels {
        with(self.selector(), CRITICAL_OPERATION, CRITICAL_OPERATION_ON)
    }

    /// The labels on every object: selector, team, and what is inherited from the manifest. An inherited label never replaces one of ours.
    pub fn labels(&self, team: &str, inherited: &Labels) -> Labels {
        let mut labels = inherited.clone();
        labels.extend(with(self.selector(), TEAM, team));
        labels
    }

    /// The labels on a role's service.
    pub fn role_labels(&self, role: Role, team: &str, inherited: &Labels) -> Labels {
        with(self.labels(team, inherited), &self.role_label, role.label())
    }

    /// What a role's pooler service sends traffic to.
    pub fn pooler_service_selector(&self, role: Role) -> Labels {
        with(Labels::new(), CONNECTION_POOLER, &self.pooler(role))
    }

    /// What finds the pods of a role's pooler: the Deployment's immutable selector, and the labels on the pooler's service.
    pub fn pooler_selector(&self, role: Role) -> Labels {
        let labels = with(self.selector(), APPLICATION, APPLICATION_POOLER);
        with(labels, CONNECTION_POOLER, &self.pooler(role))
    }

    /// The labels on the secret of the poolers' role, where it has its usual name. It serves both poolers, under the first one's name.
    pub fn pooler_secret_labels(&self) -> Labels {
        let labels = with(Labels::new(), &self.cluster_label, &self.cluster);
        let labels = with(labels, APPLICATION, APPLICATION_POOLER);
        with(labels, CONNECTION_POOLER, &self.pooler(Role::Primary))
    }

    /// The labels on a role's pooler objects other than the service.
    pub fn pooler_labels(&self, role: Role, team: &str, inherited: &Labels) -> Labels {
        let mut labels = self.labels(team, inherited);
        labels.extend(self.pooler_selector(role));
        with(labels, &self.role_label, role.label())
    }

    /// The labels on the backup job and its pods.
    pub fn backup_labels(&self, team: &str, inherited: &Labels) -> Labels {
        with(self.labels(team, inherited), APPLICATION, APPLICATION_BACKUP)
    }
}

/// Labels as the API server takes them for a selector: what has all of them.
pub fn selector_text(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

fn with(mut labels: Labels, key: &str, value: &str) -> Labels {
    labels.insert(key.to_owned(), value.to_owned());
    labels
}
