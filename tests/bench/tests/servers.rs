//! The servers that are compared do the same work: each allows what is valid and refuses what is not. Not timed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hyper::body::Bytes;
use libtest_mimic::{Arguments, Failed, Trial};
use pgherd_bench::certificate::Certificate;
use pgherd_bench::load::ask_once;
use pgherd_bench::review::{Operation, Review};
use pgherd_bench::run::{is_allowed, reviews};
use pgherd_bench::server::{Server, build_go, free, go_program, pgherd_arguments};
use pgherd_bench::stand_in;
use pgherd_webhook::args::Args;
use pgherd_webhook::start;
use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Building it takes minutes the first time, which is for `cargo bench-webhook` to spend.
    let is_go_missing = !go_program().exists();
    let trials = vec![
        Trial::test("pgherd_allows_what_is_valid_and_refuses_what_is_not", || {
            trial(pgherd)
        }),
        Trial::test("echo_answers_what_it_was_given", || trial(echo)),
        Trial::test("go_allows_what_is_valid_and_refuses_what_is_not", || trial(go))
            .with_ignored_flag(is_go_missing),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a server needs to start, and what a client needs to trust it.
struct Place {
    folder: tempfile::TempDir,
    certificate: Certificate,
    tls: Arc<ClientConfig>,
}

impl Place {
    fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let certificate = Certificate::write(folder.path())?;
        let tls = certificate.client()?;
        Ok(Self {
            folder,
            certificate,
            tls,
        })
    }
}

fn trial<F: Future<Output = Result<()>>>(work: fn(Place) -> F) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = Place::make().and_then(|place| runtime.block_on(work(place)));
    runtime.shutdown_background();
    outcome.map_err(|error| format!("{error:#}").into())
}

/// The program's own start, in this process.
async fn pgherd(place: Place) -> Result<()> {
    let kubeconfig = stand_in::start(place.folder.path())?;
    let address = free()?;
    let arguments = pgherd_arguments(&place.certificate, &kubeconfig);
    let arguments = ["webhook".to_owned(), format!("--address={address}")]
        .into_iter()
        .chain(arguments);
    let mut running = tokio::spawn(start::run(Args::try_parse_from(arguments)?));
    let up = async {
        while ask_once(address, &place.tls, "/", Bytes::new())
            .await
            .is_err_and(|err| !is_answer(&err))
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = &mut running => ended?.context("the webhook ended")?,
        up = timeout(PATIENCE, up) => up.context("the webhook does not come up")?,
    }
    judges(address, &place.tls).await
}

/// There is no such path, but somebody says so.
fn is_answer(err: &anyhow::Error) -> bool {
    err.to_string().contains("404")
}

async fn go(place: Place) -> Result<()> {
    build_go(&go_program())?;
    let server = Server::go(&go_program(), &place.certificate, place.folder.path())?;
    judges(server.address, &place.tls).await
}

async fn echo(place: Place) -> Result<()> {
    let answers = ["first", "second"];
    for (number, answer) in answers.iter().enumerate() {
        fs::write(place.folder.path().join(format!("{number}.json")), answer)?;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_bench-echo"));
    let server = Server::echo(program, &place.certificate, place.folder.path())?;
    for (number, expected) in answers.iter().enumerate() {
        let answer = ask_once(server.address, &place.tls, &format!("/{number}"), "{}".into()).await?;
        ensure!(
            answer == expected.as_bytes(),
            "{answer:?} instead of {expected:?}"
        );
    }
    let missing = ask_once(server.address, &place.tls, "/2", "{}".into()).await;
    ensure!(missing.is_err(), "there is no third answer");
    Ok(())
}

/// Every review that is measured is allowed; the same with one mistake is refused; what is decided once is filled in.
async fn judges(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<()> {
    for review in reviews()? {
        let answer = ask_once(address, tls, review.path, review.body.clone()).await?;
        let answer = is_allowed(&answer).with_context(|| review.name.clone())?;
        let is_patched = answer["response"]["patch"].is_string();
        ensure!(
            is_patched == review.name.starts_with("default"),
            "{}: {answer}",
            review.name
        );
    }
    let review = Review::of(Operation::Create, 4)?;
    for (place, value) in [
        ("/request/object/spec/numberOfInstances", json!(-1)),
        ("/request/object/spec/volume/size", json!("much")),
        ("/request/object/spec/resources/requests/memory", json!("lots")),
        (
            "/request/object/spec/maintenanceWindows/0",
            json!("Sat:05:00-04:00"),
        ),
    ] {
        let mut broken: Value = serde_json::from_slice(&review.body)?;
        *broken.pointer_mut(place).context("the manifest has this field")? = value;
        let answer = ask_once(address, tls, review.path, serde_json::to_vec(&broken)?.into()).await?;
        ensure!(is_allowed(&answer).is_err(), "{place} is broken, and allowed");
    }
    Ok(())
}
