//! Map of the crate.
