//! The catalogue as a page.

use std::fmt::Write;

use super::{Example, Rule, Severity, When, catalogue};

const INTRODUCTION: &str = "\
# Rules for `postgresql` manifests

<!-- Generated from the catalogue in `shared/model/src/validate/catalogue.rs`; do not edit. -->

The validating webhook looks at every rule and names everything that is wrong at once. A **deny** rule refuses the object; a **warn** rule
tells the user. What a stored object already breaks never blocks an update that leaves it as it is. The examples are overlays on the least
manifest, and tests run every one of them. An id is never used for another rule.

";

/// The page `docs/reference/rules.md`.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    // Writing into a string cannot fail.
    page.push_str("| rule | severity | looked at when | demands |\n|---|---|---|---|\n");
    for rule in catalogue() {
        let link = rule.id.to_lowercase();
        let (severity, when) = (severity(rule.severity), when(rule.when));
        let _ = writeln!(
            page,
            "| [{}](#{link}) | {severity} | {when} | {} |",
            rule.id, rule.demand
        );
    }
    for rule in catalogue() {
        section(&mut page, rule);
    }
    page
}

fn section(page: &mut String, rule: &Rule) {
    let paths: Vec<String> = rule.paths.iter().map(|path| format!("`{path}`")).collect();
    let _ = write!(page, "\n## {}\n\n{} {}\n\n", rule.id, rule.demand, rule.reason);
    let _ = write!(
        page,
        "Fields: {}. Severity: {}. Looked at when: {}. Since: {}.\n\n",
        paths.join(", "),
        severity(rule.severity),
        when(rule.when),
        rule.since
    );
    example(page, "Keeps it", &rule.accepts);
    example(page, "Breaks it", &rule.rejects);
}

fn example(page: &mut String, title: &str, example: &Example) {
    let settings = example
        .config
        .iter()
        .map(|(name, value)| format!("`{name}: {value}`"));
    let settings: Vec<String> = settings.collect();
    let under = if settings.is_empty() {
        String::new()
    } else {
        format!(" under {}", settings.join(", "))
    };
    let _ = write!(page, "{title}{under}:\n\n```yaml\n");
    if let Some(stored) = example.stored {
        let _ = write!(page, "# stored\n{stored}\n# new\n");
    }
    let _ = write!(page, "{}\n```\n\n", example.manifest);
}

/// The word for a severity.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Deny => "deny",
        Severity::Warn => "warn",
    }
}

/// The words for a time.
pub fn when(when: When) -> &'static str {
    match when {
        When::Created => "created",
        When::Changed => "created or changed",
        When::Transition => "changed, against the stored object",
    }
}
