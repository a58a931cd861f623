//! Parameters of the group `admission`: ours, beside Zalando's.  // table

use indexmap::IndexMap;

use crate::config::choice::ValidationProfile;
use crate::finding::Severity;

section! {
    /// What admission does with what its rules find. Zalando's operator has no admission and ignores this group.
    Admission as admission {
        /// How strict admission is: `observe` refuses nothing but what cannot be read or must never be, and tells
        /// what it would refuse; `standard` does what the rules say; `strict` also refuses what a manifest says and
        /// would not get, where `standard` warns. In no profile does a mistake that is stored already block a change.
        validation_profile: ValidationProfile = "standard" => Operator;
        /// Rules that refuse (`deny`) or warn (`warn`) otherwise than the profile has it, by their ids. Rules that keep
        /// clusters apart cannot be softened, and `observe` refuses nothing for being listed here.
        validation_severity: IndexMap<String, Severity> = "" => Operator;
    }
}
