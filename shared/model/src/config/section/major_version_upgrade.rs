//! Parameters of the group `major_version_upgrade`.  // table

use crate::config::choice::UpgradeMode;
use crate::units::PgVersion;

section! {
    /// In-place major version upgrades.
    MajorVersionUpgrade as major_version_upgrade {
        /// Who starts an upgrade: `off` nobody, `manual` whoever raises the version in a manifest, `full` also
        /// the operator for clusters below the minimal version.
        major_version_upgrade_mode: UpgradeMode = "manual" => Pods;
        /// Teams whose clusters are upgraded although the mode is `off`.
        major_version_upgrade_team_allow_list: Vec<String> = "" => Pods;
        /// In mode `full`, clusters below this version are upgraded.
        minimal_major_version: PgVersion = "14" => Pods;
        /// The version that such clusters are upgraded to.
        target_major_version: PgVersion = "18" => Pods;
    }
}
