//! What keeps a question from being answered. Must not: what is wrong with a manifest; that is an answer (`finding`).

use std::io;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("cannot read {file}: {source}; name a file that can be read, or - for standard input")]
    Read { file: String, source: io::Error },
    #[error("cannot read {file} as YAML or JSON, document {number}: {source}; correct it and try again")]
    Syntax {
        file: String,
        number: usize,
        source: serde_yaml::Error,
    },
    #[error("{file} holds no document; name a file with manifests")]
    Empty { file: String },
    #[error("{file} holds no postgresql object; name a file with one, as in deploy/examples/minimal.yaml")]
    NoCluster { file: String },
    #[error(
        "{file} holds nothing that admission fills in; name a file with a postgresql object, as in deploy/examples/minimal.yaml"
    )]
    NothingToFill { file: String },
    #[error(
        "{file} holds neither an OperatorConfiguration nor the operator's ConfigMap; name the file that the operator is configured with"
    )]
    NoConfiguration { file: String },
    #[error("{file} configures no operator: {problems}; `pgherd lint {file}` shows it line by line")]
    BadConfiguration { file: String, problems: String },
    #[error("no rule is called {given:?}; did you mean {nearest}? `pgherd rules` lists all")]
    UnknownRule { given: String, nearest: &'static str },
    #[error(transparent)]
    Client(#[from] pgherd_runtime::client::ClientError),
    #[error("cannot {what}: {said}")]
    Kubernetes { what: String, said: String },
    #[error("{0}")]
    Turn(Box<pgherd_controller::error::TurnError>),
    #[error(
        "there is no {what}; name the operator's configuration with --config-map [NAMESPACE/]NAME, --operator-configuration NAME or --config FILE"
    )]
    NoStoredConfiguration { what: String },
    #[error("there is no postgresql {cluster}; `pgherd status -A` lists all")]
    NoSuchCluster { cluster: String },
    #[error("{file} is no snapshot: {problem}; make one with `pgherd snapshot CLUSTER`")]
    NoSnapshot { file: String, problem: String },
    #[error("{file} holds no cluster {cluster}; it holds {held}")]
    NotInFile {
        file: String,
        cluster: String,
        held: String,
    },
    #[error("nobody can be asked: {0}")]
    Silent(String),
    #[error("cannot write YAML: {0}; please report this manifest")]
    Yaml(serde_yaml::Error),
    #[error("cannot print: {0}; see where the output goes")]
    Print(#[from] io::Error),
}
