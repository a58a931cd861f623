//! Changes of Patroni's dynamic configuration.

use serde_json::Value;

use super::Scene;
use crate::context::Context;
use crate::error::TurnError;
use crate::patroni::members::members;

/// Merges into the configuration through the first member that takes it. Idempotent.
pub(super) async fn patch(context: &Context, scene: &Scene<'_>, patch: &Value) -> Result<(), TurnError> {
    let mut result = Err(TurnError::NoMember("no pod runs"));
    for (_, address) in members(scene.pods) {
        result = context
            .patroni
            .patch_config(address, patch)
            .await
            .map_err(TurnError::from);
        if result.is_ok() {
            break;
        }
    }
    result
}
