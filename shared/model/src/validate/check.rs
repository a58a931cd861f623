//! The checks of the catalogue's rules, by topic. Each takes objects and returns the places where its rule is broken; none knows its id.

pub(super) mod container;
pub(super) mod database;
pub(super) mod exposure;
pub(super) mod identity;
pub(super) mod origin;
pub(super) mod parameters;
pub(super) mod patroni;
pub(super) mod resources;
pub(super) mod role;
pub(super) mod storage;
pub(super) mod unknown;
pub(super) mod version;
