use serde_json::json;

use super::*;

fn cluster() -> ClusterRef {
    ClusterRef::new("default", "acid-demo")
}

fn key(kind: Watched) -> Key {
    Key {
        kind,
        name: "acid-demo".to_owned(),
    }
}

fn object(version: u64, generation: Option<i64>, label: &str) -> Value {
    let mut metadata = json!({
        "name": "acid-demo", "uid": "u-1", "resourceVersion": version.to_string(), "labels": {"team": label},
    });
    if let Some(generation) = generation {
        metadata["generation"] = json!(generation);
    }
    json!({"metadata": metadata, "spec": {"version": version}})
}

fn whole(object: &Value) -> Whole {
    Whole::of(object).unwrap()
}

fn metadata(object: &Value) -> ObjectMeta {
    serde_json::from_value(object["metadata"].clone()).unwrap()
}

#[test]
fn the_echo_of_our_own_write_is_no_news() {
    let owned = Owned::default();
    let service = key(Watched::Service);
    let written = object(7, None, "acid");
    owned.keep(&cluster(), service.clone(), whole(&written));
    assert!(!owned.note(&cluster(), service.clone(), &metadata(&written)));
    assert!(owned.outdated(&cluster()).is_empty());
    assert!(owned.note(&cluster(), service.clone(), &metadata(&object(8, None, "acid"))));
    assert_eq!(owned.outdated(&cluster()), [service]);
}

#[test]
fn the_status_of_a_statefulset_is_news_and_that_of_a_budget_is_not() {
    let owned = Owned::default();
    let set = key(Watched::StatefulSet);
    owned.keep(&cluster(), set.clone(), whole(&object(7, Some(1), "acid")));
    assert!(owned.note(&cluster(), set.clone(), &metadata(&object(8, Some(1), "acid"))));
    assert_eq!(owned.outdated(&cluster()), [set]);

    let owned = Owned::default();
    let budget = key(Watched::PodDisruptionBudget);
    owned.keep(&cluster(), budget.clone(), whole(&object(7, Some(1), "acid")));
    assert!(!owned.note(&cluster(), budget.clone(), &metadata(&object(8, Some(1), "acid"))));
    assert!(owned.outdated(&cluster()).is_empty());
    assert_eq!(
        owned.contents(&cluster())[0].1.value()["metadata"]["resourceVersion"],
        "8"
    );
    assert!(owned.note(
        &cluster(),
        budget.clone(),
        &metadata(&object(9, Some(1), "other"))
    ));
    assert!(owned.note(&cluster(), budget, &metadata(&object(10, Some(2), "other"))));
}

#[test]
fn a_late_event_does_not_bring_the_past_back() {
    let owned = Owned::default();
    let service = key(Watched::Service);
    owned.note(&cluster(), service.clone(), &metadata(&object(5, None, "acid")));
    owned.keep(&cluster(), service.clone(), whole(&object(9, None, "acid")));
    assert!(!owned.note(&cluster(), service.clone(), &metadata(&object(6, None, "acid"))));
    assert_eq!(owned.contents(&cluster())[0].1.value()["spec"]["version"], 9);
}

#[test]
fn a_new_list_forgets_what_it_does_not_hold() {
    let owned = Owned::default();
    owned.note(
        &cluster(),
        key(Watched::Service),
        &metadata(&object(5, None, "acid")),
    );
    owned.note(
        &cluster(),
        key(Watched::Secret),
        &metadata(&object(6, None, "acid")),
    );
    assert_eq!(
        owned.note_listed(Watched::Service, None, &HashSet::new()),
        [cluster()]
    );
    assert!(!owned.has(&cluster(), &key(Watched::Service)));
    assert!(owned.has(&cluster(), &key(Watched::Secret)));
}

#[test]
fn what_no_watch_covers_survives_lists_until_it_is_distrusted() {
    let owned = Owned::default();
    owned.keep(&cluster(), key(Watched::Secret), whole(&object(5, None, "none")));
    assert!(
        owned
            .note_listed(Watched::Secret, Some("default"), &HashSet::new())
            .is_empty()
    );
    assert!(owned.has(&cluster(), &key(Watched::Secret)));
    owned.distrust_unwatched(&cluster());
    assert!(!owned.has(&cluster(), &key(Watched::Secret)));
}

#[test]
fn the_end_of_an_older_namesake_is_no_news() {
    let owned = Owned::default();
    owned.note(
        &cluster(),
        key(Watched::Service),
        &metadata(&object(5, None, "acid")),
    );
    let mut older = metadata(&object(4, None, "acid"));
    older.uid = Some("u-0".to_owned());
    assert!(!owned.note_gone(&cluster(), &key(Watched::Service), &older));
    assert!(owned.note_gone(
        &cluster(),
        &key(Watched::Service),
        &metadata(&object(6, None, "acid"))
    ));
}

#[test]
fn contents_are_not_printed() {
    let owned = Owned::default();
    owned.keep(
        &cluster(),
        key(Watched::Secret),
        whole(&json!({"metadata": {}, "data": {"password": "aHVudGVyMg=="}})),
    );
    assert!(!format!("{owned:?}").contains("aHVudGVyMg"));
}

#[test]
fn what_is_watched_whole_need_not_be_read_and_a_late_answer_does_not_take_it_back() {
    let owned = Owned::default();
    let set = key(Watched::StatefulSet);
    let seen = |version| whole(&object(version, Some(1), "acid"));
    assert!(owned.note_whole(&cluster(), set.clone(), seen(7)));
    assert!(!owned.note_whole(&cluster(), set.clone(), seen(7)));
    assert!(owned.note_whole(&cluster(), set.clone(), seen(9)));
    owned.keep(&cluster(), set.clone(), whole(&object(8, Some(1), "acid")));
    assert!(owned.outdated(&cluster()).is_empty());
    assert_eq!(owned.content(&cluster(), &set).unwrap()["spec"]["version"], 9);
}

#[test]
fn how_many_members_are_ready_is_no_news_and_another_revision_is() {
    let (owned, set) = (Owned::default(), key(Watched::StatefulSet));
    let seen = |version, ready, revision| {
        let mut object = object(version, Some(1), "acid");
        object["spec"]["version"] = json!(1);
        object["status"] = json!({"replicas": 1, "readyReplicas": ready, "updateRevision": revision});
        owned.note_whole(&cluster(), set.clone(), whole(&object))
    };
    assert!(seen(7, 0, "a"));
    assert!(!seen(8, 1, "a"));
    assert!(owned.outdated(&cluster()).is_empty());
    let known = owned.content(&cluster(), &set).unwrap();
    assert_eq!(known["metadata"]["resourceVersion"], "8");
    assert_eq!(
        known["status"]["readyReplicas"], 1,
        "who asks is told all the same"
    );
    assert!(seen(9, 1, "b"));
}
