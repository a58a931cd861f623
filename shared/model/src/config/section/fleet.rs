//! Parameters of the group `fleet`: ours, beside Zalando's.  // table

use crate::config::NamespacedName;
use crate::config::choice::{ApiScheme, OperatorMode};

section! {
    /// How the operator treats all its clusters together. Zalando's operator has none of it and ignores this group.
    Fleet as fleet {
        /// How far the operator goes: `live` does what it plans, `observe` plans, says in each cluster's status what it
        /// would do and does nothing, `paused` only says how the clusters are. The annotation `pgherd.io/mode` says the
        /// same of one cluster; the more careful of the two counts.
        operator_mode: OperatorMode = "live" => Operator;
        /// How many clusters roll their pods at the same time when something else than their own manifests rolls them,
        /// such as a new image in this configuration. The first of them goes alone; as long as it fails, no other starts.
        roll_budget: u32 = "1" => Operator [min(1), zero_is_unset()];
        /// Label selector for namespaces whose clusters are looked after as well, besides those of watched_namespace.
        watched_namespace_selector: Option<String> = "" => Operator [selector()];
        /// Remove what is left of clusters that were deleted while no operator ran, without a finalizer and without
        /// owner references, volumes as the retention switches have it. If false, they are only reported. With a
        /// controller id or a namespace selector nothing is looked for: it could be another operator's. A deletion that was
        /// allowed and has begun is finished in any case.
        sweep_leftovers: bool = "false" => Operator;
        /// Make a planned switchover about a second shorter: right before it, Patroni is told to end Postgres with a command
        /// (`postgresql.before_stop` in its dynamic configuration) instead of looking once a second whether it has ended;
        /// afterwards the command is taken away. Where somebody else has a command there, it stays.
        fast_switchover: bool = "true" => Operator;
        /// How members' Patroni API is spoken to: `https` where they have `restapi.certfile`. All members of all clusters
        /// are asked in the same way.
        patroni_api_scheme: ApiScheme = "http" => Operator;
        /// Secret with the authorities under ca.crt that sign the certificates of Patroni's API. Without it, they are not
        /// verified. The names in them do not count, because members are asked by their addresses.
        patroni_api_ca_secret_name: Option<NamespacedName> = "" => Operator;
        /// Secret with username and password for Patroni's API, where members have `restapi.authentication`.
        patroni_api_secret_name: Option<NamespacedName> = "" => Operator;
    }
}
