//! Parameters of the group `load_balancer`.  // table

use indexmap::IndexMap;

use crate::config::choice::TrafficPolicy;
use crate::config::template::{DNS, Template};

section! {
    /// How clusters are reached from outside of Kubernetes.
    LoadBalancer as load_balancer {
        /// DNS zone of the names given to load balancers.
        db_hosted_zone: String = "db.example.com" => Services [not_in_schema()];
        /// Load balancer in front of the primary, unless the manifest decides.
        enable_master_load_balancer: bool = "true" => Services [crd("false")];
        /// Load balancer in front of the primary's pooler, unless the manifest decides.
        enable_master_pooler_load_balancer: bool = "false" => Services;
        /// Load balancer in front of the replicas, unless the manifest decides.
        enable_replica_load_balancer: bool = "false" => Services;
        /// Load balancer in front of the replicas' pooler, unless the manifest decides.
        enable_replica_pooler_load_balancer: bool = "false" => Services;
        /// Node port for the primary, unless the manifest decides; it wins over a load balancer.
        enable_master_node_port: bool = "false" => Services;
        /// Node port for the primary's pooler, unless the manifest decides; it wins over a load balancer.
        enable_master_pooler_node_port: bool = "false" => Services;
        /// Node port for the replicas, unless the manifest decides; it wins over a load balancer.
        enable_replica_node_port: bool = "false" => Services;
        /// Node port for the replicas' pooler, unless the manifest decides; it wins over a load balancer.
        enable_replica_pooler_node_port: bool = "false" => Services;
        /// Annotations of load balancer and node port services.
        custom_service_annotations: IndexMap<String, String> = "" => Services;
        /// DNS name of the primary's load balancer.
        master_dns_name_format: Template = "{cluster}.{namespace}.{hostedzone}" => Services
            [variables(DNS, &["cluster"])];
        /// Second DNS name of the primary's load balancer, where the cluster's name starts with the team.
        master_legacy_dns_name_format: Template = "{cluster}.{team}.{hostedzone}" => Services
            [variables(DNS, &["cluster"])];
        /// DNS name of the replicas' load balancer.
        replica_dns_name_format: Template = "{cluster}-repl.{namespace}.{hostedzone}" => Services
            [variables(DNS, &["cluster"])];
        /// Second DNS name of the replicas' load balancer, where the cluster's name starts with the team.
        replica_legacy_dns_name_format: Template = "{cluster}-repl.{team}.{hostedzone}" => Services
            [variables(DNS, &["cluster"])];
        /// Whether load balancers and node ports forward to any node or only to those with a pod.
        external_traffic_policy: TrafficPolicy = "Cluster" => Services;
    }
}
