//! Parameters of the server, as PostgreSQL 14 to 18 know them, and how a value of one is read. Lives here: facts of PostgreSQL and of
//! Patroni about parameters. Must not: what a manifest may say (validate), or which parameters go where (cluster).
//!
//! ```text
//! table (pg_settings of five majors) ─► find ─► Parameter ─► read ─► Setting ─► the same value, however it is spelled
//! patroni (what it sets, what it keeps to itself) ─► owner, least value
//! ```

use std::{cmp::Ordering, fmt};

use crate::units::PgVersion;

mod number;
mod patroni;
pub mod reference;
mod setting;
mod table;

pub use patroni::{
    HOT_STANDBY, LeastTaken, Owner, image_default, is_switch, least_taken, owner, patroni_default,
};
pub use setting::Setting;

/// A parameter, as one or more majors know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its name as the server spells it; any case of letters means the same.
    pub name: &'static str,
    /// First major of which the row is true; the table begins with 14.
    pub first: u16,
    /// Last major of which the row is true; 18 is the newest there is.
    pub last: u16,
    /// When a change takes effect.
    pub context: Context,
    /// What values it takes.
    pub kind: Kind,
}

/// When a change of a parameter takes effect (`pg_settings.context`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Never: it says how the server was built or its data made.
    Internal,
    /// When the server starts.
    Postmaster,
    /// When the server reads its configuration again.
    Sighup,
    /// In sessions that start after that; superusers may set it for theirs.
    SuperuserBackend,
    /// In sessions that start after that; anybody may set it for theirs.
    Backend,
    /// At once, where a superuser did not set it for the session.
    Superuser,
    /// At once, where the session did not set it.
    User,
}

/// Why a text is no value of its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not one of the words for on and off.
    #[error("write on or off")]
    NoBoolean,
    /// Not one of the words of the parameter.
    #[error("write one of {}", .0.join(", "))]
    NoChoice(&'static [&'static str]),
    /// Does not begin with a number.
    #[error("write a number")]
    NoNumber,
    /// A number that takes no unit.
    #[error("write a number without a unit")]
    NoUnit,
    /// Not a unit of a size.
    #[error("write it with B, kB, MB, GB or TB")]
    NoSize,
    /// Not a unit of time.
    #[error("write it with us, ms, s, min, h or d")]
    NoTime,
    /// Does not fit into 32 bits.
    #[error("it is too large")]
    TooLarge,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// On or off.
    Boolean,
    /// One of these words. A server takes a few more, which it does not list: see [`Parameter::read`].
    Choice(&'static [&'static str]),
    /// A whole number in its unit, both ends allowed.
    Integer {
        /// What a bare number counts.
        unit: Option<Unit>,
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number in its unit, both ends allowed.
    Real {
        /// What a bare number counts.
        unit: Option<Unit>,
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Any text, as far as the table knows; the server may want more of it.
    Text,
}

/// What a bare number of a parameter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// B
    Bytes,
    /// kB, 1024 bytes
    Kilobytes,
    /// 8kB, a page of a table or of the log
    Blocks,
    /// MB, 1024 kB
    Megabytes,
    /// ms
    Milliseconds,
    /// s
    Seconds,
    /// min
    Minutes,
}

impl Parameter {
    /// A change takes effect only when the server is started again.
    pub fn restarts(&self) -> bool {
        self.context == Context::Postmaster
    }

    fn is_of(&self, version: PgVersion) -> bool {
        (self.first..=self.last).contains(&version.major())
    }
}

impl fmt::Display for Context {
    /// As `pg_settings` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Internal => "internal",
            Self::Postmaster => "postmaster",
            Self::Sighup => "sighup",
            Self::SuperuserBackend => "superuser-backend",
            Self::Backend => "backend",
            Self::Superuser => "superuser",
            Self::User => "user",
        })
    }
}

impl fmt::Display for Unit {
    /// As `pg_settings` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "B",
            Self::Kilobytes => "kB",
            Self::Blocks => "8kB",
            Self::Megabytes => "MB",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "min",
        })
    }
}

/// Parameters that came with minor releases of 2026: a server that is older than those does not have them. The first was seen in 15, 17 and
/// 18 (15.19, 17.11 and 18.6 were the first), the second in 15.20; both are taken to be in all majors.
pub const CAME_LATE: [&str; 2] = ["output_plugin_libraries", "composite_type_mismatch"];

/// The table tells of this major.
pub fn covers(version: PgVersion) -> bool {
    version.is_supported()
}

/// The parameter of this name in this major. None: it has no such parameter, or the table does not tell of the major.
pub fn find(name: &str, version: PgVersion) -> Option<&'static Parameter> {
    rows(name).iter().find(|row| row.is_of(version))
}

/// One spelling for all that mean the same parameter: names in small letters, and the present ones for those that the server still takes for
/// them. The server stores a name as it spells it itself (`TimeZone`), whatever it was told.
pub fn stored_name(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "sort_mem" => "work_mem".to_owned(),
        "vacuum_mem" => "maintenance_work_mem".to_owned(),
        _ => name,
    }
}

/// What the majors say of a name, oldest first; empty for a name that none of them has.
pub fn rows(name: &str) -> &'static [Parameter] {
    let rows = table::TABLE;
    let start = rows.partition_point(|row| order(row.name, name).is_lt());
    let end = rows.partition_point(|row| order(row.name, name).is_le());
    &rows[start..end]
}

/// All parameters of a major, by name.
pub fn all(version: PgVersion) -> impl Iterator<Item = &'static Parameter> {
    table::TABLE.iter().filter(move |row| row.is_of(version))
}

/// The name of this major that a mistyped one most likely means.
pub fn nearest(name: &str, version: PgVersion) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let limit = 1 + name.len() / 5;
    all(version)
        .filter(|row| row.name.len().abs_diff(name.len()) <= limit)
        .map(|row| {
            (
                strsim::osa_distance(&name, &row.name.to_ascii_lowercase()),
                row.name,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, nearest)| nearest)
}

/// The name that took the place of an older one, in PostgreSQL or before the table begins.
pub fn successor(name: &str) -> Option<&'static str> {
    const RENAMED: [(&str, &str); 6] = [
        ("checkpoint_segments", "max_wal_size"),
        ("force_parallel_mode", "debug_parallel_query"),
        ("sort_mem", "work_mem"),
        ("ssl_ecdh_curve", "ssl_groups"),
        ("vacuum_mem", "maintenance_work_mem"),
        ("wal_keep_segments", "wal_keep_size"),
    ];
    let renamed = RENAMED.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    renamed.map(|(_, new)| *new)
}

/// A parameter of an extension: with a dot in its name. Nobody but the extension knows whether it exists.
pub fn is_of_extension(name: &str) -> bool {
    name.contains('.')
}

/// A change takes effect only when the server is started again. Of extensions' parameters the ones of Spilo's extensions are known; of
/// others, and of a major that the table does not tell of, it is not said that they do.
pub fn restarts(name: &str, version: PgVersion) -> bool {
    const OF_EXTENSIONS: [&str; 10] = [
        "bg_mon.history_buckets",
        "cron.database_name",
        "cron.host",
        "cron.log_run",
        "cron.log_statement",
        "cron.max_running_jobs",
        "cron.timezone",
        "cron.use_background_workers",
        "pg_stat_statements.max",
        "timescaledb.max_background_workers",
    ];
    let is_of_extension = || OF_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(name));
    find(name, version).map_or_else(is_of_extension, Parameter::restarts)
}

/// One value of the parameter in its one spelling: what the server would show. None: no such parameter, or not one of its values.
pub fn canonical(name: &str, version: PgVersion, value: &str) -> Option<String> {
    let parameter = find(name, version)?;
    let setting = parameter.read(value).ok()?;
    Some(parameter.show(setting))
}

/// Both texts mean the same to the server: `1GB` and `1024MB`, `on` and `true`. Texts that cannot be read are the same when they are equal.
pub fn same_value(name: &str, version: PgVersion, one: &str, other: &str) -> bool {
    let meaning = |text| find(name, version).and_then(|parameter| parameter.read(text).ok());
    one == other || meaning(one).is_some_and(|one| meaning(other) == Some(one))
}

/// Order of names, the case of letters aside.
fn order(one: &str, other: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    one.bytes().map(lower).cmp(other.bytes().map(lower))
}

#[cfg(test)]
mod tests;
