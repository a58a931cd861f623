//! The review of an edit by somebody who has not written the manifest: who scales or labels a cluster is not told what is odd about it anyway.
//! Must not: rules.

use serde_json::Value;

use super::{Review, review};
use crate::config::OperatorConfig;

/// As [`review`] of an update; of the warnings only those that the edit brings.
pub fn news(new: &Value, old: &Value, config: &OperatorConfig) -> Review {
    let mut answer = review(new, Some(old), config);
    if !answer.warnings.is_empty() {
        let before = review(old, Some(old), config).warnings;
        answer.warnings.retain(|warning| !before.contains(warning));
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{config, manifest};
    use super::*;

    #[test]
    fn what_is_odd_anyway_is_not_told_again() {
        let old = manifest("spec: {topologySpreadConstraint: []}");
        let mut new = old.clone();
        new["metadata"]["labels"] = json!({"owner": "shop"});
        assert_eq!(review(&new, Some(&old), &config()).warnings.len(), 1);
        assert_eq!(news(&new, &old, &config()), Review::default());
        new["metadata"]["annotations"] = json!({"acid.zalan.do/controller": "another"});
        let told = news(&new, &old, &config()).warnings;
        assert!(told.len() == 1 && told[0].ends_with("(PGV-053)"), "{told:?}");
    }
}
