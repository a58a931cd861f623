//! The last spec that had a meaning, kept in the status so that an invalid edit never stops the care for a running cluster. Lives here:
//! what is kept, and how it becomes a spec again.

use pgherd_model::api::postgresql::PostgresqlSpec;

/// What is kept of a spec: everything but the keys that the manifest may carry in clear.
pub fn remember(spec: &PostgresqlSpec) -> PostgresqlSpec {
    let mut kept = spec.clone();
    if let Some(clone) = &mut kept.clone {
        clone.s3_access_key_id = None;
        clone.s3_secret_access_key = None;
    }
    kept
}

/// The remembered spec, with the keys of the present one.
pub fn recall(remembered: &PostgresqlSpec, present: &PostgresqlSpec) -> PostgresqlSpec {
    let mut spec = remembered.clone();
    if let (Some(clone), Some(present)) = (&mut spec.clone, &present.clone) {
        clone.s3_access_key_id.clone_from(&present.s3_access_key_id);
        clone
            .s3_secret_access_key
            .clone_from(&present.s3_secret_access_key);
    }
    spec
}
