//! Where in an object a value stands, and what that means for its comparison.  // table

use json_patch::jsonptr::{PointerBuf, Token};

/// Lists whose items are told by a field. A list that is not here is compared in order, which of init containers is the order of their runs.
const KEYED: [(&str, &str); 7] = [
    ("containers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("template/spec/containers[]/ports", "containerPort"),
    ("Service/spec/ports", "port"),
    ("ownerReferences", "uid"),
];

/// Lists with keys to which others may add.
const OPEN: [&str; 1] = ["ownerReferences"];

/// What we decide of a container.
const CONTAINER: &[&str] = &[
    "args",
    "command",
    "env",
    "envFrom",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "startupProbe",
    "volumeMounts",
    "workingDir",
];

/// Fields that are ours: stored and not wanted means that they have to go. `*`: all fields.
const DECIDED: [(&str, &[&str]); 26] = [
    ("Service/spec", &["selector", "loadBalancerSourceRanges"]),
    ("Service/spec/selector", &["*"]),
    ("PodDisruptionBudget/spec", &["minAvailable", "maxUnavailable"]),
    ("matchLabels", &["*"]),
    (
        "template/spec",
        &[
            "affinity",
            "initContainers",
            "priorityClassName",
            "tolerations",
            "topologySpreadConstraints",
            "volumes",
        ],
    ),
    (
        "template/spec/securityContext",
        &["fsGroup", "runAsGroup", "runAsUser"],
    ),
    ("affinity", &["nodeAffinity", "podAffinity", "podAntiAffinity"]),
    ("nodeAffinity", &["*"]),
    ("podAntiAffinity", &["*"]),
    ("containers[]", CONTAINER),
    ("initContainers[]", CONTAINER),
    (
        "containers[]/securityContext",
        &["capabilities", "privileged", "runAsGroup", "runAsUser"],
    ),
    ("capabilities", &["*"]),
    ("livenessProbe", &["exec", "grpc", "httpGet", "tcpSocket"]),
    ("readinessProbe", &["exec", "grpc", "httpGet", "tcpSocket"]),
    ("startupProbe", &["exec", "grpc", "httpGet", "tcpSocket"]),
    ("resources", &["claims", "limits", "requests"]),
    ("limits", &["*"]),
    ("requests", &["*"]),
    ("env[]", &["value", "valueFrom"]),
    ("valueFrom", &["*"]),
    ("secretKeyRef", &["optional"]),
    ("envFrom[]", &["*"]),
    ("volumes[]", &["*"]),
    ("volumeMounts[]", &["readOnly", "subPath", "subPathExpr"]),
    ("emptyDir", &["*"]),
];

/// Texts that are quantities.
const QUANTITIES: [&str; 4] = ["limits/*", "requests/*", "sizeLimit", "divisor"];

/// A path from the object's kind, with `[]` for any item of a list: `StatefulSet/spec/template/spec/containers[]/env[]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

/// From a value to one in it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Kind(&'a str),
    Field(&'a str),
    Item(usize),
}

impl<'a> Place<'a> {
    pub(super) fn root(kind: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Kind(kind),
        }
    }

    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Field(name),
        }
    }

    pub(super) fn item(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Item(index),
        }
    }

    /// As a JSON pointer from the object's root.
    pub(super) fn pointer(&self) -> PointerBuf {
        let mut tokens: Vec<Token<'_>> = self
            .upwards()
            .filter_map(|place| match place.step {
                Step::Kind(_) => None,
                Step::Field(name) => Some(name.into()),
                Step::Item(index) => Some(index.into()),
            })
            .collect();
        tokens.reverse();
        PointerBuf::from_tokens(tokens)
    }

    /// Field by which the items of this list are told.
    pub(super) fn key(&self) -> Option<&'static str> {
        KEYED.iter().find(|(end, _)| self.ends(end)).map(|(_, key)| *key)
    }

    /// Others may add items to this list.
    pub(super) fn is_open(&self) -> bool {
        OPEN.iter().any(|end| self.ends(end))
    }

    /// An unwanted field of this name has to go.
    pub(super) fn decides(&self, name: &str) -> bool {
        let mut rows = DECIDED.iter().filter(|(end, _)| self.ends(end));
        rows.any(|(_, names)| names.contains(&"*") || names.contains(&name))
    }

    /// A variable of a container.
    pub(super) fn is_variable(&self) -> bool {
        self.ends("env[]")
    }

    /// The text here is a quantity.
    pub(super) fn is_quantity(&self) -> bool {
        QUANTITIES.iter().any(|pattern| match pattern.strip_suffix("/*") {
            Some(parent) => self.parent.is_some_and(|place| place.ends(parent)),
            None => self.ends(pattern),
        })
    }

    /// The path ends with these whole steps.
    fn ends(&self, end: &str) -> bool {
        let mut upwards = self.upwards();
        end.rsplit('/').all(|part| {
            let name = part.trim_end_matches("[]");
            let items = (part.len() - name.len()) / "[]".len();
            let has_items = (0..items).all(|_| {
                matches!(
                    upwards.next(),
                    Some(Place {
                        step: Step::Item(_),
                        ..
                    })
                )
            });
            has_items
                && match upwards.next().map(|place| place.step) {
                    Some(Step::Field(found) | Step::Kind(found)) => found == name,
                    Some(Step::Item(_)) | None => false,
                }
        })
    }

    /// From here to the root.
    fn upwards(&self) -> impl Iterator<Item = &Place<'a>> {
        std::iter::successors(Some(self), |place| place.parent)
    }
}
