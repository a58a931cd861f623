//! Entry point: arguments, log, and a runtime for `run`.

use clap::Parser;
use pgherd_controller::args::ControllerArgs;
use pgherd_controller::run::run;
use pgherd_runtime::log;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = ControllerArgs::parse();
    log::init(&args.log)?;
    run(args).await
}
