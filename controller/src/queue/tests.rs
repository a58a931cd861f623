use std::time::Duration;

use futures::FutureExt;

use super::*;

fn cluster(name: &str) -> ClusterRef {
    ClusterRef::new("default", name)
}

fn now_or_never(queue: &Queue) -> Option<Turn> {
    queue.next().now_or_never()
}

#[tokio::test(start_paused = true)]
async fn an_edit_goes_before_resyncs_that_came_first() {
    let queue = Queue::default();
    for name in ["a", "b", "c"] {
        queue.wake(&cluster(name), Lane::Resync);
    }
    assert!(!queue.is_busy());
    queue.wake(&cluster("d"), Lane::Edit);
    queue.wake(&cluster("c"), Lane::Edit);
    assert!(queue.is_busy());
    let mut order = Vec::new();
    while let Some(turn) = now_or_never(&queue) {
        order.push((turn.cluster.name.clone(), turn.lane));
    }
    let names: Vec<&str> = order.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["d", "c", "a", "b"]);
    assert_eq!(order[1].1, Lane::Edit);
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_has_every_fourth_turn_while_edits_wait() {
    let queue = Queue::default();
    for number in 0..6 {
        queue.wake(&cluster(&format!("resync-{number}")), Lane::Resync);
        queue.wake(&cluster(&format!("follow-{number}")), Lane::Follow);
        queue.wake(&cluster(&format!("edit-{number}")), Lane::Edit);
    }
    assert_eq!(queue.waiting(), (12, 6));
    let mut lanes = Vec::new();
    while let Some(turn) = now_or_never(&queue) {
        lanes.push(turn.lane);
    }
    let (edit, follow) = (Lane::Edit, Lane::Follow);
    assert_eq!(lanes[..7], [edit, edit, edit, follow, edit, edit, edit]);
    assert_eq!(lanes[7..12], [follow; 5]);
    assert_eq!(lanes[12..], [Lane::Resync; 6]);
}

/// The lanes in the order in which so many clusters of each have their turns.
fn order(each: usize, lanes: &[Lane]) -> Vec<Lane> {
    let queue = Queue::default();
    for lane in lanes {
        for number in 0..each {
            queue.wake(&cluster(&format!("{}-{number}", lane.word())), *lane);
        }
    }
    let mut order = Vec::new();
    while let Some(turn) = now_or_never(&queue) {
        order.push(turn.lane);
    }
    order
}

#[tokio::test(start_paused = true)]
async fn a_hundred_new_clusters_have_their_first_turns_before_others_have_their_second() {
    let order = order(100, &[Lane::Growth, Lane::New]);
    let growing = order[..103].iter().filter(|lane| **lane == Lane::Growth).count();
    assert_eq!(growing, 3, "and yet these go on");
    assert!(order[103..].iter().all(|lane| *lane == Lane::Growth));
}

#[tokio::test(start_paused = true)]
async fn an_edit_goes_before_new_clusters_and_nobody_waits_for_ever() {
    let order = order(300, &Lane::ALL);
    assert_eq!(order[..3], [Lane::Edit; 3]);
    let share = |lane| order[..300].iter().filter(|it| **it == lane).count();
    let [edit, new, follow, growth, resync] = Lane::ALL.map(share);
    assert!(edit > 150 && new > 20 && follow > 50, "{edit} {new} {follow}");
    assert!(growth > 5 && resync > 2, "{growth} {resync}");
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_a_cluster_on_its_way_moves_it_up() {
    let queue = Queue::default();
    for name in ["a", "b", "c"] {
        queue.wake(&cluster(name), Lane::Follow);
    }
    queue.wake(&cluster("c"), Lane::Edit);
    queue.wake(&cluster("c"), Lane::Follow);
    let mut names = Vec::new();
    while let Some(turn) = now_or_never(&queue) {
        names.push((turn.cluster.name.clone(), turn.lane));
    }
    let expected = [("c", Lane::Edit), ("a", Lane::Follow), ("b", Lane::Follow)];
    assert_eq!(names, expected.map(|(name, lane)| (name.to_owned(), lane)));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_has_one_turn_at_a_time_and_another_when_woken_meanwhile() {
    let queue = Queue::default();
    queue.wake(&cluster("a"), Lane::Edit);
    let turn = queue.next().await;
    queue.wake(&cluster("a"), Lane::Resync);
    queue.wake(&cluster("a"), Lane::Edit);
    assert!(now_or_never(&queue).is_none());
    assert_eq!(queue.waiting(), (1, 0));
    drop(turn);
    assert_eq!(now_or_never(&queue).unwrap().lane, Lane::Edit);
    assert!(now_or_never(&queue).is_none());
}

#[tokio::test(start_paused = true)]
async fn of_two_timers_the_earlier_counts_and_a_turn_clears_it() {
    let queue = Queue::default();
    let start = Instant::now();
    queue.wake_at(&cluster("a"), start + Duration::from_mins(1), Lane::Resync);
    queue.wake_at(&cluster("a"), start + Duration::from_secs(5), Lane::Resync);
    queue.wake_at(&cluster("a"), start + Duration::from_secs(30), Lane::Resync);
    let turn = queue.next().await;
    assert_eq!((start.elapsed().as_secs(), turn.lane), (5, Lane::Resync));
    drop(turn);
    tokio::time::advance(Duration::from_mins(2)).await;
    assert!(now_or_never(&queue).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_reaches_one_who_waits_already() {
    let queue = Queue::default();
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.next().await.cluster.name.clone() }
    });
    tokio::task::yield_now().await;
    queue.wake(&cluster("late"), Lane::Edit);
    assert_eq!(waiting.await.unwrap(), "late");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_about_clusters_that_want_nothing() {
    let queue = Queue::default();
    queue.wake(&cluster("a"), Lane::Edit);
    drop(queue.next().await);
    let state = queue.locked();
    assert!(state.clusters.is_empty() && state.timers.is_empty(), "{state:?}");
}
