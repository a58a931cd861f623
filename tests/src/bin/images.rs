//! `cargo images [pause|own|postgres ...]`: makes the images that are missing and prints the paths of their archives, as
//! `cargo localkube load` takes them. All of them when none is named.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use pgherd_tests::images;
use pgherd_tests::progress::Progress;

/// The images that the local Kubernetes runs: makes what is missing, prints where the archives are.
#[derive(Parser)]
#[command(name = "cargo images", bin_name = "cargo images", after_help = EXAMPLE)]
struct Arguments {
    /// Which images.
    #[arg(default_values_t = [Which::Pause, Which::Own, Which::Postgres], value_enum)]
    images: Vec<Which>,
}

const EXAMPLE: &str = "\
Example:
  cargo localkube load $(cargo images postgres)    put the database image into the nodes";

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// What holds a pod's namespaces.
    Pause,
    /// Controller and webhook.
    Own,
    /// The database, which stands in for Spilo.
    Postgres,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().images) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(images: &[Which]) -> Result<()> {
    let progress = Progress::new();
    for which in images {
        for tar in archives(*which, &progress)? {
            println!("{}", tar.display());
        }
    }
    Ok(())
}

fn archives(which: Which, progress: &Progress) -> Result<Vec<PathBuf>> {
    Ok(match which {
        Which::Pause => vec![images::pause(progress)?],
        Which::Own => images::own(progress)?
            .into_iter()
            .map(|image| image.tar)
            .collect(),
        Which::Postgres => vec![images::postgres(progress)?],
    })
}
