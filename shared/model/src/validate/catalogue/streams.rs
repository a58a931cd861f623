//! Rules about change streams.  // table

use crate::validate::{
    Check, Example, Rule,
    Severity::{Deny, Warn},
    When::{Changed, Naming},
    check::streams,
};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "PGV-067",
        paths: &["spec.streams[*]"],
        severity: Deny,
        fixed: false,
        when: Changed,
        demand: "A stream names an application, a database, and tables with types of events, each table once.",
        reason: "Of two streams of one application for the same table the last would win; the application's name is part of a slot's.",
        accepts: Example::of("spec: {users: {app: []}, databases: {shop: app}, streams: [{applicationId: order-app, database: shop, tables: {data.orders: {eventType: order}}}]}"),
        rejects: Example::of("spec: {users: {app: []}, databases: {shop: app}, streams: [{applicationId: order-app, database: shop, tables: {data.orders: {}}}]}"),
        since: "0.1",
        check: Check::Object(streams::streams_are_whole),
    },
    Rule {
        id: "PGV-068",
        paths: &["spec.streams[*].database", "spec.streams[*].filter"],
        severity: Warn,
        fixed: false,
        when: Naming,
        demand: "Streams read databases of this manifest, and filter tables that they read.",
        reason: "Without the database there is no slot, and a filter for another table filters nothing.",
        accepts: Example::of("spec: {users: {app: []}, databases: {shop: app}, streams: [{applicationId: a, database: shop, tables: {t: {eventType: e}}}]}"),
        rejects: Example::of("spec: {streams: [{applicationId: a, database: shop, tables: {t: {eventType: e}}}]}"),
        since: "0.1",
        check: Check::Object(streams::streams_find_their_data),
    },
];
