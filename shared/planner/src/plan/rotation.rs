//! Rotation of passwords, and passwords that are given elsewhere (zalando-behaviour 4.12, A.23, G.5). Lives here: which secret is written,
//! with what, and when. Must not: which role rotates (model), or dropping those that rotation left behind (`provision`).
//!
//! The database comes first: a secret never names a role or holds a password that the server does not know yet, except for the superuser's,
//! with which we log in ourselves. Without a catalog nothing rotates.

use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};
use pgherd_model::cluster::{Cluster, Origin, Role, RoleOrigin, Rotation};
use pgherd_model::config::{OperatorConfig, ROTATION_DAYS};
use pgherd_model::units::TIME_FORMAT;
use pgherd_model::units::sql::IDENTIFIER_LIMIT;

use super::provision::{self, rotated};
use super::{
    Action, HoldReason, Matter, NewPassword, NextRotation, Plan, Precondition, Previous, Reason,
    SecretChange, Verb, Why, pod_passwords,
};
use crate::build::{Desired, SecretDraft};
use crate::observed::{Catalog, Observed, PatroniView, SecretView};
use crate::sql::{PasswordRef, Statement, Subject};

/// A rotation that is due sooner than this is waited for; a later one comes with a resync.
const SOON: SignedDuration = SignedDuration::from_hours(1);
/// The first dates of many secrets lie in the last part of an interval, one of so many.
const SPREAD: u64 = 10;

/// What is looked at.
struct Scene<'a> {
    cluster: &'a Cluster,
    config: &'a OperatorConfig,
    observed: &'a Observed,
    catalog: &'a Catalog,
    now: Timestamp,
}

/// One role with its secret.
struct Pair<'a> {
    role: &'a Role,
    draft: &'a SecretDraft,
    stored: &'a SecretView,
}

pub(super) fn ensure(
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    config: &OperatorConfig,
    now: Timestamp,
    plan: &mut Plan,
) {
    let managed = cluster.instances > 0 && provision::unwanted(cluster, config).is_none();
    let (Some(secrets), Some(catalog)) = (observed.secrets.known(), observed.catalog.known()) else {
        return;
    };
    // A standby has the passwords of its source.
    let follows = observed.patroni.known().is_some_and(PatroniView::follows);
    if !managed || follows || matches!(cluster.origin, Origin::Standby(_)) {
        return;
    }
    let scene = Scene {
        cluster,
        config,
        observed,
        catalog,
        now,
    };
    for draft in &desired.secrets {
        let stored = secrets
            .iter()
            .find(|view| view.namespace == draft.namespace && view.name == draft.name);
        let (Some(role), Some(stored)) = (cluster.role(&draft.username), stored) else {
            continue;
        };
        let pair = Pair { role, draft, stored };
        let is_ready = stored.has_password
            && !stored.password_illegible
            && super::secrets::is_ours(draft, stored, cluster);
        if is_ready && !is_written(draft, plan) {
            look(&scene, &pair, plan);
        }
    }
}

/// The plan writes the secret before: what is known of it is out of date then, and its version another one. The next turn sees to the rest.
fn is_written(draft: &SecretDraft, plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.action {
        Action::CreateSecret(other) | Action::LabelSecret(other) | Action::FillSecret(other) => {
            (&other.namespace, &other.name) == (&draft.namespace, &draft.name)
        }
        _ => false,
    })
}

/// At most one change of a secret at a time, the most urgent first.
fn look(scene: &Scene<'_>, pair: &Pair<'_>, plan: &mut Plan) {
    let Some(username) = &pair.stored.username else {
        // Somebody made it with nothing but the password, which counts.
        return write(pair, change(pair, Why::Named, NextRotation::Keep), plan);
    };
    let is_dated = *username != pair.role.name;
    match pair.role.rotation {
        // A rotated superuser of Zalando's operator: whoever put that name there knows why, and we cannot log in to take it back.
        Rotation::Off if is_dated && pair.role.origin == RoleOrigin::System => {}
        Rotation::Off if is_dated => restore(scene, pair, NextRotation::Clear, plan),
        Rotation::Off => settle(scene, pair, plan),
        // The name comes back at once, and with it a new password.
        Rotation::InPlace if is_dated => {
            let next = NextRotation::At(date(after(scene.now, interval(scene.config))));
            restore(scene, pair, next, plan);
        }
        Rotation::InPlace | Rotation::NewUser => rotate(scene, pair, plan),
    }
}

fn rotate(scene: &Scene<'_>, pair: &Pair<'_>, plan: &mut Plan) {
    let interval = interval(scene.config);
    let latest = after(scene.now, interval);
    let written = pair.stored.next_rotation.as_deref().unwrap_or_default();
    let due = written.parse::<Timestamp>().ok().filter(|due| *due <= latest);
    let Some(due) = due else {
        // None yet, unreadable, or from the time of a longer interval.
        let first = after(scene.now, interval - head_start(pair.stored, interval));
        let stamped = change(pair, Why::Stamped, NextRotation::At(date(first)));
        return write(pair, stamped, plan);
    };
    if due > scene.now {
        let wait = due.duration_since(scene.now);
        if wait < SOON {
            plan.wake(wait);
        }
        return settle(scene, pair, plan);
    }
    let next = NextRotation::At(date(latest));
    let is_superuser = pair.role.name == scene.config.users.super_username;
    if is_superuser && !is_in_force(scene, pair) {
        return settle(scene, pair, plan);
    }
    match pair.role.rotation {
        Rotation::NewUser => rotate_user(scene, pair, next, plan),
        _ if is_superuser => rotate_superuser(scene, pair, next, plan),
        _ => rotate_password(scene, pair, next, plan),
    }
}

/// The server has the secret's password. The one that we log in with is kept for one write only: as long as an edited one has not been told, a
/// rotation would write over the last that is good for anything.
fn is_in_force(scene: &Scene<'_>, pair: &Pair<'_>) -> bool {
    let found = scene.catalog.roles.get(&pair.role.name);
    found.is_some_and(|found| found.password_matches == Some(true))
}

/// Another role with the date behind its name, a member of the first.
fn rotate_user(scene: &Scene<'_>, pair: &Pair<'_>, next: NextRotation, plan: &mut Plan) {
    let base = &pair.role.name;
    let username = format!("{base}{}", day(scene.now));
    let matter = Matter::Object(Verb::Rotate, Subject::Role(base.clone()));
    if username.len() > IDENTIFIER_LIMIT {
        let why = format!("{username} is longer than {IDENTIFIER_LIMIT} bytes");
        return plan.hold(matter, HoldReason::Conflict(why));
    }
    if !scene.catalog.roles.contains_key(base) {
        return plan.hold(matter, HoldReason::Lacking(format!("role {base}")));
    }
    let found = scene.catalog.roles.get(&username);
    let is_rotated = found.is_none_or(|found| found.member_of.contains_key(base));
    if !is_rotated || scene.cluster.role(&username).is_some() {
        let why = format!("there is a role {username} already, and rotation has not made it");
        return plan.hold(matter, HoldReason::Conflict(why));
    }
    let role = rotated::dated(pair.role, &username);
    let statements = provision::role_statements(scene.cluster, scene.config, scene.catalog, &role);
    let is_of_password = |it: &Statement| matches!(it, Statement::SetPassword { .. });
    let mut before: Vec<Statement> = statements.into_iter().filter(|it| !is_of_password(it)).collect();
    // It is left of a rotation that the secret was not told of, or made today already: its password is not the one that is drawn now.
    before.extend(set_password(scene, pair, &username));
    let rotated = SecretChange {
        username,
        password: NewPassword::Draw,
        before,
        ..change(pair, Why::RotatedUser, next)
    };
    write(pair, rotated, plan);
}

/// The same name, another password.
fn rotate_password(scene: &Scene<'_>, pair: &Pair<'_>, next: NextRotation, plan: &mut Plan) {
    if !may_roll(scene, pair, plan) {
        return;
    }
    let rotated = SecretChange {
        password: NewPassword::Draw,
        before: set_password(scene, pair, &pair.role.name),
        ..change(pair, Why::RotatedPassword, next)
    };
    write(pair, rotated, plan);
}

/// We log in as the superuser: the new password is in the secret, beside the one so far, before the server knows it.
fn rotate_superuser(scene: &Scene<'_>, pair: &Pair<'_>, next: NextRotation, plan: &mut Plan) {
    if !may_roll(scene, pair, plan) {
        return;
    }
    let rotated = SecretChange {
        password: NewPassword::Draw,
        previous: Previous::Keep,
        ..change(pair, Why::RotatedPassword, next)
    };
    write(pair, rotated, plan);
    let action = Action::RunSql {
        database: pgherd_model::names::roles::MAINTENANCE_DATABASE.to_owned(),
        subject: Subject::Role(pair.role.name.clone()),
        needs: Vec::new(),
        statements: set_password(scene, pair, &pair.role.name),
    };
    plan.quiet(
        action,
        Reason::Differs(vec!["/password".to_owned()]),
        Precondition::None,
    );
}

/// Pods read the passwords of the superuser and of the replication user when they start, so that all of them have to be made anew: in a
/// window, and marked before anything changes.
fn may_roll(scene: &Scene<'_>, pair: &Pair<'_>, plan: &mut Plan) -> bool {
    let Scene {
        cluster,
        config,
        observed,
        now,
        ..
    } = *scene;
    if !pod_passwords::is_read(pair.role) {
        return true;
    }
    let matter = Matter::Object(Verb::Rotate, Subject::Role(pair.role.name.clone()));
    let may = pod_passwords::is_time(cluster, matter, now, plan);
    if may {
        pod_passwords::mark(pair.role, cluster, observed, config, plan);
    }
    may
}

/// The role's own name again, with a new password.
fn restore(scene: &Scene<'_>, pair: &Pair<'_>, next: NextRotation, plan: &mut Plan) {
    if pair.role.given.is_some() {
        return give(scene, pair, plan);
    }
    let restored = SecretChange {
        password: NewPassword::Draw,
        before: set_password(scene, pair, &pair.role.name),
        ..change(pair, Why::NameRestored, next)
    };
    write(pair, restored, plan);
}

/// What does not depend on time: a password before, which is no longer needed, one that is given elsewhere, and keys about the connection.
fn settle(scene: &Scene<'_>, pair: &Pair<'_>, plan: &mut Plan) {
    if pair.stored.has_previous && is_in_force(scene, pair) {
        let over = SecretChange {
            previous: Previous::Forget,
            ..change(pair, Why::Over, NextRotation::Keep)
        };
        return write(pair, over, plan);
    }
    if pair.role.given.is_some() && pair.stored.given_matches == Some(false) {
        give(scene, pair, plan);
    } else if pair.draft.connection.is_some() && pair.stored.connection_matches == Some(false) {
        let username = pair.stored.username.clone();
        let written = SecretChange {
            username: username.unwrap_or_else(|| pair.role.name.clone()),
            ..change(pair, Why::Connection, NextRotation::Keep)
        };
        write(pair, written, plan);
    }
}

fn give(scene: &Scene<'_>, pair: &Pair<'_>, plan: &mut Plan) {
    let Some(key) = pair.role.given.clone() else {
        return;
    };
    let given = SecretChange {
        password: NewPassword::Copy(key),
        before: set_password(scene, pair, &pair.role.name),
        ..change(pair, Why::Given, NextRotation::Keep)
    };
    write(pair, given, plan);
}

/// Nothing of its own but the reason and the date: name and password stay.
fn change(pair: &Pair<'_>, why: Why, next_rotation: NextRotation) -> SecretChange {
    let username = match why {
        Why::Stamped => pair.stored.username.clone(),
        _ => None,
    };
    SecretChange {
        draft: pair.draft.clone(),
        why,
        username: username.unwrap_or_else(|| pair.role.name.clone()),
        password: NewPassword::Keep,
        next_rotation,
        previous: Previous::Leave,
        before: Vec::new(),
    }
}

/// Nothing to be said to the server of a role that it does not have yet: it is made with the password then.
fn set_password(scene: &Scene<'_>, pair: &Pair<'_>, role: &str) -> Vec<Statement> {
    let password = PasswordRef {
        namespace: pair.draft.namespace.clone(),
        secret: pair.draft.name.clone(),
        scheme: provision::scheme(scene.cluster),
    };
    let exists = scene.catalog.roles.contains_key(role);
    let role = role.to_owned();
    exists
        .then_some(Statement::SetPassword { role, password })
        .into_iter()
        .collect()
}

fn write(pair: &Pair<'_>, change: SecretChange, plan: &mut Plan) {
    let reason = match change.why {
        Why::Stamped => Reason::Missing,
        _ => Reason::Differs(vec!["/data".to_owned()]),
    };
    plan.quiet(
        Action::ChangeSecret(Box::new(change)),
        reason,
        Precondition::Unchanged(pair.stored.resource_version.clone()),
    );
}

/// Time between two rotations: at least a day, for the names of roles tell days; and a time that can be added to any other.
fn interval(config: &OperatorConfig) -> SignedDuration {
    let days = config.users.password_rotation_interval;
    let days = days.clamp(*ROTATION_DAYS.start(), *ROTATION_DAYS.end());
    SignedDuration::from_hours(24 * i64::from(days))
}

/// So much later, or as late as can be said.
fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// How much earlier than others a secret rotates for the first time: where rotation is switched on for a fleet, not all of it is due in one minute
/// later. The same for one secret whoever asks and whenever.
fn head_start(secret: &SecretView, interval: SignedDuration) -> SignedDuration {
    // FNV-1a.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = secret.uid.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    let most = interval.as_secs().unsigned_abs() / SPREAD;
    let seconds = i64::try_from(hash % most.max(1)).unwrap_or_default();
    SignedDuration::from_secs(seconds)
}

fn date(time: Timestamp) -> String {
    time.strftime(TIME_FORMAT).to_string()
}

/// The day as Zalando's operator writes it behind a name, `YYMMDD`; in UTC.
fn day(time: Timestamp) -> String {
    Zoned::new(time, TimeZone::UTC).strftime("%y%m%d").to_string()
}

#[cfg(test)]
mod tests;
