//! What the process uses, read from `/proc` at each scrape, under the names that every Prometheus client has for it.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Ticks per second in `/proc/self/stat`: fixed in the kernel's interface to user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// The collector of the `process_*` families.
#[derive(Debug)]
pub(super) struct ProcessUse {
    start: f64,
}

impl ProcessUse {
    /// For a process that starts now.
    pub(super) fn starting_now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            start: since.as_secs_f64(),
        }
    }
}

impl Collector for ProcessUse {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        gauge(
            &mut encoder,
            "process_start_time",
            "When the process started",
            &Unit::Seconds,
            self.start,
        )?;
        if let Some(bytes) = read("/proc/self/status").as_deref().and_then(resident_bytes) {
            gauge(
                &mut encoder,
                "process_resident_memory",
                "Resident memory",
                &Unit::Bytes,
                bytes,
            )?;
        }
        if let Some(seconds) = read("/proc/self/stat").as_deref().and_then(cpu_seconds) {
            let counter = ConstCounter::new(seconds);
            let kind = counter.metric_type();
            let metric =
                encoder.encode_descriptor("process_cpu", "CPU time used", Some(&Unit::Seconds), kind)?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: &Unit,
    value: f64,
) -> Result<(), std::fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, Some(unit), gauge.metric_type())?)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Fields 14 and 15, counted after the name, which may hold spaces.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "the sums are exact")]
    fn reads_what_the_kernel_writes() {
        assert_eq!(
            resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"),
            Some(2_097_152.0)
        );
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 1 2";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }
}
