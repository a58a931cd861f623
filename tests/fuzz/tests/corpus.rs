//! The corpora: inputs that were once new to the code, and those that once broke it.

use std::fs;
use std::path::Path;

#[test]
fn every_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in pgherd_fuzz::TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(folder.join(name)).expect("each target has a corpus") {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{} breaks {name}", path.display());
            inputs += 1;
        }
        assert!(inputs >= 5, "{name} has {inputs} inputs");
    }
}

#[test]
fn every_corpus_has_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            pgherd_fuzz::TARGETS.iter().any(|(known, _)| *known == name),
            "{name}"
        );
    }
}
