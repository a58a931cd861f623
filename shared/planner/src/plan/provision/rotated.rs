//! Roles that rotation made: the name of a role with six digits behind it, a day. Lives here: telling them, making
//! one of another, and those whose time is over (zalando-behaviour 4.12, A.23).

use jiff::{SignedDuration, Timestamp, civil::Date};
use pgherd_model::cluster::{Cluster, Role, RoleFlag, Rotation};
use pgherd_model::config::{OperatorConfig, ROTATION_DAYS};

use super::{Group, Wanted, owned};
use crate::observed::{Catalog, RoleView, SecretView};
use crate::plan::{HoldReason, Matter, Verb};
use crate::sql::{Statement, Subject};

/// Digits of a day.
const DAY: usize = 6;
/// Fewer intervals than these must not lie between a rotation and the end of the role before it.
const INTERVALS_KEPT: u32 = 2;

/// The day of a role that rotation made of `base`; `None` for any other name.
pub(crate) fn day_of(base: &str, name: &str) -> Option<Date> {
    let digits = name.strip_prefix(base)?;
    if digits.len() != DAY || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let month = i8::try_from(part(2..4)?).ok()?;
    let day = i8::try_from(part(4..6)?).ok()?;
    Date::new(2000 + part(0..2)?, month, day).ok()
}

/// The roles that rotation made of `base`: they bear a day, and are its members.
pub(crate) fn of<'a>(base: &'a str, catalog: &'a Catalog) -> impl Iterator<Item = (&'a str, &'a RoleView)> {
    let later = catalog.roles.range(base.to_owned()..);
    later
        .take_while(move |(name, _)| name.starts_with(base))
        .filter(move |(name, view)| day_of(base, name).is_some() && view.member_of.contains_key(base))
        .map(|(name, view)| (name.as_str(), view))
}

/// The role under another name that takes over from it.
pub(crate) fn dated(base: &Role, name: &str) -> Role {
    Role {
        name: name.to_owned(),
        member_of: vec![base.name.clone()],
        // What the first has, it has through the first.
        flags: base
            .flags
            .iter()
            .filter(|(flag, _)| **flag != RoleFlag::Inherit)
            .map(|(flag, wanted)| (*flag, *wanted))
            .collect(),
        admin: None,
        owns_database: false,
        ..base.clone()
    }
}

/// Roles that rotation left behind and whose time is over. One that owns something is told of, and stays.
pub(super) fn over(
    cluster: &Cluster,
    config: &OperatorConfig,
    roles: &[Role],
    catalog: &Catalog,
    secrets: &[SecretView],
    now: Timestamp,
) -> Wanted {
    let is_named = |name: &str| secrets.iter().any(|view| view.username.as_deref() == Some(name));
    let users = &config.users;
    let limit = |days: u32| days.clamp(*ROTATION_DAYS.start(), *ROTATION_DAYS.end());
    let kept = INTERVALS_KEPT * limit(users.password_rotation_interval);
    let days = limit(users.password_rotation_user_retention).max(kept);
    let oldest = now.checked_sub(SignedDuration::from_hours(24 * i64::from(days)));
    let oldest = oldest.map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date());
    let mut wanted = Wanted::default();
    let Ok(oldest) = oldest else { return wanted };
    let is_made = |name: &str| roles.iter().any(|role| role.name == name);
    let rotating = cluster.roles.iter().filter(|role| role.rotation != Rotation::Off);
    // Of one that is held it is not known who is in use.
    for base in rotating.filter(|role| is_made(&role.name)) {
        for (name, view) in of(&base.name, catalog) {
            let is_over = day_of(&base.name, name).is_some_and(|day| day < oldest);
            let is_wanted = is_made(name) || is_named(name) || cluster.role(name).is_some();
            if !is_over || is_wanted {
                continue;
            }
            if view.owns_in.is_empty() {
                wanted.groups.extend(dropped(name, &base.name, catalog));
            } else {
                let owned =
                    HoldReason::Conflict(format!("it owns objects in {}", owned::places(&view.owns_in)));
                wanted.hold(Matter::Object(Verb::Drop, Subject::Role(name.to_owned())), owned);
            }
        }
    }
    wanted
}

fn dropped(name: &str, base: &str, catalog: &Catalog) -> Vec<Group> {
    let mut groups = owned::without_rights(name, base, catalog);
    let role = name.to_owned();
    groups.push(Group::of(
        Subject::Role(role.clone()),
        vec![Statement::DropRole { role }],
    ));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_own_days_count() {
        assert_eq!(day_of("foo", "foo240229"), Some(jiff::civil::date(2024, 2, 29)));
        for other in [
            "foo",
            "foo_bar240229",
            "foobar240229",
            "foo24022",
            "foo2402290",
            "foo240230",
            "foo24o229",
            "fo240229",
            "foo٢٤٠٢٢٩",
        ] {
            assert_eq!(day_of("foo", other), None, "{other}");
        }
    }
}
