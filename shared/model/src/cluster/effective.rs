//! The settings in force, as the status shows them: what the manifest may leave open and the operator decides.

use serde_json::{Map, Value, json};

use super::{Cluster, ServiceKind};
use crate::api::status::EffectiveSettings;

impl Cluster {
    /// What is in force. Names are those of the manifest.
    pub fn effective(&self) -> EffectiveSettings {
        EffectiveSettings {
            docker_image: Some(self.image.clone()),
            postgresql_version: Some(self.version.to_string()),
            number_of_instances: Some(self.instances),
            resources: Some(self.resources.to_written()),
            maintenance_windows: self.windows.iter().map(ToString::to_string).collect(),
            other: self.other(),
        }
    }

    fn other(&self) -> Map<String, Value> {
        let balancer = |kind: &ServiceKind| Value::from(matches!(kind, ServiceKind::LoadBalancer { .. }));
        let node_port = |kind: &ServiceKind| Value::from(matches!(kind, ServiceKind::NodePort { .. }));
        let (primary, replica) = (&self.exposure.primary.kind, &self.exposure.replica.kind);
        let mut other = Map::from_iter(
            [
                ("enableMasterLoadBalancer", balancer(primary)),
                ("enableReplicaLoadBalancer", balancer(replica)),
                ("enableMasterNodePort", node_port(primary)),
                ("enableReplicaNodePort", node_port(replica)),
                ("enableShmVolume", Value::from(self.pod.shared_memory)),
                ("patroni", json!({ "failsafe_mode": self.patroni.failsafe_mode })),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let class = self.pod.scheduling.priority_class.as_ref();
        other.extend(class.map(|class| ("podPriorityClassName".to_owned(), Value::from(class.as_str()))));
        let ids = [
            ("spiloRunAsUser", self.pod.run_as_user),
            ("spiloRunAsGroup", self.pod.run_as_group),
            ("spiloFSGroup", self.pod.fs_group),
        ];
        other.extend(
            ids.into_iter()
                .filter_map(|(name, id)| Some((name.to_owned(), Value::from(id?)))),
        );
        other
    }
}
