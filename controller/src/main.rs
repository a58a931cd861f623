//! Entry point of the controller: arguments, log, run, one sentence when that fails.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use mimalloc::MiMalloc;
use pgherd_controller::args::{ControllerArgs, with_two_dashes};
use pgherd_controller::run::run;
use pgherd_runtime::log;
use pgherd_runtime::tasks::chain;

/// A turn parses its cluster's objects and drops them at its end, as a review does: many small values at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let args = ControllerArgs::parse_from(std::env::args_os().map(with_two_dashes));
    if let Err(error) = log::init(&args.log) {
        clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n")).exit();
    }
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
