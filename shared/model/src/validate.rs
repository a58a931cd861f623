//! What may be stored. Lives here: the rule as a value, and the review of an object against the whole catalogue. Must not: HTTP, or words that
//! depend on who asks.
//!
//! ```text
//! catalogue (one row per rule) ─► review(new, old, config) ─► violations: what blocks, all at once
//!      checks by topic ─┘            │           │        └─► warnings: what will be ignored, raised or cut
//!                                 ratchet      policy: profile and severities of the operator's configuration
//!                                    └─ what the stored object already had never blocks, nor a name in it that lost what it names
//! ```
//!
//! Beside manifests: `scale` (a change of one number), `deletion`, `team`, `operator_configuration`.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::Value;

use policy::Policy;
use ratchet::Excuses;

use crate::{
    api::{
        DecodeError,
        postgresql::{Postgresql, PostgresqlSpec},
    },
    cluster::Cluster,
    config::OperatorConfig,
    manifest::Manifest,
    units::{UnitError, hba},
};

pub use crate::finding::{Finding, Severity, Violation};
use crate::finding::{LINE_LIMIT, shorten};
pub use catalogue::catalogue;

mod catalogue;
mod check;
mod deletion;
mod news;
pub mod operator_configuration;
mod policy;
mod ratchet;
pub mod reference;
pub mod rejected;
mod scale;
mod team;
mod unreadable;

pub use deletion::deletion;
pub use news::news_of;
pub use operator_configuration::operator_configuration;
pub use scale::scale;
pub use team::team;

/// One rule. Its id is never used again for another one.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `PGV-` and three digits.
    pub id: &'static str,
    /// Fields that it looks at.
    pub paths: &'static [&'static str],
    /// What happens when it is broken.
    pub severity: Severity,
    /// Severity stays as it is, whatever the operator's configuration says: what it keeps out would reach beyond the cluster.
    pub fixed: bool,
    /// When it is looked at.
    pub when: When,
    /// What it demands, one sentence.
    pub demand: &'static str,
    /// Why, and what to do instead.
    pub reason: &'static str,
    /// A manifest that keeps it.
    pub accepts: Example,
    /// A manifest that breaks it.
    pub rejects: Example,
    /// First release with it.
    pub since: &'static str,
    check: Check,
}

/// When a rule is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// When an object is created. What is stored may stay as it is.
    Created,
    /// When an object is created or changed. What the stored object already broke at the same path does not block the change.
    Changed,
    /// As `Changed`, about fields that name something: where such a field stays as it is and what it names goes away, that is told and no
    /// more. Databases and volumes go on without it.
    Naming,
    /// When an object is changed, by comparison with the stored one.
    Transition,
    /// When an object is about to be deleted.
    Deleted,
}

/// A manifest that shows a rule: an overlay in YAML on the least manifest.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The manifest.
    pub manifest: &'static str,
    /// The stored manifest before, for rules about a transition.
    pub stored: Option<&'static str>,
    /// Operator parameters that matter, in the ConfigMap's spelling.
    pub config: &'static [(&'static str, &'static str)],
}

impl Example {
    const fn of(manifest: &'static str) -> Self {
        Self {
            manifest,
            stored: None,
            config: &[],
        }
    }

    const fn change(stored: &'static str, manifest: &'static str) -> Self {
        Self {
            manifest,
            stored: Some(stored),
            config: &[],
        }
    }

    const fn under(mut self, config: &'static [(&'static str, &'static str)]) -> Self {
        self.config = config;
        self
    }
}

/// How a rule is looked at.
#[derive(Clone, Copy)]
enum Check {
    /// The object cannot be decoded.
    Decode,
    /// [`Cluster::parse`] reports it as a violation under the rule's id.
    Parse,
    /// [`Cluster::parse`] reports it as a finding with this reason.
    Finding(&'static str),
    /// By itself, on one object.
    Object(fn(&Subject<'_>) -> Vec<Hit>),
    /// By itself, on the stored object and the new one.
    Change(fn(&Subject<'_>, &Subject<'_>) -> Vec<Hit>),
    /// By itself, on an object that is about to go.
    Deletion(fn(&deletion::Farewell<'_>) -> Vec<Hit>),
    /// By itself, on a `PostgresTeam`.
    Team(fn(&team::Subject<'_>) -> Vec<Hit>),
    /// On the operator's configuration: by its parser, or with the rows in `config`.
    Configuration,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Check")
    }
}

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    path: String,
    message: String,
}

impl Hit {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// An object under review.
struct Subject<'a> {
    raw: &'a Value,
    object: &'a Postgresql,
    /// The spec without the names of version 1.
    spec: Cow<'a, PostgresqlSpec>,
    config: &'a OperatorConfig,
    cluster: &'a Result<Cluster, Vec<Violation>>,
    /// Own lines of `pg_hba.conf`, read once for all rules about them; none where the image's lines stay.
    hba: OnceCell<Option<HbaLines>>,
}

/// Lines by the place in the list where each starts.
type HbaLines = Vec<(usize, Result<hba::Entry, UnitError>)>;

impl Subject<'_> {
    fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref().ok()
    }
}

/// What a review comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// What blocks, sorted by path. Empty: the object may be stored.
    pub violations: Vec<Violation>,
    /// What the user should know, sorted by path; each short enough for a line of `kubectl`.
    pub warnings: Vec<String>,
}

/// Reviews a raw `postgresql` that is being stored: on creation without `old`, on an update with the stored object. Both get their defaults
/// first, so that a field which was left out is not a change. An object that is being deleted is let through.
pub fn review(new: &Value, old: Option<&Value>, config: &OperatorConfig) -> Review {
    let stored = old.map(|stored| Manifest::read(stored, None, config));
    review_of(&Manifest::read(new, old, config), stored.as_ref(), config)
}

/// As [`review`], of objects that were read already.
pub fn review_of(new: &Manifest<'_>, old: Option<&Manifest<'_>>, config: &OperatorConfig) -> Review {
    if new.is_deleting() {
        return Review::default();
    }
    let found = hits(new, old, config);
    let policy = Policy::of(config);
    // Looking at the stored object once more is dear, and mostly there is nothing to excuse.
    let excuses = match old {
        Some(old) if found.iter().any(|(rule, _)| policy.may_refuse(rule)) => {
            let alone =
                |object: &Value| hits(&Manifest::complete(Cow::Borrowed(object), config), None, config);
            let stored = ratchet::broken(&old.raw, &new.raw, alone);
            ratchet::excused(&found, &new.raw, stored, &old.raw)
        }
        _ => Excuses::default(),
    };
    policy.settle(found, old.is_some(), &excuses)
}

type Found = Vec<(&'static Rule, Hit)>;

/// One line with the rule's id, the text before it cut to fit.
fn warning(text: &str, id: &str) -> String {
    format!("{} ({id})", shorten(text, LINE_LIMIT - id.len() - 3))
}

/// Everything that the catalogue finds, whatever its severity; rules about transitions only with a stored object.
fn hits(new: &Manifest<'_>, old: Option<&Manifest<'_>>, config: &OperatorConfig) -> Found {
    let subject = match Subject::of(new, config) {
        Ok(subject) => subject,
        Err(error) => {
            let hit = Hit::new(error.path.clone(), unreadable::words(&error.message));
            return by_check(|check| matches!(check, Check::Decode))
                .map(|rule| (rule, hit.clone()))
                .collect();
        }
    };
    let mut found: Found = Vec::new();
    for &rule in catalogue() {
        let hits = match rule.check {
            Check::Decode | Check::Change(_) | Check::Deletion(_) | Check::Team(_) | Check::Configuration => {
                Vec::new()
            }
            Check::Parse => parse_hits(rule.id, subject.cluster),
            Check::Finding(reason) => finding_hits(reason, subject.cluster),
            Check::Object(check) => check(&subject),
        };
        found.extend(hits.into_iter().map(|hit| (rule, hit)));
    }
    found.extend(old.map(|old| transition_hits(old, &subject)).unwrap_or_default());
    found
}

/// A stored object that cannot be decoded says nothing about a transition.
fn transition_hits(old: &Manifest<'_>, new: &Subject<'_>) -> Found {
    let Ok(subject) = Subject::of(old, new.config) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for rule in by_check(|check| matches!(check, Check::Change(_))) {
        if let Check::Change(check) = rule.check {
            found.extend(check(&subject, new).into_iter().map(|hit| (rule, hit)));
        }
    }
    found
}

fn by_check(wanted: impl Fn(&Check) -> bool) -> impl Iterator<Item = &'static Rule> {
    catalogue()
        .iter()
        .copied()
        .filter(move |rule| wanted(&rule.check))
}

fn parse_hits(id: &str, parsed: &Result<Cluster, Vec<Violation>>) -> Vec<Hit> {
    let violations = parsed.as_ref().err().into_iter().flatten();
    violations
        .filter(|violation| violation.rule == id)
        .map(|violation| Hit::new(violation.path.clone(), violation.message.clone()))
        .collect()
}

fn finding_hits(reason: &str, parsed: &Result<Cluster, Vec<Violation>>) -> Vec<Hit> {
    let findings = parsed
        .as_ref()
        .ok()
        .into_iter()
        .flat_map(|cluster| &cluster.findings);
    findings
        .filter(|finding| finding.reason == reason)
        .map(|finding| Hit::new(finding.path.clone(), finding.message.clone()))
        .collect()
}

impl<'a> Subject<'a> {
    fn of(manifest: &'a Manifest<'_>, config: &'a OperatorConfig) -> Result<Self, &'a DecodeError> {
        let content = manifest.content.as_ref()?;
        let (spec, _) = crate::cluster::alias::translate(&content.object.spec);
        Ok(Self {
            raw: &manifest.raw,
            object: &content.object,
            spec,
            config,
            cluster: &content.cluster,
            hba: OnceCell::new(),
        })
    }
}

/// Every rule there is, for manifests, teams and the operator's configuration, in the order of their ids.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let manifests = catalogue().iter().copied();
    operator_configuration::rules()
        .iter()
        .chain(team::RULES)
        .chain(manifests)
}

/// The rule with this id, whatever it is about.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests;
