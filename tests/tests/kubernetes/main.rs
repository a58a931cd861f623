//! End to end: both programs as pods of a real Kubernetes, with real Patroni members. One local Kubernetes serves all tests, which run
//! one after the other in the order of the list below.
//!
//! Where pods cannot run (not Linux, not root) the tests are counted as ignored, loudly; with `CI` set that is a failure.
//! `PGHERD_KEEP=1` leaves the local Kubernetes running afterwards.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod admission;
mod adopt;
mod audit;
mod availability;
mod away;
mod drain;
mod events;
mod fleet;
mod gitops;
mod handover;
mod impact;
mod kill;
mod lifecycle;
mod markers;
mod operator;
mod parameters;
mod programs;
mod provisioning;
mod repair;
mod reviews;
mod rolling;
mod schema;
mod secrets;
mod stage;
mod stores;
mod taken_back;

/// A test: its name and what it does with the stage that all share.
type Test = (&'static str, fn(&stage::Stage) -> anyhow::Result<()>);

fn tests() -> Vec<Test> {
    [
        admission::TESTS,
        adopt::TESTS,
        gitops::TESTS,
        impact::TESTS,
        lifecycle::TESTS,
        parameters::TESTS,
        programs::TESTS,
        reviews::TESTS,
        rolling::TESTS,
        repair::TESTS,
        drain::TESTS,
        provisioning::TESTS,
        handover::TESTS,
        kill::TESTS,
        schema::TESTS,
        secrets::TESTS,
        markers::TESTS,
        stores::TESTS,
        taken_back::TESTS,
        availability::TESTS,
        fleet::TESTS,
        operator::TESTS,
        away::TESTS,
    ]
    .concat()
}

/// Why a test failed. Told at once, too: the list at the end is far from what was printed meanwhile.
fn told(error: &anyhow::Error) -> String {
    let reason = format!("{error:#}");
    eprintln!("failed: {}", reason.lines().next().unwrap_or_default());
    reason
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share two cores and one pair of programs.
    arguments.test_threads = Some(1);
    let obstacle = stage::obstacle();
    if let (Some(obstacle), false) = (&obstacle, arguments.list) {
        eprintln!("\nNOT RUN: the end-to-end tests need {obstacle}. They are counted as ignored.\n");
        if std::env::var_os("CI").is_some() {
            eprintln!("error: in CI they must run");
            return ExitCode::FAILURE;
        }
    }
    let trials = tests().into_iter().map(|(name, test)| {
        let run = move || {
            let outcome = stage::get().and_then(test);
            outcome.map_err(|error| told(&error).into())
        };
        Trial::test(name, run).with_ignored_flag(obstacle.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    stage::leave();
    conclusion.exit_code()
}
