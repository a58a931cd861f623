//! Everything that was ever proposed is a rule or has a reason why not. The numbers are the rows of the admission matrix (zalando-behaviour,
//! appendix D); the names are the fields of the list of ideas taken from other operators.  // table

use std::collections::BTreeSet;

use crate::validate::{rejected::REJECTED, rule};

/// A row, the rules that came of it, the ideas of it that were rejected.
type Row<K> = (K, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const MATRIX: &[Row<u8>] = &[
    (1, &["PGV-002", "PGV-083", "PGV-084"], &[]),
    (2, &["PGV-003"], &[]),
    (3, &["PGV-004", "PGV-005", "PGV-082"], &["refuse-another-team"]),
    (4, &["PGV-031"], &[]),
    (5, &["PGV-077"], &["half-an-hour"]),
    (6, &["PGV-022", "PGV-024", "PGV-025", "PGV-030", "PGV-061"], &[]),
    (7, &["PGV-023"], &[]),
    (8, &["PGV-027", "PGV-028", "PGV-029", "PGV-057"], &[]),
    (9, &["PGV-026"], &[]),
    (10, &["PGV-010"], &["version-of-the-status"]),
    (11, &["PGV-011"], &[]),
    (12, &["PGV-011"], &[]),
    (13, &["PGV-013"], &[]),
    (14, &["PGV-014", "PGV-015"], &[]),
    (15, &["PGV-055"], &[]),
    (16, &["PGV-041"], &[]),
    (17, &[], &["clone-source-exists"]),
    (18, &["PGV-038"], &["rewrite-times"]),
    (19, &["PGV-036"], &[]),
    (20, &["PGV-039", "PGV-040"], &[]),
    (21, &["PGV-042"], &["refuse-late-standby"]),
    (22, &["PGV-043", "PGV-064"], &[]),
    (23, &["PGV-032", "PGV-033", "PGV-085"], &[]),
    (24, &["PGV-032"], &[]),
    (25, &["PGV-016", "PGV-017", "PGV-018", "PGV-059", "PGV-086", "PGV-089"], &[]),
    (26, &["PGV-034", "PGV-060", "PGV-087"], &["refuse-reserved-variables"]),
    (27, &["PGV-001", "PGV-102", "PGV-103", "PGV-104", "PGV-105", "PGV-108"], &[]),
    (28, &["PGV-110", "PGV-109", "PGV-112"], &[]),
    (29, &["PGV-044", "PGV-075"], &[]),
    (30, &["PGV-045", "PGV-046", "PGV-056", "PGV-072", "PGV-097"], &[]),
    (31, &["PGV-071"], &[]),
    (32, &["PGV-020", "PGV-021", "PGV-093"], &["store-effective-resources"]),
    (33, &["PGV-007"], &[]),
    (34, &["PGV-047", "PGV-048"], &[]),
    (35, &["PGV-050"], &[]),
    (36, &["PGV-061", "PGV-062", "PGV-064"], &[]),
    (37, &["PGV-065"], &[]),
    (38, &["PGV-067", "PGV-068"], &[]),
    (39, &["PGV-054"], &[]),
    (40, &["PGV-091", "PGV-092"], &["inject-selector"]),
    (41, &["PGV-052"], &["pruned-fields"]),
    (42, &["PGV-051"], &["move-old-fields"]),
    (43, &["PGV-001"], &["numbers-to-texts"]),
    (44, &["PGV-121"], &["refuse-deletion"]),
    (45, &["PGV-053"], &[]),
    (46, &["PGC-002", "PGC-003"], &[]),
    (47, &["PGT-002", "PGT-003"], &[]),
    (48, &["PGV-078", "PGV-079"], &["namespace-exists"]),
];

#[rustfmt::skip]
const FIELDS: &[Row<&str>] = &[
    ("metadata.name", &["PGV-002", "PGV-003", "PGV-083", "PGV-084"], &[]),
    ("teamId", &["PGV-004", "PGV-005", "PGV-082"], &["refuse-another-team", "team-exists"]),
    ("numberOfInstances", &["PGV-006", "PGV-007", "PGV-064", "PGV-097"], &["an-instance-to-start-from"]),
    ("volume", &["PGV-012", "PGV-013", "PGV-014", "PGV-015", "PGV-055"], &["small-volumes", "class-can-grow", "ratio-of-gp3"]),
    ("postgresql.version", &["PGV-008", "PGV-009", "PGV-010", "PGV-011"], &["change-outside-window", "version-of-the-status"]),
    ("postgresql.parameters", &["PGV-101", "PGV-104", "PGV-105", "PGV-106", "PGV-107", "PGV-108", "PGV-109", "PGV-110", "PGV-113", "PGV-117"], &[]),
    ("patroni", &["PGV-044", "PGV-045", "PGV-046", "PGV-056", "PGV-070", "PGV-071", "PGV-072", "PGV-073", "PGV-074", "PGV-075", "PGV-076", "PGV-097"], &["refuse-unknown-initdb"]),
    ("resources", &["PGV-019", "PGV-020", "PGV-021", "PGV-093"], &["refuse-low-limits"]),
    ("users", &["PGV-022", "PGV-023", "PGV-024", "PGV-025", "PGV-026", "PGV-030", "PGV-078", "PGV-096"], &["team-members-as-users", "repeated-flags"]),
    ("databases", &["PGV-027", "PGV-028", "PGV-029", "PGV-057", "PGV-096", "PGV-099"], &["refuse-postgres-database"]),
    ("preparedDatabases", &["PGV-027", "PGV-030", "PGV-078", "PGV-096", "PGV-099"], &[]),
    ("clone", &["PGV-036", "PGV-037", "PGV-038", "PGV-041", "PGV-090", "PGV-095"], &["time-in-the-future"]),
    ("standby", &["PGV-039", "PGV-040", "PGV-042", "PGV-094"], &["refuse-late-standby", "shape-of-archives"]),
    ("sidecars, initContainers", &["PGV-019", "PGV-032", "PGV-033", "PGV-058", "PGV-085", "PGV-086"], &[]),
    ("additionalVolumes", &["PGV-016", "PGV-017", "PGV-018", "PGV-086", "PGV-089"], &[]),
    ("connectionPooler", &["PGV-019", "PGV-061", "PGV-062", "PGV-063", "PGV-064"], &[]),
    ("allowedSourceRanges", &["PGV-049", "PGV-050", "PGV-098"], &["number-of-ranges"]),
    ("load balancers, node ports", &["PGV-047", "PGV-048"], &[]),
    ("maintenanceWindows", &["PGV-031", "PGV-077"], &["half-an-hour", "time-zone-reminder"]),
    ("logical backup", &["PGV-065", "PGV-066"], &[]),
    ("tls", &["PGV-054", "PGV-069"], &["secret-exists"]),
    ("env, envFrom", &["PGV-034", "PGV-060", "PGV-087", "PGV-088"], &["refuse-reserved-variables"]),
    ("streams", &["PGV-067", "PGV-068", "PGV-112"], &["shape-of-events"]),
    ("annotations", &["PGV-080", "PGV-081"], &[]),
    ("tolerations, spread, affinity", &["PGV-091", "PGV-092"], &["inject-selector"]),
    ("annotations of the object", &["PGV-053", "PGV-121"], &["failed-upgrade-note"]),
    ("unknown fields", &["PGV-052"], &["pruned-fields"]),
];

fn check(rules: &[&str], ideas: &[&str]) {
    assert!(!rules.is_empty() || !ideas.is_empty());
    for id in rules {
        assert!(rule(id).is_some(), "{id}");
    }
    for key in ideas {
        assert!(REJECTED.iter().any(|idea| idea.key == *key), "{key}");
    }
}

#[test]
fn every_row_of_the_matrix_is_decided() {
    assert!(MATRIX.iter().map(|(number, ..)| *number).eq(1..=48));
    for (_, rules, ideas) in MATRIX {
        check(rules, ideas);
    }
}

#[test]
fn every_field_is_decided() {
    assert_eq!(FIELDS.len(), 27);
    for (_, rules, ideas) in FIELDS {
        check(rules, ideas);
    }
}

#[test]
fn every_rejected_idea_is_somebodys() {
    let matrix = MATRIX.iter().flat_map(|(_, _, ideas)| *ideas);
    let fields = FIELDS.iter().flat_map(|(_, _, ideas)| *ideas);
    let proposed: BTreeSet<&str> = matrix.chain(fields).copied().collect();
    let keys: BTreeSet<&str> = REJECTED.iter().map(|idea| idea.key).collect();
    assert_eq!(keys.len(), REJECTED.len());
    assert_eq!(proposed, keys);
}

#[test]
fn every_new_rule_comes_from_somewhere() {
    let matrix = MATRIX.iter().flat_map(|(_, rules, _)| *rules);
    let fields = FIELDS.iter().flat_map(|(_, rules, _)| *rules);
    let proposed: BTreeSet<&str> = matrix.chain(fields).copied().collect();
    for number in 61..=99 {
        let id = format!("PGV-{number:03}");
        assert!(proposed.contains(id.as_str()), "{id}");
    }
}
