//! What restarts Postgres in place, and on whom.

use super::*;

#[test]
fn a_single_primary_restarts_when_new_members_are_up() {
    let one = with(&demo(), &json!({"spec": {"numberOfInstances": 1}}));
    let connections = json!({"spec": {"postgresql": {"parameters": {"max_connections": "200"}}}});
    let restarts = |old: &Value, instances: u32| {
        let wanted = with(&connections, &json!({"spec": {"numberOfInstances": instances}}));
        under(&config("A"), old, &with(old, &wanted))
    };
    assert_eq!(
        restarts(&one, 3),
        [
            "restarts Postgres on 1 pod, the primary, when the new members are up (max_connections)",
            "adds 2 members (from 1 to 3)"
        ]
    );
    assert_eq!(
        restarts(&one, 1),
        ["restarts Postgres on 1 pod, the database is away until it is back (max_connections)"]
    );
    assert_eq!(
        restarts(&demo(), 1)[0],
        "restarts Postgres on 1 pod, the database is away until it is back (max_connections)"
    );
}

#[test]
fn streams_cost_a_restart() {
    let streams =
        json!([{"applicationId": "shop", "database": "shop", "tables": {"orders": {"eventType": "order"}}}]);
    let streamed = with(&demo(), &json!({"spec": {"streams": streams}}));
    let told = under(&config("A"), &demo(), &streamed);
    assert!(
        told.contains(&"restarts Postgres on 3 pods, primary last (wal_level)".to_owned()),
        "{told:?}"
    );
    let named = with(
        &demo(),
        &json!({"spec": {"postgresql": {"parameters": {"wal_level": "logical"}}}}),
    );
    let told = under(
        &config("A"),
        &named,
        &with(&named, &json!({"spec": {"streams": streams}})),
    );
    assert!(told.iter().all(|line| !line.contains("restart")), "{told:?}");
    let told = under(&config("A"), &streamed, &demo());
    assert!(
        told.contains(&"stays set in Patroni, no longer named here: wal_level".to_owned()),
        "{told:?}"
    );
}
