//! When what is rotated is due: intervals, first dates, and what Zalando's operator has stamped.

use super::*;

#[test]
fn no_interval_is_too_long_or_too_short_for_a_date() {
    for days in [0, 36_500, u32::MAX] {
        let mut config = config();
        config.users.password_rotation_interval = days;
        config.users.password_rotation_user_retention = days;
        let mut world = World::new(&foo(), config);
        world.turn();
        assert_eq!(world.turn(), Vec::<String>::new(), "{days}");
        // Nor is any time too late.
        world.now = Timestamp::MAX;
        world.secret("foo_user").next_rotation = None;
        world.turn();
    }
}

#[test]
fn a_fleet_that_begins_to_rotate_on_one_day_does_not_go_on_like_that() {
    let mut dates = std::collections::BTreeSet::new();
    for number in 0..200 {
        let mut world = World::new(&foo(), config());
        world.secret("foo_user").uid = format!("11111111-2222-3333-4444-{number:012}");
        world.turn();
        let date: Timestamp = world
            .secret("foo_user")
            .next_rotation
            .clone()
            .unwrap()
            .parse()
            .unwrap();
        let (soonest, latest) = (world.now + DAYS * 27, world.now + DAYS * 30);
        assert!(soonest < date && date <= latest, "{date}");
        dates.insert(date);
        // Whoever asks again is told the same.
        world.secret("foo_user").next_rotation = None;
        world.turn();
        let again = world.secret("foo_user").next_rotation.clone().unwrap();
        assert_eq!(again.parse::<Timestamp>().unwrap(), date);
    }
    assert!(dates.len() > 190, "{}", dates.len());
    let gaps = dates.iter().zip(dates.iter().skip(1));
    let longest = gaps.map(|(one, next)| next.duration_since(*one)).max();
    assert!(longest < Some(SignedDuration::from_hours(6)), "{longest:?}");
}

#[test]
fn what_zalandos_operator_has_stamped_stays() {
    let mut world = World::new(&foo(), config());
    for uid in ["a", "b", UID] {
        world.secret("foo_user").uid = uid.to_owned();
        for date in ["2026-01-31T12:00:00Z", "2026-01-02T00:00:00Z"] {
            world.secret("foo_user").next_rotation = Some(date.to_owned());
            assert_eq!(world.turn(), Vec::<String>::new(), "{date}");
        }
    }
}
