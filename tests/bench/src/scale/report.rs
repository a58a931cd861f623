//! From what was seen to what is shown: a table of everything, and one line per figure that has a goal (`name value unit goal ok|short`).

use std::time::Duration;

use super::Extent;
use super::creation::Creation;
use super::edits::Burst;
use super::restart::Restart;
use super::statistics::{Durations, mebibytes, number};
use super::steady::Steady;
use crate::figures::{Figure, Goal};
use crate::usage::Memory;

/// What was seen; nothing of what did not come to pass.
#[derive(Debug, Clone)]
pub struct Showing {
    extent: Extent,
    /// Objects of one cluster that the controller makes.
    objects: usize,
    pub bare: Option<Duration>,
    pub bare_with_pods: Option<Duration>,
    pub creation: Option<Creation>,
    pub more: Option<Creation>,
    pub steady: Option<Steady>,
    pub single: Option<Durations>,
    pub burst: Option<Burst>,
    /// After all edits.
    pub after: Option<Memory>,
    pub restart: Option<Restart>,
    pub restart_of_few: Option<Restart>,
    pub asked_of_patroni: usize,
}

impl Showing {
    pub fn new(extent: &Extent, objects: usize) -> Self {
        Self {
            extent: extent.clone(),
            objects,
            bare: None,
            bare_with_pods: None,
            creation: None,
            more: None,
            steady: None,
            single: None,
            burst: None,
            after: None,
            restart: None,
            restart_of_few: None,
            asked_of_patroni: 0,
        }
    }

    /// The figures that have goals.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        if let (Some(creation), Some(bare)) = (&self.creation, self.bare) {
            figures.extend(of_creation(creation, bare));
        }
        if let Some(steady) = &self.steady {
            figures.extend(of_idleness(steady, 2 * self.extent.clusters));
        }
        if let Some(single) = &self.single {
            let p99 = single.percentile(99);
            figures.push(Figure::new("edit.single.p99", p99, "s", Goal::Below(1.0)));
        }
        if let Some(burst) = &self.burst {
            let p99 = burst.pickups.percentile(99);
            figures.push(Figure::new("edit.in-a-burst.p99", p99, "s", Goal::Below(2.0)));
        }
        if let Some(restart) = &self.restart_of_few {
            figures.push(Figure::new(
                "restart.time",
                restart.seconds,
                "s",
                Goal::AtMost(10.0),
            ));
        }
        if let Some(restart) = &self.restart {
            let goal = Goal::AtMost(1.0);
            figures.push(Figure::new(
                "restart.requests",
                restart.requests,
                "per-cluster",
                goal,
            ));
        }
        figures
    }

    /// Everything, in lines.
    pub fn table(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} clusters at once, then {}; {} members each, {} objects each besides the manifest",
            self.extent.clusters,
            2 * self.extent.clusters,
            self.extent.instances,
            self.objects
        )];
        for (what, took) in [("without pods", self.bare), ("with pods", self.bare_with_pods)] {
            if let Some(took) = took {
                let rate = number(self.extent.clusters) / took.as_secs_f64();
                let seconds = took.as_secs_f64();
                lines.push(format!(
                    "bare client, {what}: {seconds:.1} s, {rate:.1} clusters per second"
                ));
            }
        }
        for creation in self.creation.iter().chain(&self.more) {
            lines.extend(creation.lines());
        }
        if let Some(steady) = &self.steady {
            lines.extend(steady.lines());
        }
        for (what, pickups) in [
            ("single edits", self.single.as_ref()),
            (
                "edits in a burst",
                self.burst.as_ref().map(|burst| &burst.pickups),
            ),
        ] {
            lines.extend(pickups.map(|pickups| pickup_line(what, pickups)));
        }
        if let Some(burst) = &self.burst {
            lines.push(format!(
                "both bursts of {} clusters over after {:.0} s",
                burst.rolling, burst.over
            ));
        }
        if let Some(memory) = self.after {
            lines.push(memory_line("after all edits", memory));
        }
        for restart in self.restart.iter().chain(&self.restart_of_few) {
            lines.extend(restart.lines());
        }
        lines.push(format!(
            "changes asked of simulated Patronis: {}",
            self.asked_of_patroni
        ));
        lines
    }
}

fn of_creation(creation: &Creation, bare: Duration) -> [Figure; 3] {
    let ratio = creation.exist / bare.as_secs_f64();
    [
        Figure::new("create.exist-to-bare", ratio, "ratio", Goal::AtMost(1.5)),
        Figure::new(
            "create.requests",
            creation.requests,
            "per-cluster",
            Goal::AtMost(17.5),
        ),
        Figure::new("create.cpu", creation.cpu, "ms-per-cluster", Goal::AtMost(15.0)),
    ]
}

fn of_idleness(steady: &Steady, clusters: usize) -> [Figure; 3] {
    let rate = number(steady.requests) / steady.seconds / number(clusters) * 100.0;
    let unit = "per-s-per-100-clusters";
    [
        Figure::new(
            "idle.memory",
            mebibytes(steady.memory.resident),
            "MiB",
            Goal::AtMost(64.0),
        ),
        Figure::new("idle.requests", rate, unit, Goal::Below(0.1)),
        Figure::new("idle.writes", number(steady.writes), "writes", Goal::AtMost(0.0)),
    ]
}

impl Creation {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{} new clusters: written after {:.1} s, all {} objects exist after {:.1} s, all run after {:.1} s",
                self.clusters, self.applied, self.objects, self.exist, self.running
            ),
            format!(
                "  controller, per cluster: {:.2} requests, {:.1} turns, {:.1} ms of CPU",
                self.requests, self.turns, self.cpu
            ),
            memory_line("  controller", self.memory),
        ];
        lines.extend(
            self.by_kind
                .iter()
                .map(|(kind, count)| format!("    {count:6.2} {kind}")),
        );
        lines.push("  everybody's writes (and the controller's reads), per cluster:".to_owned());
        lines.extend(
            self.by_user
                .iter()
                .take(12)
                .map(|(user, count)| format!("    {count:6.2} {user}")),
        );
        lines
    }
}

impl Steady {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "idle for {:.0} s: {:.0} ms of CPU, {} requests, {} writes (without the lease)",
                self.seconds, self.cpu, self.requests, self.writes
            ),
            memory_line("  controller", self.memory),
        ];
        lines.extend(
            self.by_kind
                .iter()
                .map(|(kind, count)| format!("    {count:6} {kind}")),
        );
        lines
    }
}

impl Restart {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "restart with {} clusters: in sync after {:.1} s, {:.2} requests and {:.1} ms of CPU per cluster, {} writes",
                self.clusters, self.seconds, self.requests, self.cpu, self.writes
            ),
            memory_line("  controller", self.memory),
        ];
        lines.extend(
            self.by_kind
                .iter()
                .take(12)
                .map(|(kind, count)| format!("    {count:6} {kind}")),
        );
        lines
    }
}

fn pickup_line(what: &str, pickups: &Durations) -> String {
    format!(
        "{} {what}: picked up after {:.3} s (p50), {:.3} s (p99), {:.3} s (longest)",
        pickups.len(),
        pickups.percentile(50),
        pickups.percentile(99),
        pickups.longest()
    )
}

fn memory_line(what: &str, memory: Memory) -> String {
    format!(
        "{what}: {:.1} MiB resident, {:.1} of it heap and stacks, {:.1} at most",
        mebibytes(memory.resident),
        mebibytes(memory.anonymous),
        mebibytes(memory.peak)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing() -> Showing {
        let extent = Extent {
            clusters: 500,
            instances: 1,
            edits: 200,
            burst: 100,
            idle: 60,
        };
        Showing::new(&extent, 8)
    }

    #[test]
    fn a_figure_is_a_line_with_its_goal() {
        let mut showing = showing();
        let memory = Memory {
            resident: 80 << 20,
            ..Memory::default()
        };
        showing.steady = Some(Steady {
            seconds: 60.0,
            memory,
            cpu: 10.0,
            requests: 30,
            writes: 0,
            by_kind: Vec::new(),
        });
        showing.single = Some((1..=100).map(Duration::from_millis).collect());
        let lines: Vec<_> = showing.figures().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "idle.memory 80.00 MiB <=64 short",
                "idle.requests 0.05 per-s-per-100-clusters <0.1 ok",
                "idle.writes 0.00 writes <=0 ok",
                "edit.single.p99 0.10 s <1 ok",
            ]
        );
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        assert!(showing().figures().is_empty());
        assert_eq!(showing().table().len(), 2);
    }
}
