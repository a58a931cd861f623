//! Calling kubectl, against the local Kubernetes or a cluster of the user's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::Run;

/// How long kubectl may take; every command here is one question or one change.
const TIMEOUT: Duration = Duration::from_secs(90);
/// For the words of one that has waited in vain.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// One that is told itself how long it may wait has that time.
fn patience(args: &[String]) -> Duration {
    let told = args
        .iter()
        .find_map(|arg| arg.strip_prefix("--timeout=")?.strip_suffix('s')?.parse().ok());
    told.map_or(TIMEOUT, |seconds| {
        TIMEOUT.max(Duration::from_secs(seconds) + LAST_WORDS)
    })
}

/// Which kubectl, and which cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    selection: Vec<String>,
}

impl Kubectl {
    /// The cluster that a kubeconfig's current context names.
    pub fn of_kubeconfig(program: &Path, kubeconfig: &Path) -> Self {
        Self {
            program: program.to_owned(),
            selection: vec![format!("--kubeconfig={}", kubeconfig.display())],
        }
    }

    /// A context of the user's own kubeconfig.
    pub fn of_context(program: &Path, context: &str) -> Self {
        Self {
            program: program.to_owned(),
            selection: vec![format!("--context={context}")],
        }
    }

    /// A call of kubectl with `args`, not run yet.
    pub fn call<A: AsRef<str>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Run::new(&self.program)
            .timeout(patience(&args))
            .args(&self.selection)
            .args(args)
    }

    /// Runs `kubectl` with the words of `line`, and returns what it prints.
    ///
    /// # Errors
    /// When it exits with anything but 0, with its last words.
    pub fn run(&self, line: &str) -> Result<String> {
        self.call(line.split_whitespace()).output()
    }

    /// Applies `manifest`.
    ///
    /// # Errors
    /// When the API server refuses it, with its words.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        self.call(["apply", "-f", "-"]).stdin_text(manifest).output()
    }

    /// One value by `JSONPath`, empty when it is not there.
    ///
    /// # Errors
    /// When the object cannot be read.
    pub fn value(&self, object: &str, path: &str) -> Result<String> {
        let output = format!("-o=jsonpath={{{path}}}");
        self.call(
            ["get"]
                .into_iter()
                .chain(object.split_whitespace())
                .chain([output.as_str()]),
        )
        .output()
    }

    /// Asks for a value until `wanted` says yes, telling `seen` each new one.
    ///
    /// # Errors
    /// When `limit` passes first, with the last value or error.
    pub fn wait_for_value(
        &self,
        object: &str,
        path: &str,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
        mut seen: impl FnMut(&str),
    ) -> Result<String> {
        let end = Instant::now() + limit;
        let mut last = None;
        loop {
            let value = self.value(object, path);
            if let Ok(value) = &value {
                if last.as_ref() != Some(value) {
                    seen(value);
                    last = Some(value.clone());
                }
                if wanted(value) {
                    return Ok(value.clone());
                }
            }
            if Instant::now() > end {
                value.with_context(|| format!("waiting {} s for {path} of {object}", limit.as_secs()))?;
                bail!(
                    "{path} of {object} is {:?} after {} s",
                    last.unwrap_or_default(),
                    limit.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_to_wait_may_wait() {
        let of = |line: &str| patience(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).as_secs();
        assert_eq!(of("get pods"), 90);
        assert_eq!(of("wait pod/a --timeout=30s"), 90);
        assert_eq!(of("delete pg a --timeout=240s"), 250);
    }
}
