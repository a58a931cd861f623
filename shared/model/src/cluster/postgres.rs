//! Settings of the server (zalando-behaviour 3.4, 4.9).

use std::collections::BTreeMap;

use super::{reading::Reading, rules};
use crate::{config::UpgradeMode, units::PgVersion};

/// Settings of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postgres {
    /// Parameters in the configuration of each member: a change of one rolls the pods.
    pub local_parameters: BTreeMap<String, String>,
    /// Parameters in Patroni's dynamic configuration: a change of one reloads, or restarts Postgres in place.
    pub dynamic_parameters: BTreeMap<String, String>,
    /// Lines of `pg_hba.conf`; empty leaves it to the image.
    pub pg_hba: Vec<String>,
    /// Options of initdb, in order; they matter once.
    pub initdb: Vec<InitdbOption>,
    /// How passwords are stored.
    pub password_encryption: PasswordEncryption,
}

/// An option of initdb as Patroni takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitdbOption {
    /// A switch: `data-checksums`.
    Flag(String),
    /// A setting: `encoding` with `UTF8`.
    Setting(String, String),
}

/// How the passwords of roles are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PasswordEncryption {
    /// SCRAM-SHA-256.
    #[default]
    Scram,
    /// MD5, which Postgres gives up.
    Md5,
}

/// The parameters that belong into each member's own configuration; every other one is dynamic.
pub const LOCAL_PARAMETERS: &[&str] = &[
    "archive_command",
    "bg_mon.history_buckets",
    "bg_mon.listen_address",
    "extwlist.custom_path",
    "extwlist.extensions",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_rotation_age",
    "log_truncate_on_rotation",
    "logging_collector",
    "pg_stat_statements.track_utility",
    "shared_buffers",
    "shared_preload_libraries",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_file",
    "ssl_key_file",
];

/// Options of initdb that take no value: `true` makes a bare switch of them.
const INITDB_SWITCHES: &[&str] = &[
    "data-checksums",
    "debug",
    "no-locale",
    "noclean",
    "nosync",
    "sync-only",
];

/// Parameter by which a manifest asks for MD5.
const PASSWORD_ENCRYPTION: &str = "password_encryption";

pub(super) fn read(reading: &Reading<'_>) -> Postgres {
    let (local_parameters, dynamic_parameters) =
        reading
            .spec
            .postgresql
            .parameters
            .clone()
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(name, _)| LOCAL_PARAMETERS.contains(&name.as_str()));
    let patroni = reading.spec.patroni.as_ref();
    let md5 = dynamic_parameters
        .get(PASSWORD_ENCRYPTION)
        .is_some_and(|value| value == "md5");
    Postgres {
        local_parameters,
        dynamic_parameters,
        pg_hba: patroni.map(|patroni| patroni.pg_hba.clone()).unwrap_or_default(),
        initdb: initdb(patroni.map(|patroni| &patroni.initdb)),
        password_encryption: if md5 {
            PasswordEncryption::Md5
        } else {
            PasswordEncryption::Scram
        },
    }
}

/// The operator's two options first, then the manifest's by name; a manifest's value replaces the operator's in its place.
fn initdb(manifest: Option<&BTreeMap<String, String>>) -> Vec<InitdbOption> {
    let mut options = vec![
        ("auth-host".to_owned(), "scram-sha-256".to_owned()),
        ("auth-local".to_owned(), "trust".to_owned()),
    ];
    for (name, value) in manifest.into_iter().flatten() {
        match options.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => old.clone_from(value),
            None => options.push((name.clone(), value.clone())),
        }
    }
    let option = |(name, value): (String, String)| {
        if value == "true" && INITDB_SWITCHES.contains(&name.as_str()) {
            InitdbOption::Flag(name)
        } else {
            InitdbOption::Setting(name, value)
        }
    };
    options.into_iter().map(option).collect()
}

/// The manifest's version, the operator's target where the manifest has none, and that target too for clusters that are lifted.
pub(super) fn version(reading: &mut Reading<'_>) -> Option<PgVersion> {
    let config = &reading.config.major_version_upgrade;
    let Some(text) = reading.spec.postgresql.version.as_ref() else {
        return Some(config.target_major_version);
    };
    match PgVersion::parse(text) {
        Ok(version)
            if config.major_version_upgrade_mode == UpgradeMode::Full
                && version < config.minimal_major_version =>
        {
            Some(config.target_major_version)
        }
        Ok(version) => Some(version),
        Err(error) => {
            reading.violate(rules::VERSION, "spec.postgresql.version", error.to_string());
            None
        }
    }
}
