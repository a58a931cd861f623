//! Lines that fit. Lives here: counting words, lists that are cut. Must not: what they are about.

use pgherd_model::finding::{LINE_LIMIT, shorten};

/// `1 pod`, `3 pods`.
pub(super) fn count(number: usize, word: &str) -> String {
    if number == 1 {
        return format!("1 {word}");
    }
    match word.strip_suffix('y') {
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {word}s"),
    }
}

/// `before a, b after`, with as many items as fit: `before a and 7 more after`.
pub(super) fn listed(before: &str, items: &[String], after: &str) -> String {
    let line = |shown: usize| {
        let list = items[..shown].join(", ");
        match items.len() - shown {
            0 => format!("{before}{list}{after}"),
            more => format!("{before}{list} and {more} more{after}"),
        }
    };
    let fits = |line: &String| line.chars().count() <= LINE_LIMIT;
    let least = || shorten(&line(items.len().min(1)), LINE_LIMIT);
    (1..=items.len()).rev().map(line).find(fits).unwrap_or_else(least)
}

/// `before (a, b)`; without items no parentheses.
pub(super) fn because(before: &str, items: &[String]) -> String {
    if items.is_empty() {
        shorten(before, LINE_LIMIT)
    } else {
        listed(&format!("{before} ("), items, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted() {
        assert_eq!(count(1, "pod"), "1 pod");
        assert_eq!(count(3, "pod"), "3 pods");
        assert_eq!(count(0, "service"), "0 services");
        assert_eq!(count(2, "policy"), "2 policies");
    }

    #[test]
    fn a_list_is_cut_where_the_line_ends() {
        let items: Vec<String> = (0..40).map(|number| format!("role_{number:02}")).collect();
        assert_eq!(because("does it", &items[..2]), "does it (role_00, role_01)");
        assert_eq!(because("does it", &[]), "does it");
        let line = listed("creates roles ", &items, "");
        assert!(
            line.chars().count() <= LINE_LIMIT && line.ends_with(" more"),
            "{line}"
        );
        assert!(line.starts_with("creates roles role_00, role_01, "), "{line}");
        let long = ["ö".repeat(200)];
        assert_eq!(listed("creates ", &long, "").chars().count(), LINE_LIMIT);
    }
}
