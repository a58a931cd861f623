//! What waits, as a value: who looks for certain holds looks here, not at their words. Lives here: the kinds and their line for people. Must not:
//! what they wait for (`hold`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::observed::ObjectRef;
use crate::sql::{Statement, Subject};

/// What is wanted and not done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Matter {
    /// Anything at all.
    Everything,
    /// All steps of a plan: how many.
    Steps(usize),
    /// The end of the cluster.
    Deletion,
    /// A step that the API server has refused, in its words.
    Refused(String),
    /// The StatefulSet.
    StatefulSet,
    /// The number of members.
    Scale {
        /// The StatefulSet.
        target: ObjectRef,
        /// Members wanted.
        replicas: i32,
    },
    /// The members themselves.
    Members,
    /// Pods of an older template, to be made anew.
    Roll,
    /// These pods, to be made anew for another image.
    Image(Vec<String>),
    /// Restarts of Postgres.
    Restart,
    /// The primary, on a node that goes.
    Drain,
    /// A leader, where there is none.
    Leader,
    /// What Patroni is told of another cluster to follow.
    Standby,
    /// The size of the volumes.
    Volumes,
    /// The endpoints of the primary.
    Endpoints,
    /// Services.
    Services,
    /// Disruption budgets.
    DisruptionBudgets,
    /// The service account.
    ServiceAccount,
    /// Its role binding.
    RoleBinding,
    /// Secrets, all of them.
    Secrets,
    /// The owners of an object of Patroni.
    Owners(ObjectRef),
    /// Roles and databases, all of them.
    Catalog,
    /// Roles that others than the manifest define.
    OthersRoles,
    /// Roles and databases that left.
    Departed,
    /// People who left.
    People {
        /// The first role.
        first: String,
        /// How many others.
        others: usize,
    },
    /// The secret of a role.
    RoleSecret {
        /// The role.
        role: String,
        /// Namespace of the secret.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Something of the catalog.
    Object(Verb, Subject),
    /// One statement, and what it is about.
    Statement(Subject, Box<Statement>),
    /// The inside of databases: what for, and of which one where it is known.
    Inside(Purpose, Option<String>),
}

/// What is to be done to something of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// It is not there.
    Make,
    /// Schemas and rights.
    Prepare,
    /// It is there, and nothing can be told of it.
    Read,
    /// To another schema.
    Move,
    /// To another version.
    Update,
    /// Another name.
    Rename,
    /// Another password, because of its age.
    Rotate,
    /// It left.
    Drop,
}

/// Why the inside of a database is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// Schemas, rights and extensions of a prepared one.
    Prepare,
    /// What a pooler reads passwords with.
    Lookup,
}

impl Matter {
    /// It is about roles. All of the catalog is about no side of it alone.
    pub(crate) fn is_of_roles(&self) -> bool {
        match self {
            Self::OthersRoles | Self::Departed | Self::People { .. } | Self::RoleSecret { .. } => true,
            Self::Object(_, subject) | Self::Statement(subject, _) => subject.is_role(),
            _ => false,
        }
    }

    /// It is about databases, or what is inside of them.
    pub(crate) fn is_of_databases(&self) -> bool {
        match self {
            Self::Inside(..) => true,
            Self::Object(_, subject) | Self::Statement(subject, _) => !subject.is_role(),
            _ => false,
        }
    }

    /// As long as it waits, something that is wanted of the catalog is not there.
    pub(crate) fn makes(&self) -> bool {
        matches!(
            self,
            Self::Object(Verb::Make | Verb::Prepare, _) | Self::Inside(Purpose::Prepare, _)
        )
    }

    /// It is about which templates the pods are made of.
    pub(crate) fn is_of_templates(&self) -> bool {
        matches!(self, Self::Roll | Self::StatefulSet)
    }
}

impl fmt::Display for Matter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(number) => write!(f, "{number} steps"),
            Self::Refused(step) => f.write_str(step),
            Self::Scale { target, replicas } => write!(f, "scale {target} to {replicas}"),
            Self::Image(pods) => write!(f, "roll the pods to another image: {}", pods.join(", ")),
            Self::Owners(object) => write!(f, "own {object}"),
            Self::People { first, others: 0 } => write!(f, "put role {first} away"),
            Self::People { first, others } => write!(f, "put role {first} and {others} more away"),
            Self::RoleSecret {
                role,
                namespace,
                name,
            } => write!(f, "secret {namespace}/{name} of role {role}"),
            Self::Object(verb, subject) => write!(f, "{verb} {subject}"),
            Self::Statement(_, statement) => statement.fmt(f),
            Self::Inside(purpose, None) => purpose.fmt(f),
            Self::Inside(purpose, Some(database)) => write!(f, "{purpose} {database}"),
            Self::Everything => f.write_str("change anything"),
            Self::Deletion => f.write_str("delete the cluster"),
            Self::StatefulSet => f.write_str("stateful set"),
            Self::Members => f.write_str("members"),
            Self::Roll => f.write_str("roll the pods"),
            Self::Restart => f.write_str("restart postgres"),
            Self::Drain => f.write_str("move the primary off its node"),
            Self::Leader => f.write_str("a leader"),
            Self::Standby => f.write_str("follow another cluster"),
            Self::Volumes => f.write_str("volumes"),
            Self::Endpoints => f.write_str("endpoints"),
            Self::Services => f.write_str("services"),
            Self::DisruptionBudgets => f.write_str("disruption budgets"),
            Self::ServiceAccount => f.write_str("service account"),
            Self::RoleBinding => f.write_str("role binding"),
            Self::Secrets => f.write_str("secrets"),
            Self::Catalog => f.write_str("roles and databases"),
            Self::OthersRoles => f.write_str("roles of others"),
            Self::Departed => f.write_str("take back what left"),
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Make => "make",
            Self::Prepare => "prepare",
            Self::Read => "read",
            Self::Move => "move",
            Self::Update => "update",
            Self::Rename => "rename",
            Self::Rotate => "rotate",
            Self::Drop => "drop",
        })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare the database",
            Self::Lookup => "let the pooler look passwords up",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People and their scripts know these.
    #[test]
    fn words_are_what_they_were() {
        let role = || Subject::Role("app".to_owned());
        let extension = || Subject::Extension {
            database: "shop".to_owned(),
            extension: "postgis".to_owned(),
        };
        let people = |others| Matter::People {
            first: "jane".to_owned(),
            others,
        };
        let secret = Matter::RoleSecret {
            role: "app".to_owned(),
            namespace: "apps".to_owned(),
            name: "app.credentials".to_owned(),
        };
        let inside = |purpose, name: Option<&str>| Matter::Inside(purpose, name.map(str::to_owned));
        for (matter, words) in [
            (Matter::Roll, "roll the pods"),
            (
                Matter::Image(vec!["a-0".to_owned(), "a-1".to_owned()]),
                "roll the pods to another image: a-0, a-1",
            ),
            (Matter::Steps(3), "3 steps"),
            (Matter::Departed, "take back what left"),
            (people(0), "put role jane away"),
            (people(2), "put role jane and 2 more away"),
            (secret, "secret apps/app.credentials of role app"),
            (Matter::Object(Verb::Rotate, role()), "rotate role app"),
            (
                Matter::Object(Verb::Move, extension()),
                "move extension postgis of database shop",
            ),
            (inside(Purpose::Prepare, None), "prepare the database"),
            (
                inside(Purpose::Lookup, Some("shop")),
                "let the pooler look passwords up shop",
            ),
        ] {
            assert_eq!(matter.to_string(), words);
        }
    }

    #[test]
    fn a_side_is_told_by_the_subject_and_not_by_its_name() {
        let of = |subject| Matter::Object(Verb::Make, subject);
        let role = of(Subject::Role("database".to_owned()));
        let database = of(Subject::Database("role".to_owned()));
        assert!(role.is_of_roles() && !role.is_of_databases());
        assert!(database.is_of_databases() && !database.is_of_roles());
        let lookup = Matter::Inside(Purpose::Lookup, None);
        assert!(lookup.is_of_databases() && !lookup.makes());
        for neither in [Matter::Catalog, Matter::RoleBinding] {
            assert!(!neither.is_of_roles() && !neither.is_of_databases(), "{neither}");
        }
    }
}
