//! What holds for every object: a review survives it, never refuses what did not change, and lets nothing through that cannot be parsed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::{super::*, config, manifest};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_object_breaks_a_review(new in any_manifest(), old in prop::option::of(any_manifest())) {
        let review = review(&new, old.as_ref(), &config());
        prop_assert!(review.violations.is_sorted());
        prop_assert!(review.warnings.iter().all(|warning| warning.chars().count() <= LINE_LIMIT));
    }

    #[test]
    fn an_unchanged_object_is_never_refused(object in any_manifest()) {
        prop_assert_eq!(review(&object, Some(&object), &config()).violations, []);
    }

    #[test]
    fn what_is_let_through_can_be_parsed(object in any_manifest()) {
        let review = review(&object, None, &config());
        if review.violations.is_empty() {
            let content = Manifest::read(&object, None, &config()).content.unwrap();
            prop_assert!(content.cluster.is_ok());
        }
    }

    #[test]
    fn whatever_is_stored_can_be_labelled_annotated_and_scaled(
        stored in any_manifest(),
        label in "[a-z]{1,5}",
        instances in 1_i64..6,
        scales in any::<bool>(),
        profile in any_profile(),
    ) {
        let config = under(profile);
        let mut new = stored.clone();
        if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
            let mark = serde_json::json!({label: "x"});
            metadata.insert("labels".to_owned(), mark.clone());
            metadata.insert("annotations".to_owned(), mark);
        }
        if scales && let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("numberOfInstances".to_owned(), instances.into());
        }
        let review = review(&new, Some(&stored), &config);
        // More instances can only break what speaks of their number: the synchronous modes of Patroni.
        let elsewhere = |violation: &&Violation| !(scales && violation.path.starts_with("spec.patroni.synchronous"));
        let blocked: Vec<_> = review.violations.iter().filter(elsewhere).collect();
        prop_assert!(blocked.is_empty(), "{:?}", blocked);
    }

    #[test]
    fn an_item_among_others_changes_nothing(
        mut stored in any_manifest(),
        (field, items, good, place) in any_list(),
        profile in any_profile(),
    ) {
        let config = under(profile);
        let Some(spec) = stored.get_mut("spec").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        spec.insert(field.to_owned(), items.clone().into());
        let mut more = items;
        more.insert(place.index(more.len() + 1), good);
        let mut new = stored.clone();
        new["spec"][field] = more.into();
        let violations = review(&new, Some(&stored), &config).violations;
        prop_assert!(violations.is_empty(), "{:?}", violations);
    }

    #[test]
    fn mending_one_field_brings_forth_no_other(stored in any_manifest(), profile in any_profile()) {
        let config = under(profile);
        let mut new = stored.clone();
        let Some(Violation { path, .. }) = review(&stored, None, &config).violations.into_iter().next() else {
            return Ok(());
        };
        let Some((_, field)) = ratchet::top_field(&path).filter(|(part, _)| part == "spec") else {
            return Ok(());
        };
        if let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert(field.clone(), manifest("{}")["spec"][&field].clone());
        }
        let own = |violation: &Violation| violation.path.starts_with(&format!("spec.{field}"));
        let others = review(&new, Some(&stored), &config).violations.into_iter().filter(|found| !own(found));
        // A field can make sense of another one, as databases and users do; such rules name both.
        let others: Vec<_> = others.filter(|found| !rule(found.rule).is_some_and(|rule| speaks_of(rule, &field))).collect();
        prop_assert!(others.is_empty(), "{path}: {others:?}");
    }

    #[test]
    fn an_edit_of_one_field_is_refused_for_that_field(
        stored in any_manifest(),
        from in any_manifest(),
        field in prop::sample::select(SPEC_FIELDS),
    ) {
        let mut new = stored.clone();
        let value = from.pointer("/spec").and_then(|spec| spec.get(field)).cloned();
        match (new.get_mut("spec").and_then(Value::as_object_mut), value) {
            (Some(spec), Some(value)) => spec.insert(field.to_owned(), value),
            (Some(spec), None) => spec.remove(field),
            _ => None,
        };
        let elsewhere = |violation: &Violation| {
            let reached = ratchet::top_field(&violation.path).map(|(_, reached)| reached);
            !reached.is_some_and(|reached| reached == field || ALIASES.contains(&(field, reached.as_str())))
        };
        let found = review(&new, Some(&stored), &config()).violations;
        let odd: Vec<_> = found.iter().filter(|found| elsewhere(found) && !CLASHES.contains(&found.rule)).collect();
        prop_assert!(odd.is_empty(), "{field}: {odd:?}");
    }

    #[test]
    fn profiles_are_ordered(new in any_manifest(), old in prop::option::of(any_manifest())) {
        let refused = |profile| {
            let violations = review(&new, old.as_ref(), &under(profile)).violations;
            violations.into_iter().map(|violation| (violation.rule, violation.path)).collect::<BTreeSet<_>>()
        };
        let (observed, standard, strict) = (refused("observe"), refused("standard"), refused("strict"));
        prop_assert!(observed.iter().all(|(id, _)| rule(id).is_some_and(|rule| rule.fixed)));
        prop_assert!(observed.is_subset(&standard), "{observed:?} {standard:?}");
        prop_assert!(standard.is_subset(&strict), "{standard:?} {strict:?}");
    }
}

/// Fields that rules know by another name.
const ALIASES: [(&str, &str); 1] = [("init_containers", "initContainers")];

/// Rules by which one field can be refused for a change of another: it is asked to live with something that it cannot live with.
const CLASHES: [&str; 0] = [];

fn speaks_of(rule: &Rule, field: &str) -> bool {
    rule.paths.len() > 1
        && rule
            .paths
            .iter()
            .any(|path| path.starts_with(&format!("spec.{field}")))
}

fn any_profile() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("observe"), Just("standard"), Just("strict")]
}

fn under(profile: &str) -> OperatorConfig {
    super::config_of(&[("enable_teams_api", "false"), ("validation_profile", profile)])
}

/// A list of the spec: its name, items good and bad that clash with each other, one more that clashes with none, and where to put it.
fn any_list() -> impl Strategy<Value = (&'static str, Vec<Value>, Value, prop::sample::Index)> {
    let list = prop::sample::select(LISTS).prop_flat_map(|(field, pool, good)| {
        let items = prop::collection::vec(prop::sample::select(pool), 1..5);
        (Just(field), items, Just(good))
    });
    let read = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
    (list, any::<prop::sample::Index>()).prop_map(move |((field, items, good), place)| {
        (field, items.into_iter().map(read).collect(), read(good), place)
    })
}

type List = (&'static str, &'static [&'static str], &'static str);

const LISTS: &[List] = &[
    (
        "sidecars",
        &[
            "{name: a, image: 'a:1'}",
            "{name: b}",
            "{name: a}",
            "{image: 'x:1'}",
            "{name: postgres, image: 'p:1'}",
        ],
        "{name: beside, image: 'beside:1'}",
    ),
    (
        "initContainers",
        &[
            "{name: a, image: 'a:1'}",
            "{name: b}",
            "{name: Bad, image: 'p:1'}",
        ],
        "{name: beside-init, image: 'beside:1'}",
    ),
    (
        "init_containers",
        &[
            "{name: a, image: 'a:1'}",
            "{name: b}",
            "{name: Bad, image: 'p:1'}",
        ],
        "{name: beside-init, image: 'beside:1'}",
    ),
    (
        "additionalVolumes",
        &[
            "{name: a, mountPath: /a, volumeSource: {emptyDir: {}}}",
            "{name: b, mountPath: /a, volumeSource: {emptyDir: {}}}",
            "{name: a, mountPath: /c, volumeSource: {emptyDir: 1}}",
            "{name: d, mountPath: /home/postgres/pgdata, targetContainers: [nobody], volumeSource: {emptyDir: {}}}",
        ],
        "{name: beside, mountPath: /beside, volumeSource: {emptyDir: {}}}",
    ),
    (
        "maintenanceWindows",
        &["'01:00-02:00'", "'Sat:22:00-02:00'", "never", "'05:00-05:01'"],
        "'13:00-15:00'",
    ),
    (
        "allowedSourceRanges",
        &["10.0.0.0/8", "anyone", "10.0.0.0/99"],
        "10.1.2.0/24",
    ),
    (
        "env",
        &[
            "{name: A, value: a}",
            "{name: '', value: b}",
            "{name: a, value: c}",
            "{name: SCOPE, value: d}",
        ],
        "{name: BESIDE, value: x}",
    ),
    (
        "tolerations",
        &[
            "{key: a, operator: Is}",
            "{}",
            "{key: b, effect: NoSchedule}",
            "{key: a b}",
        ],
        "{key: beside, operator: Exists}",
    ),
    (
        "streams",
        &[
            "{applicationId: a, database: postgres, tables: {t: {eventType: e}}}",
            "{applicationId: a, database: postgres, tables: {public.t: {eventType: f}}}",
            "{applicationId: A, database: postgres, tables: {x: {}}}",
            "{}",
        ],
        "{applicationId: beside, database: postgres, tables: {t: {eventType: e}}}",
    ),
    (
        "topologySpreadConstraints",
        &[
            "{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}",
            "{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule}",
            "{maxSkew: 1, topologyKey: '', whenUnsatisfiable: Never}",
        ],
        "{maxSkew: 1, topologyKey: beside, whenUnsatisfiable: ScheduleAnyway, labelSelector: {}}",
    ),
];

/// A manifest in which some fields hold arbitrary values, or an arbitrary object.
fn any_manifest() -> impl Strategy<Value = Value> {
    let fields = SPEC_FIELDS
        .iter()
        .map(|field| Just((*field).to_owned()))
        .collect::<Vec<_>>();
    let field = proptest::strategy::Union::new(fields);
    let text = prop_oneof![
        "[a-zA-Z0-9_.:/-]{0,9}",
        Just("10Gi".to_owned()),
        Just("é🦀".to_owned())
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..70_000).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let near = prop::collection::vec((field, value), 0..4).prop_map(|overlay| {
        let mut object = manifest("{}");
        for (field, value) in overlay {
            object["spec"][field] = value;
        }
        object
    });
    prop_oneof![4 => near, 4 => super::shaped::any_shaped(), 1 => crate::default::tests::any_object()]
}

const SPEC_FIELDS: &[&str] = &[
    "teamId",
    "numberOfInstances",
    "postgresql",
    "volume",
    "users",
    "databases",
    "preparedDatabases",
    "patroni",
    "maintenanceWindows",
    "sidecars",
    "initContainers",
    "additionalVolumes",
    "allowedSourceRanges",
    "clone",
    "standby",
    "tls",
    "env",
    "resources",
    "masterNodePort",
    "enableMasterNodePort",
    "usersWithSecretRotation",
    "init_containers",
    "useLoadBalancer",
    "connectionPooler",
    "enableReplicaConnectionPooler",
    "streams",
    "logicalBackupSchedule",
    "enableLogicalBackup",
    "nodeAffinity",
    "tolerations",
    "topologySpreadConstraints",
    "livenessProbe",
    "envFrom",
    "podAnnotations",
];
