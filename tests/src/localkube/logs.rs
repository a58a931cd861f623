//! The logs of a local Kubernetes: where they are and what they say last.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::layout::Layout;

/// A program's log in the state directory.
pub(super) fn log_file(program: &str) -> PathBuf {
    Path::new("logs").join(format!("{program}.log"))
}

/// The last line of a program's log that says something.
pub(super) fn last_line(layout: &Layout, program: &str) -> String {
    let path = layout.host(log_file(program));
    let log = fs::read(&path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let mut lines = log.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.next().unwrap_or("its log is empty");
    // What a Go program prints after the reason of its panic helps only its authors.
    let line = lines
        .take(40)
        .find(|line| line.starts_with("panic:"))
        .unwrap_or(last);
    format!("{line} (the whole log: {})", path.display())
}

/// One line in the log of the program that this is: its standard error.
pub(super) fn say(words: std::fmt::Arguments<'_>) {
    // A full disk must not end what can go on without a log.
    let _ = writeln!(std::io::stderr(), "{} {words}", jiff::Timestamp::now());
}
