//! What the kernel counted for a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of times in `/proc/PID/stat`: a hundredth of a second, on every Linux that is in use.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far, in user and in kernel mode, all threads.
///
/// # Errors
///
/// There is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    ticks(&stat)
        .map(|ticks| TICK * ticks)
        .with_context(|| format!("{path} reads {stat:?}"))
}

/// Fields 14 and 15, counted behind the program's name, which may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

/// Memory of a process that is in the machine's, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// Of that, not backed by a file: heap and stacks.
    pub anonymous: u64,
    /// The most so far.
    pub peak: u64,
}

/// Memory of a process.
///
/// # Errors
///
/// There is no such process.
pub fn memory(process: u32) -> Result<Memory> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let bytes = |field: &str| {
        kibibytes(&status, field)
            .map(|number| number * 1024)
            .with_context(|| format!("{path} has no {field}"))
    };
    Ok(Memory {
        resident: bytes("VmRSS:")?,
        anonymous: bytes("RssAnon:")?,
        peak: bytes("VmHWM:")?,
    })
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(field))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_and_brackets_do_not_shift_the_fields() {
        let stat = "7 (a ) b) S 1 1 1 0 -1 4194560 1 0 0 0 123 77 0 0 20 0 3 0 1 1 1";
        assert_eq!(ticks(stat), Some(200));
    }

    #[test]
    fn this_process_uses_what_it_uses() {
        let start = cpu(std::process::id()).unwrap();
        let begun = std::time::Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed() < Duration::from_millis(80) {
            sum = sum.wrapping_add(1);
        }
        assert!(cpu(std::process::id()).unwrap() > start, "{sum}");
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.peak >= memory.resident && memory.resident > memory.anonymous);
    }
}
