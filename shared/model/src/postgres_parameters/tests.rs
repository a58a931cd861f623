//! The table's order, and values as servers read them. That the rows are true is tested on servers.

use proptest::prelude::*;

use super::*;

fn major(number: u16) -> PgVersion {
    PgVersion::parse(&number.to_string()).unwrap()
}

fn parameter(name: &str) -> &'static Parameter {
    find(name, major(17)).unwrap()
}

/// As PostgreSQL 17 shows it.
fn shown(name: &str, value: &str) -> Option<String> {
    canonical(name, major(17), value)
}

#[test]
fn rows_are_in_order_and_disjoint() {
    for pair in table::TABLE.windows(2) {
        let (row, next) = (pair[0], pair[1]);
        let later = row.name == next.name && row.last < next.first;
        assert!(
            order(row.name, next.name).is_lt() || later,
            "{} {}",
            row.name,
            next.name
        );
    }
    for row in table::TABLE {
        assert!(
            14 <= row.first && row.first <= row.last && row.last <= 18,
            "{}",
            row.name
        );
        if let Kind::Integer { min, max, .. } = row.kind {
            assert!(min <= max && max <= i64::from(i32::MAX), "{}", row.name);
        }
    }
}

#[test]
fn each_major_has_the_parameters_it_should() {
    let count = |number| all(major(number)).count();
    assert_eq!([14, 15, 16, 17, 18].map(count), [349, 356, 365, 381, 400]);
}

#[test]
fn names_are_found_in_any_case_and_only_in_their_majors() {
    assert_eq!(find("WORK_MEM", major(14)).unwrap().name, "work_mem");
    assert_eq!(find("datestyle", major(18)).unwrap().name, "DateStyle");
    assert!(find("old_snapshot_threshold", major(16)).is_some());
    assert!(find("old_snapshot_threshold", major(17)).is_none());
    assert!(find("work_mem", major(13)).is_none() && !covers(major(13)));
    assert_eq!(find("wal_compression", major(14)).unwrap().kind, Kind::Boolean);
    assert!(matches!(
        find("wal_compression", major(15)).unwrap().kind,
        Kind::Choice(_)
    ));
    assert!(find("autovacuum_max_workers", major(17)).unwrap().restarts());
    assert!(!find("autovacuum_max_workers", major(18)).unwrap().restarts());
    assert!(rows("no_such_thing").is_empty());
}

#[test]
fn a_mistyped_name_has_a_nearest_one() {
    for (mistyped, meant) in [
        ("max_conections", Some("max_connections")),
        ("Shared_Bufers", Some("shared_buffers")),
        ("workmem", Some("work_mem")),
        ("timezone", Some("TimeZone")),
        ("something_of_my_own", None),
        ("", None),
    ] {
        assert_eq!(nearest(mistyped, major(17)), meant, "{mistyped}");
    }
}

#[test]
fn numbers_are_read_as_the_server_reads_them() {
    for (name, value, expected) in [
        ("work_mem", "64MB", Some("64MB")),
        ("work_mem", "65536", Some("64MB")),
        ("work_mem", " 0x400 MB ", Some("1GB")),
        ("work_mem", "1.5GB", Some("1536MB")),
        ("work_mem", "30.1GB", Some("30822MB")),
        ("work_mem", "1e3", Some("1000kB")),
        ("work_mem", ".5MB", Some("512kB")),
        ("work_mem", "+.5MB", None),
        ("work_mem", "64mb", None),
        ("work_mem", "64 M", None),
        ("work_mem", "010", Some("8kB")),
        ("work_mem", "08", None),
        ("work_mem", "1s", None),
        ("work_mem", "", None),
        ("work_mem", "MB", None),
        ("work_mem", "3TB", None),
        ("shared_buffers", "1GB", Some("1GB")),
        ("shared_buffers", "131072", Some("1GB")),
        ("shared_buffers", "12kB", Some("16kB")),
        ("shared_buffers", "20kB", Some("16kB")),
        ("max_connections", "100", Some("100")),
        ("max_connections", "100.5", Some("100")),
        ("max_connections", "1e2", Some("100")),
        ("max_connections", "100MB", None),
        ("max_connections", "ten", None),
        ("statement_timeout", "1min", Some("1min")),
        ("statement_timeout", "90s", Some("90s")),
        ("statement_timeout", "1.5us", Some("0")),
        ("log_rotation_age", "1d", Some("1d")),
        ("log_min_duration_statement", "-1", Some("-1")),
        ("vacuum_cost_delay", "500us", Some("0.5")),
        ("vacuum_cost_delay", "-0", Some("0")),
        ("random_page_cost", "0x10", Some("16")),
        ("random_page_cost", "1.1", Some("1.1")),
        ("random_page_cost", "1e-400", None),
        ("random_page_cost", "1e400", None),
        ("random_page_cost", "inf", None),
    ] {
        assert_eq!(shown(name, value).as_deref(), expected, "{name} = {value:?}");
    }
}

#[test]
fn words_are_read_as_the_server_reads_them() {
    for (name, value, expected) in [
        ("fsync", "TRUE", Some("on")),
        ("fsync", "tr", Some("on")),
        ("fsync", "o", None),
        ("fsync", "of", Some("off")),
        ("fsync", "n", Some("off")),
        ("fsync", "truely", None),
        ("fsync", " on", None),
        ("fsync", "", None),
        ("archive_mode", "Always", Some("always")),
        ("archive_mode", "yes", Some("on")),
        ("archive_mode", "tr", None),
        ("wal_level", "hot_standby", Some("replica")),
        ("wal_level", "LOGICAL", Some("logical")),
        ("wal_compression", "on", Some("pglz")),
        ("wal_compression", "0", Some("off")),
        ("wal_compression", "zstd", Some("zstd")),
        ("client_min_messages", "debug", Some("debug2")),
        ("client_min_messages", "info", Some("info")),
        ("client_min_messages", "fatal", None),
        ("ssl_max_protocol_version", "", Some("")),
        ("application_name", " as it is ", Some(" as it is ")),
    ] {
        assert_eq!(shown(name, value).as_deref(), expected, "{name} = {value:?}");
    }
}

#[test]
fn another_spelling_is_the_same_value() {
    let same = |name, one, other| same_value(name, major(17), one, other);
    assert!(same("shared_buffers", "1GB", "1024MB"));
    assert!(same("SHARED_BUFFERS", "1GB", "131072"));
    assert!(same("fsync", "on", "true"));
    assert!(!same("fsync", "on", "off"));
    assert!(same("statement_timeout", "60s", "1min"));
    assert!(!same("search_path", "a,b", "a, b"), "only the server reads lists");
    assert!(same("cron.database_name", "a", "a") && !same("cron.database_name", "on", "true"));
    assert!(!same("work_mem", "x", "y"), "what cannot be read is what it is");
}

#[test]
fn values_out_of_range_have_a_bound() {
    let bound = |name: &str, value| {
        let parameter = parameter(name);
        let setting = parameter.read(value).unwrap();
        parameter.bound(setting).map(|bound| parameter.show(bound))
    };
    assert_eq!(bound("work_mem", "1kB").as_deref(), Some("64kB"));
    assert_eq!(bound("work_mem", "64kB"), None);
    assert_eq!(bound("checkpoint_completion_target", "2").as_deref(), Some("1"));
    assert_eq!(bound("wal_level", "logical"), None);
}

#[test]
fn sizes_have_bytes() {
    let bytes = |name: &str, value| {
        let parameter = parameter(name);
        parameter.bytes(parameter.read(value).unwrap())
    };
    assert_eq!(bytes("shared_buffers", "16384"), Some(128 << 20));
    assert_eq!(bytes("work_mem", "4MB"), Some(4 << 20));
    assert_eq!(bytes("wal_buffers", "-1"), None);
    assert_eq!(bytes("statement_timeout", "1s"), None);
    assert_eq!(bytes("max_connections", "100"), None);
}

#[test]
fn patroni_keeps_some_for_itself() {
    assert_eq!(owner("Listen_Addresses"), Owner::Patroni);
    assert_eq!(owner("work_mem"), Owner::Manifest);
    assert_eq!(owner("synchronous_standby_names"), Owner::PatroniWhenSynchronous);
    assert_eq!(patroni_default("max_connections"), Some("100"));
    assert_eq!(least_taken("max_connections"), LeastTaken::Number(25));
    for name in HOT_STANDBY {
        assert!(parameter(name).restarts(), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_a_reader(at in 0..table::TABLE.len(), text in "\\PC*") {
        let _ = table::TABLE[at].read(&text);
        let _ = nearest(&text, major(17));
    }

    #[test]
    fn no_number_breaks_a_reader(at in 0..table::TABLE.len(), text in "[ \t]{0,1}[-+]{0,2}[0-9a-fxXeE.]{0,12} {0,1}[kMGTBmsuinhd]{0,4}") {
        let row = &table::TABLE[at];
        if let Ok(setting) = row.read(&text) {
            let shown = row.show(setting);
            prop_assert_eq!(row.read(&shown), Ok(setting), "{} = {:?} is shown as {:?}", row.name, text, shown);
        }
    }

    #[test]
    fn what_is_shown_is_shown_again(at in 0..table::TABLE.len(), number in any::<i32>(), unit in "|B|kB|MB|us|ms|s|min|h|d") {
        let row = &table::TABLE[at];
        let text = format!("{number}{unit}");
        if let Ok(setting) = row.read(&text) {
            let shown = row.show(setting);
            prop_assert_eq!(row.read(&shown).map(|setting| row.show(setting)), Ok(shown));
        }
    }

    #[test]
    fn bounds_are_within(at in 0..table::TABLE.len(), number in any::<f64>()) {
        let row = &table::TABLE[at];
        let text = number.to_string();
        let beyond = row.read(&text).ok().and_then(|setting| row.bound(setting));
        if let Some(bound) = beyond {
            prop_assert_eq!(row.bound(bound), None);
        }
    }

    #[test]
    fn any_spelling_of_a_switch_is_its_value(word in "(t|tr|tru|true|y|ye|yes|on|1)", shout in any::<bool>()) {
        let word = if shout { word.to_uppercase() } else { word };
        prop_assert!(same_value("fsync", major(17), &word, "on"));
    }
}
