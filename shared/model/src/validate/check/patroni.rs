//! Settings of Patroni that do not go together.

use super::super::{Hit, Subject};
use crate::{api::postgresql::Patroni, config::OperatorConfig};

/// Patroni's own defaults, in seconds.
const TTL: u32 = 30;
const LOOP_WAIT: u32 = 10;
const RETRY_TIMEOUT: u32 = 10;

pub(in super::super) fn lease_outlives_retries(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(patroni) = subject.spec.patroni.as_ref() else {
        return Vec::new();
    };
    let or = |value: Option<u32>, default| value.filter(|value| *value != 0).unwrap_or(default);
    let (ttl, wait) = (or(patroni.ttl, TTL), or(patroni.loop_wait, LOOP_WAIT));
    let retry = or(patroni.retry_timeout, RETRY_TIMEOUT);
    let least = u64::from(wait) + 2 * u64::from(retry);
    if u64::from(ttl) >= least {
        return Vec::new();
    }
    let message = format!(
        "{ttl} is less than loop_wait + 2 * retry_timeout ({wait} + 2 * {retry} = {least}): a slow store would cost the primary its lease"
    );
    vec![Hit::new("spec.patroni.ttl", message)]
}

/// The strict mode means nothing without the mode itself.
fn is_strict(patroni: &Patroni) -> bool {
    patroni.synchronous_mode == Some(true) && patroni.synchronous_mode_strict == Some(true)
}

pub(in super::super) fn strict_mode_has_replicas(subject: &Subject<'_>) -> Vec<Hit> {
    let strict = subject.spec.patroni.as_ref().is_some_and(is_strict);
    if !strict || subject.cluster().is_none_or(|cluster| cluster.instances != 1) {
        return Vec::new();
    }
    let message =
        "true with one instance: no commit could ever finish; give the cluster two instances or drop it";
    vec![Hit::new("spec.patroni.synchronous_mode_strict", message)]
}

pub(in super::super) fn enough_synchronous_nodes(subject: &Subject<'_>) -> Vec<Hit> {
    let (Some(patroni), Some(cluster)) = (subject.spec.patroni.as_ref(), subject.cluster()) else {
        return Vec::new();
    };
    let count = patroni.synchronous_node_count.unwrap_or_default();
    let replicas = u32::try_from(cluster.instances)
        .unwrap_or_default()
        .saturating_sub(1);
    if !cluster.patroni.synchronous_mode || cluster.instances == 0 || count <= replicas {
        return Vec::new();
    }
    let message = format!(
        "{count} is more than the {replicas} replicas of {} instances",
        cluster.instances
    );
    vec![Hit::new("spec.patroni.synchronous_node_count", message)]
}

/// One line of `pg_hba.conf`, as far as it matters here.
struct HbaLine<'a> {
    kind: &'a str,
    databases: Vec<&'a str>,
    users: Vec<&'a str>,
}

impl<'a> HbaLine<'a> {
    /// None for comments and for lines that refuse.
    fn read(line: &'a str) -> Option<Self> {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, databases, users, rest @ ..] = words.as_slice() else {
            return None;
        };
        let names = |list: &'a str| list.split(',').map(|name| name.trim_matches('"')).collect();
        (!rest.contains(&"reject")).then(|| Self {
            kind,
            databases: names(databases),
            users: names(users),
        })
    }

    fn lets(&self, user: &str, database: &str, kinds: &[&str]) -> bool {
        // `all` does not include replication; a regular expression or a group may match anything.
        let open = |name: &&str| name.starts_with(['+', '/', '@']);
        let for_all = database != "replication" && self.databases.contains(&"all");
        let database = for_all || self.databases.iter().any(|name| *name == database || open(name));
        let user = self
            .users
            .iter()
            .any(|name| *name == "all" || *name == user || open(name));
        database && user && kinds.contains(&self.kind)
    }
}

/// Own lines of `pg_hba.conf` must let operator, Patroni and replicas in.
pub(in super::super) fn nobody_is_locked_out(subject: &Subject<'_>) -> Vec<Hit> {
    let lines = subject
        .spec
        .patroni
        .as_ref()
        .map(|patroni| patroni.pg_hba.as_slice())
        .unwrap_or_default();
    if lines.is_empty() {
        return Vec::new();
    }
    let lines: Vec<_> = lines.iter().filter_map(|line| HbaLine::read(line)).collect();
    let missing = needs(subject.config).into_iter().filter(|need| {
        !lines
            .iter()
            .any(|line| line.lets(need.user, need.database, need.kinds))
    });
    missing
        .map(|need| {
            let message = format!(
                "no line lets {} in; add {} {} {} …",
                need.who, need.kinds[0], need.database, need.user
            );
            Hit::new("spec.patroni.pg_hba", message)
        })
        .collect()
}

/// Somebody who must be let in.
struct Need<'a> {
    who: &'static str,
    user: &'a str,
    database: &'static str,
    kinds: &'static [&'static str],
}

fn needs(config: &OperatorConfig) -> [Need<'_>; 3] {
    let users = &config.users;
    [
        Need {
            who: "Patroni",
            user: &users.super_username,
            database: "postgres",
            kinds: &["local"],
        },
        Need {
            who: "the operator",
            user: &users.super_username,
            database: "postgres",
            kinds: &["hostssl", "host"],
        },
        Need {
            who: "replicas",
            user: &users.replication_username,
            database: "replication",
            kinds: &["hostssl", "host"],
        },
    ]
}
