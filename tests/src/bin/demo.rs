//! `cargo demo`: see `pgherd_tests::demo`.

use std::process::ExitCode;

use clap::Parser;
use pgherd_tests::demo::{Arguments, run};
use pgherd_tests::progress::Progress;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments, &Progress::new()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
