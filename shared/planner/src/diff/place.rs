//! Where in an object a value stands, and what that means for its comparison.  // table

use json_patch::jsonptr::{PointerBuf, Token};
use pgherd_model::names::operator::FIELD_MANAGER;
use serde_json::Value;

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
    "resources",
    "restartPolicy",
    "securityContext",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
];

/// What we decide of a probe.
const PROBE: &[&str] = &[
    "exec",
    "failureThreshold",
    "grpc",
    "httpGet",
    "initialDelaySeconds",
    "periodSeconds",
    "successThreshold",
    "tcpSocket",
    "terminationGracePeriodSeconds",
    "timeoutSeconds",
];

/// What we decide of a container's security context.
const SECURITY: &[&str] = &[
    "allowPrivilegeEscalation",
    "capabilities",
    "privileged",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
];

/// Fields that are ours: stored and not wanted means that they have to go, unless that is what the API server writes there by itself
/// ([`WRITTEN`]). `*`: all fields.
const DECIDED: [(&str, &[&str]); 53] = [
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
            "schedulerName",
            "tolerations",
            "topologySpreadConstraints",
            "volumes",
        ],
    ),
    (
        "template/spec/securityContext",
        &["fsGroup", "runAsGroup", "runAsUser"],
    ),
    ("tolerations[]", &["*"]),
    ("topologySpreadConstraints[]", &["*"]),
    ("labelSelector", &["*"]),
    ("affinity", &["nodeAffinity", "podAffinity", "podAntiAffinity"]),
    ("nodeAffinity", &["*"]),
    ("nodeSelectorTerms[]", &["*"]),
    ("preference", &["*"]),
    ("matchExpressions[]", &["*"]),
    ("matchFields[]", &["*"]),
    ("podAntiAffinity", &["*"]),
    ("containers[]", CONTAINER),
    ("initContainers[]", CONTAINER),
    ("containers[]/securityContext", SECURITY),
    ("initContainers[]/securityContext", SECURITY),
    ("capabilities", &["*"]),
    ("containers[]/ports[]", &["*"]),
    ("initContainers[]/ports[]", &["*"]),
    ("livenessProbe", PROBE),
    ("readinessProbe", PROBE),
    ("startupProbe", PROBE),
    ("lifecycle", &["*"]),
    ("postStart", &["*"]),
    ("preStop", &["*"]),
    ("httpGet", &["*"]),
    ("resources", &["claims", "limits", "requests"]),
    ("limits", &["*"]),
    ("requests", &["*"]),
    ("env[]", &["value", "valueFrom"]),
    ("valueFrom", &["*"]),
    ("secretKeyRef", &["optional"]),
    ("configMapKeyRef", &["optional"]),
    ("resourceFieldRef", &["containerName"]),
    ("envFrom[]", &["*"]),
    ("secretRef", &["optional"]),
    ("configMapRef", &["optional"]),
    ("volumes[]", &["*"]),
    (
        "volumeMounts[]",
        &[
            "mountPropagation",
            "readOnly",
            "recursiveReadOnly",
            "subPath",
            "subPathExpr",
        ],
    ),
    ("emptyDir", &["*"]),
    ("volumes[]/secret", &["defaultMode", "items", "optional"]),
    ("volumes[]/configMap", &["defaultMode", "items", "optional"]),
    ("volumes[]/projected", &["defaultMode"]),
    ("sources[]", &["*"]),
    ("sources[]/secret", &["items", "optional"]),
    ("sources[]/configMap", &["items", "optional"]),
    ("items[]", &["mode"]),
    ("volumes[]/persistentVolumeClaim", &["readOnly"]),
    ("volumes[]/csi", &["*"]),
];

/// What the API server writes into a field of ours that is not sent, as JSON.
const WRITTEN: [(&str, &str, &str); 21] = [
    ("template/spec", "schedulerName", "\"default-scheduler\""),
    ("containers[]", "resources", "{}"),
    ("initContainers[]", "resources", "{}"),
    ("ports[]", "protocol", "\"TCP\""),
    ("livenessProbe", "failureThreshold", "3"),
    ("livenessProbe", "periodSeconds", "10"),
    ("livenessProbe", "successThreshold", "1"),
    ("livenessProbe", "timeoutSeconds", "1"),
    ("readinessProbe", "failureThreshold", "3"),
    ("readinessProbe", "periodSeconds", "10"),
    ("readinessProbe", "successThreshold", "1"),
    ("readinessProbe", "timeoutSeconds", "1"),
    ("startupProbe", "failureThreshold", "3"),
    ("startupProbe", "periodSeconds", "10"),
    ("startupProbe", "successThreshold", "1"),
    ("startupProbe", "timeoutSeconds", "1"),
    ("httpGet", "path", "\"/\""),
    ("httpGet", "scheme", "\"HTTP\""),
    ("volumes[]/secret", "defaultMode", "420"),
    ("volumes[]/configMap", "defaultMode", "420"),
    ("volumes[]/projected", "defaultMode", "420"),
];

/// Texts that are quantities.
const QUANTITIES: [&str; 4] = ["limits/*", "requests/*", "sizeLimit", "divisor"];

/// A path from the object's kind, with `[]` for any item of a list: `StatefulSet/spec/template/spec/containers[]/env[]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

/// What becomes of a stored field that is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It is not ours.
    Stays,
    /// What of it is ours goes.
    GoesInPart,
    Goes,
}

/// From a value to one in it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Kind {
        name: &'a str,
        /// `managedFields` of the stored object, as far as they are known.
        managed: &'a Value,
    },
    Field(&'a str),
    Item(usize),
}

impl<'a> Place<'a> {
    pub(super) fn root(kind: &'a str, stored: &'a Value) -> Self {
        let managed = &stored["metadata"]["managedFields"];
        Self {
            parent: None,
            step: Step::Kind { name: kind, managed },
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
                Step::Kind { .. } => None,
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

    /// What becomes of a field that is not wanted and stored with this value.
    pub(super) fn fate(&self, name: &str, stored: &Value) -> Fate {
        let mut rows = DECIDED.iter().filter(|(end, _)| self.ends(end));
        if !rows.any(|(_, names)| names.contains(&"*") || names.contains(&name)) {
            return self.fate_of_ours(name);
        }
        let mut written = WRITTEN.iter().filter(|(_, field, _)| *field == name);
        let stored = stored.to_string();
        if written.any(|(end, _, text)| self.ends(end) && stored == *text) {
            Fate::Stays
        } else {
            Fate::Goes
        }
    }

    /// Kubernetes remembers what we wrote.
    fn fate_of_ours(&self, name: &str) -> Fate {
        let managed = self.upwards().find_map(|place| match place.step {
            Step::Kind { managed, .. } => managed.as_array(),
            Step::Field(_) | Step::Item(_) => None,
        });
        let entries = managed.into_iter().flatten();
        let ours = entries.filter(|entry| entry["manager"] == FIELD_MANAGER);
        let fates = ours.map(|entry| {
            let tree = self.within(&entry["fieldsV1"]);
            match tree.and_then(|tree| tree.get(format!("f:{name}"))) {
                Some(Value::Object(parts)) if parts.is_empty() => Fate::Goes,
                Some(_) => Fate::GoesInPart,
                None => Fate::Stays,
            }
        });
        fates.max().unwrap_or(Fate::Stays)
    }

    /// What a tree of fields says of this place; it does not tell items of lists by their positions.
    fn within<'t>(&self, tree: &'t Value) -> Option<&'t Value> {
        match (self.step, self.parent) {
            (Step::Kind { .. }, _) => Some(tree),
            (Step::Field(name), Some(parent)) => parent.within(tree)?.get(format!("f:{name}")),
            (Step::Field(_), None) | (Step::Item(_), _) => None,
        }
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
                    Some(Step::Field(found) | Step::Kind { name: found, .. }) => found == name,
                    Some(Step::Item(_)) | None => false,
                }
        })
    }

    /// From here to the root.
    fn upwards(&self) -> impl Iterator<Item = &Place<'a>> {
        std::iter::successors(Some(self), |place| place.parent)
    }
}
