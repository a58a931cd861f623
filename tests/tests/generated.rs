//! Generated files are committed as the code makes them.

use pgherd_tests::generated;

#[test]
fn committed_files_are_what_the_code_makes() {
    let stale = generated::stale(&generated::root()).expect("the files can be read");
    let paths: Vec<_> = stale.iter().map(|file| &file.path).collect();
    assert!(paths.is_empty(), "run `cargo generate` and commit: {paths:?}");
}

#[test]
fn a_changed_and_a_missing_file_are_found_and_written() {
    let root = tempfile::tempdir().expect("a temporary folder can be made");
    let all = generated::files().expect("files can be made");
    assert_eq!(generated::stale(root.path()).expect("nothing to read yet"), all);
    generated::write(root.path(), &all).expect("the folder can be written");
    let first = root.path().join(&all[0].path);
    std::fs::write(&first, format!("{}\n# edited", all[0].content)).expect("the file can be written");
    assert_eq!(
        generated::stale(root.path()).expect("files can be read"),
        all[..1]
    );
}
