//! Where our objects differ from Zalando's on purpose.  // table

/// A difference that is meant. `*` at the end of a pattern stands for anything.
pub(crate) struct Accepted {
    /// The configurations under which it is seen, each of them.
    pub(crate) under: &'static str,
    /// The manifest.
    pub(crate) case: &'static str,
    /// `<kind>/<namespace>/<name>`.
    pub(crate) object: &'static str,
    /// Where in the object.
    pub(crate) path: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
}

pub(crate) const ACCEPTED: &[Accepted] = &[
    Accepted {
        under: "ABCE",
        case: "bad-user",
        object: "manifest",
        path: "refused",
        reason: "no object at all for a manifest that can never work; theirs makes services and fails",
    },
    Accepted {
        under: "ABCE",
        case: "accounts",
        object: "Secret/default/nothing-given.accounts.*",
        path: "added",
        reason: "a user whose flags are null is a user; the CRD of 2.0.1 drops it silently",
    },
    Accepted {
        under: "ABCE",
        case: "boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/containers/1/ports/1/protocol",
        reason: "the CRD's schema fills in TCP when the manifest is stored",
    },
    Accepted {
        under: "ABCE",
        case: "boxes",
        object: "StatefulSet/default/boxes",
        path: "/spec/template/spec/initContainers/0/resources",
        reason: "empty: how Go writes a struct",
    },
];
