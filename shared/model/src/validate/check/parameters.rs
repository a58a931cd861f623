//! Parameters of the server: what Patroni drops or changes on their way, and what the server would not start with. Values of parameters that
//! hold any text are never shown: some hold secrets.

pub(in super::super) mod together;

use super::super::{Hit, Subject};
use crate::{
    postgres_parameters::{self as postgres, Context, LeastTaken, Owner, Parameter, Setting, Unreadable},
    units::PgVersion,
};

const PARAMETERS: &str = "spec.postgresql.parameters";

/// A parameter of the manifest.
#[derive(Clone, Copy)]
struct Given<'a> {
    name: &'a str,
    value: &'a str,
}

impl Given<'_> {
    fn hit(self, message: impl Into<String>) -> Hit {
        let path = if can_be_written(self.name) {
            format!("{PARAMETERS}.{}", self.name)
        } else {
            format!("{PARAMETERS}.{:?}", self.name)
        };
        Hit::new(path, message)
    }
}

fn given<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = Given<'a>> {
    let parameters = subject.spec.postgresql.parameters.iter();
    parameters.map(|(name, value)| Given { name, value })
}

/// The parameter of this name, in any case of letters.
fn value_of<'a>(subject: &'a Subject<'_>, name: &str) -> Option<Given<'a>> {
    given(subject).find(|given| given.name.eq_ignore_ascii_case(name))
}

/// The major, if the table tells of it.
fn version(subject: &Subject<'_>) -> Option<PgVersion> {
    subject
        .cluster()
        .map(|cluster| cluster.version)
        .filter(|version| postgres::covers(*version))
}

/// Parameters that the manifest gives and the major has, but for those that it cannot set.
fn known<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = (Given<'a>, &'static Parameter)> {
    let version = version(subject);
    given(subject)
        .filter(|given| postgres::owner(given.name) != Owner::Patroni)
        .filter_map(move |given| Some((given, postgres::find(given.name, version?)?)))
        .filter(|(_, parameter)| parameter.context != Context::Internal)
}

/// Those of [`known`] with a value that the server understands.
fn readable<'a>(
    subject: &'a Subject<'_>,
) -> impl Iterator<Item = (Given<'a>, &'static Parameter, Setting<'a>)> {
    known(subject)
        .filter_map(|(given, parameter)| Some((given, parameter, parameter.read(given.value).ok()?)))
}

/// A name as the server's configuration file takes it: one word, or two with a dot between.
fn can_be_written(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || !letter.is_ascii();
    let is_word = |word: &str| {
        word.starts_with(is_letter)
            && word
                .chars()
                .all(|letter| is_letter(letter) || letter.is_ascii_digit())
    };
    name.splitn(2, '.').all(is_word)
}

/// Patroni writes names with a dot, and most values, as they are.
pub(in super::super) fn can_be_written_to_a_file(subject: &Subject<'_>) -> Vec<Hit> {
    let breaks = |text: &str| text.contains(['\n', '\0']);
    // These it takes apart first, or drops.
    let is_read_by_patroni =
        |name: &str| postgres::patroni_default(name).is_some() || postgres::owner(name) == Owner::Patroni;
    given(subject)
        .filter_map(|given| {
            let message = if breaks(given.name) {
                "has a line break or a zero byte: it would write other lines into the server's configuration"
            } else if given.name.contains('.') && !can_be_written(given.name) {
                "is no name that the server's configuration can hold: the server would not start with it"
            } else if breaks(given.value) && !is_read_by_patroni(given.name) {
                "has a line break or a zero byte in its value: the server would not start with it"
            } else {
                return None;
            };
            Some(given.hit(message))
        })
        .collect()
}

/// Names without a dot that no row has for the cluster's major.
fn strangers<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = (Given<'a>, PgVersion)> {
    let version = version(subject);
    given(subject)
        .filter_map(move |given| Some((given, version?)))
        .filter(|(given, version)| {
            !postgres::is_of_extension(given.name)
                && postgres::owner(given.name) != Owner::Patroni
                && postgres::find(given.name, *version).is_none()
        })
}

pub(in super::super) fn names_are_known(subject: &Subject<'_>) -> Vec<Hit> {
    strangers(subject)
        .filter(|(given, _)| postgres::rows(given.name).is_empty())
        .map(|(given, version)| {
            let meant = postgres::successor(given.name).or_else(|| postgres::nearest(given.name, version));
            given.hit(match meant {
                Some(meant) => format!("is unknown and left out; did you mean {meant}?"),
                None => "is unknown and left out".to_owned(),
            })
        })
        .collect()
}

pub(in super::super) fn names_are_of_the_major(subject: &Subject<'_>) -> Vec<Hit> {
    strangers(subject)
        .filter_map(|(given, version)| {
            let rows = postgres::rows(given.name);
            let (first, last) = (rows.first()?.first, rows.last()?.last);
            if version.major() < first {
                return Some(given.hit(format!(
                    "came with PostgreSQL {first}; {version} has no such parameter"
                )));
            }
            let instead = postgres::successor(given.name).map(|new| format!("; use {new}"));
            Some(given.hit(format!(
                "ended with PostgreSQL {last}{}",
                instead.unwrap_or_default()
            )))
        })
        .collect()
}

/// What Patroni does with a value that it cannot take.
fn instead(parameter: &Parameter) -> String {
    match postgres::patroni_default(parameter.name) {
        Some(default) => format!("is replaced by {default}"),
        None => "is left out".to_owned(),
    }
}

pub(in super::super) fn values_are_readable(subject: &Subject<'_>) -> Vec<Hit> {
    known(subject)
        .filter_map(|(given, parameter)| {
            let error = match parameter.read(given.value) {
                Err(error) => error,
                // Patroni knows fewer words for them than the server.
                Ok(Setting::Boolean(_)) if !postgres::is_switch(given.value) => Unreadable::NoBoolean,
                Ok(_) => return None,
            };
            let value: String = given.value.chars().take(20).collect();
            Some(given.hit(format!("{value:?} {}: {error}", instead(parameter))))
        })
        .collect()
}

pub(in super::super) fn values_are_in_range(subject: &Subject<'_>) -> Vec<Hit> {
    readable(subject)
        .filter(|(_, parameter, setting)| is_taken(parameter, *setting))
        .filter_map(|(given, parameter, setting)| {
            let bound = parameter.bound(setting)?;
            let (value, bound) = (parameter.show(setting), parameter.show(bound));
            // What Patroni hands over on the command line it does not cut.
            Some(given.hit(match postgres::patroni_default(parameter.name) {
                Some(_) => format!("{value} is beyond {bound}: the server does not start with it"),
                None => format!("{value} is beyond {bound}, which counts instead"),
            }))
        })
        .collect()
}

/// Patroni lets this value of a parameter of its own pass.
fn is_taken(parameter: &Parameter, setting: Setting<'_>) -> bool {
    match (postgres::least_taken(parameter.name), setting) {
        (LeastTaken::Number(least), Setting::Integer(value)) => value >= least,
        (LeastTaken::Word(words), Setting::Choice(word)) => words.contains(&word),
        _ => true,
    }
}

pub(in super::super) fn patroni_takes_it(subject: &Subject<'_>) -> Vec<Hit> {
    readable(subject)
        .filter(|(_, parameter, setting)| !is_taken(parameter, *setting))
        .map(|(given, parameter, setting)| {
            let least = match postgres::least_taken(parameter.name) {
                LeastTaken::Number(least) => format!("less than {}", parameter.show(Setting::Integer(least))),
                _ => "too little for replicas".to_owned(),
            };
            let (value, instead) = (parameter.show(setting), instead(parameter));
            given.hit(format!("{value} is {least} and {instead}"))
        })
        .collect()
}

pub(in super::super) fn can_be_set(subject: &Subject<'_>) -> Vec<Hit> {
    let Some(version) = version(subject) else {
        return Vec::new();
    };
    given(subject)
        .filter(|given| {
            postgres::find(given.name, version).is_some_and(|found| found.context == Context::Internal)
        })
        .map(|given| given.hit("cannot be set: the server only reports it; this line is left out"))
        .collect()
}

pub(in super::super) fn patroni_does_not_set_it(subject: &Subject<'_>) -> Vec<Hit> {
    let synchronous = subject
        .cluster()
        .is_some_and(|cluster| cluster.patroni.synchronous_mode);
    given(subject)
        .filter_map(|given| match postgres::owner(given.name) {
            Owner::Patroni => Some(given.hit("is set by Patroni: this value is not used")),
            Owner::PatroniWhenSynchronous if synchronous => {
                Some(given.hit("is set by Patroni in synchronous mode: this value is not used"))
            }
            _ => None,
        })
        .collect()
}

pub(in super::super) fn places_are_the_images(subject: &Subject<'_>) -> Vec<Hit> {
    given(subject)
        .filter(|given| postgres::owner(given.name) == Owner::Image)
        .map(|given| given.hit("moves what Patroni and the image's scripts expect at its usual place"))
        .collect()
}

#[cfg(test)]
mod tests;
