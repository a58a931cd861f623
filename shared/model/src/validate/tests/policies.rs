//! Profiles, severities of single rules, and what is an old mistake.

use serde_json::json;

use super::{super::*, config, config_of, manifest, violations};

fn under(parameters: &[(&str, &str)]) -> OperatorConfig {
    let mut all = vec![("enable_teams_api", "false")];
    all.extend(parameters);
    config_of(&all)
}

/// One rule that refuses, one that refuses a change, one that warns of what is written, and one that warns of a change.
fn mixed() -> (Value, Value) {
    let stored = manifest("spec: {teamId: acid, volume: {size: 10Gi}}");
    let new = manifest(
        "spec: {teamId: other, volume: {size: 9Gi}, users: {Bad: []}, topologySpreadConstraint: []}",
    );
    (stored, new)
}

fn told(review: &Review) -> Vec<String> {
    let id = |line: &String| {
        let softened = if line.starts_with("not enforced: ") {
            "!"
        } else {
            ""
        };
        format!("{softened}{}", &line[line.len() - 8..line.len() - 1])
    };
    review.warnings.iter().map(id).collect()
}

#[test]
fn standard_does_what_the_rows_say() {
    let (stored, new) = mixed();
    let review = review(&new, Some(&stored), &under(&[("validation_profile", "standard")]));
    assert_eq!(
        violations(&review),
        [("PGV-022", "spec.users.Bad"), ("PGV-013", "spec.volume.size")]
    );
    assert_eq!(told(&review), ["PGV-005", "PGV-052"]);
}

#[test]
fn observe_refuses_nothing_and_says_what_it_would() {
    let (stored, new) = mixed();
    let config = under(&[
        ("validation_profile", "observe"),
        ("validation_severity", "PGV-052:deny"),
    ]);
    let review = review(&new, Some(&stored), &config);
    assert_eq!(violations(&review), []);
    assert_eq!(told(&review), ["PGV-005", "!PGV-052", "!PGV-022", "!PGV-013"]);
    assert!(
        review
            .warnings
            .iter()
            .all(|line| line.chars().count() <= LINE_LIMIT)
    );
}

#[test]
fn strict_refuses_what_is_written_and_not_taken() {
    let (stored, new) = mixed();
    let review = review(&new, Some(&stored), &under(&[("validation_profile", "strict")]));
    assert_eq!(
        violations(&review),
        [
            ("PGV-052", "spec.topologySpreadConstraint"),
            ("PGV-022", "spec.users.Bad"),
            ("PGV-013", "spec.volume.size")
        ]
    );
    assert_eq!(told(&review), ["PGV-005"]);
}

#[test]
fn a_severity_for_one_rule_goes_before_the_profile() {
    let (stored, new) = mixed();
    let severities = ("validation_severity", "PGV-013:warn,PGV-005:deny,PGV-052:warn");
    for profile in ["standard", "strict"] {
        let review = review(
            &new,
            Some(&stored),
            &under(&[("validation_profile", profile), severities]),
        );
        assert_eq!(
            violations(&review),
            [("PGV-005", "spec.teamId"), ("PGV-022", "spec.users.Bad")],
            "{profile}"
        );
        assert_eq!(told(&review), ["PGV-052", "!PGV-013"], "{profile}");
    }
}

#[test]
fn fixed_rules_refuse_under_everything() {
    let soft: Vec<String> = catalogue()
        .iter()
        .map(|rule| format!("{}:warn", rule.id))
        .collect();
    let config = under(&[
        ("validation_profile", "observe"),
        ("validation_severity", &soft.join(",")),
    ]);
    let fixed = || {
        catalogue()
            .iter()
            .filter(|rule| rule.fixed && rule.when != When::Deleted)
    };
    assert!(fixed().any(|rule| rule.id == "PGV-001"));
    for rule in fixed() {
        let mut config = config.clone();
        let own = config_of(rule.rejects.config);
        (config.kubernetes, config.general) = (own.kubernetes, own.general);
        let stored = rule.rejects.stored.map(manifest);
        let review = review(&manifest(rule.rejects.manifest), stored.as_ref(), &config);
        assert!(
            review
                .violations
                .iter()
                .any(|violation| violation.rule == rule.id),
            "{}",
            rule.id
        );
    }
}

#[test]
fn what_is_stored_stays_a_warning_when_it_is_made_a_denial() {
    let stored = manifest("spec: {topologySpreadConstraint: []}");
    let strict = under(&[("validation_profile", "strict")]);
    assert_eq!(violations(&review(&stored, None, &strict)).len(), 1);
    let mut new = stored.clone();
    new["spec"]["numberOfInstances"] = json!(3);
    let review = review(&new, Some(&stored), &strict);
    assert_eq!(violations(&review), []);
    assert_eq!(told(&review), ["PGV-052"]);
}

#[test]
fn items_that_moved_are_old_and_others_are_new() {
    let windows = |list: &str| manifest(&format!("spec: {{maintenanceWindows: {list}}}"));
    let blocked = |old: &str, new: &str| {
        review(&windows(new), Some(&windows(old)), &config())
            .violations
            .len()
    };
    assert_eq!(blocked("[bad]", "['01:00-02:00', bad]"), 0);
    assert_eq!(blocked("['01:00-02:00', bad]", "[bad]"), 0);
    assert_eq!(blocked("[bad]", "[bad, bad]"), 1);
    assert_eq!(blocked("[bad]", "[worse, bad]"), 1);
    assert_eq!(blocked("[bad, '01:00-02:00']", "['01:00-02:00', worse]"), 1);
    // The same place, mended in vain.
    assert_eq!(blocked("[bad]", "[worse]"), 0);
}

#[test]
fn named_items_are_known_by_their_names() {
    let sidecars = |list: &str| manifest(&format!("spec: {{sidecars: {list}}}"));
    let blocked =
        |old: &str, new: &str| violations(&review(&sidecars(new), Some(&sidecars(old)), &config())).len();
    let old = "[{name: a, image: a:1}, {name: b}]";
    assert!(blocked("[]", old) > 0);
    assert_eq!(
        blocked(
            old,
            "[{name: c, image: c:1}, {name: a, image: a:1}, {name: b, ports: []}]"
        ),
        0
    );
    assert!(blocked(old, "[{name: c}, {name: a, image: a:1}, {name: b}]") > 0);
}

const SHIPPED: &str = "spec: {users: {app: [], other: []}, databases: {shop: app},
    sidecars: [{name: log, image: 'log:1'}, {name: exporter, image: 'exporter:1'}],
    additionalVolumes: [{name: logs, mountPath: /logs, targetContainers: [postgres, log], volumeSource: {emptyDir: {}}}]}";

/// What becomes of the manifest when this is merged into it: violations, and the rules that warn.
fn after(stored: &str, overlay: &Value, parameters: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let stored = manifest(stored);
    let mut new = stored.clone();
    json_patch::merge(&mut new, overlay);
    let review = review(&new, Some(&stored), &under(parameters));
    let paths = violations(&review).into_iter().map(|(_, path)| path.to_owned());
    (paths.collect(), told(&review))
}

#[test]
fn a_name_that_stays_may_lose_what_it_names() {
    let nobody = Vec::<String>::new();
    for profile in ["standard", "strict", "observe"] {
        let without = |what: &Value| {
            after(
                SHIPPED,
                what,
                &[
                    ("validation_profile", profile),
                    ("enable_postgres_team_crd", "false"),
                ],
            )
        };
        let sidecar = json!({"spec": {"sidecars": [{"name": "exporter", "image": "exporter:1"}]}});
        assert_eq!(
            without(&sidecar),
            (nobody.clone(), vec!["PGV-018".to_owned()]),
            "{profile}"
        );
        let (refused, warned) = without(&json!({"spec": {"users": {"app": null}}}));
        assert_eq!(refused, nobody, "{profile}");
        assert!(warned.contains(&"PGV-028".to_owned()), "{profile} {warned:?}");
    }
}

#[test]
fn a_name_that_is_new_names_something() {
    let standard = [("enable_postgres_team_crd", "false")];
    let volume = |target: &str| {
        json!({"spec": {"additionalVolumes": [
            {"name": "logs", "mountPath": "/logs", "targetContainers": ["postgres", target], "volumeSource": {"emptyDir": {}}},
        ]}})
    };
    let refused = |overlay: &Value| after(SHIPPED, overlay, &standard).0;
    assert_eq!(
        refused(&volume("lag")),
        ["spec.additionalVolumes[0].targetContainers[1]"]
    );
    assert_eq!(
        refused(&json!({"spec": {"databases": {"shop": "apq"}}})),
        ["spec.databases.shop"]
    );
    // Both at once: what is named goes, and something new names it.
    let both = json!({"spec": {"users": {"app": null}, "databases": {"books": "app"}}});
    assert_eq!(refused(&both), ["spec.databases.books"]);
}

/// What an edit of one field is refused for.
fn refused_in(field: &str, stored: &str, new: &str) -> Vec<String> {
    let of = |value: &str| manifest(&format!("spec: {{{field}: {value}}}"));
    let review = review(&of(new), Some(&of(stored)), &config());
    review.violations.iter().map(ToString::to_string).collect()
}

/// A field, what is stored, and what replaces it.
#[rustfmt::skip]
const MENDED: &[(&str, &str, &str)] = &[
    // The first hides the second: none can be read.
    ("users", "{a: 1, b: 2}", "{a: [], b: 2}"),
    ("users", "{a: 1, b: 2}", "{b: 2}"),
    ("users", "{a: 1, b: 2, Bad: []}", "{b: 2, Bad: []}"),
    ("patroni", "{ttl: x, loop_wait: y, slots: {A: {type: odd}}}", "{ttl: 30, loop_wait: y, slots: {A: {type: odd}}}"),
    ("patroni", "{ttl: x, slots: {A: {type: odd}}}", "{ttl: 30, slots: {A: {type: odd}}}"),
    ("tolerations", "[{tolerationSeconds: x}, {tolerationSeconds: y}]", "[{key: a, operator: Exists}, {tolerationSeconds: y}]"),
    ("tolerations", "[{tolerationSeconds: x}, {tolerationSeconds: y}]", "[{tolerationSeconds: y}]"),
    ("sidecars", "[{name: a, image: a, ports: x}, {name: b, image: b, ports: y}, {name: b}]", "[{name: a, image: a}, {name: b, image: b, ports: y}, {name: b}]"),
    ("sidecars", "[{name: a, image: a, ports: x}, {name: b, image: b, ports: y}, {name: c}]", "[{name: b, image: b, ports: y}, {name: c}]"),
    // A bad name hides what makes sense only when all names are known.
    ("users", "{Bad: [], app_one: [], app-one: []}", "{app_one: [], app-one: []}"),
];

#[rustfmt::skip]
const MENDED_IN_VAIN: &[(&str, &str, &str, &str)] = &[
    ("users", "{a: 1, b: 2}", "{a: [], Worse: 3}", "spec.users.Worse"),
    ("numberOfInstances", "two", "-1", "spec.numberOfInstances"),
    ("users", "{a: 1, b: []}", "{Worse: [], b: []}", "spec.users.Worse"),
    ("sidecars", "[{name: a, image: a, ports: x}]", "[{name: b, image: b, ports: [{containerPort: 0}]}]", "spec.sidecars[0].ports[0].containerPort"),
];

#[test]
fn each_of_two_mistakes_in_a_field_may_be_mended() {
    for (field, stored, new) in MENDED {
        assert_eq!(
            refused_in(field, stored, new),
            [""; 0],
            "{field}: {stored} -> {new}"
        );
    }
    for (field, stored, new, refused) in MENDED_IN_VAIN {
        let found = refused_in(field, stored, new);
        assert!(
            found.len() == 1 && found[0].starts_with(refused),
            "{field}: {stored} -> {new}: {found:?}"
        );
    }
}

#[test]
fn mistakes_behind_a_mistake_are_old_too() {
    let stored =
        manifest("spec: {users: {Bad: []}, numberOfInstances: two, patroni: {ttl: 20}, volume: {size: big}}");
    let mut new = stored.clone();
    new["spec"]["numberOfInstances"] = json!(2);
    assert_eq!(violations(&review(&new, Some(&stored), &config())), []);
    new["spec"]["volume"]["size"] = json!("1Gi");
    assert_eq!(violations(&review(&new, Some(&stored), &config())), []);
    new["spec"]["users"]["Worse"] = json!([]);
    assert_eq!(
        violations(&review(&new, Some(&stored), &config())),
        [("PGV-022", "spec.users.Worse")]
    );
}
