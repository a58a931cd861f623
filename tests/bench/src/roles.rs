//! `cargo bench-roles`: a thousand roles and a hundred databases on one real server, made by the controller's own code and by a psql script
//! that does the same work. Lives here: the order of the measurements and what is shown. Must not: how a turn goes (`turn`).

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use pgherd_tests::postgres::{Major, Options, Server};
use pgherd_tests::progress::Progress;

use crate::figures::{Figure, Goal};

mod turn;

use turn::Cluster;

/// How much is made.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Prepared databases, each with one schema and six roles.
    pub databases: usize,
    /// Users beside these roles.
    pub users: usize,
    /// How often each part is measured; the median counts.
    pub rounds: usize,
}

/// What a quiet turn was seen to do by the server.
struct Quiet {
    seconds: f64,
    questions: u64,
    transactions: u64,
}

/// Measures, and prints a line per figure.
pub fn run(size: Size) -> Result<()> {
    ensure!(
        pgherd_tests::postgres::obstacle().is_none(),
        "it needs PostgreSQL servers: {}",
        pgherd_tests::postgres::obstacle().unwrap_or_default()
    );
    let (mut firsts, mut scripts, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut statements, mut quiets) = (0, Vec::new());
    for round in 1..=size.rounds {
        let server = server()?;
        let mut cluster = Cluster::of(size, server.port)?;
        let start = Instant::now();
        let script = cluster.converge()?;
        let first = start.elapsed().as_secs_f64();
        statements = script.statements;
        for _ in 0..3 {
            quiets.push(quiet(&mut cluster, &server)?);
        }
        drop(server);
        let other = self::server()?;
        let start = Instant::now();
        other.psql("postgres", &script.text)?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("round {round}: first sync {first:.2} s, script {seconds:.2} s, {statements} statements");
        firsts.push(first);
        scripts.push(seconds);
        ratios.push(first / seconds);
    }
    println!("statements of the first sync {statements}");
    println!(
        "first sync {:.2} s, script {:.2} s",
        median(firsts),
        median(scripts)
    );
    show(size, &quiets, median(ratios));
    Ok(())
}

fn show(size: Size, quiets: &[Quiet], first: f64) {
    println!(
        "{} roles, {} databases, PostgreSQL 17, durable",
        size.databases * 6 + size.users,
        size.databases
    );
    println!(
        "quiet sync {:.2} s",
        median(quiets.iter().map(|quiet| quiet.seconds).collect())
    );
    // One more than prepared: the maintenance database is asked for roles and databases.
    let per_database = |quiet: &Quiet| ratio(quiet.questions, size.databases + 1);
    let worst = quiets.iter().map(per_database).fold(0.0, f64::max);
    let writes = quiets
        .iter()
        .map(|quiet| quiet.transactions)
        .max()
        .unwrap_or_default();
    for figure in [
        Figure::new("roles_first_sync", first, "of_script", Goal::AtMost(1.5)),
        Figure::new(
            "roles_quiet_sync",
            worst,
            "questions_per_database",
            Goal::AtMost(3.0),
        ),
        Figure::new(
            "roles_quiet_writes",
            ratio(writes, 1),
            "transactions",
            Goal::AtMost(0.0),
        ),
    ] {
        println!("{figure}");
    }
}

/// Durable, as servers are.
fn server() -> Result<Server> {
    let options = Options::default()
        .with("fsync", "on")
        .with("shared_buffers", "256MB")
        .with("max_wal_size", "4GB")
        .with("autovacuum", "off")
        .with("log_statement", "none");
    Server::start(Major::Seventeen, &options, &Progress::new())
}

fn quiet(cluster: &mut Cluster, server: &Server) -> Result<Quiet> {
    // The counter itself is asked over connections that pg_stat_statements is told to leave out.
    let ask = |sql: &str| {
        let answer = server.psql(
            "postgres",
            &format!("SET pg_stat_statements.track = 'none'; {sql}"),
        )?;
        answer
            .trim()
            .parse::<u64>()
            .with_context(|| format!("{sql}: {answer}"))
    };
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text";
    server.psql("postgres", "SELECT public.pg_stat_statements_reset()")?;
    let before = ask(next)?;
    let start = Instant::now();
    let script = cluster.converge()?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(script.statements == 0, "it is not quiet: {}", script.text);
    let calls = "SELECT coalesce(sum(calls), 0)::bigint FROM public.pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements_reset%'";
    Ok(Quiet {
        seconds,
        questions: ask(calls)?,
        transactions: ask(next)? - before,
    })
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn ratio(part: u64, whole: usize) -> f64 {
    part as f64 / whole as f64
}
