//! What becomes of what leaves the manifest. Lives here: the policy as it counts. Must not: what has left (planner, from the status).

use crate::api::postgresql::RemovalPolicy;

/// What becomes of a user that leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserFate {
    /// It stays.
    #[default]
    Keep,
    /// It cannot log in any more and is a member of nothing that the manifest made it a member of.
    Revoke,
    /// It is dropped.
    Drop,
}

/// The policy, everything that is not understood left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Of users and of the roles of prepared databases.
    pub users: UserFate,
    /// Memberships that the manifest gave are taken back.
    pub memberships: bool,
    /// Flags and settings that the manifest gave are taken back.
    pub flags: bool,
    /// Databases are dropped.
    pub databases: bool,
    /// Who gets what dropped users own.
    pub heir: Option<String>,
}

/// Words of the policy.
pub mod word {
    /// As it is.
    pub const KEEP: &str = "keep";
    /// Rights go.
    pub const REVOKE: &str = "revoke";
    /// It goes.
    pub const DROP: &str = "drop";
}

impl Removal {
    /// Something is ever taken away, so that it has to be remembered what was given.
    pub fn is_any(&self) -> bool {
        self.users != UserFate::Keep || self.memberships || self.flags || self.databases
    }
}

pub(in crate::cluster) fn read(written: Option<&RemovalPolicy>) -> Removal {
    let Some(written) = written else {
        return Removal::default();
    };
    let is = |word: &Option<String>, wanted: &str| word.as_deref() == Some(wanted);
    Removal {
        users: match written.users.as_deref() {
            Some(word::REVOKE) => UserFate::Revoke,
            Some(word::DROP) => UserFate::Drop,
            _ => UserFate::Keep,
        },
        memberships: is(&written.memberships, word::REVOKE),
        flags: is(&written.flags, word::REVOKE),
        databases: is(&written.databases, word::DROP),
        heir: written.reassign_owned_to.clone().filter(|heir| !heir.is_empty()),
    }
}
