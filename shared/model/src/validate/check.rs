//! The checks of the catalogue's rules, by topic. Each takes objects and returns the places where its rule is broken; none knows its id.

pub(super) mod backup;
pub(super) mod container;
pub(super) mod database;
pub(super) mod exposure;
pub(super) mod hba;
pub(super) mod identity;
pub(super) mod metadata;
pub(super) mod origin;
pub(super) mod parameters;
pub(super) mod patroni;
pub(super) mod pooler;
pub(super) mod resources;
pub(super) mod role;
pub(super) mod role_options;
pub(super) mod scheduling;
pub(super) mod slots;
pub(super) mod storage;
pub(super) mod streams;
mod syntax;
pub(super) mod unknown;
pub(super) mod variable;
pub(super) mod version;
pub(super) mod window;
