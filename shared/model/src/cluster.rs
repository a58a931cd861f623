//! What a manifest means: the normalized cluster. Lives here: the type, and the parse that calls the parts in order. Must not: Kubernetes
//! objects (planner), or rules that a cluster can live without (`validate`).
//!
//! Everything that the manifest may decide is here in its effective form, with the operator's defaults in place: nothing in a [`Cluster`]
//! means "see the default". What only the operator's configuration decides is not repeated.

use crate::{
    api::postgresql::Postgresql,
    config::OperatorConfig,
    finding::{Finding, Violation},
    units::{PgVersion, Window},
};

pub(crate) mod alias;
pub mod backup;
pub mod container;
pub mod database;
mod effective;
pub mod exposure;
pub mod identity;
pub mod instances;
pub mod origin;
pub mod patroni;
pub mod pod;
pub mod pooler;
pub mod postgres;
mod reading;
pub mod resources;
pub mod role;
pub mod rules;
pub mod scheduling;
pub mod storage;
pub mod streams;
pub mod volume;

pub use backup::Backup;
pub use container::Sidecar;
pub use database::{Database, PreparedDatabase, PreparedSchema};
pub use exposure::{Exposure, Service, ServiceKind};
pub use identity::{Identity, Inherited};
pub use origin::{Archive, CloneFrom, CloneMethod, Origin, Standby, StandbyArchive, StandbyHost};
pub use patroni::Patroni;
pub use pod::{Pod, Tls};
pub use pooler::{PoolSizes, Pooler};
pub use postgres::{InitdbOption, PasswordEncryption, Postgres};
pub use resources::Resources;
pub use role::outside::RoleSources;
pub use role::removal::{Removal, UserFate};
pub use role::{Role, RoleFlag, RoleOrigin, Rotation, SecretKey, SecretPlace};
pub use scheduling::Scheduling;
pub use storage::{Storage, SubPath};
pub use streams::{Recovery, Stream, StreamTable};
pub use volume::{AdditionalVolume, Targets};

/// A cluster as it shall be.
///
/// `Debug` prints the variables that the manifest gives in clear, like the manifest itself: do not log it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Who it is.
    pub identity: Identity,
    /// What its objects take over from the `postgresql` object.
    pub inherited: Inherited,
    /// Members, primary included, after the operator's limits (zalando-behaviour 4.17).
    pub instances: i32,
    /// Major version that its members shall run (4.9): the manifest's, or the operator's target where it lifts old clusters.
    pub version: PgVersion,
    /// Image of the database containers.
    pub image: String,
    /// The data volume of each member.
    pub storage: Storage,
    /// Requests and limits of the database container (3.2).
    pub resources: Resources,
    /// Settings of the server.
    pub postgres: Postgres,
    /// Settings of Patroni.
    pub patroni: Patroni,
    /// Where its data comes from.
    pub origin: Origin,
    /// The database pods.
    pub pod: Pod,
    /// How it is reached.
    pub exposure: Exposure,
    /// The roles that it wants, by name. Those of infrastructure and teams come to them by [`Cluster::with_roles_of`].
    pub roles: Vec<Role>,
    /// The databases that shall exist, by name.
    pub databases: Vec<Database>,
    /// The databases with roles of their own, by name.
    pub prepared_databases: Vec<PreparedDatabase>,
    /// What becomes of roles and databases that leave the manifest.
    pub removal: Removal,
    /// When disruptive work may happen; empty: always (4.18).
    pub windows: Vec<Window>,
    /// Its poolers; none where it has none.
    pub pooler: Option<Pooler>,
    /// Its regular dumps; none where it has none.
    pub backup: Option<Backup>,
    /// Its change streams, in order.
    pub streams: Vec<Stream>,
    /// What a human may want to know: what was ignored, raised or cut.
    pub findings: Vec<Finding>,
}

impl Cluster {
    /// Gives a manifest its meaning.
    ///
    /// # Errors
    /// Everything that makes a cluster impossible to build, sorted by path; never a matter of taste or policy, so that what runs today can
    /// be parsed tomorrow. See [`rules`].
    pub fn parse(raw: &Postgresql, config: &OperatorConfig) -> Result<Self, Vec<Violation>> {
        let (spec, aliases) = alias::translate(&raw.spec);
        let mut reading = reading::Reading::new(&raw.metadata, &spec, config);
        reading.findings.extend(aliases);
        let parsed = Self::read(&mut reading);
        let (mut findings, mut violations) = reading.into_reports();
        match parsed {
            Some(cluster) if violations.is_empty() => {
                findings.sort();
                Ok(Self { findings, ..cluster })
            }
            _ => {
                violations.sort();
                Err(violations)
            }
        }
    }

    /// The role of this name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        let found = self.roles.binary_search_by(|role| role.name.as_str().cmp(name));
        found.ok().and_then(|index| self.roles.get(index))
    }

    /// Reads every part, so that all violations are found at once; none where a part is missing.
    fn read(reading: &mut reading::Reading<'_>) -> Option<Self> {
        let identity = identity::read(reading);
        let inherited = identity::inherit(reading, &identity);
        let origin = origin::read(reading);
        let instances = instances::read(reading);
        let version = postgres::version(reading);
        let storage = storage::read(reading);
        let resources = resources::of_postgres(reading);
        let databases = database::read(reading);
        let prepared_databases = database::read_prepared(reading);
        let standby = matches!(origin, Some(Origin::Standby(_)));
        let pod = pod::read(reading, &inherited);
        let windows = windows(reading);
        let pooler = pooler::read(reading);
        let roles = role::read(reading, &prepared_databases, pooler.as_ref(), standby);
        let backup = backup::read(reading);
        let streams = streams::read(reading);
        Some(Self {
            instances,
            version: version?,
            image: image(reading),
            storage: storage?,
            resources,
            postgres: postgres::read(reading),
            patroni: patroni::read(reading),
            origin: origin?,
            pod,
            exposure: exposure::read(reading, &identity, &inherited),
            roles,
            removal: role::removal::read(reading.spec.removal_policy.as_ref()),
            databases,
            prepared_databases,
            windows,
            pooler,
            backup,
            streams,
            findings: Vec::new(),
            identity,
            inherited,
        })
    }
}

fn image(reading: &reading::Reading<'_>) -> String {
    let own = reading
        .spec
        .docker_image
        .clone()
        .filter(|image| !image.is_empty());
    own.unwrap_or_else(|| reading.config.general.docker_image.clone())
}

/// The manifest's windows replace the operator's; none count when the operator heeds none.
fn windows(reading: &mut reading::Reading<'_>) -> Vec<Window> {
    let own: Vec<Window> = reading
        .spec
        .maintenance_windows
        .iter()
        .enumerate()
        .filter_map(|(index, text)| match Window::parse(text) {
            Ok(window) => Some(window),
            Err(error) => {
                reading.violations.push(Violation::new(
                    rules::WINDOW,
                    format!("spec.maintenanceWindows[{index}]"),
                    error.to_string(),
                ));
                None
            }
        })
        .collect();
    let general = &reading.config.general;
    match (
        general.enable_maintenance_windows,
        reading.spec.maintenance_windows.is_empty(),
    ) {
        (false, _) => Vec::new(),
        (true, false) => own,
        (true, true) => general.maintenance_windows.clone(),
    }
}

#[cfg(test)]
mod tests;
