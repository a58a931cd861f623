//! Which steps rely on which others: what a step that failed keeps from being taken. Lives here: that judgement, for an executor that knows no
//! policy. Must not: the order of steps (`plan`), or what is tried again and when (controller).
//!
//! A cluster that wants one thing which it cannot have is no cluster to be left alone: a claim that cannot grow is no reason to let a broken
//! member lie, or to keep a primary on a node that is drained.

use super::{Action, Impact, Reason, Step, pod_passwords, swift};

/// What hangs on a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Nothing: it is about something beside the members.
    Aside,
    /// What members are made of, or run by: while it is not as wanted, no member that runs is disturbed.
    Ground,
    /// All that follows: it was the first half of what comes next.
    Link,
}

impl Step {
    /// Whether `later`, of the same plan, must not be taken after this step has failed. Statements see to that themselves, by their subjects.
    /// `home` is the cluster's namespace.
    pub fn hinders(&self, later: &Self, home: &str) -> bool {
        if matches!(later.action, Action::RunSql { .. }) {
            // Pods are marked before a password changes that they know.
            return pod_passwords::is_mark(self) && pod_passwords::sets_password(later);
        }
        match self.weight(home) {
            // The end of a cluster: only when all the rest has gone.
            Weight::Aside => later.ends_cluster(),
            Weight::Ground => later.rests_on(self) || (later.disturbs() && !later.mends()),
            Weight::Link => true,
        }
    }

    /// Everything else can go on as if it had not failed.
    pub fn is_aside(&self, home: &str) -> bool {
        self.weight(home) == Weight::Aside
    }

    fn weight(&self, home: &str) -> Weight {
        let of_secret = |namespace: &str| {
            if namespace == home {
                Weight::Ground
            } else {
                Weight::Aside
            }
        };
        let of_kind = |kind: &str| match kind {
            "StatefulSet" | "Pod" => Weight::Ground,
            _ => Weight::Aside,
        };
        match &self.action {
            action if swift::is_swiftness(action) => Weight::Aside,
            Action::AddFinalizer(_)
            | Action::RemoveFinalizer(_)
            | Action::LabelSecret(_)
            | Action::GrowClaim { .. } => Weight::Aside,
            Action::Delete { .. } if self.reason == Reason::Earlier => Weight::Ground,
            Action::Delete { target, .. } if target.kind != "StatefulSet" => Weight::Aside,
            Action::Apply(object) | Action::CheckObject(object) => of_kind(object.kind()),
            // Its pods would come back.
            Action::Patch { .. } if self.reason == Reason::Deleted => Weight::Link,
            Action::Patch { target, .. } | Action::Relabel { target, .. } => of_kind(&target.kind),
            Action::CreateSecret(draft) | Action::FillSecret(draft) => of_secret(&draft.namespace),
            Action::ChangeSecret(change) => of_secret(&change.draft.namespace),
            Action::Scale { .. } | Action::PatchPatroni(_) | Action::RunSql { .. } => Weight::Ground,
            // Nothing else would tell of what is left.
            Action::Delete { .. } => match self.reason {
                Reason::Deleted => Weight::Link,
                _ => Weight::Ground,
            },
            Action::CheckTemplate { .. }
            | Action::DeletePod { .. }
            | Action::Checkpoint { .. }
            | Action::Switchover { .. }
            | Action::TakeBackHandover { .. }
            | Action::RestartPostgres { .. } => Weight::Link,
        }
    }

    /// What tells that there is something to be removed goes.
    fn ends_cluster(&self) -> bool {
        match &self.action {
            Action::RemoveFinalizer(_) => true,
            Action::Delete { .. } => self.reason == Reason::Deleted && self.action.is_of_stateful_set(),
            _ => false,
        }
    }

    /// It is no use, or does harm, without what failed.
    fn rests_on(&self, failed: &Self) -> bool {
        let is_of_set =
            |step: &Self| step.action.is_of_stateful_set() || matches!(step.action, Action::Scale { .. });
        let makes_secret = matches!(failed.action, Action::CreateSecret(_) | Action::FillSecret(_));
        let relabels = matches!(failed.action, Action::Relabel { .. });
        match self.action {
            // Pods that have to be made anew for a password are marked before it changes.
            Action::ChangeSecret(_) => relabels,
            // Only the stored template tells what has to go off the pods yet.
            Action::Patch { .. } if relabels && matches!(failed.reason, Reason::Differs(_)) => {
                is_of_set(self)
            }
            _ => is_of_set(self) && (makes_secret || is_of_set(failed) || failed.reason == Reason::Earlier),
        }
    }

    /// Clients notice, or it is done only for the sake of such a step.
    fn disturbs(&self) -> bool {
        let prepares = matches!(
            self.action,
            Action::CheckTemplate { .. } | Action::Checkpoint { .. }
        );
        prepares || self.impact > Impact::Reload
    }

    /// To leave it is worse than anything that can come of it.
    fn mends(&self) -> bool {
        matches!(self.reason, Reason::Broken(_) | Reason::Drained(_))
    }
}

#[cfg(test)]
mod tests;
