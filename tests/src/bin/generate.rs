//! `cargo generate`: writes the generated files that are not current, and names them.

use std::io::Write;

use anyhow::Result;
use pgherd_tests::generated;

fn main() -> Result<()> {
    let root = generated::root();
    let stale = generated::stale(&root)?;
    generated::write(&root, &stale)?;
    let mut out = std::io::stdout();
    for file in &stale {
        writeln!(out, "{}", file.path)?;
    }
    if stale.is_empty() {
        writeln!(out, "all generated files are current")?;
    }
    Ok(())
}
