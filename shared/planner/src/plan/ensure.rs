//! One object: applied when it is missing, changed when it differs by meaning. Lives here: the choice between server-side apply and a patch.

use json_patch::jsonptr::PointerBuf;
use json_patch::{Patch, PatchOperation, TestOperation};
use serde_json::Value;

use super::{Action, Object, Plan, Precondition, Reason};
use crate::diff::{Difference, difference};

/// Applies `wanted`, if it is not so already.
pub(super) fn object(wanted: Object, stored: Option<Object>, plan: &mut Plan) {
    let Some(stored) = stored else {
        return plan.quiet(
            Action::Apply(Box::new(wanted)),
            Reason::Missing,
            Precondition::None,
        );
    };
    // A comparison by meaning costs more.
    if wanted == stored {
        return;
    }
    if let Some(found) = difference(wanted.kind(), &wanted.to_value(), &stored.to_value()) {
        let same = Precondition::SameObject(stored.reference().uid);
        change(wanted, &stored, found, same, plan);
    }
}

/// Changes an object that differs. Server-side apply leaves fields that somebody else set; where such have to go, a patch does both at once.
pub(super) fn change(
    wanted: Object,
    stored: &Object,
    found: Difference,
    precondition: Precondition,
    plan: &mut Plan,
) {
    let reason = Reason::Differs(found.paths());
    if !found.removes() {
        return plan.quiet(Action::Apply(Box::new(wanted)), reason, precondition);
    }
    let target = stored.reference();
    let version = target.resource_version.clone();
    let mut operations = vec![PatchOperation::Test(TestOperation {
        path: PointerBuf::from_tokens(["metadata", "resourceVersion"]),
        value: Value::from(version.as_str()),
    })];
    operations.extend(found.operations);
    let action = Action::Patch {
        target,
        operations: Patch(operations),
    };
    plan.quiet(action, reason, Precondition::Unchanged(version));
}
