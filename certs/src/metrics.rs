//! What can be counted of the certificates: when they end, and whether the API server trusts what it should.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::authority::Certificate;
use crate::bundle::Bundle;
use crate::leaf::Leaf;

/// The gauges. Cheap to clone; clones are the same gauges.
#[derive(Debug, Clone, Default)]
pub struct CertMetrics {
    not_after: Family<Which, Gauge<f64, AtomicU64>>,
    in_sync: Family<Configuration, Gauge>,
    changes: Family<ChangeMade, Counter>,
    reloads: Family<Reload, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Which {
    certificate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Configuration {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeMade {
    change: String,
}

impl CertMetrics {
    /// Gauges that show up in the metrics.
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_with_unit(
            "certificate_not_after",
            "When a certificate of the webhook ends, as seconds since 1970; 0 when there is none",
            Unit::Seconds,
            metrics.not_after.clone(),
        );
        let help = "1 when every entry of the webhook configuration trusts exactly our authorities";
        registry.register("ca_bundle_in_sync", help, metrics.in_sync.clone());
        registry.register(
            "ca_changes",
            "Changes of the authorities made by this process",
            metrics.changes.clone(),
        );
        registry.register(
            "certificate_reloads",
            "New certificate files: served, or refused because they are of no use",
            metrics.reloads.clone(),
        );
        // What has not happened is shown as 0: an alert on its growth would miss the first time otherwise.
        for outcome in ["served", "refused"] {
            let _ = metrics.reloads.get_or_create(&Reload { outcome });
        }
        metrics.show_leaf(None);
        metrics
    }

    pub(crate) fn show(&self, bundle: &Bundle, leaf: Option<&Leaf>) {
        self.show_end("active", Some(bundle.active.certificate().not_after()));
        self.show_end(
            "next",
            bundle.next.as_ref().map(|next| next.certificate().not_after()),
        );
        self.show_end("old", bundle.old.iter().map(|old| old.until).min());
        self.show_leaf(leaf);
    }

    pub(crate) fn show_leaf(&self, leaf: Option<&Leaf>) {
        self.show_end("leaf", leaf.map(|leaf| leaf.certificate().not_after()));
    }

    /// What the API server is to trust, when it comes from a file: the first of them that ends.
    pub(crate) fn show_authorities(&self, authorities: &[Certificate]) {
        self.show_end("active", authorities.iter().map(Certificate::not_after).min());
    }

    pub(crate) fn count_reload(&self, is_good: bool) {
        let outcome = if is_good { "served" } else { "refused" };
        self.reloads.get_or_create(&Reload { outcome }).inc();
    }

    /// Does a kind of configuration trust what it should?
    pub fn show_sync(&self, kind: &'static str, in_sync: bool) {
        self.in_sync
            .get_or_create(&Configuration { kind })
            .set(i64::from(in_sync));
    }

    pub(crate) fn count(&self, change: crate::rotation::Change) {
        self.changes
            .get_or_create(&ChangeMade {
                change: format!("{change:?}").to_lowercase(),
            })
            .inc();
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "seconds since 1970 fit a double for millions of years"
    )]
    fn show_end(&self, certificate: &'static str, end: Option<Timestamp>) {
        let seconds = end.map_or(0.0, |end| end.as_second() as f64);
        self.not_after.get_or_create(&Which { certificate }).set(seconds);
    }
}
