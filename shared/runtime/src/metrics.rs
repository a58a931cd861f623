//! The metrics of a process: one registry, our own families under the prefix `pgherd_`, the process's under `process_`.
//!
//! Families are registered once, at the start, by whoever counts; afterwards the registry is only read.

mod process;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The registry of a process.
#[derive(Debug)]
pub struct Metrics {
    root: Registry,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    program: &'static str,
    version: &'static str,
}

impl Metrics {
    /// A registry with what every process shows: `pgherd_build_info` and `process_*`.
    pub fn new(program: &'static str) -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(process::ProcessUse::starting_now()));
        let mut metrics = Self { root };
        let build = Info::new(Build {
            program,
            version: env!("CARGO_PKG_VERSION"),
        });
        metrics.registry().register("build", "What is running", build);
        metrics
    }

    /// Where to register families; the prefix `pgherd_` is added here.
    pub fn registry(&mut self) -> &mut Registry {
        self.root.sub_registry_with_prefix("pgherd")
    }

    /// The text that a scrape gets.
    ///
    /// # Errors
    ///
    /// A collector failed to write.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.root)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn own_families_have_the_prefix_and_process_families_do_not() {
        let mut metrics = Metrics::new("webhook");
        let counter: Counter = Counter::default();
        metrics
            .registry()
            .register("reviews", "Reviews answered", counter.clone());
        counter.inc();
        let text = metrics.render().unwrap();
        assert!(text.contains("pgherd_reviews_total 1"), "{text}");
        assert!(text.contains("pgherd_build_info{program=\"webhook\""), "{text}");
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
    }
}
