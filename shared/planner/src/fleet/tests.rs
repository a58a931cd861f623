//! The book over whole fleets: never too many at once, nobody starts beside a failing one, everybody gets a turn.

use std::collections::BTreeMap;

use super::*;

mod trouble;

const CLUSTERS: usize = 12;

/// A cluster of a small world, in which a roll takes some looks.
#[derive(Debug, Clone, Default)]
struct Small {
    old: bool,
    /// Looks until it is up again; none while it does not roll.
    rolling: Option<u32>,
    broken: bool,
}

impl Small {
    fn roll(&self, index: usize) -> Roll {
        Roll {
            is_due: self.old,
            has_begun: self.rolling.is_some() && self.old,
            is_up: !self.old && self.rolling.is_none() && !self.broken,
            trouble: (self.broken && self.rolling.is_some()).then(|| "a-1: ImagePullBackOff".to_owned()),
            members: i32::try_from(index % 3 + 1).unwrap(),
            ..Roll::default()
        }
    }

    fn act(&mut self, verdict: &Verdict) {
        match (verdict, self.rolling) {
            (Verdict::Go, None) if self.old => self.rolling = Some(3),
            (Verdict::Go | Verdict::Finish, Some(0)) if !self.broken => *self = Self::default(),
            (Verdict::Go | Verdict::Finish, Some(looks)) => self.rolling = Some(looks.saturating_sub(1)),
            _ => {}
        }
    }
}

struct World {
    book: Book<String>,
    clusters: BTreeMap<String, Small>,
    budget: usize,
    /// Who will be looked at.
    woken: Vec<String>,
    most: usize,
}

impl World {
    fn new(budget: usize) -> Self {
        let named = |index| (format!("n/c{index:02}"), Small::default());
        let clusters: BTreeMap<_, _> = (0..CLUSTERS).map(named).collect();
        let mut world = Self {
            book: Book::default(),
            clusters,
            budget,
            woken: Vec::new(),
            most: 0,
        };
        world.look_at_all();
        world
    }

    fn look_at_all(&mut self) {
        self.woken = self.clusters.keys().cloned().collect();
        self.settle();
    }

    fn change(&mut self, broken: bool) {
        self.book.renew();
        for cluster in self.clusters.values_mut() {
            cluster.old = true;
            cluster.broken = broken;
        }
        self.look_at_all();
    }

    fn set_back(&mut self) {
        self.book.renew();
        for cluster in self.clusters.values_mut() {
            // What did not roll needs nothing, what did is made anew once more.
            *cluster = Small {
                old: false,
                rolling: cluster.rolling.map(|_| 1),
                broken: false,
            };
        }
        self.look_at_all();
    }

    /// Only who is woken is looked at; who rolls wakes itself by its pods.
    fn settle(&mut self) {
        for _ in 0..2000 {
            let Some(name) = self.woken.pop() else { return };
            self.look(&name);
            self.most = self.most.max(self.rolling().len());
            for (name, cluster) in &self.clusters {
                let is_stuck = cluster.broken && cluster.rolling == Some(0);
                if cluster.rolling.is_some() && !is_stuck && !self.woken.contains(name) {
                    self.woken.insert(0, name.clone());
                }
            }
        }
        panic!("does not settle");
    }

    fn look(&mut self, name: &String) -> Verdict {
        let index = self.clusters.keys().position(|key| key == name).unwrap();
        let known = self.clusters.len();
        let roll = self.clusters[name].roll(index);
        let answer = self.book.hear(name, &roll, known, self.budget);
        let fresh: Vec<_> = answer
            .wake
            .into_iter()
            .filter(|woken| !self.woken.contains(woken))
            .collect();
        self.woken.extend(fresh);
        self.clusters.get_mut(name).unwrap().act(&answer.verdict);
        // What came of it is seen by the next look.
        let roll = self.clusters[name].roll(index);
        let answer = self.book.hear(name, &roll, known, self.budget);
        let fresh: Vec<_> = answer
            .wake
            .into_iter()
            .filter(|woken| !self.woken.contains(woken))
            .collect();
        self.woken.extend(fresh);
        answer.verdict
    }

    fn rolling(&self) -> Vec<&str> {
        let clusters = self.clusters.iter();
        clusters
            .filter(|(_, cluster)| cluster.rolling.is_some())
            .map(|(name, _)| name.as_str())
            .collect()
    }

    fn old(&self) -> usize {
        self.clusters.values().filter(|cluster| cluster.old).count()
    }
}

#[test]
fn everybody_rolls_and_never_more_at_once_than_the_budget() {
    for budget in [1, 2, 5] {
        let mut world = World::new(budget);
        world.change(false);
        assert_eq!((world.old(), world.most), (0, budget));
        assert_eq!(world.book.counts(), (0, 0, 0));
    }
}

#[test]
fn a_failing_canary_stops_all_others_who_say_why_and_setting_it_back_heals() {
    let mut world = World::new(3);
    world.change(true);
    assert_eq!(world.most, 1, "the first goes alone");
    assert_eq!(
        world.rolling(),
        ["n/c01"],
        "of the smallest that have a replica the first by its name"
    );
    let verdict = world.look(&"n/c05".to_owned());
    let Verdict::Wait(why) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        why.to_string(),
        "stopped, because n/c01 fails: a-1: ImagePullBackOff"
    );
    world.set_back();
    assert_eq!((world.old(), world.rolling().len()), (0, 0));
    assert_eq!(world.book.counts(), (0, 0, 0));
    world.change(false);
    assert_eq!((world.old(), world.most), (0, 3), "and the next change rolls");
}

#[test]
fn a_new_book_lets_go_on_what_has_begun_and_starts_nothing_before_it_has_heard_all() {
    let mut world = World::new(1);
    for cluster in world.clusters.values_mut() {
        cluster.old = true;
    }
    world.clusters.get_mut("n/c07").unwrap().rolling = Some(2);
    world.book = Book::default();
    let first = world.look(&"n/c00".to_owned());
    assert_eq!(first, Verdict::Wait(Why::Looking));
    world.look_at_all();
    assert_eq!((world.old(), world.most), (0, 1));
}

#[test]
fn a_volunteer_goes_first_and_who_is_closed_keeps_nobody_waiting() {
    let mut book = Book::<String>::default();
    let due = Roll {
        is_due: true,
        members: 3,
        ..Roll::default()
    };
    let (volunteer, closed) = (
        Roll {
            is_volunteer: true,
            ..due.clone()
        },
        Roll {
            is_closed: true,
            opens: Some(Timestamp::UNIX_EPOCH),
            ..due.clone()
        },
    );
    let hear = |book: &mut Book<String>, name: &str, roll: &Roll| book.hear(&name.to_owned(), roll, 3, 1);
    hear(&mut book, "a", &due);
    let answer = hear(&mut book, "b", &closed);
    assert_eq!(
        answer.verdict,
        Verdict::Wait(Why::Closed(Some(Timestamp::UNIX_EPOCH)))
    );
    assert_eq!(hear(&mut book, "z", &volunteer).verdict, Verdict::Go);
    let answer = hear(&mut book, "a", &due);
    assert_eq!(answer.verdict, Verdict::Wait(Why::Canary("z".to_owned())));
    let done = Roll {
        is_up: true,
        members: 3,
        ..Roll::default()
    };
    assert_eq!(hear(&mut book, "z", &done).wake, ["a"]);
    assert_eq!(hear(&mut book, "a", &due).verdict, Verdict::Go);
    // Its window closes in the middle.
    let parked = Roll {
        has_begun: true,
        ..closed
    };
    assert!(matches!(
        hear(&mut book, "a", &parked).verdict,
        Verdict::Wait(Why::Closed(_))
    ));
    assert_eq!(book.counts(), (0, 0, 0));
}

#[test]
fn who_is_gone_makes_room() {
    let mut book = Book::<String>::default();
    let due = Roll {
        is_due: true,
        members: 1,
        ..Roll::default()
    };
    book.hear(&"a".to_owned(), &due, 2, 1);
    assert_eq!(book.hear(&"b".to_owned(), &due, 2, 1).wake, ["a"]);
    assert_eq!(book.hear(&"a".to_owned(), &due, 2, 1).verdict, Verdict::Go);
    assert_eq!(book.forget(&"a".to_owned(), 1, 1), ["b"]);
    assert_eq!(book.hear(&"b".to_owned(), &due, 1, 1).verdict, Verdict::Go);
}

fn due() -> Roll {
    Roll {
        is_due: true,
        members: 1,
        ..Roll::default()
    }
}

/// Three that are due, of which the first goes as the canary.
fn three() -> (Book<String>, [String; 3]) {
    let (mut book, names) = (Book::default(), ["a", "b", "c"].map(str::to_owned));
    for name in &names {
        book.hear(name, &due(), 3, 2);
    }
    assert_eq!(book.hear(&names[0], &due(), 3, 2).verdict, Verdict::Go);
    (book, names)
}

#[test]
fn who_will_not_roll_keeps_nobody_waiting() {
    // The last one to be heard of, in the middle of the line, and the canary itself.
    let (mut book, names) = (Book::<String>::default(), ["a", "b"].map(str::to_owned));
    book.hear(&names[0], &due(), 2, 1);
    assert_eq!(book.skip(&names[1], 2, 1), ["a"], "all are heard of");
    assert_eq!(book.hear(&names[0], &due(), 2, 1).verdict, Verdict::Go);

    let (mut book, [a, b, c]) = three();
    assert_eq!(book.skip(&b, 3, 2), Vec::<String>::new());
    assert_eq!(book.lists().1, ["c"]);
    assert_eq!(book.skip(&a, 3, 2), ["c"]);
    assert_eq!(book.hear(&c, &due(), 3, 2).verdict, Verdict::Go);
    let late = book.hear(&b, &due(), 3, 2).verdict;
    assert_eq!(late, Verdict::Wait(Why::Canary(c)), "nothing is proven yet");
}

#[test]
fn who_cannot_be_looked_at_is_passed_over_but_stops_the_others_in_the_middle_of_its_roll() {
    let (mut book, [a, b, c]) = three();
    assert_eq!(book.lose(&b, "cannot read it", 3, 2), Vec::<String>::new());
    assert_eq!(book.counts(), (1, 1, 0));
    assert_eq!(
        book.lose(&a, "cannot read it", 3, 2),
        ["c"],
        "to say why it waits"
    );
    let told = book.hear(&c, &due(), 3, 2).verdict;
    let Verdict::Wait(why) = told else {
        panic!("{told:?}")
    };
    assert_eq!(why.to_string(), "stopped, because a fails: cannot read it");
    assert_eq!(book.acted(&a, None, 3, 2), ["c"]);
    assert_eq!(book.counts(), (1, 1, 0));
}

#[test]
fn a_step_that_fails_is_trouble_until_none_does() {
    let (mut book, [a, b, _]) = three();
    let failed = Some("check template: 403".to_owned());
    assert_eq!(
        book.acted(&b, failed.clone(), 3, 2),
        Vec::<String>::new(),
        "who waits"
    );
    assert_eq!(book.acted(&a, failed.clone(), 3, 2), ["b", "c"]);
    assert_eq!(
        book.acted(&a, failed, 3, 2),
        Vec::<String>::new(),
        "the same again"
    );
    assert_eq!(book.counts(), (1, 2, 1));
    book.hear(&a, &due(), 3, 2);
    assert_eq!(book.counts(), (1, 2, 1), "before it is tried again");
    assert_eq!(book.acted(&a, None, 3, 2), ["b", "c"]);
    let waits = book.hear(&b, &due(), 3, 2).verdict;
    assert_eq!(waits, Verdict::Wait(Why::Canary(a)));
}

#[test]
fn marks_that_are_not_ours_ask_for_the_roll_of_this_cluster() {
    use crate::observed::{PodView, Source};

    let pod = |name: &str, marks: &[&str]| PodView {
        name: name.to_owned(),
        annotations: marks
            .iter()
            .map(|key| ((*key).to_owned(), "true".to_owned()))
            .collect(),
        ..PodView::default()
    };
    let (asked, ours) = (annotations::ROLLING_UPDATE_REQUIRED, annotations::ROLL_MARKED);
    let observed = Observed {
        pods: Source::Known(vec![
            pod("a-0", &[asked]),
            pod("a-1", &[asked, ours]),
            pod("a-2", &[]),
            pod("a-3", &[asked, annotations::PASSWORD_CHANGED]),
        ]),
        ..Observed::default()
    };
    let is_asked = |rolled: &[&str]| {
        let rolled: Vec<String> = rolled.iter().map(|&name| name.to_owned()).collect();
        super::is_asked(&observed, &rolled)
    };
    assert!(is_asked(&["a-0"]));
    assert!(!is_asked(&["a-0", "a-1"]), "a mark of ours waits for its turn");
    assert!(
        !is_asked(&["a-0", "a-2"]),
        "another is older by the configuration"
    );
    assert!(
        !is_asked(&["a-3"]),
        "so does one that we made for a password: passwords of a whole fleet may rotate on one day"
    );
    assert!(!is_asked(&[]) && !is_asked(&["a-9"]));
}
