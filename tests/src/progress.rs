//! Steps shown to the person who waits: one line each, with the elapsed time of whatever takes longer than two seconds.
//! On a terminal a running step has a moving line and colours; elsewhere it prints a plain line now and then.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Before this a step is silent while it runs.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a running step's line moves on a terminal.
const FRAME: Duration = Duration::from_millis(100);
/// How often a running step says that it still runs where there is no terminal.
const REMINDER: Duration = Duration::from_secs(30);
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Where steps are shown: standard error, so that standard output stays for results.
#[derive(Debug, Clone)]
pub struct Progress {
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Terminal,
    Plain,
    Silent,
}

impl Progress {
    /// Colours and moving lines when standard error is a terminal and `NO_COLOR` is not set, else plain lines.
    pub fn new() -> Self {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            style: if colours { Style::Terminal } else { Style::Plain },
        }
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self { style: Style::Silent }
    }

    /// Starts a step. It is shown as failed if it is dropped before [`Step::done`].
    pub fn step(&self, text: impl Into<String>) -> Step {
        let shared = Arc::new(Shared {
            ended: Mutex::new(false),
            wake: Condvar::new(),
        });
        let step = Step {
            style: self.style,
            text: text.into(),
            start: Instant::now(),
            shared,
            ticker: None,
        };
        step.with_ticker()
    }

    /// One line that is no step: a remark, a result.
    pub fn note(&self, text: impl Display) {
        match self.style {
            Style::Terminal => write_line(&format!("\x1b[2m  {text}\x1b[0m\n")),
            Style::Plain => write_line(&format!("  {text}\n")),
            Style::Silent => {}
        }
    }

    /// A line that opens a part of a longer story.
    pub fn title(&self, text: impl Display) {
        match self.style {
            Style::Terminal => write_line(&format!("\n\x1b[1m{text}\x1b[0m\n")),
            Style::Plain => write_line(&format!("\n{text}\n")),
            Style::Silent => {}
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// A step that runs.
#[derive(Debug)]
pub struct Step {
    style: Style,
    text: String,
    start: Instant,
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    ended: Mutex<bool>,
    wake: Condvar,
}

impl Step {
    /// Ends the step well.
    pub fn done(self) {
        let text = self.text.clone();
        self.done_as(text);
    }

    /// Ends the step well, under words that tell what came of it.
    pub fn done_as(mut self, text: impl Display) {
        self.finish(true, &text.to_string());
    }

    fn with_ticker(mut self) -> Self {
        if self.style != Style::Silent {
            let (shared, text, style, start) = (
                Arc::clone(&self.shared),
                self.text.clone(),
                self.style,
                self.start,
            );
            self.ticker = Some(thread::spawn(move || tick(&shared, &text, style, start)));
        }
        self
    }

    fn finish(&mut self, well: bool, text: &str) {
        let Some(ticker) = self.ticker.take() else { return };
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.wake.notify_all();
        // A ticker that panicked has nothing to tell.
        let _ = ticker.join();
        let took = self.start.elapsed();
        let time = if took < PATIENCE {
            String::new()
        } else {
            format!(" ({})", elapsed(took))
        };
        match (self.style, well) {
            (Style::Terminal, true) => {
                write_line(&format!("\r\x1b[K\x1b[32m✓\x1b[0m {text}\x1b[2m{time}\x1b[0m\n"));
            }
            (Style::Terminal, false) => write_line(&format!("\r\x1b[K\x1b[31m✗\x1b[0m {text}{time}\n")),
            (_, true) => write_line(&format!("ok     {text}{time}\n")),
            (_, false) => write_line(&format!("failed {text}{time}\n")),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let text = self.text.clone();
        self.finish(false, &text);
    }
}

fn tick(shared: &Shared, text: &str, style: Style, start: Instant) {
    let mut wait = PATIENCE;
    for frame in 0.. {
        let ended = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, _) = shared
            .wake
            .wait_timeout_while(ended, wait, |ended| !*ended)
            .unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return;
        }
        let time = elapsed(start.elapsed());
        if style == Style::Terminal {
            let spinner = SPINNER[frame % SPINNER.len()];
            write_line(&format!(
                "\r\x1b[K\x1b[36m{spinner}\x1b[0m {text}\x1b[2m {time}\x1b[0m"
            ));
            wait = FRAME;
        } else {
            write_line(&format!("...    {text} ({time})\n"));
            wait = REMINDER;
        }
    }
}

/// A duration as people say it: `3.2 s`, `45 s`, `2 min 5 s`.
pub fn elapsed(took: Duration) -> String {
    match took.as_secs() {
        0..10 => format!("{:.1} s", took.as_secs_f32()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn write_line(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to read it if this fails.
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_reads_like_speech() {
        assert_eq!(elapsed(Duration::from_millis(3210)), "3.2 s");
        assert_eq!(elapsed(Duration::from_secs(45)), "45 s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn a_step_ends_at_once_although_its_ticker_waits() {
        let start = Instant::now();
        Progress { style: Style::Plain }.step("nothing").done();
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
