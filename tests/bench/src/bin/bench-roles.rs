//! `cargo bench-roles`: see `pgherd_bench::roles`.

use std::process::ExitCode;

use clap::Parser;
use pgherd_bench::roles::{Size, run};

/// Measures how long the controller takes for the roles and databases of a large cluster, on a real PostgreSQL server, beside a psql script
/// that does the same work. What the figures mean: docs/benchmarks/roles.md.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-roles --", bin_name = "cargo bench-roles --", version)]
struct Arguments {
    /// Prepared databases, with six roles each
    #[arg(long, default_value_t = 100, value_name = "N")]
    databases: usize,
    /// Users beside these roles
    #[arg(long, default_value_t = 400, value_name = "N")]
    users: usize,
    /// How often everything is measured; the median counts
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
}

fn main() -> ExitCode {
    let Arguments {
        databases,
        users,
        rounds,
    } = Arguments::parse();
    match run(Size {
        databases,
        users,
        rounds,
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
