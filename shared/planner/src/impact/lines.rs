//! A change's plan in lines, gravest first. Lives here: the order and the words. Must not: what is due (`plan`).

use jiff::Timestamp;
use pgherd_model::cluster::{Cluster, Origin};
use pgherd_model::units::Window;
use pgherd_model::units::window::is_open;

use super::text::{because, count, listed};
use super::{Change, cause};
use crate::plan::{Mode, dynamic};

mod catalog;
mod objects;

/// Why, see docs/compatibility.md.
const PG_HBA_ROLLS: &str = "pg_hba cannot be reloaded: members read it from their pods' environment, which wins over Patroni's configuration";

pub(super) fn of(change: &Change, now: Timestamp) -> Vec<String> {
    let disruptions: Vec<String> = rolls(change).into_iter().chain(restarts(change)).collect();
    let is_disruptive = !disruptions.is_empty();
    let first = put_off(change).into_iter().chain(promotes(change));
    let mut lines: Vec<String> = first.chain(disruptions).collect();
    if is_disruptive {
        lines.extend(unreloadable(change));
        lines.extend(waits(change, now));
    }
    lines.extend(members(change));
    lines.extend(objects::held(change));
    lines.extend(objects::volumes(change));
    lines.extend(objects::services(change));
    lines.extend(catalog::made(change));
    lines.extend(reloads(change, is_disruptive));
    lines.extend(objects::others(change));
    lines.extend(left(change));
    lines
}

/// The lines after it are what is done once the cluster is live again.
fn put_off(change: &Change) -> Option<String> {
    let state = if change.held_by()? == Mode::Paused.to_string() {
        "paused"
    } else {
        "only observed"
    };
    Some(format!(
        "nothing is done now: the cluster is {state} (pgherd.io/mode); when it is live again:"
    ))
}

/// There is no way back.
fn promotes(change: &Change) -> Option<String> {
    let mut steps = change.plan.steps.iter();
    let promotes = steps.any(|step| dynamic::promotes(&step.action));
    promotes.then(|| "promotes the standby cluster: it follows no more and takes writes, for good".to_owned())
}

fn rolls(change: &Change) -> Option<String> {
    let pods = change.rolled();
    let is_standby = matches!(change.before.cluster.origin, Origin::Standby(_));
    let order = match pods {
        0 => return None,
        1 if change.after.cluster.instances == 1 => "the database is away until it is back",
        1 => "when the new members are up, after 1 switchover",
        _ if is_standby => "replicas first, then 1 switchover of the standby leader",
        _ => "replicas first, then 1 switchover",
    };
    let line = format!("rolls {}: {order}", count(pods, "pod"));
    let mut causes = cause::of_roll(change);
    causes.extend(cause::of_patroni(change).restarting);
    Some(because(&line, &causes))
}

/// A setting that Postgres itself would reload: nobody expects it to cost more.
fn unreloadable(change: &Change) -> Option<String> {
    let (before, after) = (&change.before.cluster.postgres, &change.after.cluster.postgres);
    (change.rolled() > 0 && before.pg_hba != after.pg_hba).then(|| PG_HBA_ROLLS.to_owned())
}

fn restarts(change: &Change) -> Option<String> {
    let pods = change.restarted();
    let names = cause::of_patroni(change).restarting;
    let order = match pods {
        0 => return None,
        1 if change.after.cluster.instances > 1 => "the primary, when the new members are up",
        1 => "the database is away until it is back",
        _ if cause::is_primary_first(change, &names) => "primary first",
        _ => "primary last",
    };
    let line = format!("restarts Postgres on {}, {order}", count(pods, "pod"));
    Some(because(&line, &names))
}

/// When the work that the lines before tell of may begin.
fn waits(change: &Change, now: Timestamp) -> Option<String> {
    let windows = &change.after.cluster.windows;
    if is_open(windows, now) {
        return None;
    }
    let next = windows
        .iter()
        .min_by_key(|window| (window.next_start(now), window.length()))?;
    let opens = next.next_start(now).strftime("%Y-%m-%dT%H:%MZ");
    Some(format!(
        "waits for the window {} UTC, opens {opens}",
        spelled(next)
    ))
}

/// `Sat 02:00-04:00`.
fn spelled(window: &Window) -> String {
    let text = window.to_string();
    match window.day {
        Some(_) => text.replacen(':', " ", 1),
        None => text,
    }
}

fn members(change: &Change) -> Option<String> {
    let (before, after) = (&change.before.cluster, &change.after.cluster);
    let (from, to) = (before.instances, after.instances);
    let number = usize::try_from(from.abs_diff(to)).unwrap_or_default();
    let members = count(number, "member");
    match (from, to) {
        _ if from == to => None,
        _ if from < to => Some(format!("adds {members} (from {from} to {to})")),
        (_, 0) => Some(format!(
            "removes all {members}: the database stops{}",
            fate(change)
        )),
        _ => Some(listed(
            &format!("removes {members} ("),
            &leaving(change),
            &format!("){}", fate(change)),
        )),
    }
}

/// Pods of the highest ordinals, last first, as they go.
fn leaving(change: &Change) -> Vec<String> {
    let identity = &change.before.cluster.identity;
    let ordinals = change.after.cluster.instances..change.before.cluster.instances;
    ordinals
        .rev()
        .map(|ordinal| format!("{}-{ordinal}", identity.name))
        .collect()
}

/// What becomes of the volumes of members that go.
fn fate(change: &Change) -> &'static str {
    let policy = change
        .after
        .desired
        .stateful_set
        .known()
        .and_then(|object| object.spec.as_ref())
        .and_then(|spec| {
            spec.persistent_volume_claim_retention_policy
                .as_ref()?
                .when_scaled
                .as_deref()
        });
    if policy == Some("Delete") {
        ", their volumes are deleted"
    } else {
        ", volumes stay"
    }
}

/// Settings that Postgres or Patroni takes over while it runs.
fn reloads(change: &Change, is_disruptive: bool) -> Option<String> {
    let line = if is_disruptive {
        "reloads Postgres"
    } else {
        "reload only"
    };
    let names = cause::of_patroni(change).reloading;
    (!names.is_empty()).then(|| because(line, &names))
}

/// What the manifest does not name any more: what takes its value back, and what Patroni keeps.
fn left(change: &Change) -> Vec<String> {
    let named = |cluster: &Cluster| {
        let parameters = dynamic::wanted(cluster).map(|(name, _)| name.to_owned());
        parameters.collect::<Vec<String>>()
    };
    let after = named(&change.after.cluster);
    let mut kept = named(&change.before.cluster);
    kept.retain(|name| dynamic::is_kept(name) && !after.contains(name));
    let back = cause::taken_back(change);
    let line = |line: &str, names: &[String]| (!names.is_empty()).then(|| listed(line, names, ""));
    let back = line("goes back to its default, no longer named here: ", &back);
    let kept = line("stays set in Patroni, no longer named here: ", &kept);
    back.into_iter().chain(kept).collect()
}
