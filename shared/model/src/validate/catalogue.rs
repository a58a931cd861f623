//! All rules. A rule is a row in the table of its topic; its id is the next one that is free over all tables, and is never used again.
//! What a rule does is in `check`, or in [`Cluster::parse`](crate::cluster::Cluster).

use std::sync::LazyLock;

use super::Rule;

mod backup;
mod cluster;
mod database;
mod exposure;
mod origin;
mod parameters;
mod patroni;
mod pod;
mod pooler;
mod resources;
mod role;
mod role_options;
mod storage;
mod streams;

/// The tables of the topics.
const TOPICS: &[&[Rule]] = &[
    super::deletion::RULES,
    backup::RULES,
    cluster::RULES,
    database::RULES,
    exposure::RULES,
    origin::RULES,
    parameters::RULES,
    patroni::RULES,
    pod::RULES,
    pooler::RULES,
    resources::RULES,
    role::RULES,
    role_options::RULES,
    storage::RULES,
    streams::RULES,
];

/// All rules, in the order of their ids.
pub fn catalogue() -> &'static [&'static Rule] {
    static SORTED: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
        let mut rules: Vec<&Rule> = TOPICS.iter().copied().flatten().collect();
        rules.sort_by_key(|rule| rule.id);
        rules
    });
    &SORTED
}
