//! What must hold for any bytes, one function for each kind of text that strangers write. Each is the body of a fuzz target and is run on the
//! target's corpus as an ordinary test. Not here: what is allowed (model); how bytes are invented (the fuzzer, in `targets`).
//!
//! A function that returns has found nothing; a panic is a finding.

mod configuration;
mod review;
mod text;

/// A target: what must hold for its bytes.
pub type Target = fn(&[u8]);

/// All targets, by the name of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("config_map", configuration::config_map),
    ("hba", text::hba),
    ("parameter", text::parameter),
    ("quantity", text::quantity),
    ("review", review::review),
    ("schedule", text::schedule),
    ("window", text::window),
];

/// Runs the target of this name.
///
/// # Panics
/// When there is none, and when something does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("the target is in the table");
    target(bytes);
}
