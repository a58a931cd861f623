//! Where an edit does something else than under Zalando's operator, on purpose.  // table

use super::Accepted;

/// Not built yet.
const LATER: &str = "poolers and backups are not built yet";
/// Of claims that Kubernetes makes.
const CLAIMS: &str = "claims are made by Kubernetes; theirs patches their annotations, to nothing";
/// Of labels.
const LABELS: &str = "labels reach every object at once; theirs forgets all but the StatefulSet";

const fn row(case: &'static str, what: &'static str, reason: &'static str) -> Accepted {
    Accepted { case, what, reason }
}

pub(super) const ACCEPTED: &[Accepted] = &[
    row(
        "pg-hba",
        "patroniPatches",
        "Patroni reads pg_hba below postgresql; theirs sends it beside it, where nobody reads it",
    ),
    row(
        "volume-up",
        "statefulset",
        "the claims grow, those of later members after they are made: nothing to replace for",
    ),
    row(
        "volume-up",
        "objectsChanged",
        "the claims grow, those of later members after they are made: nothing to replace for",
    ),
    row("scale-up", "objectsChanged", CLAIMS),
    row("scale-from-zero", "objectsChanged", CLAIMS),
    row(
        "pod-annot-add",
        "statefulset",
        "a template can be patched: nothing to replace for",
    ),
    row("pooler-on", "objectsChanged", LATER),
    row("pooler-change", "objectsChanged", LATER),
    row("backup-on", "objectsChanged", LATER),
    row("backup-off", "objectsChanged", LATER),
    row(
        "toleration-add",
        "statefulset",
        "a template can be patched: nothing to replace for",
    ),
    row(
        "spread-add",
        "statefulset",
        "a template can be patched: nothing to replace for",
    ),
    row(
        "addvol",
        "statefulset",
        "a template can be patched: nothing to replace for",
    ),
    row(
        "scheduler",
        "podsDeleted",
        "another scheduler counts only for pods that are made anew; theirs forgets it",
    ),
    row(
        "scheduler",
        "switchovers",
        "another scheduler counts only for pods that are made anew; theirs forgets it",
    ),
    row(
        "scheduler",
        "statefulset",
        "another scheduler counts only for pods that are made anew; theirs forgets it",
    ),
    row(
        "scheduler",
        "objectsChanged",
        "another scheduler counts only for pods that are made anew; theirs forgets it",
    ),
    row("label-only", "objectsChanged", LABELS),
    row("label-and-spec", "objectsChanged", LABELS),
    row("team", "objectsChanged", LABELS),
    row(
        "team",
        "podsDeleted",
        "theirs ends in the middle: it missed the event of pod 1 and waits for it",
    ),
    row(
        "team",
        "switchovers",
        "theirs ends in the middle: it missed the event of pod 1 and waits for it",
    ),
];
