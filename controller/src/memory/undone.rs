//! What is done in the database and in secrets, and undone by somebody again and again: it is done ever more rarely, and nothing else waits for
//! it. Any login may undo what is his own, the owner of a database what is in it. Must not: decide what is done.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::SignedDuration;
use pgherd_planner::plan::{Action, Hold, HoldReason, Matter, Plan, Step, Verb};
use pgherd_planner::sql::Subject;
use tokio::time::Instant;

use super::{Deed, FIRST_RETRY, LAST_RETRY, Memory, RESTLESS};

/// The same text as long as it is so.
const WHY: &str = "it was done many times, and somebody undoes it: it is tried again ever more rarely";

/// Such steps that were taken, by what they are about.
#[derive(Debug, Default)]
pub(super) struct Undone(HashMap<u64, Deed>);

/// A step that changes what a user of the database may change back, or its secret.
pub(super) fn may_be(step: &Step) -> bool {
    matches!(step.action, Action::RunSql { .. } | Action::ChangeSecret(_))
}

impl Undone {
    /// These were taken in one turn.
    pub(super) fn note<'a>(&mut self, steps: impl IntoIterator<Item = &'a Step>, now: Instant) {
        self.0.retain(|_, deed| deed.remembered(now) > 0);
        // What is said about one role or schema may be several steps.
        let keys: BTreeSet<u64> = steps.into_iter().map(key).collect();
        for key in keys {
            let known = self.0.get(&key);
            let times = known.map_or(0, |deed| deed.remembered(now)) + 1;
            self.0.insert(key, Deed { times, last: now });
        }
    }

    /// How long the step has to wait yet.
    fn wait(&self, step: &Step, now: Instant) -> Option<Duration> {
        let deed = self.0.get(&key(step))?;
        let beyond = deed.remembered(now).checked_sub(RESTLESS)?;
        let pause = FIRST_RETRY.saturating_mul(1 << beyond.min(20)).min(LAST_RETRY);
        let wait = pause.checked_sub(now.duration_since(deed.last))?;
        (!wait.is_zero()).then_some(wait)
    }
}

/// Not the words of the statements: who undoes now this, now that, does the same.
fn key(step: &Step) -> u64 {
    let mut hasher = DefaultHasher::new();
    match &step.action {
        Action::RunSql {
            database, subject, ..
        } => (database, subject.to_string()).hash(&mut hasher),
        _ => step.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

impl Memory {
    /// Takes out of the plan what is undone again and again, until its pause is over. Says so.
    pub fn postpone(&self, plan: &mut Plan, now: Instant) {
        let mut holds: Vec<Hold> = Vec::new();
        let mut soonest: Option<Duration> = None;
        plan.steps.retain(|step| {
            let wait = may_be(step).then(|| self.undone.wait(step, now)).flatten();
            let (Some(wait), Some(subject)) = (wait, subject(step)) else {
                return true;
            };
            soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
            let hold = Hold {
                matter: Matter::Object(Verb::Make, subject),
                reason: HoldReason::Conflict(WHY.to_owned()),
                until: None,
            };
            if !holds.contains(&hold) {
                holds.push(hold);
            }
            false
        });
        plan.holds.extend(holds);
        if let Some(soonest) = soonest.and_then(|soonest| SignedDuration::try_from(soonest).ok()) {
            plan.wake_after = Some(plan.wake_after.map_or(soonest, |wake| wake.min(soonest)));
        }
    }
}

fn subject(step: &Step) -> Option<Subject> {
    match &step.action {
        Action::RunSql { subject, .. } => Some(subject.clone()),
        Action::ChangeSecret(change) => Some(Subject::Role(change.username.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::BREATH;
    use crate::memory::tests::{sql, step};

    fn planned(steps: Vec<Step>) -> Plan {
        Plan {
            steps,
            ..Plan::default()
        }
    }

    #[test]
    fn a_user_who_undoes_makes_nothing_wait_but_what_he_undoes() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.rests(Some(1), now);
        for _ in 0..20 {
            memory.did([&sql("app"), &sql("app")], now);
            assert_eq!(memory.moved(now), BREATH);
        }
        assert_eq!(memory.rests(Some(1), now), None);
        let mut plan = planned(vec![sql("app"), sql("other"), step("pod"), sql("app")]);
        memory.postpone(&mut plan, now);
        assert_eq!(plan.steps, [sql("other"), step("pod")]);
        assert_eq!(plan.holds.len(), 1);
        assert!(plan.holds[0].to_string().contains("app"), "{:?}", plan.holds);
        assert!(
            plan.wake_after
                .is_some_and(|wake| wake > SignedDuration::from_mins(1))
        );
        let later = |memory: &Memory, now: Instant| {
            let mut plan = planned(vec![sql("app")]);
            memory.postpone(&mut plan, now);
            plan.steps.len()
        };
        assert_eq!(later(&memory, now + LAST_RETRY), 1);
        // Who edits the manifest is heard at once.
        memory.rests(Some(2), now);
        assert_eq!(later(&memory, now), 1);
    }

    #[test]
    fn what_is_made_in_several_steps_and_turns_does_not_wait() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for _ in 0..7 {
            memory.did(std::iter::repeat_n(&sql("app"), 20), now);
        }
        let mut plan = planned(vec![sql("app")]);
        memory.postpone(&mut plan, now);
        assert_eq!(plan.steps.len(), 1);
    }
}
