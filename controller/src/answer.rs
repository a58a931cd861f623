//! What the API server said when it refused. A leaf. Must not: what that means for a turn (`error`).

use kube::core::Status;
use pgherd_runtime::tasks::chain;

/// One sentence: kube's own words repeat the whole answer.
pub fn said(error: &kube::Error) -> String {
    status(error).map_or_else(|| chain(error), |status| status.message.clone())
}

/// What the API server said, if it was it that refused.
pub fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// The object does not exist.
pub fn is_not_found(error: &kube::Error) -> bool {
    status(error).is_some_and(|status| status.code == 404)
}

/// It exists already, or was changed since it was read.
pub fn is_conflict(error: &kube::Error) -> bool {
    status(error).is_some_and(|status| status.code == 409)
}
