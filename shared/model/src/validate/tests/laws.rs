//! What holds for every object: a review survives it, never refuses what did not change, and lets nothing through that cannot be parsed.

use proptest::prelude::*;
use serde_json::Value;

use super::{super::*, config, manifest};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_object_breaks_a_review(new in any_manifest(), old in prop::option::of(any_manifest())) {
        let review = review(&new, old.as_ref(), &config());
        prop_assert!(review.violations.is_sorted());
        prop_assert!(review.warnings.iter().all(|warning| warning.chars().count() <= WARNING_LIMIT));
    }

    #[test]
    fn an_unchanged_object_is_never_refused(object in any_manifest()) {
        prop_assert_eq!(review(&object, Some(&object), &config()).violations, []);
    }

    #[test]
    fn what_is_let_through_can_be_parsed(object in any_manifest()) {
        let review = review(&object, None, &config());
        if review.violations.is_empty() {
            let decoded = api::decode::<Postgresql>(&default::complete(&object, None, &config()));
            prop_assert!(Cluster::parse(&decoded.unwrap(), &config()).is_ok());
        }
    }
}

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
    prop_oneof![4 => near, 1 => crate::default::tests::any_object()]
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
];
