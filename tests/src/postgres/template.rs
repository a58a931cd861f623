//! A data directory to copy: initdb, the settings of every test server, and the roles and extensions that the image makes. Once per major.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::sandbox::Sandbox;
use super::{HUMAN_ROLE, Major, SUPERUSER, SUPERUSER_PASSWORD};
use crate::cache::{Cache, Key};
use crate::progress::Progress;

/// As Spilo has it, but for the Unix socket, which asks for a password too: tests log in there without TLS.
const HBA: &str = "
local all all md5
hostssl all all 127.0.0.1/32 md5
hostnossl all all all reject
";

/// Nothing that a test server holds must outlive a power failure; `bench-roles` sets this right again.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = '/srv/socket'
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
fsync = off
shared_buffers = 32MB
wal_level = logical
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = all
pg_stat_statements.track_utility = on
log_line_prefix = '%m [%p] %q%u@%d %a '
log_statement = ddl
log_connections = off
";

/// The directory that holds `data`.
pub(super) fn of(sandbox: &Sandbox, major: Major, progress: &Progress) -> Result<PathBuf> {
    let post_init = fs::read_to_string(scripts().join("post_init.sql")).context("read post_init.sql")?;
    let key = Key::new()
        .text("4")
        .text(&sandbox.root().display().to_string())
        .text(HBA)
        .text(SETTINGS)
        .text(&post_init);
    let name = format!("postgres-data-{}", major.number());
    Cache::open()?.get_or_make(&name, &key, |dir| {
        let step = progress.step(format!("making a PostgreSQL {} to copy", major.number()));
        make(sandbox, major, dir, &post_init)?;
        step.done();
        Ok(())
    })
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("images/postgres/scripts")
}

fn make(sandbox: &Sandbox, major: Major, dir: &Path, post_init: &str) -> Result<()> {
    fs::create_dir(dir.join("socket"))?;
    fs::write(dir.join("password"), SUPERUSER_PASSWORD)?;
    sandbox.give(dir)?;
    let initdb = major.program("initdb");
    let arguments = [
        initdb.as_str(),
        "--pgdata=/srv/data",
        "--username",
        SUPERUSER,
        "--pwfile=/srv/password",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
        "--no-sync",
    ];
    sandbox.run(dir, &arguments).output()?;
    fs::write(dir.join("data/pg_hba.conf"), HBA)?;
    let settings = dir.join("data/postgresql.auto.conf");
    fs::write(&settings, "")?;
    // A server without TLS and sockets of its own, for one user, without a port.
    for database in ["postgres", "template1"] {
        first_words(sandbox, major, dir, database, post_init)?;
    }
    fs::write(settings, SETTINGS)?;
    sandbox.give(dir)
}

/// Runs the image's script while nobody else can connect.
fn first_words(sandbox: &Sandbox, major: Major, dir: &Path, database: &str, post_init: &str) -> Result<()> {
    let script = format!(
        "set -e
        {start} -D /srv/data -w -s -l /srv/log -o \"-c listen_addresses= -c unix_socket_directories=/srv/socket \
            -c fsync=off -c shared_preload_libraries=pg_stat_statements -p 1\" start
        trap '{start} -D /srv/data -m fast -w -s stop' EXIT
        PGPASSWORD={SUPERUSER_PASSWORD} {psql} --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=human={HUMAN_ROLE} \
            --host=/srv/socket --port=1 --username={SUPERUSER} --dbname={database}",
        start = major.program("pg_ctl"),
        psql = major.program("psql"),
    );
    let standby = "SELECT 'CREATE ROLE standby REPLICATION LOGIN' WHERE NOT EXISTS \
        (SELECT FROM pg_roles WHERE rolname = 'standby')\n\\gexec\n";
    sandbox
        .run(dir, &["/bin/sh", "-c", &script])
        .stdin_text(format!("{post_init}\n{standby}"))
        .output()?;
    Ok(())
}
