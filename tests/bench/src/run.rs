//! The rounds: every scenario once per round, on all servers one after the other, so that a machine that changes its mood changes it for all.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::time::sleep;

use crate::certificate::Certificate;
use crate::load::{Load, ask_once};
use crate::review::{Operation, Review};
use crate::server::{Kind, PATIENCE, Programs, Server};
use crate::stand_in;
use crate::usage::{self, Memory};

const SIZES: [usize; 2] = [4, 64];
const CONNECTIONS: [usize; 2] = [1, 16];
/// Sent before the clock runs: connections are made, buffers and caches have their size.
const WARM_UP: Duration = Duration::from_millis(150);

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Extent {
    /// How often each scenario is measured on each server.
    pub rounds: u32,
    /// How long each measurement takes.
    pub time: Duration,
}

/// A review over a number of connections.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// `create-4KiB-1`: operation, size of the review, connections.
    pub name: String,
    /// Number of the review, and of its answer.
    number: usize,
    connections: usize,
    is_small: bool,
}

impl Scenario {
    /// Does its review have the size that the goals are for?
    pub fn is_small(&self) -> bool {
        self.is_small
    }

    /// Is there one connection, so that no review waits for another?
    pub fn is_alone(&self) -> bool {
        self.connections == 1
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Answers per second.
    pub per_second: f64,
    /// Answers per second of the server's CPU time.
    pub per_cpu_second: f64,
    /// Half of the answers took at most this long.
    pub p50: Duration,
    /// 99 of 100 took at most this long.
    pub p99: Duration,
}

/// What one server showed.
#[derive(Debug)]
pub struct Showing {
    /// Which one.
    pub kind: Kind,
    /// Per scenario, in their order, one sample per round.
    pub samples: Vec<Vec<Sample>>,
    /// Before the first round.
    pub idle: Memory,
    /// After the last.
    pub loaded: Memory,
}

/// Servers that run, and what they are asked.
#[derive(Debug)]
pub struct Field {
    reviews: Vec<Review>,
    servers: Vec<Server>,
    tls: Arc<ClientConfig>,
}

/// The reviews that servers are asked.
///
/// # Errors
///
/// See [`Review::of`].
pub fn reviews() -> Result<Vec<Review>> {
    let each = |operation| SIZES.map(|kib| Review::of(operation, kib));
    Operation::ALL.into_iter().flat_map(each).collect()
}

/// All scenarios, or those that have one of `only` in their names.
pub fn scenarios(reviews: &[Review], only: &[String]) -> Vec<Scenario> {
    let each = |(number, review): (usize, &Review)| {
        let name = review.name.clone();
        CONNECTIONS.map(|connections| Scenario {
            name: format!("{name}-{connections}"),
            number,
            connections,
            is_small: review.body.len() == SIZES[0] << 10,
        })
    };
    let wanted =
        |scenario: &Scenario| only.is_empty() || only.iter().any(|part| scenario.name.contains(part));
    reviews.iter().enumerate().flat_map(each).filter(wanted).collect()
}

impl Field {
    /// Starts the three servers and makes sure that they agree: all of them allow every review, and the echo answers what ours answers.
    ///
    /// # Errors
    ///
    /// A server does not come up, or does not agree.
    pub async fn start(programs: &Programs, folder: &Path) -> Result<Self> {
        let certificate = Certificate::write(folder)?;
        let kubeconfig = stand_in::start(folder)?;
        let (reviews, tls) = (reviews()?, certificate.client()?);
        let pgherd = Server::pgherd(&programs.pgherd, &certificate, &kubeconfig, folder)?;
        let answers = write_answers(&pgherd, &reviews, &tls, folder).await?;
        let echo = Server::echo(&programs.echo, &certificate, folder)?;
        let go = Server::go(&programs.go, &certificate, folder)?;
        let field = Self {
            reviews,
            servers: vec![pgherd, echo, go],
            tls,
        };
        field.agree(&answers).await?;
        Ok(field)
    }

    async fn agree(&self, answers: &[Bytes]) -> Result<()> {
        for server in &self.servers {
            for (number, review) in self.reviews.iter().enumerate() {
                let answer = ask(server, number, review, &self.tls).await?;
                is_allowed(&answer).with_context(|| format!("{}, {}", server.kind.name(), review.name))?;
                let is_echo = server.kind == Kind::Echo;
                ensure!(
                    !is_echo || answer == answers[number],
                    "the echo answers something else"
                );
            }
        }
        Ok(())
    }

    /// All rounds. `tell` is told the number of each one that begins.
    ///
    /// # Errors
    ///
    /// A server fails.
    pub async fn measure(
        &self,
        scenarios: &[Scenario],
        extent: &Extent,
        tell: impl Fn(u32),
    ) -> Result<Vec<Showing>> {
        let mut results = Vec::new();
        for server in &self.servers {
            results.push(Showing {
                kind: server.kind,
                samples: vec![Vec::new(); scenarios.len()],
                idle: usage::memory(server.process())?,
                loaded: Memory::default(),
            });
        }
        for round in 0..extent.rounds {
            tell(round + 1);
            for (number, scenario) in scenarios.iter().enumerate() {
                for turn in 0..self.servers.len() {
                    // Nobody is always the first.
                    let place = (turn + number + round as usize) % self.servers.len();
                    let sample = self.sample(&self.servers[place], scenario, extent.time).await?;
                    results[place].samples[number].push(sample);
                }
            }
        }
        for (server, result) in self.servers.iter().zip(&mut results) {
            result.loaded = usage::memory(server.process())?;
        }
        Ok(results)
    }

    async fn sample(&self, server: &Server, scenario: &Scenario, time: Duration) -> Result<Sample> {
        let review = &self.reviews[scenario.number];
        let path = path(server.kind, scenario.number, review);
        let connections = scenario.connections;
        let mut load = Load::warm(server.address, &self.tls, &path, review, connections, WARM_UP).await?;
        let before = usage::cpu(server.process())?;
        let begun = Instant::now();
        let took = load.run(time).await?;
        let elapsed = begun.elapsed();
        let cpu = usage::cpu(server.process())?.saturating_sub(before);
        ensure!(
            !cpu.is_zero(),
            "the time is too short for the kernel's clock; measure longer"
        );
        let answers = f64::from(u32::try_from(took.len())?);
        Ok(Sample {
            per_second: answers / elapsed.as_secs_f64(),
            per_cpu_second: answers / cpu.as_secs_f64(),
            p50: percentile(&took, 50)?,
            p99: percentile(&took, 99)?,
        })
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Result<Duration> {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().context("no answer in the whole time")
}

fn path(kind: Kind, number: usize, review: &Review) -> String {
    match kind {
        Kind::Echo => format!("/{number}"),
        Kind::Pgherd | Kind::Go => review.path.to_owned(),
    }
}

async fn ask(server: &Server, number: usize, review: &Review, tls: &Arc<ClientConfig>) -> Result<Bytes> {
    let path = path(server.kind, number, review);
    ask_once(server.address, tls, &path, review.body.clone()).await
}

/// A server listens before it has its certificate and its configuration, and refuses until then.
async fn ask_patiently(
    server: &Server,
    number: usize,
    review: &Review,
    tls: &Arc<ClientConfig>,
) -> Result<Bytes> {
    let begun = Instant::now();
    loop {
        match ask(server, number, review, tls).await {
            Err(_) if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(50)).await,
            answer => return answer,
        }
    }
}

/// Asks ours every review, and keeps the answers where the echo finds them.
async fn write_answers(
    server: &Server,
    reviews: &[Review],
    tls: &Arc<ClientConfig>,
    folder: &Path,
) -> Result<Vec<Bytes>> {
    let mut answers = Vec::new();
    for (number, review) in reviews.iter().enumerate() {
        let answer = ask_patiently(server, number, review, tls).await?;
        fs::write(folder.join(format!("{number}.json")), &answer).context("write an answer")?;
        answers.push(answer);
    }
    Ok(answers)
}

/// An answer that allows, to the question that was asked.
///
/// # Errors
///
/// It is something else.
pub fn is_allowed(answer: &[u8]) -> Result<Value> {
    let answer: Value = serde_json::from_slice(answer).context("read an answer")?;
    let response = &answer["response"];
    ensure!(response["allowed"] == true, "not allowed: {answer}");
    ensure!(response["uid"] == crate::review::UID, "another uid: {answer}");
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let took: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&took, 50).unwrap(), Duration::from_millis(100));
        assert_eq!(percentile(&took, 99).unwrap(), Duration::from_millis(198));
        assert_eq!(percentile(&took[..1], 99).unwrap(), Duration::from_millis(1));
        assert!(percentile(&[], 50).is_err());
    }

    #[test]
    fn scenarios_are_chosen_by_parts_of_their_names() {
        let reviews = reviews().unwrap();
        assert_eq!(scenarios(&reviews, &[]).len(), 12);
        let names: Vec<_> = scenarios(&reviews, &["create-4KiB".to_owned()])
            .into_iter()
            .map(|scenario| scenario.name)
            .collect();
        assert_eq!(names, ["create-4KiB-1", "create-4KiB-16"]);
    }

    #[test]
    fn denial_is_not_taken_for_an_answer() {
        let denial = format!(
            r#"{{"response":{{"uid":"{}","allowed":false}}}}"#,
            crate::review::UID
        );
        assert!(is_allowed(denial.as_bytes()).is_err());
        assert!(is_allowed(br#"{"response":{"uid":"other","allowed":true}}"#).is_err());
    }
}
