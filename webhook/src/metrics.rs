//! What the webhook counts.

use std::time::Duration;

use pgherd_model::validate::Severity;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::route::Route;

/// From fractions of a millisecond, where reviews are, to the API server's patience.
const BUCKETS: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// Why handshakes fail.
pub(crate) const HANDSHAKE_FAILURES: [&str; 6] = [
    "refused_by_client",
    "incompatible",
    "not_tls",
    "tls",
    "closed",
    "timeout",
];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Allowed as it is.
    Allowed,
    /// Allowed with defaults added.
    Patched,
    /// Refused.
    Denied,
    /// Not a review.
    Malformed,
    /// Too large.
    Oversized,
    /// The client did not send it in time.
    Slow,
    /// No slot was free in time.
    Overloaded,
    /// The operator's configuration is not known yet.
    Unready,
    /// A bug.
    Panicked,
}

/// What is being done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `CREATE`.
    Create,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// There is no review, or none that says.
    Unknown,
}

/// The families. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    reviews: Family<ReviewLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    violations: Family<RuleLabels, Counter>,
    handshakes: Family<ReasonLabels, Counter>,
    connections: Gauge,
    in_flight: Gauge,
}

/// Something that goes on; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Going(Gauge);

impl Going {
    fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    kind: &'static str,
    verb: &'static str,
    operation: &'static str,
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    kind: &'static str,
    verb: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: &'static str,
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Outcome {
    /// Those without a verdict.
    const NO_REVIEW: [Self; 6] = [
        Self::Malformed,
        Self::Oversized,
        Self::Slow,
        Self::Overloaded,
        Self::Unready,
        Self::Panicked,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Patched => "patched",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Slow => "slow",
            Self::Overloaded => "overloaded",
            Self::Unready => "unready",
            Self::Panicked => "panicked",
        }
    }
}

impl Operation {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "CREATE" => Self::Create,
            "UPDATE" => Self::Update,
            "DELETE" => Self::Delete,
            _ => Self::Unknown,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Unknown => "unknown",
        }
    }
}

impl Default for WebhookMetrics {
    fn default() -> Self {
        Self {
            reviews: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            violations: Family::default(),
            handshakes: Family::default(),
            connections: Gauge::default(),
            in_flight: Gauge::default(),
        }
    }
}

impl WebhookMetrics {
    /// Families that show up in the metrics.
    pub fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register(
            "reviews",
            "Reviews by kind of object, verb, operation and verdict",
            all.reviews.clone(),
        );
        let help = "Time from a review's header to its answer";
        registry.register_with_unit("review_duration", help, Unit::Seconds, all.durations.clone());
        registry.register(
            "violations",
            "Violations found, by rule and by whether they refused or warned",
            all.violations.clone(),
        );
        registry.register(
            "handshake_failures",
            "TLS handshakes that failed, by reason",
            all.handshakes.clone(),
        );
        registry.register("connections", "Open connections", all.connections.clone());
        registry.register(
            "reviews_in_flight",
            "Reviews being answered",
            all.in_flight.clone(),
        );
        all.show_nothing();
        all
    }

    /// What has not happened is shown as 0: an alert on its growth would miss the first time otherwise.
    fn show_nothing(&self) {
        for route in Route::ALL {
            let (kind, verb) = (route.subject(), route.verb());
            let _ = self.durations.get_or_create(&RouteLabels { kind, verb });
            for outcome in Outcome::NO_REVIEW {
                let _ = self.reviews.get_or_create(&ReviewLabels {
                    kind,
                    verb,
                    operation: Operation::Unknown.label(),
                    verdict: outcome.label(),
                });
            }
        }
        for reason in HANDSHAKE_FAILURES {
            let _ = self.handshakes.get_or_create(&ReasonLabels { reason });
        }
    }

    /// A review is being answered.
    pub(crate) fn in_flight(&self) -> Going {
        Going::on(&self.in_flight)
    }

    /// A connection is open.
    pub(crate) fn connection(&self) -> Going {
        Going::on(&self.connections)
    }

    pub(crate) fn count_review(&self, route: Route, operation: Operation, outcome: Outcome, took: Duration) {
        let (kind, verb) = (route.subject(), route.verb());
        self.reviews
            .get_or_create(&ReviewLabels {
                kind,
                verb,
                operation: operation.label(),
                verdict: outcome.label(),
            })
            .inc();
        self.durations
            .get_or_create(&RouteLabels { kind, verb })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn count_violation(&self, rule: &'static str, severity: Severity) {
        let severity = match severity {
            Severity::Deny => "deny",
            Severity::Warn => "warn",
        };
        self.violations
            .get_or_create(&RuleLabels { rule, severity })
            .inc();
    }

    pub(crate) fn count_handshake_failure(&self, reason: &'static str) {
        self.handshakes.get_or_create(&ReasonLabels { reason }).inc();
    }
}
