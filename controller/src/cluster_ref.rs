//! How the controller's parts call a cluster: namespace and name. A leaf.

use std::fmt;

/// Key of a `postgresql` object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterRef {
    pub namespace: String,
    pub name: String,
}

impl ClusterRef {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl ClusterRef {
    /// What all clusters of a namespace share is kept under a cluster without name.
    pub fn of_namespace(namespace: impl Into<String>) -> Self {
        Self::new(namespace, "")
    }
}

impl fmt::Display for ClusterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
