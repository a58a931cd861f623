//! The questions that there are, each with its path. Not here: who answers them.

/// What can be asked. The paths are part of the webhook configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Defaults of a cluster.
    MutatePostgresql,
    /// Rules for a cluster.
    ValidatePostgresql,
    /// Its number of instances, changed by itself.
    ValidateScale,
    /// What deleting it will do.
    ValidateDelete,
    /// Rules for a team.
    ValidatePostgresTeam,
    /// The operator's configuration, as an `OperatorConfiguration`.
    ValidateOperatorConfiguration,
    /// The operator's configuration, as a ConfigMap.
    ValidateConfigMap,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MutatePostgresql,
        Self::ValidatePostgresql,
        Self::ValidateScale,
        Self::ValidateDelete,
        Self::ValidatePostgresTeam,
        Self::ValidateOperatorConfiguration,
        Self::ValidateConfigMap,
    ];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::MutatePostgresql => "/mutate/postgresql",
            Self::ValidatePostgresql => "/validate/postgresql",
            Self::ValidateScale => "/validate/scale",
            Self::ValidateDelete => "/validate/delete",
            Self::ValidatePostgresTeam => "/validate/postgresteam",
            Self::ValidateOperatorConfiguration => "/validate/operatorconfiguration",
            Self::ValidateConfigMap => "/validate/configmap",
        }
    }

    /// Is it asked for changes, or for consent?
    pub const fn verb(self) -> &'static str {
        match self {
            Self::MutatePostgresql => "mutate",
            _ => "validate",
        }
    }

    /// What is reviewed, as the last part of its path.
    pub fn subject(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }
}
