//! Canonical forms from Kubernetes' own documentation, and laws.

use proptest::prelude::*;

use super::*;

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

#[test]
fn is_written_in_kubernetes_canonical_form() {
    for (text, canonical) in [
        ("1.5", "1500m"),
        ("1500m", "1500m"),
        ("2000m", "2"),
        ("0.1", "100m"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("1000M", "1G"),
        ("500Mi", "500Mi"),
        ("0.5Ki", "512"),
        ("1e9", "1e9"),
        ("1000e6", "1e9"),
        ("1E3", "1e3"),
        ("1E", "1E"),
        ("100", "100"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("0", "0"),
        ("0Gi", "0"),
        ("-5m", "-5m"),
        ("+1", "1"),
        ("1.", "1"),
        (".5", "500m"),
        ("0.0000000001", "1n"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.25Ki", "1280"),
        ("1.3Ki", "1332"),
    ] {
        assert_eq!(quantity(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn compares_by_value() {
    assert!(quantity("1G") < quantity("1Gi"));
    assert!(quantity("999m") < quantity("1"));
    assert!(quantity("1e9") > quantity("999999999"));
    assert_eq!(quantity("1e9"), quantity("1G"));
    assert_eq!(quantity("1Gi"), quantity("1024Mi"));
    assert_eq!(quantity("0.1"), quantity("100m"));
    assert!(quantity("-1") < quantity("0"));
}

#[test]
fn units_and_thousandths_are_rounded_up() {
    assert_eq!((quantity("1.5").units(), quantity("1.5").millis()), (2, 1500));
    assert_eq!(quantity("1Gi").units(), 1 << 30);
    assert_eq!(quantity("1n").millis(), 1);
    assert_eq!(quantity("-1.5").units(), -2);
    assert_eq!(quantity("9E").millis(), i64::MAX);
    assert_eq!(Quantity::from_bytes(1 << 30).to_string(), "1Gi");
    assert_eq!(Quantity::from_units(3).to_string(), "3");
}

#[test]
fn what_kubernetes_does_not_read_is_an_error() {
    for bad in [
        "",
        "G",
        "1K",
        "1KI",
        "1gi",
        "1 Gi",
        "Gi1",
        "1.2.3",
        ".",
        "-",
        "1e",
        "1ee3",
        "1Gi3",
        "1e3Gi",
        "one",
        "0x10",
        "--1",
        "10E",
        "8Ei",
        "1e19",
        "1e99999999999",
        "1m m",
        "½",
    ] {
        assert!(Quantity::parse(bad).is_err(), "{bad:?}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let suffix = proptest::sample::select(vec![
        "", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "e-3", "e0",
    ]);
    (0..1_000_000_u32, proptest::option::of(0..1000_u32), suffix).prop_map(|(whole, fraction, suffix)| {
        fraction.map_or(format!("{whole}{suffix}"), |part| {
            format!("{whole}.{part:03}{suffix}")
        })
    })
}

proptest! {
    #[test]
    fn the_canonical_form_is_stable_and_never_less(text in any_text()) {
        let first = quantity(&text);
        let again = quantity(&first.to_string());
        // Bytes are rounded up to whole ones, nothing else is rounded.
        prop_assert!(again >= first && again.units() == first.units());
        // Bytes that no power of 1024 divides have no suffix left, and are read back as a plain number: equal, but written as one.
        let third = quantity(&again.to_string());
        prop_assert!(third == again);
        prop_assert_eq!(third.to_string(), again.to_string());
    }

    #[test]
    fn order_is_that_of_thousandths(a in 0..1_000_000_000_i64, b in 0..1_000_000_000_i64) {
        let (left, right) = (quantity(&format!("{a}m")), quantity(&format!("{b}m")));
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        prop_assert_eq!(left.millis(), a);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[0-9.eEmkKMGi+-]{0,12}|\\PC{0,8}") {
        let _ = Quantity::parse(&text);
    }
}
