//! Roles, databases and secrets on real PostgreSQL servers of two majors: the controller's own code, from the catalog through model and plan
//! to the statements, without Kubernetes. Each trial has a server of its own.
//!
//! Where the servers cannot run the tests are counted as ignored, loudly; with `CI` set that is a failure.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use pgherd_tests::postgres::{Major, obstacle};

mod api;
mod bounds;
mod connection;
mod cutter;
mod door;
mod entrance;
mod existing;
mod faults;
mod held;
mod hostile;
mod illegible;
mod lookup;
mod matrix;
mod passwords;
mod people;
mod quiet;
mod rights;
mod rotation;
mod sessions;
mod world;

/// A test: its name and what it does with a major.
type Test = (&'static str, fn(Major) -> anyhow::Result<()>);

fn tests() -> Vec<Test> {
    [
        connection::TESTS,
        entrance::TESTS,
        matrix::TESTS,
        existing::TESTS,
        rights::TESTS,
        sessions::TESTS,
        lookup::TESTS,
        quiet::TESTS,
        passwords::TESTS,
        people::TESTS,
        rotation::TESTS,
        hostile::TESTS,
        held::TESTS,
        illegible::TESTS,
        faults::TESTS,
        bounds::TESTS,
    ]
    .concat()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each has a server of its own, and they share few cores.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let obstacle = obstacle();
    if let (Some(obstacle), false) = (obstacle, arguments.list) {
        eprintln!(
            "\nNOT RUN: the tests on PostgreSQL servers need {obstacle}. They are counted as ignored.\n"
        );
        if std::env::var_os("CI").is_some() {
            eprintln!("error: in CI they must run");
            return ExitCode::FAILURE;
        }
    }
    let mut trials = Vec::new();
    for (name, test) in tests() {
        for major in Major::BOTH {
            let run = move || test(major).map_err(|error| format!("{error:#}").into());
            let trial = Trial::test(format!("{name} ({})", major.number()), run);
            trials.push(trial.with_ignored_flag(obstacle.is_some()));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
