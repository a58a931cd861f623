//! The mark of a deletion that was allowed and has begun: on the StatefulSet, which therefore goes last. Lives here: what it says, whose it is,
//! and how it is written and taken back. Must not: what goes (`deletion`), or who looks for marks (controller).

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, TestOperation};
use k8s_openapi::api::apps::v1::StatefulSet;
use pgherd_model::names::annotations::{CONTROLLER, DELETION};
use serde_json::{Value, json};

use crate::observed::{ClusterView, Observed, Source};
use crate::plan::{Action, Object, Plan, Precondition, Reason};

/// In place of the identity of an object that nobody has seen.
const UNSEEN: &str = "unseen";

/// What the annotation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionMark {
    /// Of the object that was deleted.
    pub uid: String,
    /// When the deletion began.
    pub since: Timestamp,
    /// The id of the operator that began it, if it has one.
    pub controller: Option<String>,
}

impl DeletionMark {
    /// Read from a StatefulSet's annotations. None for one that is not whole: nothing follows from it.
    pub fn of(annotations: &BTreeMap<String, String>) -> Option<Self> {
        let mut words = annotations.get(DELETION)?.split(' ');
        let mark = Self {
            uid: words.next().filter(|uid| !uid.is_empty())?.to_owned(),
            since: words.next()?.parse().ok()?,
            controller: words.next().map(str::to_owned),
        };
        words.next().is_none().then_some(mark)
    }

    /// The one that this cluster's deletion is marked with. What stands for an object that nobody has seen carries it itself, if there was
    /// one.
    fn wanted(cluster: &ClusterView, now: Timestamp) -> Self {
        let found = Self::of(&cluster.annotations).filter(|_| cluster.uid.is_empty());
        found.unwrap_or_else(|| Self {
            uid: Some(cluster.uid.clone())
                .filter(|uid| !uid.is_empty())
                .unwrap_or_else(|| UNSEEN.to_owned()),
            since: now,
            controller: cluster.annotations.get(CONTROLLER).cloned(),
        })
    }

    fn is_on(&self, set: &StatefulSet) -> bool {
        mark_of(set).is_some_and(|found| found.uid == self.uid)
    }
}

impl fmt::Display for DeletionMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.uid, self.since)?;
        match &self.controller {
            Some(id) => write!(f, " {id}"),
            None => Ok(()),
        }
    }
}

fn mark_of(set: &StatefulSet) -> Option<DeletionMark> {
    DeletionMark::of(set.metadata.annotations.as_ref()?)
}

/// The deletion of this very object has been allowed before.
pub(super) fn has_begun(observed: &Observed) -> bool {
    let cluster = &observed.cluster;
    if cluster.uid.is_empty() {
        // An object that is stored has an identity, so that nobody's own annotation gets here.
        return DeletionMark::of(&cluster.annotations).is_some();
    }
    let set = observed.stateful_set.known().and_then(Option::as_ref);
    set.and_then(mark_of).is_some_and(|mark| mark.uid == cluster.uid)
}

/// The mark, no members, and claims that stay when there are none: in one write, so that from then on the StatefulSet's own controller takes
/// the members down too. None when all is so.
pub(super) fn begin(
    set: &StatefulSet,
    cluster: &ClusterView,
    now: Timestamp,
) -> Option<(Action, Precondition)> {
    let mark = DeletionMark::wanted(cluster, now);
    let spec = set.spec.as_ref();
    if mark.is_on(set) && spec.is_none_or(|spec| spec.replicas == Some(0)) {
        return None;
    }
    let mut operations = Vec::new();
    if set.metadata.annotations.is_none() {
        operations.push(add(&["metadata", "annotations"], json!({})));
    }
    operations.push(add(
        &["metadata", "annotations", DELETION],
        json!(mark.to_string()),
    ));
    operations.push(add(&["spec", "replicas"], json!(0)));
    if spec.is_some_and(|spec| spec.persistent_volume_claim_retention_policy.is_some()) {
        let stay = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        operations.push(add(&["spec", "persistentVolumeClaimRetentionPolicy"], stay));
    }
    Some(patch(set, operations))
}

/// Another object of the name has taken the members over: what was allowed for the one before is not allowed for this one.
pub(in crate::plan) fn withdraw(observed: &Observed, plan: &mut Plan) {
    let Source::Known(Some(set)) = &observed.stateful_set else {
        return;
    };
    let annotations = set.metadata.annotations.as_ref();
    if set.metadata.deletion_timestamp.is_some() || !annotations.is_some_and(|all| all.contains_key(DELETION))
    {
        return;
    }
    let path = PointerBuf::from_tokens(["metadata", "annotations", DELETION]);
    let (action, same) = patch(set, vec![PatchOperation::Remove(RemoveOperation { path })]);
    plan.quiet(action, Reason::Adopted, same);
}

fn add(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: PointerBuf::from_tokens(path.iter().copied()),
        value,
    })
}

/// Of exactly this one, whatever of it has changed.
fn patch(set: &StatefulSet, operations: Vec<PatchOperation>) -> (Action, Precondition) {
    let target = Object::StatefulSet(Box::new(set.clone())).reference();
    let uid = target.uid.clone();
    let same = PatchOperation::Test(TestOperation {
        path: PointerBuf::from_tokens(["metadata", "uid"]),
        value: Value::from(uid.as_str()),
    });
    let operations = Patch([vec![same], operations].concat());
    (
        Action::Patch { target, operations },
        Precondition::SameObject(uid),
    )
}
