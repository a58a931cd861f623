//! What Patroni does with parameters on their way to the server (its releases 3 and 4). It writes those that it knows, drops those that it
//! does not, takes the nearest value for one out of range, and keeps some for itself. Lives here: which, and its own least values.

/// Whose a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The manifest's.
    Manifest,
    /// Patroni's: what a manifest says is not used.
    Patroni,
    /// Patroni's while the cluster replicates synchronously.
    PatroniWhenSynchronous,
    /// The image's: what a manifest says is used, and the image's own parts do not know it.
    Image,
}

/// Parameters that replicas must not have lower than their primary: lowering one restarts the primary first.
pub const HOT_STANDBY: [&str; 5] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
];

/// Set by Patroni for each member, or dropped by it; what is about recovery it writes itself, on replicas.
pub(super) const OF_PATRONI: [&str; 19] = [
    "archive_cleanup_command",
    "cluster_name",
    "hot_standby",
    "listen_addresses",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "recovery_end_command",
    "recovery_min_apply_delay",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "restore_command",
];

/// Files and directories that Patroni and the image's scripts expect where they put them.
pub(super) const OF_IMAGE: [&str; 6] = [
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "unix_socket_directories",
];

/// Whose this parameter is.
pub fn owner(name: &str) -> Owner {
    let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_in(&OF_PATRONI) {
        Owner::Patroni
    } else if is_in(&["synchronous_standby_names"]) {
        Owner::PatroniWhenSynchronous
    } else if is_in(&OF_IMAGE) {
        Owner::Image
    } else {
        Owner::Manifest
    }
}

/// A parameter that Patroni hands to the server itself, the same on all members, and only from the dynamic configuration.
pub(super) struct Shared {
    name: &'static str,
    default: &'static str,
    least: LeastTaken,
}

/// What Patroni takes for a parameter; for anything else it takes its own default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeastTaken {
    /// This much or more, in the parameter's unit.
    Number(i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any value.
    Anything,
}

pub(super) const SHARED: [Shared; 10] = [
    shared("max_connections", "100", LeastTaken::Number(25)),
    shared("max_locks_per_transaction", "64", LeastTaken::Number(32)),
    shared("max_prepared_transactions", "0", LeastTaken::Number(0)),
    shared("max_replication_slots", "10", LeastTaken::Number(4)),
    shared("max_wal_senders", "10", LeastTaken::Number(3)),
    shared("max_worker_processes", "8", LeastTaken::Number(2)),
    shared("track_commit_timestamp", "off", LeastTaken::Anything),
    shared("wal_keep_size", "128MB", LeastTaken::Number(16)),
    shared(
        "wal_level",
        "replica",
        LeastTaken::Word(&["hot_standby", "replica", "logical"]),
    ),
    shared("wal_log_hints", "on", LeastTaken::Anything),
];

impl Shared {
    /// A row of the reference.
    pub(super) fn row(&self) -> String {
        let least = match self.least {
            LeastTaken::Number(least) if self.name == "wal_keep_size" => format!("{least}MB"),
            LeastTaken::Number(least) => least.to_string(),
            LeastTaken::Word(words) => words.join(", "),
            LeastTaken::Anything => String::new(),
        };
        format!("| `{}` | {} | {least} |\n", self.name, self.default)
    }
}

const fn shared(name: &'static str, default: &'static str, least: LeastTaken) -> Shared {
    Shared { name, default, least }
}

fn find(name: &str) -> Option<&'static Shared> {
    SHARED
        .iter()
        .find(|shared| shared.name.eq_ignore_ascii_case(name))
}

/// What Patroni gives the server where nobody says anything. None: nothing, the server's own default counts.
pub fn patroni_default(name: &str) -> Option<&'static str> {
    find(name).map(|shared| shared.default)
}

/// What the image gives a new cluster in Patroni's configuration, where that is no default of Patroni or the server. The number of connections
/// is not here: the image computes it from the memory.
const OF_NEW: [(&str, &str); 20] = [
    ("archive_mode", "on"),
    ("archive_timeout", "1800s"),
    ("autovacuum_analyze_scale_factor", "0.02"),
    ("autovacuum_max_workers", "5"),
    ("autovacuum_vacuum_scale_factor", "0.05"),
    ("checkpoint_completion_target", "0.9"),
    ("hot_standby", "on"),
    ("log_autovacuum_min_duration", "0"),
    ("log_checkpoints", "on"),
    ("log_connections", "on"),
    ("log_disconnections", "on"),
    ("log_line_prefix", "%t [%p]: [%l-1] %c %x %d %u %a %h "),
    ("log_lock_waits", "on"),
    ("log_min_duration_statement", "500"),
    ("log_statement", "ddl"),
    ("log_temp_files", "0"),
    ("tcp_keepalives_idle", "900"),
    ("tcp_keepalives_interval", "100"),
    ("track_functions", "all"),
    ("wal_log_hints", "on"),
];

/// What a new cluster has in Patroni's configuration where its manifest says nothing, because the image put it there. None: it is not in it.
pub fn image_default(name: &str) -> Option<&'static str> {
    let mut rows = OF_NEW.iter();
    rows.find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// What Patroni takes for this parameter.
pub fn least_taken(name: &str) -> LeastTaken {
    find(name).map_or(LeastTaken::Anything, |shared| shared.least)
}

/// Patroni takes this text for on or off. It knows fewer words than the server.
pub fn is_switch(text: &str) -> bool {
    const WORDS: [&str; 8] = ["on", "true", "yes", "1", "off", "false", "no", "0"];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}
