//! Ports and their names (appendix F).

/// Postgres, in pods and on services.
pub const POSTGRES: u16 = 5432;
/// Patroni's REST interface.
pub const PATRONI: u16 = 8008;
/// Spilo's statistics collector.
pub const BG_MON: u16 = 8080;
/// The pooler.
pub const POOLER: u16 = 5432;

/// Name of the port on the services of Postgres.
pub const POSTGRES_NAME: &str = "postgresql";

/// Node ports that Kubernetes gives out unless configured otherwise.
pub const NODE_PORTS: std::ops::RangeInclusive<i32> = 30000..=32767;
