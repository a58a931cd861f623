//! Parameters of the group `kubernetes`.  // table

use std::time::Duration;

use indexmap::IndexMap;
use k8s_openapi::api::core::v1::Probe;

use crate::config::choice::{PodManagement, ReadinessMerge, ResizeMode};
use crate::config::compound::{ClaimRetention, InfrastructureRole, NamespacedName};
use crate::config::template::{BUDGET, SECRET, Template};

section! {
    /// Objects in Kubernetes: names, labels, pods, volumes, deletion.
    Kubernetes as kubernetes {
        /// Make the `postgresql` object the owner of the objects of its cluster (not of volume claims and of
        /// secrets in other namespaces). The delete annotations are then not asked for.
        enable_owner_references: bool = "false" => Objects;
        /// Put a finalizer on `postgresql` objects, so that a delete is never missed.
        enable_finalizers: bool = "false" => Objects;
        /// Service account of database, pooler and backup pods; made in every namespace with a cluster, and bound to the cluster role
        /// of its name. With another name, give the controller the right to bind that role: the `resourceNames` of verb `bind` in
        /// `deploy/kustomize/controller/rbac.yaml`.
        pod_service_account_name: String = "postgres-pod" => Pods | Pooler | Backup;
        /// The service account as JSON or YAML, where the plain one does not do. Its name is replaced.
        pod_service_account_definition: Option<String> = "" => Objects [manifest("ServiceAccount")];
        /// The role binding of that account as JSON or YAML; otherwise it is bound to the cluster role of its name.
        pod_service_account_role_binding_definition: Option<String> = "" => Objects [manifest("RoleBinding")];
        /// How long pods get to stop.
        pod_terminate_grace_period: Duration = "5m" => Pods | Pooler | Backup;
        /// Liveness probe of the Postgres container in clusters that have none.
        liveness_probe: Option<Probe> = "" => Pods [crd_only()];
        /// Run the Postgres container privileged.
        spilo_privileged: bool = "false" => Pods;
        /// Allow processes of the Postgres container to gain privileges, which Spilo needs for cron.
        spilo_allow_privilege_escalation: bool = "true" => Pods;
        /// User id of database pods.
        spilo_runasuser: Option<i64> = "" => Pods;
        /// Group id of database pods.
        spilo_runasgroup: Option<i64> = "" => Pods;
        /// Group that owns the volumes of database pods; needed to read TLS keys and cloud tokens.
        spilo_fsgroup: Option<i64> = "" => Pods | Pooler;
        /// Linux capabilities added to the Postgres container.
        additional_pod_capabilities: Vec<String> = "" => Pods;
        /// Namespace whose clusters are looked after, or several separated by commas; `*` for all, empty for the
        /// operator's own.
        watched_namespace: Option<String> = "" => Operator;
        /// Name of the primary's disruption budget.
        pdb_name_format: Template = "postgres-{cluster}-pdb" => Objects [variables(BUDGET, &["cluster"])];
        /// The budget covers the primary only; otherwise all pods of the cluster.
        pdb_master_label_selector: bool = "true" => Objects;
        /// Disruption budgets protect pods. If false, they stay but protect nothing.
        enable_pod_disruption_budget: bool = "true" => Pods | Objects;
        /// How volumes grow.
        storage_resize_mode: ResizeMode = "pvc" => Objects;
        /// Allow init containers in manifests.
        enable_init_containers: bool = "true" => Operator;
        /// Allow sidecars in manifests.
        enable_sidecars: bool = "true" => Operator;
        /// Share the directory of Postgres' socket with the sidecars.
        share_pgsocket_with_sidecars: bool = "false" => Pods;
        /// Name of the secret with a role's password.
        secret_name_template: Template = "{username}.{cluster}.credentials.{tprkind}.{tprgroup}" => Roles | Pods
            [variables(SECRET, &["username", "cluster"])];
        /// Domain of service names inside the Kubernetes cluster.
        cluster_domain: String = "cluster.local" => Operator;
        /// Secret with the token for the teams API: `read-only-token-type` (Bearer), `read-only-token-secret`.
        oauth_token_secret_name: NamespacedName = "postgresql-operator" => Operator [crd("postgres-operator")];
        /// Secret with infrastructure roles in the oldest form: `user1`, `password1`, `inrole1`, and so on.
        infrastructure_roles_secret_name: Option<NamespacedName> = "" => Roles;
        /// Secrets with infrastructure roles. In a ConfigMap one secret:
        /// `secretname:..,userkey:..,passwordkey:..,rolekey:..`.
        infrastructure_roles_secrets: Vec<InfrastructureRole> = "" => Roles;
        /// Key of the label that tells the primary's pod (`master`) from the others (`replica`).
        pod_role_label: String = "spilo-role" => Pods | Services;
        /// Labels of every object of every cluster; also the selector of the pods, so it cannot change without
        /// replacing StatefulSets.
        cluster_labels: IndexMap<String, String> = "application:spilo" => Pods | Services | Pooler | Backup | Objects;
        /// Key of the label with the cluster's name.
        cluster_name_label: String = "cluster-name" => Pods | Services | Pooler | Backup | Objects;
        /// Keys of labels that objects inherit from their `postgresql`.
        inherited_labels: Vec<String> = "" => Pods | Services | Pooler | Backup | Objects;
        /// Keys of annotations that objects inherit from their `postgresql`.
        inherited_annotations: Vec<String> = "" => Pods | Services | Pooler | Backup | Objects;
        /// Regular expressions of annotation keys that StatefulSets and pooler Deployments inherit.
        downscaler_annotations: Vec<String> = "" => Objects [expressions()];
        /// Keys of annotations that others put on our objects and that do not count as a difference.
        ignored_annotations: Vec<String> = "" => Operator;
        /// Key of an annotation that must hold today's date, or that of the deletion, before a cluster is deleted.
        delete_annotation_date_key: Option<String> = "" => Operator;
        /// Key of an annotation that must hold the cluster's name before it is deleted.
        delete_annotation_name_key: Option<String> = "" => Operator;
        /// Labels that a node must have to get database pods; a primary moves away when they are taken off.
        node_readiness_label: IndexMap<String, String> = "" => Pods;
        /// How the readiness labels join a node affinity from the manifest: `AND` into each of its terms, `OR`
        /// as one more term.
        node_readiness_label_merge: Option<ReadinessMerge> = "OR" => Pods [crd("")];
        /// Annotations of every database pod.
        custom_pod_annotations: IndexMap<String, String> = "" => Pods | Pooler | Backup;
        /// One toleration of database, pooler and backup pods, as `key`, `operator`, `value`, `effect`.
        toleration: IndexMap<String, String> = "" => Pods | Pooler | Backup;
        /// ConfigMap whose entries become environment variables of the Postgres container.
        pod_environment_configmap: Option<NamespacedName> = "" => Pods;
        /// Secret, present in each cluster's namespace, whose entries become environment variables of the
        /// Postgres container.
        pod_environment_secret: Option<String> = "" => Pods;
        /// Priority class of database pods.
        pod_priority_class_name: Option<String> = "" => Pods;
        /// How long to wait for the primaries on a node that is being drained to move.
        master_pod_move_timeout: Duration = "20m" => Operator [fallback("10m")];
        /// Keep the pods of a cluster apart.
        enable_pod_antiaffinity: bool = "false" => Pods;
        /// Keep them apart if possible, instead of always.
        pod_antiaffinity_preferred_during_scheduling: bool = "false" => Pods;
        /// Node label by which they are kept apart.
        pod_antiaffinity_topology_key: String = "kubernetes.io/hostname" => Pods;
        /// Whether the pods of a new cluster start one after the other or all at once.
        pod_management_policy: PodManagement = "ordered_ready" => Pods;
        /// What becomes of volume claims when a StatefulSet is deleted or scaled down.
        persistent_volume_claim_retention_policy: ClaimRetention = "when_deleted:retain,when_scaled:retain" => Objects
            [crd("")];
        /// Deleting a cluster deletes its secrets.
        enable_secrets_deletion: bool = "true" => Operator;
        /// Deleting a cluster deletes its volume claims.
        enable_persistent_volume_claim_deletion: bool = "true" => Operator;
        /// Give the Postgres container a readiness probe that asks Patroni.
        enable_readiness_probe: bool = "false" => Pods;
        /// Allow a role's secret to be in another namespace (`namespace.role` in manifests).
        enable_cross_namespace_secret: bool = "false" => Roles;
    }
}
