//! What a step can be: a closed set, so that an executor that forgets a kind does not compile. Lives here: the kinds and their line for
//! people. Must not: when one is due.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Object, SecretChange};
use crate::build::SecretDraft;
use crate::observed::ObjectRef;
use crate::redact;
use crate::sql::{Statement, Subject};

/// One kind of work. Each is idempotent: done twice, it is as done once. `Debug` and `Serialize` hide what may be a credential.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Adds a finalizer to the `postgresql` object.
    AddFinalizer(String),
    /// Removes a finalizer from the `postgresql` object. When the cluster is deleted, the last step of all.
    RemoveFinalizer(String),
    /// Server-side apply, forced, field manager [`pgherd_model::names::operator::FIELD_MANAGER`].
    Apply(Box<Object>),
    /// JSON patch on an existing object (with a test of its `resourceVersion`): where fields must go that server-side apply would leave,
    /// because another manager set them.
    Patch {
        /// The object.
        target: ObjectRef,
        /// The operations.
        #[serde(serialize_with = "redact::operations")]
        operations: json_patch::Patch,
    },
    /// Creates a secret with a password that the executor draws. "Already exists" is success: the password there is the one in force.
    CreateSecret(Box<SecretDraft>),
    /// Server-side apply of labels, annotations and owner references of a secret that exists; its data is not touched.
    LabelSecret(Box<SecretDraft>),
    /// Draws a password into a secret that exists without one; other keys stay.
    FillSecret(Box<SecretDraft>),
    /// Sets the number of members, by a merge patch of `spec.replicas`.
    Scale {
        /// The StatefulSet.
        target: ObjectRef,
        /// Members.
        replicas: i32,
    },
    /// Raises what a claim asks for, by a merge patch of `spec.resources.requests.storage`.
    GrowClaim {
        /// The claim.
        target: ObjectRef,
        /// A quantity.
        size: String,
    },
    /// Merge patch of Patroni's dynamic configuration, `PATCH /config` on any member.
    PatchPatroni(#[serde(serialize_with = "redact::values")] Value),
    /// Writes data of a secret that exists, exactly in the revision that was seen.
    ChangeSecret(Box<SecretChange>),
    /// Statements in one database, in one transaction where they can be, as the superuser. When they fail, later steps of this kind are taken
    /// all the same, except for those about the same subject and those that need it.
    RunSql {
        /// The database to connect to.
        database: String,
        /// What they are about.
        subject: Subject,
        /// Without these there is no sense in trying: subjects of earlier steps of the same plan.
        needs: Vec<Subject>,
        /// In order.
        statements: Vec<Statement>,
    },
    /// Asks the API server whether it would take a pod of the StatefulSet's template, by a dry run.
    CheckTemplate {
        /// The StatefulSet.
        stateful_set: ObjectRef,
        /// The member whose pod would be made.
        pod: String,
    },
    /// Asks the API server whether it would take this object, by a dry run under another name: before the one that is there goes for it.
    CheckObject(Box<Object>),
    /// Sets or, where there is no value, removes labels and annotations of something that lives on, by a merge patch. "Not found" is
    /// success: what is made anew is made with them.
    Relabel {
        /// A pod or a claim.
        target: ObjectRef,
        /// By key.
        labels: BTreeMap<String, Option<String>>,
        /// By key.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Deletes a member's pod, exactly this one by its uid, so that it is made anew. "Not found" is success.
    DeletePod {
        /// The pod.
        target: ObjectRef,
    },
    /// Writes what Postgres holds in memory to disk, so that the pause that follows is short. A checkpoint that fails costs time, nothing
    /// else: the executor goes on.
    Checkpoint {
        /// The member that leads.
        member: String,
    },
    /// Has Patroni make another member the primary. Refused by Patroni when `leader` does not lead any more.
    Switchover {
        /// The member that leads.
        leader: String,
        /// The one that shall lead.
        candidate: String,
    },
    /// Takes back a switchover or failover that Patroni was asked for, by a merge patch of the object that it keeps the request in. Patroni
    /// itself has no call for that while nobody leads: its `DELETE /switchover` knows scheduled ones only.
    TakeBackHandover {
        /// Patroni's object.
        target: ObjectRef,
        /// The member that shall not lead after all, if the request names one.
        candidate: Option<String>,
    },
    /// Has Patroni restart Postgres in a member, if it still waits for a restart. The pod stays.
    RestartPostgres {
        /// The member.
        member: String,
    },
    /// Deletes an object. "Not found" is success.
    Delete {
        /// The object.
        target: ObjectRef,
        /// What becomes of what it owns.
        propagation: Propagation,
    },
}

/// What becomes of the objects that a deleted one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// They go later.
    Background,
    /// They stay.
    Orphan,
}

impl Action {
    /// It is about the StatefulSet itself, not about its pods.
    pub(crate) fn is_of_stateful_set(&self) -> bool {
        match self {
            Self::Apply(object) | Self::CheckObject(object) => matches!(**object, Object::StatefulSet(_)),
            Self::Patch { target, .. } | Self::Delete { target, .. } => target.kind == "StatefulSet",
            _ => false,
        }
    }

    /// One word for metrics and events.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AddFinalizer(_) => "AddFinalizer",
            Self::RemoveFinalizer(_) => "RemoveFinalizer",
            Self::Apply(_) => "Apply",
            Self::Patch { .. } => "Patch",
            Self::CreateSecret(_) => "CreateSecret",
            Self::LabelSecret(_) => "LabelSecret",
            Self::FillSecret(_) => "FillSecret",
            Self::Scale { .. } => "Scale",
            Self::GrowClaim { .. } => "GrowClaim",
            Self::PatchPatroni(_) => "PatchPatroni",
            Self::ChangeSecret(_) => "ChangeSecret",
            Self::RunSql { .. } => "RunSql",
            Self::CheckTemplate { .. } => "CheckTemplate",
            Self::CheckObject(_) => "CheckObject",
            Self::Relabel { .. } => "Relabel",
            Self::DeletePod { .. } => "DeletePod",
            Self::Checkpoint { .. } => "Checkpoint",
            Self::Switchover { .. } => "Switchover",
            Self::TakeBackHandover { .. } => "TakeBackHandover",
            Self::RestartPostgres { .. } => "RestartPostgres",
            Self::Delete { .. } => "Delete",
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact::debug(self, f)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddFinalizer(name) => write!(f, "add finalizer {name}"),
            Self::RemoveFinalizer(name) => write!(f, "remove finalizer {name}"),
            Self::Apply(object) => write!(f, "apply {}", object.reference()),
            Self::Patch { target, operations } => {
                write!(f, "patch {target} ({} operations)", operations.0.len())
            }
            Self::CreateSecret(draft) => write!(f, "create secret {}/{}", draft.namespace, draft.name),
            Self::LabelSecret(draft) => write!(f, "label secret {}/{}", draft.namespace, draft.name),
            Self::FillSecret(draft) => write!(f, "fill secret {}/{}", draft.namespace, draft.name),
            Self::Scale { target, replicas } => write!(f, "scale {target} to {replicas}"),
            Self::GrowClaim { target, size } => write!(f, "grow {target} to {size}"),
            Self::PatchPatroni(patch) => write!(f, "patch patroni's configuration: {}", keys(patch)),
            Self::ChangeSecret(change) => write!(f, "{change}"),
            Self::RunSql {
                database,
                subject,
                statements,
                ..
            } => match statements.as_slice() {
                [only] => write!(f, "in database {database}: {only}"),
                many => write!(
                    f,
                    "{} {subject}: {} statements in database {database}",
                    verb(many),
                    many.len()
                ),
            },
            Self::CheckTemplate { stateful_set, pod } => {
                write!(f, "try the template of {stateful_set} for {pod}")
            }
            Self::CheckObject(object) => write!(f, "try {}", object.reference()),
            Self::Relabel {
                target,
                labels,
                annotations,
            } => {
                let keys: Vec<&str> = labels
                    .keys()
                    .chain(annotations.keys())
                    .map(String::as_str)
                    .collect();
                write!(f, "relabel {target}: {}", keys.join(", "))
            }
            Self::DeletePod { target } => write!(f, "make {target} anew"),
            Self::Checkpoint { member } => write!(f, "checkpoint on {member}"),
            Self::Switchover { leader, candidate } => {
                write!(f, "switch over from {leader} to {candidate}")
            }
            Self::TakeBackHandover { candidate, .. } => match candidate {
                Some(member) => write!(f, "take back the switchover to {member}"),
                None => f.write_str("take back the switchover"),
            },
            Self::RestartPostgres { member } => write!(f, "restart postgres on {member}"),
            Self::Delete { target, .. } => write!(f, "delete {target}"),
        }
    }
}

/// What statements come to.
fn verb(statements: &[Statement]) -> &'static str {
    let is = |kind: fn(&Statement) -> bool| statements.iter().any(kind);
    if is(|statement| {
        matches!(
            statement,
            Statement::CreateRole { .. } | Statement::CreateDatabase { .. } | Statement::CreateSchema { .. }
        )
    }) {
        return "create";
    }
    if is(|statement| matches!(statement, Statement::RenameRole { .. })) {
        return "rename";
    }
    if is(|statement| {
        matches!(
            statement,
            Statement::DropRole { .. } | Statement::DropOwned { .. } | Statement::DropDatabase { .. }
        )
    }) {
        return "drop";
    }
    "alter"
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Names of what is set, without values: a parameter may hold a credential.
fn keys(patch: &Value) -> String {
    let Value::Object(fields) = patch else {
        return String::new();
    };
    let names = fields.iter().flat_map(|(key, value)| match value {
        Value::Object(inner) if !inner.is_empty() => inner
            .iter()
            .flat_map(|(inner_key, value)| match value {
                Value::Object(leaves) if inner_key == "parameters" => leaves.keys().cloned().collect(),
                _ => vec![format!("{key}.{inner_key}")],
            })
            .collect(),
        _ => vec![key.clone()],
    });
    names.collect::<Vec<_>>().join(", ")
}
