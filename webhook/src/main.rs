//! Entry point of the webhook: arguments, log, run, one sentence when that fails.

use std::num::NonZero;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clap::error::ErrorKind;
use mimalloc::MiMalloc;
use pgherd_runtime::log;
use pgherd_webhook::args::Args;
use pgherd_webhook::start::run;
use tracing::error;

/// A review makes a thousand small values and drops them at once; the system's allocator spends a third of its time on that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(err) = log::init(&args.log) {
        clap::Error::raw(ErrorKind::ValueValidation, format!("{err}\n")).exit();
    }
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            error!("{err:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reviews are short. More threads would not answer sooner, and each keeps memory of the largest review that it has seen.
const MOST_THREADS: usize = 4;

fn start(args: Args) -> anyhow::Result<()> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.min(MOST_THREADS))
        .enable_all()
        .build()
        .context("cannot start threads")?;
    Ok(runtime.block_on(run(args))?)
}
