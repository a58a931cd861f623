//! Settings of Patroni (zalando-behaviour 3.4).

use std::{collections::BTreeMap, num::NonZeroU32};

use super::reading::Reading;

/// Settings of Patroni's dynamic configuration. None is not sent: Patroni's own default counts then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patroni {
    /// Life of the leader's lease, seconds.
    pub ttl: Option<NonZeroU32>,
    /// Pause between two rounds, seconds.
    pub loop_wait: Option<NonZeroU32>,
    /// Patience with the store and Postgres, seconds.
    pub retry_timeout: Option<NonZeroU32>,
    /// Bytes a replica may lag behind and still become primary.
    pub maximum_lag_on_failover: Option<i64>,
    /// Commit waits for a replica.
    pub synchronous_mode: bool,
    /// And refuses writes when there is none.
    pub synchronous_mode_strict: bool,
    /// Replicas that a commit waits for.
    pub synchronous_node_count: Option<NonZeroU32>,
    /// Keep the primary when the store is away and all members answer.
    pub failsafe_mode: bool,
    /// Replication slots that outlive a failover: name to properties.
    pub slots: BTreeMap<String, BTreeMap<String, String>>,
}

pub(super) fn read(reading: &Reading<'_>) -> Patroni {
    let default = reading.config.patroni.enable_patroni_failsafe_mode;
    let Some(patroni) = reading.spec.patroni.as_ref() else {
        return Patroni {
            failsafe_mode: default,
            ..Patroni::default()
        };
    };
    Patroni {
        ttl: patroni.ttl.and_then(NonZeroU32::new),
        loop_wait: patroni.loop_wait.and_then(NonZeroU32::new),
        retry_timeout: patroni.retry_timeout.and_then(NonZeroU32::new),
        maximum_lag_on_failover: patroni.maximum_lag_on_failover.filter(|bytes| *bytes != 0),
        synchronous_mode: patroni.synchronous_mode.unwrap_or_default(),
        synchronous_mode_strict: patroni.synchronous_mode_strict.unwrap_or_default(),
        synchronous_node_count: patroni.synchronous_node_count.and_then(NonZeroU32::new),
        failsafe_mode: patroni.failsafe_mode.unwrap_or(default),
        slots: patroni.slots.clone(),
    }
}
