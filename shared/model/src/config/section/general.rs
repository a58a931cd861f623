//! Parameters at the top level of the configuration.  // table

use std::time::Duration;

use indexmap::IndexMap;
use k8s_openapi::api::core::v1::Container;

use crate::units::Window;

section! {
    /// What concerns all clusters: images, instances, periods.
    General as general {
        /// Register and update the `postgresql` CRD at start. With admission webhooks the CRDs are better
        /// installed with the operator.
        enable_crd_registration: bool = "true" => Operator;
        /// Categories (as in `kubectl get all`) that the registered CRD belongs to.
        crd_categories: Vec<String> = "all" => Operator [not_in_schema()];
        /// A new Spilo image is written to the StatefulSets, but running pods keep theirs until something else
        /// recreates them.
        enable_lazy_spilo_upgrade: bool = "false" => Pods;
        /// Tell the image the Postgres version with the environment variable PGVERSION. Otherwise Patroni's
        /// `bin_dir` is set.
        enable_pgversion_env_var: bool = "true" => Pods;
        /// Let Spilo also look for WAL at the paths of older Spilo versions.
        enable_spilo_wal_path_compat: bool = "false" => Pods;
        /// Refuse clusters whose name does not start with the team's id and a dash.
        enable_team_id_clustername_prefix: bool = "false" => Operator;
        /// Address of an etcd in which Patroni keeps its state, instead of in Kubernetes objects.
        etcd_host: Option<String> = "" => Pods [schema("")];
        /// Patroni keeps its state in ConfigMaps; otherwise in Endpoints, which Kubernetes is giving up. Never
        /// switch it while a cluster has more than one member.
        kubernetes_use_configmaps: bool = "true" => Pods | Services;
        /// Spilo image of clusters that name none.
        docker_image: String = "ghcr.io/zalando/spilo-18:4.1-p2" => Pods;
        /// Sidecars of every database pod, as images by name.
        sidecar_docker_images: IndexMap<String, String> = "" => Pods
            [deprecated("use sidecars, which takes whole containers")];
        /// Sidecars of every database pod, as whole containers.
        sidecars: Vec<Container> = "" => Pods [crd_only()];
        /// Mount memory at /dev/shm in database pods, so that Postgres has more than the runtime's 64 MB.
        enable_shm_volume: bool = "true" => Pods;
        /// How many clusters are worked on at the same time.
        workers: u32 = "8" => Operator [min(1), zero_is_unset()];
        /// A cluster never has fewer pods than this, whatever its manifest says; -1 for no limit.
        min_instances: i32 = "-1" => Instances [min(-1)];
        /// A cluster never has more pods than this, whatever its manifest says; -1 for no limit.
        max_instances: i32 = "-1" => Instances [min(-1)];
        /// Key of an annotation that, with the value `true`, exempts a cluster from the limits on instances.
        ignore_instance_limits_annotation_key: Option<String> = "" => Instances;
        /// Key of an annotation that, with the value `true`, exempts a cluster from the limits on resources.
        ignore_resources_limits_annotation_key: Option<String> = "" => Pods;
        /// How often every cluster is compared with its manifest although nothing happened.
        resync_period: Duration = "30m" => Operator;
        /// How often clusters in a failed state are tried again.
        repair_period: Duration = "5m" => Operator;
        /// Heed maintenance windows. If false, it is always time for maintenance.
        enable_maintenance_windows: bool = "true" => Operator;
        /// Maintenance windows of clusters whose manifests have none, in UTC.
        maintenance_windows: Vec<Window> = "" => Operator [windows()];
        /// Raise memory requests to the limits, so that pods are not evicted for using what they may use.
        set_memory_request_to_limit: bool = "false" => Pods | Pooler | Backup;
    }
}
