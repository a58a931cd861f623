//! Connection poolers (zalando-behaviour 3.8, A.24): whether there are any, and what the manifest decides about them.

use super::{
    reading::Reading,
    resources::{self, Resources},
};
use crate::{
    api::postgresql::PostgresqlSpec,
    config::{OperatorConfig, PoolerMode},
    names::{Role, roles},
};

/// The poolers of a cluster. Both have the same settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooler {
    /// One stands in front of the primary.
    pub primary: bool,
    /// One stands in front of the replicas.
    pub replica: bool,
    /// Pods of each; at least one.
    pub instances: i32,
    /// Schema of the look-up function, in every database.
    pub schema: String,
    /// Role with which passwords are looked up.
    pub user: String,
    /// When a server connection is given back.
    pub mode: PoolerMode,
    /// Image of the pods.
    pub image: String,
    /// Server connections per database, over all pods of one pooler.
    pub max_connections: i32,
    /// Requests and limits of a pod (3.2).
    pub resources: Resources,
}

/// Numbers of server connections of one pod (3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSizes {
    /// At most, per database.
    pub max: i32,
    /// Per pair of user and database.
    pub default: i32,
    /// Kept open.
    pub min: i32,
    /// More, when clients wait.
    pub reserve: i32,
}

impl Pooler {
    /// There is one in front of this role.
    pub fn serves(&self, role: Role) -> bool {
        match role {
            Role::Primary => self.primary,
            Role::Replica => self.replica,
        }
    }

    /// What each pod gets of the connections: whole numbers, so that few connections over many pods come to none.
    pub fn sizes(&self) -> PoolSizes {
        let max = self.max_connections / self.instances.max(1);
        let default = max / 2;
        let min = default / 2;
        PoolSizes {
            max,
            default,
            min,
            reserve: min,
        }
    }
}

/// In front of the primary by its switch, or by the section alone; in front of the replicas by its switch only.
pub(crate) fn wanted(spec: &PostgresqlSpec) -> (bool, bool) {
    let primary = spec
        .enable_connection_pooler
        .unwrap_or(spec.connection_pooler.is_some());
    (primary, spec.enable_replica_connection_pooler == Some(true))
}

/// The role that the poolers of this manifest use: the operator's, where the manifest names one that is taken.
pub(crate) fn user(spec: &PostgresqlSpec, config: &OperatorConfig) -> String {
    let own = spec.connection_pooler.as_ref();
    let own = own
        .and_then(|own| given(own.user.as_ref()))
        .filter(|user| !roles::is_reserved(user, config));
    own.unwrap_or_else(|| config.connection_pooler.connection_pooler_user.clone())
}

pub(super) fn read(reading: &mut Reading<'_>) -> Option<Pooler> {
    let (spec, config) = (reading.spec, reading.config);
    let (primary, replica) = wanted(spec);
    if !primary && !replica {
        return None;
    }
    let own = spec.connection_pooler.clone().unwrap_or_default();
    let default = &config.connection_pooler;
    let or = |text: Option<&String>, default: &String| given(text).unwrap_or_else(|| default.clone());
    let instances = own.number_of_instances;
    // A mode that nobody knows cannot be run; a rule refuses it.
    let known = |mode: &String| PoolerMode::ALL.iter().find(|known| known.as_str() == mode);
    Some(Pooler {
        primary,
        replica,
        instances: instances
            .unwrap_or(default.connection_pooler_number_of_instances)
            .max(1),
        schema: or(own.schema.as_ref(), &default.connection_pooler_schema),
        user: user(spec, config),
        mode: own
            .mode
            .as_ref()
            .and_then(known)
            .copied()
            .unwrap_or(default.connection_pooler_mode),
        image: or(own.docker_image.as_ref(), &default.connection_pooler_image),
        max_connections: own
            .max_db_connections
            .unwrap_or(default.connection_pooler_max_db_connections),
        resources: resources::of_pooler(reading, own.resources.as_ref()),
    })
}

fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::tests::{config_of, parse_with};

    fn pooler(spec: &Value, parameters: &[(&str, &str)]) -> Option<Pooler> {
        parse_with(spec.clone(), &config_of(parameters)).pooler
    }

    #[test]
    fn a24_who_has_a_pooler() {
        let sides = |spec: Value| pooler(&spec, &[]).map(|pooler| (pooler.primary, pooler.replica));
        assert_eq!(sides(json!({})), None);
        assert_eq!(sides(json!({"connectionPooler": {}})), Some((true, false)));
        assert_eq!(
            sides(json!({"enableConnectionPooler": true})),
            Some((true, false))
        );
        assert_eq!(
            sides(json!({"enableConnectionPooler": false, "connectionPooler": {}})),
            None
        );
        assert_eq!(
            sides(json!({"enableReplicaConnectionPooler": true})),
            Some((false, true))
        );
        assert_eq!(
            sides(json!({"enableReplicaConnectionPooler": true, "connectionPooler": {}})),
            Some((true, true))
        );
    }

    #[test]
    fn what_is_absent_follows_the_operator() {
        let found = pooler(
            &json!({"connectionPooler": {"schema": "", "maxDBConnections": 100}}),
            &[
                ("connection_pooler_default_cpu_request", "500m"),
                ("connection_pooler_mode", "session"),
            ],
        )
        .unwrap();
        assert_eq!(
            (found.instances, found.schema.as_str(), found.user.as_str()),
            (2, "pooler", "pooler")
        );
        assert_eq!((found.mode, found.max_connections), (PoolerMode::Session, 100));
        assert_eq!(found.resources.to_kubernetes().requests.unwrap()["cpu"].0, "500m");
        assert_eq!(
            found.sizes(),
            PoolSizes {
                max: 50,
                default: 25,
                min: 12,
                reserve: 12
            }
        );
    }

    #[test]
    fn a_taken_name_is_replaced() {
        let user = |name: &str| {
            pooler(&json!({"connectionPooler": {"user": name}}), &[])
                .unwrap()
                .user
        };
        assert_eq!(user("gate"), "gate");
        for taken in ["postgres", "standby", "admin"] {
            assert_eq!(user(taken), "pooler");
        }
    }
}
