//! The command line `pgherd`: what admission and the controller would say and do, from files and of clusters that run. Linked or copied as
//! `kubectl-pgherd` it is `kubectl pgherd`. Meaning is in the model and the planner, looking at clusters is the controller's; nothing here
//! decides.
//!
//! ```text
//! args ─► input (files ─► documents) ─► lint ────► finding (text, JSON) or sarif ─┐
//!           └─► places (lines)        ├─ default ─► YAML or patch ────────────────┼─► printer ─► exit code
//!                                     ├─ impact ──► lines ──────────────────────────┤
//!         configuration (--config) ───┴─ objects ─► YAML ─────────────────────────┤
//!                                        catalogue (rules, explain) ─────────────┤
//!       └─► online (API server, ─┬─ plan, snapshot, status, adopt ─► lines, JSON ─┘
//!            configuration)      └─ ask (switchover, restart, pause, resume)
//! ```

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Verb};
use error::CliError;
use printer::Printer;

mod adopt;
mod args;
mod ask;
mod catalogue;
mod configuration;
mod defaults;
mod definition;
mod error;
mod finding;
mod impact;
mod input;
mod lint;
mod objects;
mod online;
mod places;
mod plan;
mod printer;
mod sarif;
mod snapshot;
mod status;

/// What a verb found; its number is the exit code. Everything that keeps it from looking is 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine = 0,
    Refused = 1,
    Unusable = 2,
}

fn main() -> ExitCode {
    let command = Args::command().bin_name(called_as());
    let args = Args::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let mut printer = Printer::new();
    let verdict = match run(&args.verb, &mut printer) {
        Ok(verdict) => verdict,
        // Whoever read the output has seen enough.
        Err(CliError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Verdict::Fine,
        Err(error) => {
            // There is nowhere left to say that this failed.
            let _ = printer.error(&error);
            Verdict::Unusable
        }
    };
    ExitCode::from(verdict as u8)
}

fn run(verb: &Verb, printer: &mut Printer) -> Result<Verdict, CliError> {
    match verb {
        Verb::Lint(args) => lint::lint(args, printer),
        Verb::Default(args) => defaults::default(args, printer),
        Verb::Rules { format } => catalogue::rules(*format, printer),
        Verb::Explain { id } => catalogue::explain(id, printer),
        Verb::Impact(args) => impact::impact(args, printer),
        Verb::Objects(args) => objects::objects(args, printer),
        Verb::Plan(args) => plan::plan(args, printer),
        Verb::Status(args) => online::run(status::status(args, printer)),
        Verb::Snapshot(args) => online::run(snapshot::snapshot(args, printer)),
        Verb::Adopt(args) => online::run(adopt::adopt(args, printer)),
        Verb::Switchover(args) => online::run(ask::switchover(args, printer)),
        Verb::Restart(args) => online::run(ask::restart(args, printer)),
        Verb::Pause(args) => online::run(ask::pause(args, printer)),
        Verb::Resume(args) => online::run(ask::resume(args, printer)),
    }
}

/// What the user typed: kubectl runs its plug-ins by their file's name.
fn called_as() -> &'static str {
    let name = std::env::args_os().next();
    let plugin = name.is_some_and(|name| name.to_string_lossy().ends_with("kubectl-pgherd"));
    if plugin { "kubectl pgherd" } else { "pgherd" }
}
