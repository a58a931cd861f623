//! Each change in its time, and no other.

use super::*;
use crate::bundle::Old;

const POLICY: Policy = Policy {
    authority_life: Duration::from_hours(900),
    leaf_life: Duration::from_hours(30),
    settle: Duration::from_mins(10),
    slack: Duration::from_hours(1),
};

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
}

fn authority(hours: i64) -> Authority {
    Authority::make(at(hours), POLICY.authority_life).unwrap()
}

fn trusting(authorities: &[&Authority], since: Timestamp) -> Vec<Option<Trust>> {
    let certificates = authorities
        .iter()
        .map(|authority| authority.certificate().clone())
        .collect();
    let trust = Trust { certificates, since };
    vec![Some(trust.clone()), Some(trust)]
}

#[test]
fn nothing_to_do_for_a_young_authority() {
    let bundle = Bundle::new(authority(0));
    let trust = trusting(&[&bundle.active], at(0));
    assert_eq!(next_change(Some(&bundle), &trust, at(599), &POLICY), None);
    assert_eq!(next_change(None, &trust, at(0), &POLICY), Some(Change::Create));
}

#[test]
fn next_authority_is_published_when_a_third_of_life_is_left() {
    let bundle = Bundle::new(authority(0));
    let trust = trusting(&[&bundle.active], at(0));
    assert_eq!(
        next_change(Some(&bundle), &trust, at(600), &POLICY),
        Some(Change::Publish)
    );
    let bundle = carry_out(Change::Publish, Some(bundle), &[], at(600), &POLICY).unwrap();
    assert!(bundle.next.is_some());
    assert_eq!(bundle.trusted().len(), 2);
}

#[test]
fn next_authority_signs_only_after_it_was_trusted_everywhere_for_a_while() {
    let bundle = Bundle {
        next: Some(authority(600)),
        ..Bundle::new(authority(0))
    };
    let next = bundle.next.as_ref().unwrap();
    let settled = at(600).checked_sub(POLICY.settle).unwrap();
    let change = |trust: &[Option<Trust>]| next_change(Some(&bundle), trust, at(600), &POLICY);
    assert_eq!(
        change(&trusting(&[&bundle.active, next], settled)),
        Some(Change::Promote)
    );
    assert_eq!(
        change(&trusting(&[&bundle.active, next], at(600))),
        None,
        "not settled yet"
    );
    assert_eq!(change(&trusting(&[&bundle.active], settled)), None, "not trusted");
    let mut half = trusting(&[&bundle.active, next], settled);
    half[1] = None;
    assert_eq!(change(&half), None, "a configuration is not there");
    assert_eq!(change(&[]), None, "nobody is known to trust it");
}

#[test]
fn authority_that_ends_before_the_next_has_settled_is_followed_in_time() {
    // Whoever ran with short lives, and goes back to long ones.
    let short = Policy {
        authority_life: Duration::from_secs(36),
        leaf_life: Duration::from_secs(12),
        ..POLICY
    };
    let make = |life| Authority::make(at(0), life).unwrap();
    let bundle = Bundle {
        next: Some(make(POLICY.authority_life)),
        ..Bundle::new(make(short.authority_life))
    };
    let next = bundle.next.as_ref().unwrap();
    let trust = trusting(&[&bundle.active, next], at(0));
    let later = |seconds| at(0).checked_add(Duration::from_secs(seconds)).unwrap();
    let change = |seconds| next_change(Some(&bundle), &trust, later(seconds), &POLICY);
    assert_eq!((change(17), change(18)), (None, Some(Change::Promote)));
    let leaf = Leaf::sign(&bundle.active, &["localhost".to_owned()], at(0), &short).unwrap();
    let due = |seconds| leaf_is_due(Some(&leaf), next, &trust, later(seconds), &POLICY);
    assert_eq!((due(5), due(6)), (false, true));
    assert_eq!(next_due(&bundle, &trust, &leaf, later(1), &POLICY), later(6));
}

#[test]
fn promoted_authority_leaves_the_old_one_trusted_while_its_leaves_live() {
    let bundle = Bundle {
        next: Some(authority(600)),
        ..Bundle::new(authority(0))
    };
    let (old, next) = (bundle.active.certificate().clone(), bundle.next.clone().unwrap());
    let bundle = carry_out(Change::Promote, Some(bundle), &[], at(601), &POLICY).unwrap();
    assert_eq!(bundle.active, next);
    assert_eq!(
        bundle.old,
        [Old {
            certificate: old,
            until: at(601 + 30 + 1)
        }]
    );
    let trust = trusting(&[&next], at(0));
    assert_eq!(next_change(Some(&bundle), &trust, at(631), &POLICY), None);
    assert_eq!(
        next_change(Some(&bundle), &trust, at(632), &POLICY),
        Some(Change::Drop)
    );
    let bundle = carry_out(Change::Drop, Some(bundle), &[], at(632), &POLICY).unwrap();
    assert_eq!(bundle.trusted(), [next.certificate()]);
}

#[test]
fn authority_that_ran_out_is_replaced_at_once() {
    let bundle = Bundle::new(authority(0));
    assert_eq!(
        next_change(Some(&bundle), &[], at(900), &POLICY),
        Some(Change::Replace)
    );
    let bundle = carry_out(Change::Replace, Some(bundle), &[], at(900), &POLICY).unwrap();
    assert!(bundle.active.certificate().is_valid(at(900)));
    assert_eq!(
        bundle.old[0].until,
        at(901),
        "trusted while a replica whose clock is behind may serve a leaf of it"
    );
    let gone = Bundle::new(authority(-2)).succeeded_by(authority(900), at(900), &POLICY);
    assert!(gone.old.is_empty(), "nothing that ran out long ago is trusted");
}

#[test]
fn lost_bundle_is_saved_from_memory_and_replaced_soon() {
    let remembered = Bundle {
        next: Some(authority(10)),
        ..Bundle::new(authority(0))
    };
    let stranger = authority(5).certificate().clone();
    let saved = carry_out(
        Change::Create,
        Some(remembered.clone()),
        std::slice::from_ref(&stranger),
        at(20),
        &POLICY,
    )
    .unwrap();
    assert_eq!(saved.active, remembered.active);
    assert_ne!(saved.next, remembered.next);
    let old: Vec<_> = saved.old.iter().map(|old| old.certificate.clone()).collect();
    assert_eq!(
        old,
        [stranger.clone(), remembered.next.unwrap().certificate().clone()]
    );
    let anew = carry_out(Change::Create, None, &[stranger], at(20), &POLICY).unwrap();
    assert_eq!(
        anew.trusted().len(),
        2,
        "a process without memory still trusts what was trusted"
    );
}

#[test]
fn leaf_is_renewed_when_a_third_is_left_or_its_issuer_stepped_down() {
    let names = ["localhost".to_owned()];
    let (one, two) = (authority(0), authority(0));
    let trust = trusting(&[&one, &two], at(0));
    let due = |leaf: Option<&Leaf>, active, now| leaf_is_due(leaf, active, &trust, now, &POLICY);
    let leaf = Leaf::sign(&one, &names, at(0), &POLICY).unwrap();
    assert!(due(None, &one, at(0)));
    assert!(!due(Some(&leaf), &one, at(19)));
    assert!(due(Some(&leaf), &one, at(20)));
    assert!(due(Some(&leaf), &two, at(1)));
    let last = Leaf::sign(&one, &names, at(890), &POLICY).unwrap();
    assert_eq!(
        last.certificate().not_after(),
        at(900),
        "never outlives its authority"
    );
    assert!(
        !due(Some(&last), &one, at(899)),
        "a new one would not live longer"
    );
}

#[test]
fn leaf_keeps_its_issuer_until_the_new_one_is_trusted_unless_it_ran_out() {
    let (one, two) = (authority(0), authority(0));
    let trust = trusting(&[&one], at(0));
    let leaf = Leaf::sign(&one, &["localhost".to_owned()], at(0), &POLICY).unwrap();
    assert!(!leaf_is_due(Some(&leaf), &two, &trust, at(29), &POLICY));
    assert!(leaf_is_due(Some(&leaf), &two, &trust, at(30), &POLICY));
}

#[test]
fn looks_again_when_something_becomes_due_and_never_in_the_past() {
    let mut bundle = Bundle::new(authority(0));
    let leaf = Leaf::sign(&bundle.active, &["localhost".to_owned()], at(0), &POLICY).unwrap();
    let trust = trusting(&[&bundle.active], at(0));
    assert_eq!(
        next_due(&bundle, &trust, &leaf, at(0), &POLICY),
        at(20),
        "renewal of the leaf"
    );
    bundle.next = Some(authority(0));
    let settled = after(at(0), POLICY.settle).unwrap();
    assert_eq!(next_due(&bundle, &trust, &leaf, at(0), &POLICY), settled);
    assert_eq!(next_due(&bundle, &trust, &leaf, settled, &POLICY), at(20));
}
