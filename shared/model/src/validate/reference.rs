//! The rules as a page.

use std::fmt::Write;

use super::{
    Check, Example, Rule, Severity, When, catalogue, operator_configuration,
    rejected::{Rejected, rejected},
    team,
};

const INTRODUCTION: &str = "\
# Rules of admission

<!-- Generated from the tables under `shared/model/src/validate` and `shared/model/src/config`; do not edit. -->

The validating webhook looks at every rule and names everything that is wrong at once. A **deny** rule refuses the object; a **warn** rule
tells the user. What a stored object already breaks never blocks an update that leaves it as it is, also where items of a list moved. Tests
run every example. An id is never used for another rule.

The operator's `validation_profile` decides what comes of a broken rule:

- `standard`: what its row says.
- `strict`: warnings about what a manifest says (created or changed) refuse it, since it would not get what it says. Warnings about what a
  change does stay warnings.
- `observe`: nothing is refused; a warning that begins with `not enforced` says what would be.

`validation_severity` gives single rules another severity, such as `PGV-011:deny,PGV-049:warn`; it goes before `standard` and `strict`. Rules
marked **fixed** do what their rows say under all of this. A manifest that got in through a softened rule and cannot be understood is not
carried out: the controller keeps the last good one in force and says so in the status.

";

/// The pages' parts: title, what the examples are, and the rules.
fn parts() -> [(&'static str, &'static str, Vec<&'static Rule>); 3] {
    [
        (
            "`postgresql` manifests",
            "Examples are overlays on the least manifest.",
            catalogue().to_vec(),
        ),
        (
            "`PostgresTeam` objects",
            "Examples are overlays on an empty object, with `enable_postgres_team_crd` and `enable_postgres_team_crd_superusers`.",
            team::RULES.iter().collect(),
        ),
        (
            "The operator's configuration",
            "Examples are the `data` of a ConfigMap. The rules are the same for an `OperatorConfiguration`; all are fixed.",
            operator_configuration::rules().iter().collect(),
        ),
    ]
}

/// The page `docs/reference/rules.md`.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for (title, examples, rules) in parts() {
        // Writing into a string cannot fail.
        let _ = write!(
            page,
            "# {title}\n\n{examples}\n\n| rule | severity | looked at when | demands |\n|---|---|---|---|\n"
        );
        for rule in &rules {
            let link = rule.id.to_lowercase();
            let (severity, when) = (severity(rule.severity), when(rule.when));
            let fixed = if rule.fixed { ", fixed" } else { "" };
            let _ = writeln!(
                page,
                "| [{}](#{link}) | {severity}{fixed} | {when} | {} |",
                rule.id,
                rule.demand.replace('|', "\\|")
            );
        }
        for rule in &rules {
            section(&mut page, rule);
        }
        page.push('\n');
    }
    page.push_str("# Ideas that are no rules\n\n| idea | from | why it is none |\n|---|---|---|\n");
    for Rejected {
        idea, source, reason, ..
    } in rejected()
    {
        let _ = writeln!(page, "| {idea} | {source} | {reason} |");
    }
    page
}

fn section(page: &mut String, rule: &Rule) {
    let paths: Vec<String> = rule.paths.iter().map(|path| format!("`{path}`")).collect();
    let paths = if paths.is_empty() {
        "any".to_owned()
    } else {
        paths.join(", ")
    };
    let places = match rule.check {
        Check::Configuration => "Parameters",
        _ => "Fields",
    };
    let fixed = if rule.fixed { " (fixed)" } else { "" };
    let _ = write!(page, "\n## {}\n\n{} {}\n\n", rule.id, rule.demand, rule.reason);
    let _ = write!(
        page,
        "{places}: {paths}. Severity: {}{fixed}. Looked at when: {}. Since: {}.\n\n",
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
    severity.word()
}

/// The words for a time.
pub fn when(when: When) -> &'static str {
    match when {
        When::Created => "created",
        When::Changed => "created or changed",
        When::Naming => "created, or the field itself changed (told only where what it names goes away)",
        When::Transition => "changed, against the stored object",
        When::Deleted => "about to be deleted",
    }
}
