//! What comes of what the rules find, under the operator's profile and its severities for single rules. Must not: rules.
//!
//! - `standard`: a rule does what its row says.
//! - `strict`: warnings about what a manifest says refuse it: it would not get what it says. Warnings about what a change does stay
//!   warnings: the change is carried out.
//! - `observe`: what would be refused is told instead.
//! - A severity for a single rule goes before the profile, but for `observe`, which shows what such a severity would do.
//! - A fixed rule does what its row says under all of this.

use std::collections::BTreeSet;

use super::{Excuses, Found, Hit, Review, Rule, Severity, Violation, When, warning};
use crate::config::{OperatorConfig, ValidationProfile};

/// In front of a warning that would be a denial.
const SOFTENED: &str = "not enforced: ";

/// The operator's wishes.
#[derive(Clone, Copy)]
pub(super) struct Policy<'a> {
    config: &'a OperatorConfig,
}

/// What comes of one hit.
enum Fate {
    Refuse,
    Warn,
    /// A warning that says that it would be a denial.
    Soften,
    Nothing,
}

impl<'a> Policy<'a> {
    pub(super) const fn of(config: &'a OperatorConfig) -> Self {
        Self { config }
    }

    fn profile(self) -> ValidationProfile {
        self.config.admission.validation_profile
    }

    /// What a rule does here, were everything enforced.
    fn severity(self, rule: &Rule) -> Severity {
        if is_fixed(rule) {
            return rule.severity;
        }
        let strict = self.profile() == ValidationProfile::Strict;
        let by_profile = match rule.when {
            When::Created | When::Changed | When::Naming if strict => Severity::Deny,
            _ => rule.severity,
        };
        let own = self.config.admission.validation_severity.get(rule.id);
        own.copied().unwrap_or(by_profile)
    }

    fn enforces(self, rule: &Rule) -> bool {
        is_fixed(rule) || self.profile() != ValidationProfile::Observe
    }

    /// Whether a hit of the rule can be more than a warning: a denial, or a warning that speaks of one.
    pub(super) fn may_refuse(self, rule: &Rule) -> bool {
        rule.severity == Severity::Deny || self.severity(rule) == Severity::Deny
    }

    fn fate(self, rule: &Rule, blocks: bool) -> Fate {
        match (self.severity(rule), rule.severity) {
            (Severity::Deny, _) if blocks && self.enforces(rule) => Fate::Refuse,
            (Severity::Deny, _) | (Severity::Warn, Severity::Deny) if blocks => Fate::Soften,
            (_, Severity::Deny) => Fate::Nothing,
            (_, Severity::Warn) => Fate::Warn,
        }
    }

    /// Violations, and warnings; none about a path that is refused anyway.
    pub(super) fn settle(self, found: Found, is_stored: bool, excuses: &Excuses) -> Review {
        let (mut violations, mut warnings) = (Vec::new(), Vec::new());
        for (rule, hit) in found {
            let place = (rule.id, hit.path.clone());
            let blocks = match rule.when {
                When::Created => !is_stored,
                When::Changed | When::Naming => !excuses.known.contains(&place),
                When::Transition => true,
                When::Deleted => false,
            };
            let fate = match self.fate(rule, blocks) {
                Fate::Refuse | Fate::Soften if excuses.untouched.contains(&place) => Fate::Warn,
                fate => fate,
            };
            match fate {
                Fate::Refuse => violations.push(Violation::new(rule.id, hit.path, hit.message)),
                Fate::Warn => warnings.push((hit, rule.id, "")),
                Fate::Soften => warnings.push((hit, rule.id, SOFTENED)),
                Fate::Nothing => {}
            }
        }
        violations.sort();
        let refused: BTreeSet<&str> = violations
            .iter()
            .map(|violation| violation.path.as_str())
            .collect();
        warnings.retain(|(hit, ..)| !refused.contains(hit.path.as_str()));
        warnings.sort();
        warnings.dedup();
        let line = |(hit, id, mark): &(Hit, &str, &str)| {
            warning(&format!("{mark}{}: {}", hit.path, hit.message), id)
        };
        let warnings = warnings.iter().map(line).collect();
        Review { violations, warnings }
    }
}

/// Whether neither profile nor severities count for the rule.
pub(super) fn is_fixed(rule: &Rule) -> bool {
    rule.fixed
}
