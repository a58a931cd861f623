//! Throwaway.
#![allow(clippy::unwrap_used, missing_docs)]
use pgherd_model::config::{Form, OperatorConfig};
use pgherd_model::validate;
use pgherd_planner::impact::of_edit;
use serde_json::{Value, json};
use std::time::Instant;
fn median(mut f: impl FnMut()) -> (f64, f64, f64) {
    for _ in 0..200 {
        f();
    }
    let mut t: Vec<f64> = (0..3000)
        .map(|_| {
            let s = Instant::now();
            f();
            s.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    t.sort_by(f64::total_cmp);
    (t[t.len() / 10], t[t.len() / 2], t[t.len() * 99 / 100])
}
fn main() {
    let config = OperatorConfig::default_for(Form::Crd);
    for file in std::env::args().skip(1) {
        let old: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        println!("{file} {} bytes", old.to_string().len());
        for patch in [
            json!({"spec":{"dockerImage":"x:2"}}),
            json!({"spec":{"postgresql":{"parameters":{"work_mem":"77MB"}}}}),
            json!({"spec":{"users":{"another":[]}}}),
        ] {
            let mut new = old.clone();
            json_patch::merge(&mut new, &patch);
            let a = median(|| {
                std::hint::black_box(of_edit(&old, &new, &config, now));
            });
            let b = median(|| {
                std::hint::black_box(validate::review(&new, Some(&old), &config));
            });
            println!(
                "  {:?}\n  of_edit p10/p50/p99 {:.0}/{:.0}/{:.0} us; validate::review {:.0}/{:.0}/{:.0}",
                of_edit(&old, &new, &config, now),
                a.0,
                a.1,
                a.2,
                b.0,
                b.1,
                b.2
            );
        }
    }
}
