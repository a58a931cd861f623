//! The table of parameters against servers: what `pg_settings` of the database image's majors says, and which values they take.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgherd_model::postgres_parameters::{self as postgres, Kind, Parameter, Setting};
use pgherd_model::units::PgVersion;
use pgherd_tests::images;

use super::Test;
use super::stage::{LONG, NAMESPACE, PATIENTLY, Stage, manifest};

pub(crate) const TESTS: &[Test] = &[
    (
        "the_table_of_parameters_is_what_servers_report",
        table_is_what_servers_report,
    ),
    ("values_are_read_as_servers_read_them", values_are_read_alike),
    (
        "patroni_does_with_parameters_what_warnings_say",
        patroni_does_as_said,
    ),
];

const POD: &str = "it-parameters";
const CLUSTER: &str = "it-parameters";
/// Those of the database image.
const MAJORS: [&str; 2] = ["15", "17"];

/// A pod of the database image in which nothing runs, with an empty data directory for each major.
fn pod() -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {POD}\n  namespace: {NAMESPACE}\nspec:\n  \
         terminationGracePeriodSeconds: 0\n  securityContext: {{runAsUser: 101, runAsGroup: 103}}\n  containers:\n  - name: main\n    \
         image: {}\n    imagePullPolicy: Never\n    command: [sleep, \"3600\"]\n",
        images::POSTGRES
    )
}

/// Makes an empty data directory when there is none, as variables `bin` and `data` say.
const PREPARE: &str = "set -e; export LC_ALL=C; bin=/usr/lib/postgresql/$1/bin; data=/tmp/data$1; \
    [ -d $data ] || $bin/initdb -D $data -U postgres -A trust --no-sync >/dev/null; ";

/// Prints the parameters that a server without extensions reports.
const REPORT: &str = "echo \"COPY (SELECT name, context, vartype, coalesce(unit, ''), coalesce(min_val, ''), coalesce(max_val, ''), \
    coalesce(array_to_string(enumvals, ','), '') FROM pg_settings) TO '$data.settings'\" \
    | $bin/postgres --single -D $data postgres >/dev/null; cat $data.settings";

/// For each line `name=value` says what the server makes of it.
const TRY: &str = "while IFS= read -r line; do \
    if value=$($bin/postgres -D $data -C \"${line%%=*}\" -c \"$line\" 2>/dev/null); then echo \"=$value\"; else echo -; fi; done";

/// Runs a script in the pod.
fn run(stage: &Stage, major: &str, script: &str, input: String) -> Result<String> {
    stage.kubectl().apply(&pod())?;
    stage.kubectl().run(&format!(
        "-n {NAMESPACE} wait --for=condition=Ready pod/{POD} {PATIENTLY}"
    ))?;
    let script = format!("{PREPARE}{script}");
    stage
        .kubectl()
        .call([
            "-n", NAMESPACE, "exec", "-i", POD, "--", "bash", "-c", &script, "sh", major,
        ])
        .stdin_text(input)
        .timeout(Duration::from_mins(8))
        .output()
}

fn remove(stage: &Stage) -> Result<()> {
    stage
        .kubectl()
        .run(&format!("-n {NAMESPACE} delete pod {POD} --ignore-not-found"))?;
    Ok(())
}

fn table_is_what_servers_report(stage: &Stage) -> Result<()> {
    for major in MAJORS {
        let version = PgVersion::parse(major)?;
        let report = run(stage, major, REPORT, String::new())?;
        let theirs: BTreeMap<String, String> = report.lines().filter_map(reported).collect();
        ensure!(
            theirs.len() > 300,
            "PostgreSQL {major} reports only {} parameters",
            theirs.len()
        );
        let ours: BTreeMap<String, String> = postgres::all(version).map(expected).collect();
        let differences: Vec<String> = ours
            .keys()
            .chain(theirs.keys())
            .filter(|name| ours.get(*name) != theirs.get(*name))
            .filter(|name| theirs.contains_key(*name) || !postgres::CAME_LATE.contains(&name.as_str()))
            .map(|name| {
                format!(
                    "{name}: the table says {:?}, the server {:?}",
                    ours.get(name),
                    theirs.get(name)
                )
            })
            .collect();
        ensure!(differences.is_empty(), "PostgreSQL {major}: {differences:#?}");
        eprintln!(
            "PostgreSQL {major}: {} parameters, no difference to the table",
            theirs.len()
        );
    }
    remove(stage)
}

/// A line of the report: the name, and all facts in one text.
fn reported(line: &str) -> Option<(String, String)> {
    let (name, facts) = line.split_once('\t')?;
    // Its range is the release's own number.
    let facts = if name == "server_version_num" {
        "internal\tinteger\t\t0\t2147483647\t"
    } else {
        facts
    };
    Some((name.to_owned(), facts.to_owned()))
}

/// What the report should say of a parameter.
fn expected(parameter: &Parameter) -> (String, String) {
    let unit = parameter.unit().map(|unit| unit.to_string()).unwrap_or_default();
    let facts = match parameter.kind {
        Kind::Boolean => "bool\t\t\t\t".to_owned(),
        Kind::Text => "string\t\t\t\t".to_owned(),
        Kind::Choice(words) => format!("enum\t\t\t\t{}", words.join(",")),
        Kind::Integer { min, max, .. } => format!("integer\t{unit}\t{min}\t{max}\t"),
        Kind::Real { min, max, .. } => format!("real\t{unit}\t{}\t{}\t", short(min), short(max)),
    };
    (
        parameter.name.to_owned(),
        format!("{}\t{facts}", parameter.context),
    )
}

/// As the server prints ends of ranges: six digits.
fn short(number: f64) -> String {
    if number.abs() < 1e6 {
        return number.to_string();
    }
    let text = format!("{number:.5e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e+{exponent:0>2}")
}

const NAMES: [&str; 22] = [
    "work_mem",
    "shared_buffers",
    "max_connections",
    "statement_timeout",
    "log_rotation_age",
    "log_min_duration_statement",
    "random_page_cost",
    "vacuum_cost_delay",
    "fsync",
    "archive_mode",
    "wal_level",
    "wal_compression",
    "client_min_messages",
    "checkpoint_completion_target",
    "wal_keep_size",
    "synchronous_commit",
    "log_min_messages",
    "huge_pages",
    "backend_flush_after",
    "wal_decode_buffer_size",
    "track_activity_query_size",
    "constraint_exclusion",
];

#[rustfmt::skip]
const VALUES: [&str; 84] = [
    "64MB", " 64MB", "64MB ", "64\tMB", "64mb", "64M", "1GB", "1.5GB", "30.1GB", "0x400", "0x400MB", "010", "08", "0", "-1", "-0", "1e3",
    "1E3kB", "1e", "1e+", "1e5e", "100.5", "99.5", ".5", ".5MB", ".", "-.5kB", "+.5kB", "5.", "5.MB", "1s", "1 min", "1min", "90s", "1.5us",
    "500us", "1ms", "1h", "1d", "1dd", "0x", "0x10", "0xg", "+5", "--5", "+ 5", "5 5", "5 kB x", "3TB", "2147483647", "2147483648",
    "99999999999999999999", "1e400", "1e-400", "nan", "on", "ON", "of", "o", "t", "TRUE", "tru", "n", "no", "1", "2", " on", "", "always",
    "replica", "hot_standby", "archive", "minimal", "Logical", "pglz", "zstd", "debug", "info", "fatal", "remote_apply", "try", "4.5kB",
    "20480B", "0.1min",
];

fn values_are_read_alike(stage: &Stage) -> Result<()> {
    for major in MAJORS {
        let version = PgVersion::parse(major)?;
        let pairs: Vec<(&str, &str)> = NAMES
            .into_iter()
            .flat_map(|name| VALUES.map(|value| (name, value)))
            .collect();
        let mut input = String::new();
        for (name, value) in &pairs {
            writeln!(input, "{name}={value}")?;
        }
        let output = run(stage, major, TRY, input)?;
        let answers: Vec<&str> = output.lines().collect();
        ensure!(
            answers.len() == pairs.len(),
            "{} answers to {} questions",
            answers.len(),
            pairs.len()
        );
        let mut taken = 0;
        for ((name, value), answer) in pairs.iter().zip(answers) {
            let parameter = postgres::find(name, version).with_context(|| format!("no {name} in {major}"))?;
            let setting = parameter.read(value).ok();
            let setting = setting.filter(|setting| parameter.bound(*setting).is_none());
            taken += usize::from(setting.is_some());
            ensure!(
                agree(setting, answer)?,
                "PostgreSQL {major}, {name} = {value:?}: we read {setting:?}, the server answers {answer:?}"
            );
        }
        eprintln!(
            "PostgreSQL {major}: {} values read alike, {taken} of them taken",
            pairs.len()
        );
    }
    remove(stage)
}

/// Whether a value in the parameter's own unit is the server's answer.
fn agree(setting: Option<Setting<'_>>, answer: &str) -> Result<bool> {
    let Some(shown) = answer.strip_prefix('=') else {
        return Ok(setting.is_none());
    };
    Ok(match setting {
        None => false,
        Some(Setting::Boolean(on)) => shown == if on { "on" } else { "off" },
        Some(Setting::Choice(word)) => shown == word,
        Some(Setting::Integer(number)) => shown == number.to_string(),
        // Six digits are printed.
        Some(Setting::Real(number)) => {
            (shown.parse::<f64>()? - number).abs() <= 1e-5 * number.abs().max(f64::MIN_POSITIVE)
        }
        Some(Setting::Text(text)) => shown == text,
    })
}

/// What the manifest says, and what the server then has.
const SAID: [(&str, &str, &str); 7] = [
    ("work_mem", "1kB", "64kB"),
    ("maintenance_work_mem", "64mb", "64MB"),
    ("max_connections", "20", "100"),
    ("max_wal_senders", "ten", "10"),
    ("wal_level", "minimal", "replica"),
    ("port", "5433", "5432"),
    ("random_page_cost", "1.5", "1.5"),
];

fn patroni_does_as_said(stage: &Stage) -> Result<()> {
    let mut more =
        String::from("teamId: it\npostgresql:\n  version: \"17\"\n  parameters:\n    wrok_mem: 1MB\n");
    for (name, value, _) in SAID {
        writeln!(more, "    {name}: \"{value}\"")?;
    }
    // The common manifest has a version of its own.
    let text = manifest(CLUSTER, 1, &more).replacen("  postgresql:\n    version: \"17\"\n", "", 1);
    stage.kubectl().apply(&text)?;
    let outcome = has_what_was_said(stage);
    let deleted = stage.delete(CLUSTER);
    outcome.and(deleted)
}

fn has_what_was_said(stage: &Stage) -> Result<()> {
    stage.wait_until_ready(CLUSTER, 1)?;
    let end = Instant::now() + LONG;
    for (name, _, expected) in SAID {
        loop {
            let shown = stage.sql(CLUSTER, "postgres", "postgres", &format!("SHOW {name};"))?;
            if shown == expected {
                break;
            }
            // A server that is ready may have its last reload before it.
            ensure!(Instant::now() < end, "{name} is {shown}, not {expected}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    let mistyped = stage.sql(CLUSTER, "postgres", "postgres", "SHOW wrok_mem;");
    ensure!(mistyped.is_err(), "the server has a parameter wrok_mem");
    Ok(())
}
