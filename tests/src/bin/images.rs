//! `cargo images [pause|own|postgres ...]`: makes the images that are missing and prints the paths of their archives, as
//! `cargo localkube load` takes them. All of them when none is named.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use pgherd_tests::images;
use pgherd_tests::progress::Progress;

#[derive(Parser)]
struct Arguments {
    /// Which images.
    #[arg(default_values_t = [Which::Pause, Which::Own, Which::Postgres], value_enum)]
    images: Vec<Which>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Pause,
    Own,
    Postgres,
}

fn main() -> Result<()> {
    let progress = Progress::new();
    for which in Arguments::parse().images {
        for tar in archives(which, &progress)? {
            writeln!(std::io::stdout(), "{}", tar.display())?;
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
