//! The page about parameters of the server.

use super::{Owner, all, owner, patroni, table};
use crate::units::PgVersion;

/// The page `docs/reference/postgres-parameters.md`. `local` are the names that go into the configuration of each member.
pub fn markdown(local: &[&str]) -> String {
    let counts = PgVersion::SUPPORTED.map(|version| format!("{} in {version}", all(version).count()));
    let shared: String = patroni::SHARED.iter().map(patroni::Shared::row).collect();
    format!(
        "\
# Parameters of PostgreSQL

<!-- Generated from `shared/model/src/postgres_parameters`; do not edit. -->

`spec.postgresql.parameters` is checked against what servers say of themselves: names, kinds, units, ranges, and when a change takes
effect, as `pg_settings` reported them in PostgreSQL 14.23, 15.18, 16.14, 17.10 and 18.4. Words that depend on how a server was built are
those of Debian's packages, and {late} came with later minor releases. A test compares
the table with the servers of the database image, 15 and 17. What Patroni does with a value on its way is that of its releases 3 and 4, and is
tested with the image's. What is said of a manifest is in the [rules](rules.md), PGV-101 and following.

Known parameters: {counts}. A name with a dot belongs to an extension: it is passed on, and neither its name nor its value is
judged.

## What a change costs

- In the variables of each pod, so that a change rolls the pods even where the server could reload it: {local}.
- Every other one is in Patroni's configuration. Most take effect at a reload; these restart Postgres in place: {restarting}.
- Lowering one of {hot_standby} restarts the primary first, because a replica must not have less.
- Another spelling of the same value (`1GB` and `1024MB`) is no change in Patroni's configuration. In the variables of a pod it is.
- A parameter that the manifest set and names no more is taken back: to what the image gives a new cluster, else to Patroni's default.
  What was never the manifest's stays, and so do `wal_level`, `max_replication_slots` and `max_prepared_transactions`.

## Not the manifest's

Patroni sets or drops: {of_patroni}; in synchronous mode also `synchronous_standby_names`.

Where Patroni and the image expect them: {of_image}.

## The same on all members

For a value that it does not take, Patroni sets its own default.

| parameter | Patroni's default | least it takes |
|---|---|---|
{shared}",
        counts = counts.join(", "),
        late = list(&super::CAME_LATE),
        local = list(local),
        restarting = list(&restarting(local)),
        hot_standby = list(&patroni::HOT_STANDBY),
        of_patroni = list(&patroni::OF_PATRONI),
        of_image = list(&patroni::OF_IMAGE),
    )
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Names that restart the server in some major and that a manifest may set in Patroni's configuration.
fn restarting(local: &[&str]) -> Vec<&'static str> {
    let is_dynamic = |name: &str| owner(name) == Owner::Manifest && !local.contains(&name);
    let rows = table::TABLE.iter();
    let mut names: Vec<&str> = rows
        .filter(|row| row.restarts() && is_dynamic(row.name))
        .map(|row| row.name)
        .collect();
    names.dedup();
    names
}
