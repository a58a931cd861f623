//! A change of the operator's configuration is counted over its clusters.

use pgherd_planner::impact::{Counts, of_configuration};

use super::*;

#[test]
fn a_configuration_is_counted_over_the_fleet() {
    let old = config("A");
    let clusters = [
        demo(),
        with(
            &demo(),
            &json!({"metadata": {"name": "acid-own"}, "spec": {"dockerImage": "registry.example/spilo:2"}}),
        ),
        with(
            &demo(),
            &json!({"metadata": {"name": "acid-idle"}, "spec": {"numberOfInstances": 0}}),
        ),
        json!({"spec": {}}),
    ];
    let count = |edit: fn(&mut OperatorConfig)| {
        let mut new = old.clone();
        edit(&mut new);
        of_configuration(&clusters, &old, &new)
    };
    let all = count(|_| {});
    assert_eq!(
        all,
        Counts {
            unchanged: 3,
            unknown: 1,
            ..Counts::default()
        }
    );
    assert_eq!(all.line(), "leaves 3 clusters alone, cannot tell for 1");
    let image = count(|config| config.general.docker_image = "registry.example/spilo:3".to_owned());
    assert_eq!(
        image.line(),
        "rolls 1 cluster, updates objects of 1, leaves 1 alone, cannot tell for 1"
    );
    assert_eq!(image.total(), 4);
    let variables = count(|config| config.kubernetes.pod_environment_secret = Some("variables".to_owned()));
    assert_eq!(
        variables.line(),
        "leaves 1 cluster alone, cannot tell for 3",
        "what it says is not read; without a pod nothing rolls"
    );
    let more = count(|config| config.general.min_instances = 5);
    assert_eq!(more.scales, 3);
    assert_eq!(Counts::default().line(), "touches no cluster: there is none");
    let fleet = Counts {
        rolls: 12,
        reloads: 3,
        unchanged: 85,
        ..Counts::default()
    };
    assert_eq!(fleet.line(), "rolls 12 clusters, reloads 3, leaves 85 alone");
}

#[test]
fn clusters_that_are_not_live_are_counted_apart() {
    let old = config("A");
    let under = |mode: &str| {
        with(
            &demo(),
            &json!({"metadata": {"annotations": {"pgherd.io/mode": mode}}}),
        )
    };
    let clusters = [demo(), under("paused"), under("observe"), under("live")];
    let mut new = old.clone();
    new.general.docker_image = "registry.example/spilo:3".to_owned();
    let counts = of_configuration(&clusters, &old, &new);
    assert_eq!(counts.line(), "rolls 2 clusters, puts off 2 paused or observed");
    assert_eq!(counts.total(), 4);
    // What needs nothing is left alone, whatever its mode.
    let none = of_configuration(&clusters, &old, &old.clone());
    assert_eq!(none.line(), "leaves 4 clusters alone");
    let alone = of_configuration(&clusters[1..2], &old, &new);
    assert_eq!(alone.line(), "puts off 1 cluster paused or observed");
}
