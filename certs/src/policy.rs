//! How long things live, and the flags for it.

use std::time::Duration;

use clap::Args;
use pgherd_runtime::args::duration;

/// Certificates begin to be valid this long before they are made, for clocks that are behind.
pub(crate) const BACKDATE: Duration = Duration::from_hours(1);

/// Lives and delays. All replicas should have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
#[command(next_help_heading = "Certificates")]
pub struct Policy {
    /// How long an authority lives. It is replaced, without a failed call, when a third of that is left.
    #[arg(long = "ca-lifetime", default_value = "17520h", value_parser = duration, value_name = "TIME")]
    pub authority_life: Duration,

    /// How long a serving certificate lives. It is renewed when a third of that is left.
    #[arg(long = "certificate-lifetime", default_value = "168h", value_parser = duration, value_name = "TIME")]
    pub leaf_life: Duration,

    /// How long a new authority must have been trusted everywhere before it signs.
    #[arg(long = "ca-settle-time", default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub settle: Duration,

    /// How far the clocks of replicas may be apart.
    #[arg(long = "clock-slack", default_value = "1h", value_parser = duration, value_name = "TIME")]
    pub slack: Duration,
}

/// The times of a policy do not fit together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Authorities must outlive leaves by far.
    #[error(
        "--ca-lifetime {authority:?} is too short: it must be at least three times --certificate-lifetime {leaf:?}"
    )]
    AuthorityTooShort {
        /// Life of an authority.
        authority: Duration,
        /// Life of a leaf.
        leaf: Duration,
    },
    /// The rotation must end before the authority does.
    #[error(
        "--ca-settle-time {settle:?} is too long: it must be at most a sixth of --ca-lifetime {authority:?}"
    )]
    SettleTooLong {
        /// Life of an authority.
        authority: Duration,
        /// Delay before a new one signs.
        settle: Duration,
    },
    /// Rounded to whole seconds, a leaf would not live.
    #[error("--certificate-lifetime {0:?} is too short: it must be at least 3s")]
    LeafTooShort(Duration),
}

impl Policy {
    /// Do the times fit together?
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the flags that do not.
    pub fn check(&self) -> Result<(), PolicyError> {
        let (authority, leaf, settle) = (self.authority_life, self.leaf_life, self.settle);
        if leaf < Duration::from_secs(3) {
            return Err(PolicyError::LeafTooShort(leaf));
        }
        if authority < leaf * 3 {
            return Err(PolicyError::AuthorityTooShort { authority, leaf });
        }
        if settle > authority / 6 {
            return Err(PolicyError::SettleTooLong { authority, settle });
        }
        Ok(())
    }

    /// How long a leaf may still be served after its authority stopped signing.
    pub(crate) fn farewell(&self) -> Duration {
        self.leaf_life + self.slack
    }
}

impl Default for Policy {
    /// Two years for authorities, seven days for leaves.
    fn default() -> Self {
        Self {
            authority_life: Duration::from_hours(17_520),
            leaf_life: Duration::from_hours(168),
            settle: Duration::from_mins(10),
            slack: Duration::from_hours(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_default_to_the_default_policy() {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            policy: Policy,
        }
        let flags = <Flags as clap::Parser>::parse_from(["webhook"]);
        assert_eq!(flags.policy, Policy::default());
        assert_eq!(flags.policy.check(), Ok(()));
    }

    #[test]
    fn times_that_do_not_fit_are_refused() {
        let short = Policy {
            authority_life: Duration::from_hours(200),
            ..Policy::default()
        };
        assert!(matches!(
            short.check(),
            Err(PolicyError::AuthorityTooShort { .. })
        ));
        let slow = Policy {
            settle: Duration::from_hours(8_000),
            ..Policy::default()
        };
        assert!(matches!(slow.check(), Err(PolicyError::SettleTooLong { .. })));
    }
}
