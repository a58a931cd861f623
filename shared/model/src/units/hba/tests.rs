//! Syntax against what the server's documentation says, and who decides about whom.

use proptest::prelude::*;

use super::*;

fn rule(line: &str) -> Rule {
    match parse(line) {
        Ok(Some(Entry::Rule(rule))) => rule,
        other => panic!("{line}: {other:?}"),
    }
}

fn names(names: &[Name]) -> Vec<(&str, bool)> {
    names
        .iter()
        .map(|name| (name.text.as_str(), name.quoted))
        .collect()
}

#[test]
fn fields_are_told_apart() {
    let line = rule(
        "hostssl  a,\"all\", \"with \"\"quote\" +group,/re$\t10.0.0.0/8 ldap ldapserver=x  \"ldapprefix=cn=a b\" # why",
    );
    assert_eq!(
        names(&line.databases),
        [("a", false), ("all", true), ("with \"quote", true)]
    );
    assert_eq!(names(&line.users), [("+group", false), ("/re$", false)]);
    assert_eq!(
        line.address,
        Some(Address::Network("10.0.0.0".parse().unwrap(), 8))
    );
    assert_eq!(line.method, "ldap");
    assert_eq!(
        line.options,
        [
            ("ldapserver".to_owned(), "x".to_owned()),
            ("ldapprefix".to_owned(), "cn=a b".to_owned())
        ]
    );
}

#[test]
fn addresses_have_many_forms() {
    let address = |text: &str| rule(&format!("host all all {text} md5")).address.unwrap();
    assert_eq!(address("all"), Address::All);
    assert_eq!(address("samehost"), Address::SameHost);
    assert_eq!(address("samenet"), Address::SameNet);
    assert_eq!(address("\"all\""), Address::Host("all".to_owned()));
    assert_eq!(address(".example.org"), Address::Host(".example.org".to_owned()));
    assert_eq!(address("::1/128"), Address::Network("::1".parse().unwrap(), 128));
    assert_eq!(
        address("192.168.1.4 255.255.0.0"),
        Address::Network("192.168.1.4".parse().unwrap(), 16)
    );
    assert_eq!(
        address("fe80::1%eth0/64"),
        Address::Network("fe80::1".parse().unwrap(), 64)
    );
}

#[test]
fn what_says_nothing_is_skipped() {
    for line in ["", "  \t", "# host all all all trust", "  # x"] {
        assert_eq!(parse(line), Ok(None), "{line}");
    }
    assert_eq!(parse("include_dir other"), Ok(Some(Entry::Include)));
}

#[test]
fn what_the_server_refuses_is_refused() {
    for line in [
        "hots all all all md5",
        "host",
        "host all",
        "host all all",
        "host all all all",
        "local all all",
        "local all all 127.0.0.1/32 trust",
        "host all all 10.0.0.0/33 md5",
        "host all all 10.0.0.0/8/8 md5",
        "host all all 10.0.0.0/-1 md5",
        "host all all 10.0.0 md5",
        "host all all 10.0.0.0 md5",
        "host all all 10.0.0.0 ffff:: md5",
        "host all all example.org/8 md5",
        "host all all all,samenet md5",
        "host all all all scram",
        "host all all all MD5",
        "host all all all peer",
        "host all all all cert",
        "local all all gss",
        "local all all md5 map",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_line_goes_on_behind_a_backslash_and_an_item_holds_many() {
    let list = [
        "local all \\",
        "all trust",
        "host all all all md5\n# c\nbad",
        "local all all peer \\",
    ];
    let found: Vec<_> = read(&list.map(str::to_owned))
        .into_iter()
        .map(|(index, entry)| (index, entry.is_ok()))
        .collect();
    assert_eq!(found, [(0, true), (2, true), (2, false), (3, true)]);
}

fn verdict(lines: &[&str], client: Client<'_>) -> Verdict {
    let lines: Vec<Entry> = lines.iter().filter_map(|line| parse(line).unwrap()).collect();
    decide(&lines, &client)
}

const OPERATOR: Client<'_> = Client {
    user: "postgres",
    database: Some("postgres"),
    over_network: true,
};
const REPLICA: Client<'_> = Client {
    user: "standby",
    database: None,
    over_network: true,
};

#[test]
fn the_first_line_that_fits_decides() {
    let open = "hostssl all all all md5";
    assert_eq!(verdict(&[], OPERATOR), Verdict::Forgotten);
    assert_eq!(verdict(&[open], OPERATOR), Verdict::Open);
    assert_eq!(
        verdict(&["hostssl all all all reject", open], OPERATOR),
        Verdict::Refused
    );
    assert_eq!(
        verdict(&[open, "hostssl all all all reject"], OPERATOR),
        Verdict::Open
    );
    // What is not about it, or perhaps not, does not refuse it.
    for line in [
        "hostnossl all all all reject",
        "local all all reject",
        "host shop all all reject",
        "host all app all reject",
        "host all +people all reject",
        "host all all 10.0.0.0/8 reject",
        "host replication all all reject",
    ] {
        assert_eq!(verdict(&[line, open], OPERATOR), Verdict::Open, "{line}");
        assert_ne!(verdict(&[line], OPERATOR), Verdict::Open, "{line}");
    }
}

#[test]
fn what_may_let_in_does() {
    for line in [
        "host all +admins all md5",
        "host /^post /^post .cluster.local md5",
        "host @names all samenet md5",
        "host samerole all 10.0.0.0/8 md5",
        "host sameuser \"postgres\" 0.0.0.0/0 md5",
        "hostnogssenc all all all md5",
    ] {
        assert_eq!(verdict(&[line], OPERATOR), Verdict::Open, "{line}");
    }
    for line in [
        "host all all 127.0.0.1/32 md5",
        "host all all ::1/128 md5",
        "host all all samehost md5",
        "host all \"all\" all md5",
        "host \"all\" all all md5",
    ] {
        assert_eq!(verdict(&[line], OPERATOR), Verdict::Forgotten, "{line}");
    }
}

#[test]
fn all_databases_do_not_include_replication() {
    assert_eq!(verdict(&["host all all all md5"], REPLICA), Verdict::Forgotten);
    assert_eq!(
        verdict(&["host \"replication\" all all md5"], REPLICA),
        Verdict::Forgotten
    );
    assert_eq!(
        verdict(&["host replication,all standby all md5"], REPLICA),
        Verdict::Open
    );
    assert_eq!(
        verdict(&["host replication all all md5"], OPERATOR),
        Verdict::Forgotten
    );
}

#[test]
fn strangers_are_those_from_elsewhere() {
    for (line, strangers) in [
        ("local all all trust", false),
        ("host all all 127.0.0.1/32 trust", false),
        ("host all all ::1/128 trust", false),
        ("host all all samehost trust", false),
        ("host all all 127.0.0.1/0 trust", true),
        ("host all all all trust", true),
        ("host all all 10.1.0.0/16 trust", true),
        ("host all all all md5", false),
    ] {
        assert_eq!(rule(line).trusts_strangers(), strangers, "{line}");
    }
}

proptest! {
    #[test]
    fn no_list_breaks_it(list in prop::collection::vec("(local|host|hostssl)?[ a-z0-9,\"#/\\\\.:+@=\n]{0,40}", 0..4)) {
        let entries = read(&list);
        prop_assert!(entries.is_sorted_by_key(|(index, _)| *index));
        prop_assert!(entries.iter().all(|(index, _)| *index < list.len()));
        let good: Vec<Entry> = entries.into_iter().filter_map(|(_, entry)| entry.ok()).collect();
        decide(&good, &OPERATOR);
    }

    #[test]
    fn a_quoted_name_is_read_back(name in "[^\n\r]{1,12}") {
        let line = format!("local \"{}\" all trust", name.replace('"', "\"\""));
        let found = rule(&line);
        prop_assert_eq!(names(&found.databases), [(name.as_str(), true)]);
    }
}
