//! Programs of ours, as cargo builds them for tests. Must not: images of them (`images`).

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::images::executable;

/// The program of a package, built if it is not.
///
/// # Errors
/// When it does not compile.
pub fn built(package: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            package,
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start cargo to compile {package}"))?;
    if !done.status.success() {
        bail!("{package} does not compile; see the messages above");
    }
    executable(&String::from_utf8_lossy(&done.stdout), package)
}
