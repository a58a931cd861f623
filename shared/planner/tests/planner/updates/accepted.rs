//! Where an edit does something else than under Zalando's operator, on purpose.  // table

use super::Accepted;

/// Not built yet.
const LATER: &str = "poolers and backups are not built yet";
/// Of claims that Kubernetes makes.
const CLAIMS: &str = "claims are made by Kubernetes; theirs patches their annotations, to nothing";
/// Of templates.
const PATCHED: &str = "a template can be patched: nothing to replace for";
/// Of schedulers.
const SCHEDULER: &str = "another scheduler counts only for pods that are made anew; theirs forgets it";
/// Of labels on pods.
const WORN: &str = "pods are given labels as they run: nothing to make anew for";
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
    row("pod-annot-add", "statefulset", PATCHED),
    row("pooler-on", "objectsChanged", LATER),
    row("pooler-change", "objectsChanged", LATER),
    row("backup-on", "objectsChanged", LATER),
    row("backup-off", "objectsChanged", LATER),
    row("toleration-add", "statefulset", PATCHED),
    row("spread-add", "statefulset", PATCHED),
    row("addvol", "statefulset", PATCHED),
    row("scheduler", "podsDeleted", SCHEDULER),
    row("scheduler", "switchovers", SCHEDULER),
    row("scheduler", "statefulset", SCHEDULER),
    row("scheduler", "objectsChanged", SCHEDULER),
    row(
        "label-only",
        "statefulset",
        "labels of later claims come from its template, which cannot be patched; pods stay",
    ),
    row("label-only", "objectsChanged", LABELS),
    row("label-and-spec", "podsDeleted", WORN),
    row("label-and-spec", "switchovers", WORN),
    row("label-and-spec", "objectsChanged", LABELS),
    row(
        "standby-add",
        "patroniPatches",
        "a running primary is never made a follower: it is held and told",
    ),
    row(
        "standby-add",
        "podsDeleted",
        "whom to follow is read at the first start only: no pod is made anew for it",
    ),
    row("team", "podsDeleted", WORN),
    row("team", "objectsChanged", LABELS),
    row(
        "delete",
        "objectsChanged",
        "claims and Patroni's objects go with it as with theirs, which were not counted",
    ),
];
