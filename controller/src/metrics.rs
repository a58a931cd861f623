//! What the controller counts. Declared once, with closed sets of labels; prefix `pgherd_` is the registry's. A leaf.  // table

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::cache::Cache;
use crate::fleet::Fleet;
use crate::memory::Memories;
use crate::queue::Queue;

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TurnLabels {
    /// `edit` or `resync`.
    pub lane: &'static str,
    /// `done`, `stopped`, `failed`, `observed`, `paused`, `unreported`, `gone`, `panicked`.
    pub outcome: &'static str,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StepLabels {
    /// The action's kind.
    pub action: &'static str,
    /// `done`, `stopped`, or the error's category.
    pub outcome: &'static str,
}

/// The families that stages write to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ControllerMetrics {
    pub turns: Family<TurnLabels, Counter>,
    pub turn_seconds: Histogram,
    pub steps: Family<StepLabels, Counter>,
    /// Clusters without an object, whose members are still there.
    pub leftovers: Gauge,
    /// What keeps the operator's configuration from being in force; 0 when it is.
    pub configuration_problems: Gauge,
    /// CRDs in the cluster that are not of this version.
    pub foreign_definitions: Gauge,
}

impl ControllerMetrics {
    /// Families that nobody reads: for tests.
    pub fn unregistered() -> Self {
        Self {
            turns: Family::default(),
            // From a turn that reads nothing to one that waits for a pod's SQL.
            turn_seconds: Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0]),
            steps: Family::default(),
            leftovers: Gauge::default(),
            configuration_problems: Gauge::default(),
            foreign_definitions: Gauge::default(),
        }
    }

    pub fn count_step(&self, action: &'static str, outcome: &'static str) {
        self.steps.get_or_create(&StepLabels { action, outcome }).inc();
    }

    pub fn registered(registry: &mut Registry, sources: Sources) -> Self {
        let metrics = Self::unregistered();
        registry.register("controller_turns", "Turns of clusters", metrics.turns.clone());
        registry.register_with_unit(
            "controller_turn",
            "Time of a turn",
            Unit::Seconds,
            metrics.turn_seconds.clone(),
        );
        registry.register("controller_steps", "Steps of plans", metrics.steps.clone());
        registry.register(
            "controller_leftovers",
            "Clusters whose object is gone and whose members are still there, at the last look",
            metrics.leftovers.clone(),
        );
        registry.register(
            "controller_configuration_problems",
            "What keeps the operator's configuration from being in force",
            metrics.configuration_problems.clone(),
        );
        registry.register(
            "controller_foreign_definitions",
            "CRDs in the cluster that are of another version than the controller",
            metrics.foreign_definitions.clone(),
        );
        registry.register_collector(Box::new(sources));
        metrics
    }
}

/// What is read when somebody asks for the metrics.
#[derive(Debug, Default)]
pub struct Sources {
    pub cache: Arc<Cache>,
    pub queue: Queue,
    pub fleet: Arc<Fleet>,
    pub memories: Arc<Memories>,
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, help, value) in self.sizes() {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let mut holds = encoder.encode_descriptor(
            "controller_holds",
            "Clusters in which something is wanted and held back, by what it waits for",
            None,
            MetricType::Gauge,
        )?;
        for (reason, clusters) in self.memories.holds() {
            let clusters = i64::try_from(clusters).unwrap_or(i64::MAX);
            holds
                .encode_family(&[("reason", reason)])?
                .encode_gauge(&clusters)?;
        }
        let mut ages = encoder.encode_descriptor(
            "controller_roll_age",
            "Since when the pods of a cluster are to be made anew, of the one for which that is longest",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        let now = Timestamp::now();
        for (state, since) in self.memories.rolls() {
            let age = since.map_or(0, |since| now.duration_since(since).as_secs().max(0));
            ages.encode_family(&[("state", state.word())])?
                .encode_gauge(&age)?;
        }
        Ok(())
    }
}

impl Sources {
    fn sizes(&self) -> [(&'static str, &'static str, usize); 8] {
        let (edits, resyncs) = self.queue.waiting();
        let (rolling, waiting, failing) = self.fleet.counts();
        [
            (
                "controller_clusters",
                "Clusters of this controller",
                self.cache.manifests.len(),
            ),
            ("controller_pods", "Pods of clusters", self.cache.pods.len()),
            (
                "controller_objects",
                "Objects of clusters",
                self.cache.owned.len(),
            ),
            (
                "controller_waiting_edits",
                "Clusters that wait for a turn after a change",
                edits,
            ),
            (
                "controller_waiting_resyncs",
                "Clusters that wait for a turn by time",
                resyncs,
            ),
            (
                "controller_fleet_rolling",
                "Clusters whose pods roll for another reason than their own manifests",
                rolling,
            ),
            (
                "controller_fleet_failing",
                "Of those, clusters with a member that does not run",
                failing,
            ),
            (
                "controller_fleet_waiting",
                "Clusters that wait for others to have rolled",
                waiting,
            ),
        ]
    }
}
