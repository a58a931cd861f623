use std::collections::BTreeMap;
use std::io::Read;

use super::*;

fn files_of_tar(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(bytes);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (path, content)
        })
        .collect()
}

fn entries() -> [Entry; 4] {
    [
        Entry::directory("etc", 0o755),
        Entry::bytes("etc/motd", 0o640, "hello"),
        Entry::bytes("program", 0o755, vec![7; 100_000]).owned_by(101, 103),
        Entry::link("etc/mtab", "/proc/mounts"),
    ]
}

#[test]
fn the_same_content_gives_the_same_layer() {
    let dir = tempfile::tempdir().unwrap();
    let first = Layer::of(dir.path(), &entries()).unwrap();
    let second = Layer::of(dir.path(), &entries()).unwrap();
    assert_eq!((&first.digest, &first.diff_id), (&second.digest, &second.diff_id));
    assert_ne!(
        first.digest,
        Layer::of(dir.path(), &entries()[..2]).unwrap().digest
    );
    assert_eq!(digest_of_file(&first.blob).unwrap(), first.digest);
    assert_eq!(fs::metadata(&first.blob).unwrap().len(), first.size);
}

#[test]
fn a_layer_holds_its_entries() {
    let dir = tempfile::tempdir().unwrap();
    let layer = Layer::of(dir.path(), &entries()).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(&layer.blob).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(digest_of(&bytes), layer.diff_id);

    let mut archive = tar::Archive::new(bytes.as_slice());
    let seen: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let link = entry.link_name().unwrap().map(|l| l.display().to_string());
            let path = entry.path().unwrap().display().to_string();
            (
                path,
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.size().unwrap(),
                link,
            )
        })
        .collect();
    let expected = [
        ("etc", 0o755, 0, 0, 0, None),
        ("etc/motd", 0o640, 0, 0, 5, None),
        ("program", 0o755, 101, 103, 100_000, None),
        ("etc/mtab", 0o777, 0, 0, 0, Some("/proc/mounts")),
    ]
    .map(|(path, mode, uid, gid, size, link)| {
        (path.to_owned(), mode, uid, gid, size, link.map(str::to_owned))
    });
    assert_eq!(seen, expected);
}

#[test]
fn an_image_refers_to_blobs_that_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let layer = Layer::of(dir.path(), &entries()).unwrap();
    let image = ImageSpec {
        names: vec!["localhost/x/y:a".to_owned(), "localhost/x/y:b".to_owned()],
        entrypoint: vec!["/program".to_owned()],
        user: "65532:65532".to_owned(),
        layers: vec![layer.clone()],
        ..ImageSpec::default()
    };
    let to = dir.path().join("image.tar");
    image.save(&to).unwrap();

    let files = files_of_tar(&fs::read(&to).unwrap());
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with("blobs/")) {
        assert_eq!(*path, blob_path(&digest_of(content)));
    }
    let blob = |descriptor: &Value| {
        let content = &files[&blob_path(descriptor["digest"].as_str().unwrap())];
        assert_eq!(descriptor["size"], content.len());
        content.clone()
    };
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let [first, second] = index["manifests"].as_array().unwrap().as_slice() else {
        panic!("two names: {index}")
    };
    assert_eq!(
        first["annotations"]["io.containerd.image.name"],
        "localhost/x/y:a"
    );
    assert_eq!(
        second["annotations"]["io.containerd.image.name"],
        "localhost/x/y:b"
    );
    assert_eq!(first["digest"], second["digest"]);

    let manifest: Value = serde_json::from_slice(&blob(first)).unwrap();
    assert_eq!(blob(&manifest["layers"][0]), fs::read(&layer.blob).unwrap());
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], layer.diff_id.as_str());
    assert_eq!(config["config"]["Entrypoint"], json!(["/program"]));
}

#[test]
fn a_missing_source_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let error = Layer::of(dir.path(), &[Entry::file("x", 0o644, &missing)]).unwrap_err();
    assert!(format!("{error:#}").contains("nowhere"), "{error:#}");
    assert!(
        fs::read_dir(dir.path()).unwrap().next().is_none(),
        "nothing is left behind"
    );
}
