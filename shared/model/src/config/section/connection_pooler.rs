//! Parameters of the group `connection_pooler`.  // table

use crate::config::choice::PoolerMode;
use crate::units::Quantity;

section! {
    /// Connection poolers of clusters that ask for one.
    ConnectionPooler as connection_pooler {
        /// Pods per pooler.
        connection_pooler_number_of_instances: i32 = "2" => Pooler [min(1)];
        /// Schema with the function that looks up passwords.
        connection_pooler_schema: String = "pooler" => Pooler | Roles;
        /// Role that the pooler connects with to look them up.
        connection_pooler_user: String = "pooler" => Pooler | Roles;
        /// Image of the pooler.
        connection_pooler_image: String = "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1" => Pooler;
        /// How server connections are shared.
        connection_pooler_mode: PoolerMode = "transaction" => Pooler;
        /// Server connections of all pods of a pooler together, per database.
        connection_pooler_max_db_connections: i32 = "60" => Pooler [not_in_schema()];
        /// CPU request of the pooler's container.
        connection_pooler_default_cpu_request: Option<Quantity> = "" => Pooler [cpu()];
        /// Memory request of the pooler's container.
        connection_pooler_default_memory_request: Option<Quantity> = "" => Pooler [memory()];
        /// CPU limit of the pooler's container.
        connection_pooler_default_cpu_limit: Option<Quantity> = "" => Pooler [cpu()];
        /// Memory limit of the pooler's container.
        connection_pooler_default_memory_limit: Option<Quantity> = "" => Pooler [memory()];
    }
}
