//! Connection poolers.

use super::{
    super::{Hit, Subject},
    syntax,
};
use crate::{
    cluster::{Origin, Pooler, pooler},
    config::PoolerMode,
    names::roles::{self, STREAM_USER},
};

const PATH: &str = "spec.connectionPooler";
const INFORMATION_SCHEMA: &str = "information_schema";

fn is_wanted(subject: &Subject<'_>) -> bool {
    let (primary, replica) = pooler::wanted(&subject.spec);
    primary || replica
}

/// The roles of poolers and streams belong to nobody else.
pub(in super::super) fn roles_are_their_own(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    let mut hits = Vec::new();
    if is_wanted(subject) {
        let written = spec.connection_pooler.as_ref();
        let written = written.and_then(|written| written.user.as_deref());
        if let Some(user) = written.filter(|user| roles::is_reserved(user, subject.config)) {
            let message = format!("{user:?} is the operator's own or a protected role; name another one");
            hits.push(Hit::new(format!("{PATH}.user"), message));
        }
        let user = pooler::user(spec, subject.config);
        if spec.users.contains_key(&user) {
            hits.push(taken(&user, "the pooler"));
        }
        let owned = spec.databases.iter().filter(|(_, owner)| **owner == user);
        hits.extend(owned.map(|(database, _)| {
            let message = format!("the owner {user:?} is the pooler's role; name another owner");
            Hit::new(format!("spec.databases.{database}"), message)
        }));
    }
    if !spec.streams.is_empty() && spec.users.contains_key(STREAM_USER) {
        hits.push(taken(STREAM_USER, "streams"));
    }
    hits
}

fn taken(user: &str, by: &str) -> Hit {
    let message = format!("{user:?} is the role of {by}; choose another name");
    Hit::new(format!("spec.users.{user}"), message)
}

/// User and schema become part of statements that a superuser runs.
pub(in super::super) fn names_are_plain(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(written) = subject.spec.connection_pooler.as_ref() else {
        return Vec::new();
    };
    let names = [("user", &written.user), ("schema", &written.schema)];
    names
        .into_iter()
        .filter_map(|(field, name)| {
            let name = name.as_deref().filter(|name| !name.is_empty())?;
            let good = syntax::is_plain_identifier(name) && name != INFORMATION_SCHEMA;
            let message = format!(
                "{name:?} is not allowed: lower-case letters, digits and underscores, no digit first, no pg_ in front, at most 63"
            );
            (!good).then(|| Hit::new(format!("{PATH}.{field}"), message))
        })
        .collect()
}

/// What the schema says too.
pub(in super::super) fn numbers_are_possible(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(written) = subject.spec.connection_pooler.as_ref() else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    if let Some(number) = written.number_of_instances.filter(|number| *number < 1) {
        let message = format!("{number} is too few; a pooler has at least 1 pod");
        hits.push(Hit::new(format!("{PATH}.numberOfInstances"), message));
    }
    let unknown = |mode: &&String| !PoolerMode::WORDS.contains(&mode.as_str());
    if let Some(mode) = written.mode.as_ref().filter(unknown) {
        let allowed = PoolerMode::WORDS.join(", ");
        let message = format!("{mode:?} is no mode; allowed are {allowed}");
        hits.push(Hit::new(format!("{PATH}.mode"), message));
    }
    hits
}

/// Settings that do something, and what they do is wanted.
pub(in super::super) fn settings_make_sense(subject: &Subject<'_>) -> Vec<Hit> {
    let spec = &subject.spec;
    if spec.connection_pooler.is_some() && !is_wanted(subject) {
        let message = "is not used: enableConnectionPooler is false, enableReplicaConnectionPooler not true";
        return vec![Hit::new(PATH, message)];
    }
    let Some(cluster) = subject.cluster() else {
        return Vec::new();
    };
    let Some(pooler) = cluster.pooler.as_ref() else {
        return Vec::new();
    };
    let mut hits = own_settings(subject, pooler);
    if cluster.instances == 0 {
        let message = "0 leaves the pooler without a database; clients get errors from it";
        hits.push(Hit::new("spec.numberOfInstances", message));
    }
    if matches!(cluster.origin, Origin::Standby(_)) {
        let message = "a standby cannot be given the pooler's role and function: they come from its primary";
        hits.push(Hit::new(PATH, message));
    }
    hits
}

fn own_settings(subject: &Subject<'_>, pooler: &Pooler) -> Vec<Hit> {
    let Some(written) = subject.spec.connection_pooler.as_ref() else {
        return Vec::new();
    };
    let mut hits = Vec::new();
    if written.number_of_instances == Some(1) {
        let message = "1 pod: when it restarts, all clients are cut off; give 2";
        hits.push(Hit::new(format!("{PATH}.numberOfInstances"), message));
    }
    if pooler.sizes().default < 1 {
        let message = format!(
            "{} over {} pods leaves pools of no connection; give at least {}",
            pooler.max_connections,
            pooler.instances,
            2 * i64::from(pooler.instances)
        );
        hits.push(Hit::new(format!("{PATH}.maxDBConnections"), message));
    }
    if pooler.schema == "public" {
        let message = "\"public\" holds what others make too; give the look-up function a schema of its own";
        hits.push(Hit::new(format!("{PATH}.schema"), message));
    }
    hits
}
