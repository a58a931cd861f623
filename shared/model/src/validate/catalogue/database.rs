//! Rules about databases.  // table

use crate::validate::{
    Check, Example, Rule,
    Severity::{Deny, Warn},
    When::Changed,
    check::database,
};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGV-027",
        paths: &["spec.databases", "spec.preparedDatabases"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "Names of databases and schemas are letters, digits and underscores, no digit first.",
        reason: "A database with another name is not made.",
        accepts: Example::of("spec: {users: {app: []}, databases: {shop_2: app}}"),
        rejects: Example::of("spec: {users: {app: []}, databases: {shop-2: app}}"),
        since: "0.1",
        check: Check::Object(database::names_are_plain),
    },
    Rule {
        id: "PGV-028",
        paths: &["spec.databases"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "The owner of a database is a role of this cluster. (Where roles can come from elsewhere: PGV-057.)",
        reason: "A database without its owner is not made.",
        accepts: Example::of("spec: {users: {app: []}, databases: {shop: app}}").under(&[("enable_teams_api", "false"), ("enable_postgres_team_crd", "false")]),
        rejects: Example::of("spec: {users: {app: []}, databases: {shop: apq}}").under(&[("enable_teams_api", "false"), ("enable_postgres_team_crd", "false")]),
        since: "0.1",
        check: Check::Object(database::owners_exist),
    },
    Rule {
        id: "PGV-029",
        paths: &["spec.databases", "spec.preparedDatabases"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "A database is in one of the two sections.",
        reason: "Each would give it another owner, for ever.",
        accepts: Example::of("spec: {users: {app: []}, databases: {shop: app}, preparedDatabases: {books: {}}}"),
        rejects: Example::of("spec: {users: {app: []}, databases: {shop: app}, preparedDatabases: {shop: {}}}"),
        since: "0.1",
        check: Check::Object(database::sections_do_not_overlap),
    },
    Rule {
        id: "PGV-057",
        paths: &["spec.databases"],
        severity: Warn,
        fixed: false,
        when: Changed,
        demand: "The owner of a database is a user of this manifest, where roles can also come from teams or infrastructure.",
        reason: "If nobody else makes that role, the database is not made.",
        accepts: Example::of("spec: {users: {app: []}, databases: {shop: app}}").under(&[("enable_teams_api", "true")]),
        rejects: Example::of("spec: {users: {app: []}, databases: {shop: apq}}").under(&[("enable_teams_api", "true")]),
        since: "0.1",
        check: Check::Object(database::owners_are_known),
    },
];
