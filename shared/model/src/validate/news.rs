//! The review of an edit by somebody who has not written the manifest: who scales or labels a cluster is not told what is odd about it anyway.
//! Must not: rules.

use super::{Review, review_of};
use crate::config::OperatorConfig;
use crate::manifest::Manifest;

/// As [`review_of`] of an update; of the warnings only those that the edit brings.
pub fn news_of(new: &Manifest<'_>, old: &Manifest<'_>, config: &OperatorConfig) -> Review {
    let mut answer = review_of(new, Some(old), config);
    if !answer.warnings.is_empty() {
        let before = review_of(old, Some(old), config).warnings;
        answer.warnings.retain(|warning| !before.contains(warning));
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::review;
    use super::super::tests::{config, manifest};
    use super::*;

    fn news(new: &Value, old: &Value) -> Review {
        let (config, stored) = (config(), Manifest::read(old, None, &config()));
        news_of(&Manifest::read(new, Some(old), &config), &stored, &config)
    }

    #[test]
    fn what_is_odd_anyway_is_not_told_again() {
        let old = manifest("spec: {topologySpreadConstraint: []}");
        let mut new = old.clone();
        new["metadata"]["labels"] = json!({"owner": "shop"});
        assert_eq!(review(&new, Some(&old), &config()).warnings.len(), 1);
        assert_eq!(news(&new, &old), Review::default());
        new["metadata"]["annotations"] = json!({"acid.zalan.do/controller": "another"});
        let told = news(&new, &old).warnings;
        assert!(told.len() == 1 && told[0].ends_with("(PGV-053)"), "{told:?}");
    }
}
