//! `cargo bench-webhook`: see `pgherd_bench`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use pgherd_bench::figures::{figures, table};
use pgherd_bench::run::{Extent, Field, reviews, scenarios};
use pgherd_bench::server::Programs;

/// Measures the webhook beside a bare echo on the same libraries and beside a Go webhook on controller-runtime.
///
/// Builds what is not built, starts the three servers on the loopback, sends them the same reviews in turns, and compares. What the figures
/// mean: docs/benchmarks.md.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-webhook --", bin_name = "cargo bench-webhook --", version)]
struct Arguments {
    /// How often each scenario is measured on each server
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each measurement takes
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    seconds: f64,
    /// Only scenarios with this in their name, such as `create-4KiB` or `update-64KiB-16`; may be given several times
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Take the programs as they are, beside this one, instead of building what is not built
    #[arg(long)]
    as_built: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        (0.05..=60.0).contains(&arguments.seconds),
        "--seconds is between 0.05 and 60"
    );
    let scenarios = scenarios(&reviews()?, &arguments.only);
    ensure!(
        !scenarios.is_empty(),
        "no scenario has {:?} in its name",
        arguments.only
    );
    let programs = if arguments.as_built {
        Programs::as_built()?
    } else {
        Programs::build()?
    };
    let folder = tempfile::tempdir().context("make a folder for this run")?;
    let extent = Extent {
        rounds: arguments.rounds,
        time: Duration::from_secs_f64(arguments.seconds),
    };
    // One thread makes the load, so that it leaves as much of the machine to the servers as it can.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let showings = runtime.block_on(async {
        let field = Field::start(&programs, folder.path()).await?;
        let tell = |round| eprintln!("round {round} of {}", extent.rounds);
        field.measure(&scenarios, &extent, tell).await
    })?;
    for line in table(&scenarios, &showings) {
        println!("{line}");
    }
    println!();
    for figure in figures(&scenarios, &showings) {
        println!("{figure}");
    }
    Ok(())
}
