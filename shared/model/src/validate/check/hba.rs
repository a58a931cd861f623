//! Own lines of `pg_hba.conf`: whether the server takes them, whom they lock out, whom they trust.

use super::super::{HbaLines, Hit, Subject};
use crate::{
    cluster::pooler,
    names::roles::MAINTENANCE_DATABASE,
    units::hba::{self, Client, Entry, Verdict},
};

const PATH: &str = "spec.patroni.pg_hba";

fn lines<'a>(subject: &'a Subject<'_>) -> Option<&'a HbaLines> {
    let read = || {
        let list = &subject.spec.patroni.as_ref()?.pg_hba;
        (!list.is_empty()).then(|| hba::read(list))
    };
    subject.hba.get_or_init(read).as_ref()
}

pub(in super::super) fn lines_can_be_read(subject: &Subject<'_>) -> Vec<Hit> {
    let lines = lines(subject).into_iter().flatten();
    lines
        // The line itself is not repeated: its options may hold a password.
        .filter_map(|(index, line)| {
            let message = format!("cannot be read: {}", line.as_ref().err()?.why);
            Some(Hit::new(format!("{PATH}[{index}]"), message))
        })
        .collect()
}

pub(in super::super) fn strangers_are_asked(subject: &Subject<'_>) -> Vec<Hit> {
    let lines = lines(subject).into_iter().flatten();
    let trusting = lines.filter_map(|(index, line)| match line {
        Ok(Entry::Rule(rule)) if rule.trusts_strangers() => Some(index),
        _ => None,
    });
    let message = "lets in anybody from elsewhere without a password; use scram-sha-256";
    trusting
        .map(|index| Hit::new(format!("{PATH}[{index}]"), message))
        .collect()
}

/// Somebody who must be let in.
struct Need<'a> {
    who: &'static str,
    client: Client<'a>,
}

fn needs<'a>(subject: &'a Subject<'_>, pooler: Option<&'a str>) -> Vec<Need<'a>> {
    let users = &subject.config.users;
    let client = |user: &'a str, database, over_network| Client {
        user,
        database,
        over_network,
    };
    let mut needs = vec![
        Need {
            who: "Patroni",
            client: client(&users.super_username, Some(MAINTENANCE_DATABASE), false),
        },
        Need {
            who: "the operator",
            client: client(&users.super_username, Some(MAINTENANCE_DATABASE), true),
        },
        Need {
            who: "replicas",
            client: client(&users.replication_username, None, true),
        },
    ];
    // The pooler looks passwords up in whichever database a client wants.
    let databases = subject.spec.databases.keys().map(String::as_str);
    let database = databases.chain([MAINTENANCE_DATABASE]).next();
    needs.extend(pooler.map(|user| Need {
        who: "the pooler",
        client: client(user, database, true),
    }));
    needs
}

/// Who is locked out cannot repair it. A line that cannot be read lets nobody in.
pub(in super::super) fn nobody_is_locked_out(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(lines) = lines(subject) else {
        return Vec::new();
    };
    let lines: Vec<&Entry> = lines.iter().filter_map(|(_, line)| line.as_ref().ok()).collect();
    let (primary, replica) = pooler::wanted(&subject.spec);
    let pooler = (primary || replica).then(|| pooler::user(&subject.spec, subject.config));
    let mut hits = Vec::new();
    for need in needs(subject, pooler.as_deref()) {
        let line = format!(
            "{} {} {} …",
            if need.client.over_network {
                "hostssl"
            } else {
                "local"
            },
            need.client.database.unwrap_or("replication"),
            need.client.user
        );
        let message = match hba::decide(lines.iter().copied(), &need.client) {
            Verdict::Open => continue,
            Verdict::Forgotten => format!("no line lets {} in; add {line}", need.who),
            Verdict::Refused => format!("a line refuses {}; put in front of it {line}", need.who),
        };
        hits.push(Hit::new(PATH, message));
    }
    hits
}
