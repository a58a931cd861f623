//! One that fails in its turn stops the others, whatever becomes of the turn; and who is tried first.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::*;

const ALL: usize = 3;

fn due(members: i32) -> Roll {
    Roll {
        is_due: true,
        members,
        ..Roll::default()
    }
}

/// In the middle of its roll: a new pod that is not up, and an old one.
fn begun() -> Roll {
    Roll {
        has_begun: true,
        is_coming: true,
        ..due(2)
    }
}

fn broken() -> Roll {
    Roll {
        trouble: Some("a-1: ImagePullBackOff".to_owned()),
        ..begun()
    }
}

fn whole() -> Roll {
    Roll {
        is_up: true,
        members: 2,
        ..Roll::default()
    }
}

fn closed(roll: Roll) -> Roll {
    Roll {
        is_closed: true,
        ..roll
    }
}

fn apart(part: Part, roll: Roll) -> Roll {
    Roll {
        part,
        is_due: false,
        has_begun: part == Part::Nothing && roll.has_begun,
        ..roll
    }
}

struct Few(Book<String>);

impl Few {
    /// Three of two members, of which the first goes as the canary.
    fn with_canary() -> Self {
        let mut few = Self(Book::default());
        for name in ["a", "b", "c"] {
            few.hear(name, &due(2));
        }
        assert_eq!(few.hear("a", &due(2)), Verdict::Go);
        few
    }

    fn hear(&mut self, name: &str, roll: &Roll) -> Verdict {
        self.0.hear(&name.to_owned(), roll, ALL, 2).verdict
    }

    fn told(&mut self, name: &str) -> String {
        match self.hear(name, &due(2)) {
            Verdict::Wait(why) => why.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn is_stopped(&mut self) -> bool {
        self.told("b") == "stopped, because a fails: a-1: ImagePullBackOff"
    }
}

#[test]
fn a_canary_that_fails_stops_the_others_when_its_window_closes_or_it_is_paused_or_edited() {
    let ends = [
        closed(broken()),
        apart(Part::Nothing, broken()),
        apart(Part::Own, broken()),
        // Its pods are up for a moment, or the edit makes them anew.
        closed(due(2)),
        apart(Part::Nothing, due(2)),
        apart(Part::Own, due(2)),
    ];
    for end in ends {
        let mut few = Few::with_canary();
        few.hear("a", &broken());
        assert!(few.is_stopped());
        for _ in 0..3 {
            few.hear("a", &end);
            assert!(few.is_stopped(), "{end:?}");
        }
        assert_eq!(few.0.counts(), (0, 2, 1), "it has no turn");
        assert_eq!(
            few.0.lists().0,
            [("a".to_owned(), Some("a-1: ImagePullBackOff".to_owned()))]
        );
    }
}

#[test]
fn who_has_no_meaning_any_more_still_fails() {
    let mut few = Few::with_canary();
    few.hear("a", &broken());
    few.0.skip(&"a".to_owned(), ALL, 2);
    assert!(few.is_stopped());
}

#[test]
fn trouble_that_shows_after_the_end_of_the_turn_counts() {
    for part in [Part::Fleet, Part::Nothing, Part::Own] {
        let end = |roll: Roll| match part {
            Part::Fleet => closed(roll),
            part => apart(part, roll),
        };
        let mut few = Few::with_canary();
        few.hear("a", &begun());
        few.hear("a", &end(begun()));
        assert_eq!(
            few.told("b"),
            "a goes first, as the canary",
            "its pod may still come up"
        );
        few.hear("a", &end(broken()));
        assert!(few.is_stopped(), "{part:?}");

        let mut few = Few::with_canary();
        few.hear("a", &begun());
        few.hear("a", &end(begun()));
        few.hear("a", &end(due(2)));
        assert_eq!(
            few.hear("b", &due(2)),
            Verdict::Go,
            "it did: nobody waits for the rest"
        );
    }
}

#[test]
fn a_stop_ends_with_another_configuration_and_with_the_cluster_itself() {
    let stopped = || {
        let mut few = Few::with_canary();
        few.hear("a", &broken());
        few.hear("a", &closed(broken()));
        assert!(few.is_stopped());
        few
    };
    let mut few = stopped();
    few.0.renew();
    assert_eq!(few.0.counts().2, 0);
    let mut few = stopped();
    few.0.renew_some(&["a".to_owned()]);
    assert_eq!(few.0.counts().2, 0);
    let mut few = stopped();
    few.0.renew_some(&["b".to_owned()]);
    assert_eq!(few.0.counts().2, 1);
    let mut few = stopped();
    assert_eq!(few.0.forget(&"a".to_owned(), 2, 2), ["b", "c"]);
    // Its pods of the configuration before do not run, and wait for its window.
    let old = Roll {
        has_begun: false,
        is_coming: false,
        ..closed(broken())
    };
    let mut in_its_turn = Few::with_canary();
    in_its_turn.hear("a", &broken());
    for mut few in [stopped(), in_its_turn] {
        few.0.renew();
        few.hear("a", &old);
        few.hear("b", &due(2));
        few.hear("c", &due(2));
        assert_eq!(few.hear("b", &due(2)), Verdict::Go);
    }
}

#[test]
fn who_failed_is_tried_again_in_its_next_window_and_proves_it_then() {
    let mut few = Few::with_canary();
    few.hear("a", &broken());
    few.hear("a", &closed(broken()));
    assert_eq!(few.hear("a", &due(2)), Verdict::Go, "it keeps nobody but others");
    assert!(few.is_stopped());
    let woken = few.0.hear(&"a".to_owned(), &whole(), ALL, 2).wake;
    assert_eq!(woken, ["b", "c"]);
    assert_eq!(few.hear("b", &due(2)), Verdict::Go);
    assert_eq!(few.hear("c", &due(2)), Verdict::Go, "two at once: it is proven");
}

/// Its only old pod is gone and the new one not there yet: nothing is older then, and the pod comes up as the edit has it.
#[test]
fn an_edit_while_no_pod_is_old_proves_nothing() {
    let coming = || Roll {
        is_due: false,
        ..begun()
    };
    let edited = |roll: Roll| Roll {
        is_rewritten: true,
        ..roll
    };
    for (seen, last, is_proof) in [
        (coming(), whole(), true),
        (edited(coming()), whole(), false),
        (coming(), edited(whole()), false),
    ] {
        let mut few = Few::with_canary();
        few.hear("a", &begun());
        assert_eq!(few.hear("a", &seen), Verdict::Finish);
        few.hear("a", &last);
        few.hear("b", &due(2));
        let second = few.hear("c", &due(2));
        assert_eq!(second == Verdict::Go, is_proof, "{second:?}");
    }
}

#[test]
fn one_that_is_whole_by_an_image_of_its_own_stops_nobody_and_proves_nothing() {
    // Before its trouble showed, and after.
    for found in [begun(), broken()] {
        let mut few = Few::with_canary();
        few.hear("a", &found);
        few.hear("a", &apart(Part::Own, found));
        assert_ne!(few.told("b"), "Go");
        few.hear("a", &whole());
        assert_eq!(few.hear("b", &due(2)), Verdict::Go);
        assert_eq!(few.told("c"), "b goes first, as the canary");
    }
}

#[test]
fn a_step_that_failed_before_anything_was_done_stops_nobody_for_long() {
    let mut few = Few::with_canary();
    few.0
        .acted(&"a".to_owned(), Some("check template: 503".to_owned()), ALL, 2);
    assert_eq!(few.told("b"), "stopped, because a fails: check template: 503");
    few.hear("a", &closed(due(2)));
    assert_eq!(few.hear("b", &due(2)), Verdict::Go);
}

#[test]
fn a_new_book_learns_who_failed_from_what_is_seen() {
    for (found, stops) in [
        (closed(broken()), true),
        (apart(Part::Nothing, broken()), true),
        // A roll of its own, and one that nobody has begun.
        (apart(Part::Own, broken()), false),
        (
            Roll {
                has_begun: false,
                ..closed(broken())
            },
            false,
        ),
    ] {
        let mut few = Few(Book::default());
        few.hear("b", &due(2));
        few.hear("c", &due(2));
        few.hear("a", &found);
        assert_eq!(few.is_stopped(), stops, "{found:?}");
    }
    // That a pod of one that is paused is not there says little.
    let mut few = Few(Book::default());
    for name in ["b", "c"] {
        few.hear(name, &due(2));
    }
    few.hear("a", &apart(Part::Nothing, begun()));
    assert_eq!(few.hear("b", &due(2)), Verdict::Go);
}

/// That a turn ends well is said by the status, which the next controller reads.
#[test]
fn one_whose_last_pod_does_not_come_up_says_so_wherever_it_is() {
    let last = |roll: Roll| Roll {
        is_due: false,
        ..roll
    };
    let mut few = Few::with_canary();
    few.hear("a", &last(broken()));
    for end in [closed(broken()), apart(Part::Nothing, broken())] {
        assert_eq!(few.hear("a", &last(end)), Verdict::Finish);
    }
}

#[test]
fn a_single_member_is_tried_last_unless_it_volunteers_or_there_is_nothing_else() {
    let order = |sizes: &[i32], volunteer: Option<usize>| {
        let mut book = Book::<usize>::default();
        let roll = |index: usize| Roll {
            is_volunteer: Some(index) == volunteer,
            ..due(sizes[index])
        };
        (0..sizes.len()).for_each(|index| drop(book.hear(&index, &roll(index), sizes.len(), 1)));
        let mut order = Vec::new();
        let mut left: BTreeSet<usize> = (0..sizes.len()).collect();
        while !left.is_empty() {
            let next = left
                .iter()
                .copied()
                .find(|index| book.hear(index, &roll(*index), sizes.len(), 1).verdict == Verdict::Go);
            let next = next.unwrap();
            book.hear(&next, &whole(), sizes.len(), 1);
            left.remove(&next);
            order.push(sizes[next]);
        }
        order
    };
    assert_eq!(order(&[1, 5, 2, 1, 3], None), [2, 3, 5, 1, 1]);
    assert_eq!(order(&[1, 5, 2, 1, 3], Some(0)), [1, 2, 3, 5, 1]);
    assert_eq!(order(&[1, 1], None), [1, 1]);
}

#[test]
fn who_has_gone_does_not_stand_for_one_that_was_not_heard() {
    let mut few = Few(Book::default());
    few.hear("a", &due(2));
    few.hear("b", &due(2));
    few.hear("gone", &whole());
    few.0.strike(|cluster| cluster == "gone");
    assert_eq!(few.told("a"), "every cluster is looked at first");
    few.hear("c", &due(2));
    assert_eq!(few.hear("a", &due(2)), Verdict::Go);
}

/// What happens to one of five clusters.
#[derive(Debug, Clone, Copy)]
enum Event {
    Look,
    Closes,
    Opens,
    Pauses,
    Resumes,
    /// Its next pod comes up, or never does.
    Runs(bool),
    /// Its manifest asks for an image of its own, which runs.
    Edits,
    Goes,
    /// Everywhere.
    Renews,
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let event = prop_oneof![
        8 => Just(Event::Look),
        1 => Just(Event::Closes),
        1 => Just(Event::Opens),
        1 => Just(Event::Pauses),
        1 => Just(Event::Resumes),
        3 => any::<bool>().prop_map(Event::Runs),
        1 => Just(Event::Edits),
        1 => Just(Event::Goes),
        1 => Just(Event::Renews),
    ];
    proptest::collection::vec((0..5_usize, event), 1..80)
}

/// What is known of a pod that was made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coming {
    Starts,
    Fails,
}

/// Two members, which roll in their turns: the replica, then the primary.
#[derive(Debug, Clone, Default)]
struct Pair {
    gone: bool,
    closed: bool,
    paused: bool,
    edited: bool,
    /// Members that are wanted anew, and the one that is on its way.
    old: u8,
    coming: Option<Coming>,
}

impl Pair {
    fn roll(&self) -> Roll {
        let part = match (self.paused, self.edited && self.old > 0) {
            (true, _) => Part::Nothing,
            (_, true) => Part::Own,
            _ => Part::Fleet,
        };
        let is_in_it = self.coming.is_some() || self.old == 1;
        let is_broken = self.coming == Some(Coming::Fails);
        Roll {
            part,
            is_due: part == Part::Fleet && self.old > 0,
            has_begun: part != Part::Own && !self.edited && is_in_it,
            is_up: self.old == 0 && self.coming.is_none(),
            is_coming: self.coming.is_some(),
            is_closed: self.closed,
            trouble: is_broken.then(|| "it fails".to_owned()),
            members: 2,
            ..Roll::default()
        }
    }
}

#[derive(Default)]
struct Fleet {
    book: Book<usize>,
    pairs: Vec<Pair>,
    heard: BTreeSet<usize>,
    failed: BTreeSet<usize>,
}

impl Fleet {
    fn look(&mut self, index: usize) -> Result<(), TestCaseError> {
        let known = self.pairs.iter().filter(|pair| !pair.gone).count();
        let pair = &mut self.pairs[index];
        let roll = pair.roll();
        self.heard.insert(index);
        let has_turn = self.book.lists().0.iter().any(|(other, _)| *other == index);
        let verdict = self.book.hear(&index, &roll, known, 2).verdict;
        if roll.is_up {
            self.failed.remove(&index);
        }
        if verdict == Verdict::Go && roll.is_due && pair.coming.is_none() && !roll.is_closed {
            if !roll.has_begun && !has_turn {
                prop_assert!(
                    self.failed.iter().all(|failed| *failed == index),
                    "{index} starts beside {:?}",
                    self.failed
                );
                prop_assert_eq!(self.heard.len(), known, "all were looked at");
            }
            (pair.old, pair.coming) = (pair.old - 1, Some(Coming::Starts));
        } else if roll.part == Part::Own && pair.coming.is_none() {
            pair.old = 0;
        }
        Ok(())
    }

    fn happens(&mut self, index: usize, event: Event) -> Result<(), TestCaseError> {
        let pair = &mut self.pairs[index];
        match event {
            _ if pair.gone => {}
            Event::Look => return self.look(index),
            Event::Closes => pair.closed = true,
            Event::Opens => pair.closed = false,
            Event::Pauses => pair.paused = true,
            Event::Resumes => pair.paused = false,
            Event::Runs(true) => pair.coming = None,
            Event::Runs(false) if pair.coming.is_some() => {
                pair.coming = Some(Coming::Fails);
                self.failed.insert(index);
                // Its pod is watched.
                return self.look(index);
            }
            Event::Runs(false) => {}
            Event::Edits => {
                pair.edited = true;
                pair.old = 2;
                self.look(index)?;
                self.pairs[index].coming = None;
            }
            Event::Goes => {
                pair.gone = true;
                self.heard.remove(&index);
                self.failed.remove(&index);
                self.book.strike(|gone| *gone == index);
                self.book.forget(&index, 5, 2);
            }
            Event::Renews => {
                self.book.renew();
                self.heard.clear();
                self.failed.clear();
                for pair in &mut self.pairs {
                    (pair.old, pair.coming, pair.edited) = (2, None, false);
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn nobody_starts_beside_one_that_failed_and_was_not_whole_since(events in events()) {
        let mut fleet = Fleet { pairs: vec![Pair { old: 2, ..Pair::default() }; 5], ..Fleet::default() };
        for (index, event) in events {
            fleet.happens(index, event)?;
        }
    }
}
