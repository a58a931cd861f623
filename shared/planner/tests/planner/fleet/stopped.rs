//! The canary's pod does not run, and then its turn ends: by its window, by somebody who looks into it, or by an image of its own.

use super::*;

/// Its time for maintenance is on Sundays, and the simulation begins on a Thursday.
fn close(fleet: &mut Fleet, cluster: usize) {
    fleet.clusters[cluster].cluster.windows = vec!["Sun:00:00-00:01".parse().unwrap()];
}

fn leave(fleet: &mut Fleet, apart: &[(usize, Apart)]) {
    let named = apart
        .iter()
        .map(|(number, apart)| (format!("n/c{number}"), *apart));
    APART.with_borrow_mut(|all| *all = named.collect());
    fleet.clusters.iter_mut().for_each(Simulation::wake);
}

fn broken() -> Template {
    Template {
        broken: true,
        ..template(2)
    }
}

/// The fleet goes for this template, until a pod of the canary was made anew and for so many ticks more.
fn fails(members: u32, more: u32) -> (Fleet, usize) {
    let mut fleet = Fleet::new(members, 2);
    fleet.want(&broken());
    let canary = loop {
        fleet.tick();
        if let Some(canary) = fleet.deletions().iter().position(|count| *count > 0) {
            break canary;
        }
    };
    fleet.run(more);
    (fleet, canary)
}

fn touched(fleet: &Fleet) -> u32 {
    fleet.deletions().iter().sum()
}

/// `more` of nothing: the window closes before anybody can know that the pod does not run.
#[test]
fn when_its_window_closes_no_other_is_tried() {
    for (members, more) in [(3, 0), (2, 1), (2, 3), (2, 100), (1, 0), (1, 100)] {
        let (mut fleet, canary) = fails(members, more);
        close(&mut fleet, canary);
        fleet.run(400);
        assert_eq!(touched(&fleet), 1, "{members} members, after {more}");
        if members > 1 {
            BOOK.with_borrow_mut(|book| *book = Book::default());
            fleet.clusters.iter_mut().for_each(Simulation::wake);
            fleet.run(400);
            assert_eq!(
                touched(&fleet),
                1,
                "{members} members: a new book knows it from the pods"
            );
        }
        fleet.want(&template(3));
        fleet.run(400);
        let rolled = fleet
            .clusters
            .iter()
            .filter(|cluster| cluster.is_settled())
            .count();
        assert!(
            rolled >= 3,
            "{rolled} of {members} members are not kept by what failed before"
        );
        fleet.clusters[canary].cluster.windows.clear();
        assert!(fleet.settles(), "{members} members");
    }
}

#[test]
fn when_it_is_paused_no_other_is_tried() {
    for (members, more) in [(3, 0), (2, 3), (2, 100), (1, 100)] {
        let (mut fleet, canary) = fails(members, more);
        leave(&mut fleet, &[(canary, Apart::Paused)]);
        fleet.run(400);
        assert_eq!(touched(&fleet), 1, "{members} members, after {more}");
        if members > 1 {
            BOOK.with_borrow_mut(|book| *book = Book::default());
            fleet.clusters.iter_mut().for_each(Simulation::wake);
            fleet.run(400);
            assert_eq!(touched(&fleet), 1, "{members} members: a new book");
        }
        leave(&mut fleet, &[]);
        fleet.run(400);
        assert_eq!(
            touched(&fleet),
            1,
            "{members} members: nor when it is let go again"
        );
        fleet.want(&template(3));
        assert!(fleet.settles());
    }
}

/// It goes on with the image that it had, by its own manifest.
#[test]
fn when_it_gets_an_image_of_its_own_no_other_is_tried_before_it_is_whole_and_then_one() {
    for more in [20, 100] {
        let (mut fleet, canary) = fails(2, more);
        fleet.clusters[canary].wanted = Template {
            version: 3,
            ..template(1)
        };
        leave(&mut fleet, &[(canary, Apart::Edited)]);
        let others = |fleet: &Fleet| touched(fleet) - fleet.deletions()[canary];
        for _ in 0..400 {
            let was_whole = fleet.clusters[canary].is_settled();
            fleet.tick();
            assert!(was_whole || others(&fleet) == 0, "after {more}");
        }
        assert!(fleet.clusters[canary].is_settled());
        assert_eq!(others(&fleet), 1, "the next goes alone, as the canary");
    }
}
