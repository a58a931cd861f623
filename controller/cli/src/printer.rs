//! The only place that writes: answers to standard output, everything else to standard error. Colours only on a terminal, and never with
//! `NO_COLOR`. Must not: words about manifests.

use std::fmt::Display;
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};

pub(crate) const TITLE: Style = Style::new().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const QUIET: Style = Style::new().dimmed();

#[derive(Debug)]
pub(crate) struct Printer {
    answers: anstream::Stdout,
    notes: anstream::Stderr,
}

impl Printer {
    pub(crate) fn new() -> Self {
        Self {
            answers: anstream::stdout(),
            notes: anstream::stderr(),
        }
    }

    /// Text that may hold styles; ends with a newline of its own.
    pub(crate) fn answer(&mut self, text: &str) -> io::Result<()> {
        self.answers.write_all(text.as_bytes())?;
        self.answers.flush()
    }

    /// One line beside the answer.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.notes, "{DOUBTFUL}note:{DOUBTFUL:#} {text}")
    }

    pub(crate) fn error(&mut self, error: &dyn Display) -> io::Result<()> {
        writeln!(self.notes, "{BAD}error:{BAD:#} {}", plain(&error.to_string()))
    }
}

/// A manifest's own text without control characters, which could rewrite what a terminal shows.
pub(crate) fn plain(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() && letter != '\n' {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}
