//! `cargo bench-scale`: see `pgherd_bench::scale`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use pgherd_bench::scale::{Extent, Teller, run};
use pgherd_bench::server;

/// Measures the controller with many clusters, on a real API server, with simulated pods.
///
/// Builds what is not built, brings the local Kubernetes up (without nodes) if it does not run, applies manifests, and compares with a bare
/// client that writes the same objects. What the figures mean: docs/benchmarks/scale.md.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-scale --", bin_name = "cargo bench-scale --", version)]
struct Arguments {
    /// Clusters that are applied at once; the second part has twice as many
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=2000))]
    clusters: u16,
    /// Members of each cluster
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5))]
    instances: u32,
    /// Edits that are timed, one after the other
    #[arg(long, default_value_t = 200, value_name = "N")]
    edits: u16,
    /// Clusters that roll while other edits are timed
    #[arg(long, default_value_t = 100, value_name = "N")]
    burst: u16,
    /// How long nothing happens
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    idle: u64,
    /// Take the controller as it is, beside this program, instead of building what is not built
    #[arg(long)]
    as_built: bool,
}

impl Arguments {
    fn extent(&self) -> Extent {
        Extent {
            clusters: self.clusters.into(),
            instances: self.instances,
            edits: self.edits.into(),
            burst: self.burst.into(),
            idle: self.idle,
        }
    }
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    if !arguments.as_built {
        server::build_controller()?;
    }
    let program = std::env::current_exe()?.with_file_name("pgherd-controller");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let teller = Teller::default();
    let showing = runtime.block_on(run(program, &arguments.extent(), &teller))?;
    teller.tell("done");
    for line in showing.table() {
        println!("{line}");
    }
    println!();
    for figure in showing.figures() {
        println!("{figure}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent_and_have_the_sizes_of_the_goals() {
        Arguments::command().debug_assert();
        let extent = Arguments::parse_from(["bench-scale"]).extent();
        assert_eq!((extent.clusters, extent.edits, extent.burst), (500, 200, 100));
        assert!(Arguments::try_parse_from(["bench-scale", "--clusters", "1"]).is_err());
    }
}
