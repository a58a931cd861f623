//! From samples to what is shown: a table of everything, and one line per figure that has a goal (`name value unit goal ok|short`).

use std::fmt::{self, Display};

use crate::run::{Sample, Scenario, Showing};
use crate::server::Kind;

/// Million bytes, the unit of the goal.
const MEGABYTE: f64 = 1e6;

/// A figure and what was hoped for.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

/// What was hoped for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Less than this.
    Below(f64),
}

impl Figure {
    /// One of what was measured.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            goal,
        }
    }
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Below(bound) => value < bound,
        }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">={least}"),
            Self::AtMost(most) => write!(f, "<={most}"),
            Self::Below(bound) => write!(f, "<{bound}"),
        }
    }
}

impl Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            unit,
            goal,
        } = self;
        let verdict = if goal.is_met(*value) { "ok" } else { "short" };
        write!(f, "{name} {value:.2} {unit} {goal} {verdict}")
    }
}

/// The middle of what the rounds gave.
fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = samples.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The middle of the rounds' ratios: what disturbed a round disturbed both sides of it.
fn ratio(ours: &[Sample], others: &[Sample]) -> f64 {
    let pairs = ours.iter().zip(others);
    median(pairs.map(|(ours, other)| ours.per_cpu_second / other.per_cpu_second))
}

fn of(showings: &[Showing], kind: Kind) -> Option<&Showing> {
    showings.iter().find(|showing| showing.kind == kind)
}

/// The figures that have goals. Latency has one where nobody waits for a core: one connection, the small reviews.
pub fn figures(scenarios: &[Scenario], showings: &[Showing]) -> Vec<Figure> {
    let (Some(ours), Some(echo), Some(go)) = (
        of(showings, Kind::Pgherd),
        of(showings, Kind::Echo),
        of(showings, Kind::Go),
    ) else {
        return Vec::new();
    };
    let mut figures = Vec::new();
    let mut add = |name: String, value, unit, goal| {
        figures.push(Figure::new(name, value, unit, goal));
    };
    for (number, scenario) in scenarios
        .iter()
        .enumerate()
        .filter(|(_, scenario)| scenario.is_small())
    {
        let (samples, name) = (&ours.samples[number], &scenario.name);
        let times = ratio(samples, &go.samples[number]);
        add(format!("{name}.rate-to-go"), times, "ratio", Goal::AtLeast(3.0));
        let share = ratio(samples, &echo.samples[number]);
        add(format!("{name}.rate-to-echo"), share, "ratio", Goal::AtLeast(0.8));
        if scenario.is_alone() {
            let p99 = median(samples.iter().map(|sample| sample.p99.as_secs_f64() * 1e3));
            add(format!("{name}.p99"), p99, "ms", Goal::Below(0.5));
        }
    }
    for (name, bytes) in [
        ("memory.idle", ours.idle.resident),
        ("memory.loaded", ours.loaded.resident),
        ("memory.peak", ours.loaded.peak),
    ] {
        add(name.to_owned(), megabytes(bytes), "MB", Goal::AtMost(15.0));
    }
    figures
}

#[expect(clippy::cast_precision_loss, reason = "a process has less than 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}

/// Everything that was measured, in lines.
pub fn table(scenarios: &[Scenario], showings: &[Showing]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:18} {:8} {:>12} {:>10} {:>9} {:>9} {:>9}",
        "scenario", "server", "per CPU s", "per s", "p50 ms", "p99 ms", "pgherd is"
    )];
    for (number, scenario) in scenarios.iter().enumerate() {
        let ours = of(showings, Kind::Pgherd).map(|showing| showing.samples[number].as_slice());
        let rows = showings.iter().map(|showing| {
            let samples = &showing.samples[number];
            row(&scenario.name, showing.kind, samples, ours.unwrap_or_default())
        });
        lines.extend(rows);
    }
    lines.push(format!(
        "{:18} {:8} {:>12} {:>10} {:>9} {:>9}",
        "memory MB", "server", "idle", "loaded", "heap", "peak"
    ));
    lines.extend(showings.iter().map(|showing| {
        let (idle, loaded) = (showing.idle, showing.loaded);
        format!(
            "{:18} {:8} {:>12.1} {:>10.1} {:>9.1} {:>9.1}",
            "",
            showing.kind.name(),
            megabytes(idle.resident),
            megabytes(loaded.resident),
            megabytes(loaded.anonymous),
            megabytes(loaded.peak)
        )
    }));
    lines
}

fn row(scenario: &str, kind: Kind, samples: &[Sample], ours: &[Sample]) -> String {
    let middle = |of: fn(&Sample) -> f64| median(samples.iter().map(of));
    format!(
        "{scenario:18} {:8} {:>12.0} {:>10.0} {:>9.3} {:>9.3} {:>8.2}x",
        kind.name(),
        middle(|sample| sample.per_cpu_second),
        middle(|sample| sample.per_second),
        middle(|sample| sample.p50.as_secs_f64() * 1e3),
        middle(|sample| sample.p99.as_secs_f64() * 1e3),
        ratio(ours, samples)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(per_cpu_second: f64) -> Sample {
        Sample {
            per_second: per_cpu_second,
            per_cpu_second,
            p50: Duration::from_micros(100),
            p99: Duration::from_micros(200),
        }
    }

    #[test]
    fn ratio_is_of_rounds_that_belong_together() {
        let ours = [sample(100.0), sample(10.0), sample(90.0)];
        let others = [sample(50.0), sample(5.0), sample(30.0)];
        assert!((ratio(&ours, &others) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn verdict_follows_the_goal() {
        let line = |value, goal| Figure::new("a.p99", value, "ms", goal).to_string();
        assert_eq!(line(0.49, Goal::Below(0.5)), "a.p99 0.49 ms <0.5 ok");
        assert_eq!(line(0.5, Goal::Below(0.5)), "a.p99 0.50 ms <0.5 short");
        assert_eq!(line(2.9, Goal::AtLeast(3.0)), "a.p99 2.90 ms >=3 short");
        assert_eq!(line(15.0, Goal::AtMost(15.0)), "a.p99 15.00 ms <=15 ok");
    }
}
