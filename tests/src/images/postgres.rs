//! The database image that stands in for Spilo: a Debian root as the base layer, made once by debootstrap, and our entry
//! point (`tests/images/postgres/scripts`) as a small layer on top, so that changing a script does not repeat the base.
//! What the image does and does not do: docs/test-images.md.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::oci::{Entry, ImageSpec, Layer, architecture};
use super::{IMAGE_TAR, sources};
use crate::cache::{Cache, Key};
use crate::packages;
use crate::progress::Progress;
use crate::shell::Run;

/// The reference of the database image.
pub const POSTGRES: &str = "localhost/pgherd/postgres:local";
/// The same image under another tag: an image change that changes nothing else.
pub const POSTGRES_OTHER: &str = "localhost/pgherd/postgres:other";

/// User and group of Spilo's `postgres`.
const POSTGRES_ID: (u32, u32) = (101, 103);
/// The entry point writes Patroni's configuration there.
const PATRONI_CONFIG: &str = "/run/postgres.yml";
const BASE_TIMEOUT: Duration = Duration::from_mins(20);
/// What the base layer is, beside its blob.
const LAYER_JSON: &str = "layer.json";

/// The archive of the database image; built if it is not in the cache.
///
/// # Errors
/// When it must be built and we are not root, debootstrap or the package mirror is missing, or the disk is full.
pub fn postgres(progress: &Progress) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let base = base(&cache, progress)?;
    let scripts = sources("postgres").join("scripts");
    let key = Key::new()
        .text("1")
        .text(&base.digest)
        .tree(&scripts)?
        .text(&format!("{:?}", spec(vec![])));
    let entry = cache.get_or_make("image-postgres", &key, |dir| {
        let step = progress.step("writing the database image");
        let top = Layer::of(dir, &top(&scripts)?)?;
        spec(vec![base, top]).save(&dir.join(IMAGE_TAR))?;
        step.done();
        Ok(())
    })?;
    Ok(entry.join(IMAGE_TAR))
}

/// The root file system of the database image, unpacked: its programs run on the machine itself, without containers.
///
/// # Errors
/// As [`postgres`], and when it cannot be unpacked.
pub fn postgres_root(progress: &Progress) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let base = base(&cache, progress)?;
    let key = Key::new().text("1").text(&base.digest);
    cache.get_or_make("postgres-root", &key, |dir| {
        let step = progress.step("unpacking the programs of the database image");
        Run::new("tar")
            .args(["--extract", "--gzip", "--no-same-owner", "--directory"])
            .args([dir, Path::new("--file"), &base.blob])
            .timeout(BASE_TIMEOUT)
            .output()?;
        step.done();
        Ok(())
    })
}

fn spec(layers: Vec<Layer>) -> ImageSpec {
    let root = "/home/postgres/pgdata/pgroot";
    ImageSpec {
        names: vec![POSTGRES.to_owned(), POSTGRES_OTHER.to_owned()],
        entrypoint: ["/usr/bin/python3", "-u", "/scripts/launch.py"]
            .map(str::to_owned)
            .to_vec(),
        env: vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            "LC_ALL=en_US.utf-8".to_owned(),
            "PGHOME=/home/postgres".to_owned(),
            format!("PGROOT={root}"),
            format!("PGDATA={root}/data"),
        ],
        workdir: "/home/postgres".to_owned(),
        layers,
        ..ImageSpec::default()
    }
}

/// The scripts, and what they need to find: a writable `/run`, a place for the volume, patronictl's configuration.
fn top(scripts: &Path) -> Result<Vec<Entry>> {
    let (uid, gid) = POSTGRES_ID;
    let mut entries = vec![
        Entry::directory("run", 0o1777),
        Entry::directory("home/postgres/pgdata", 0o755).owned_by(uid, gid),
        Entry::directory("scripts", 0o755),
    ];
    for home in ["root", "home/postgres"] {
        entries.push(Entry::directory(&format!("{home}/.config"), 0o755));
        entries.push(Entry::directory(&format!("{home}/.config/patroni"), 0o755));
        entries.push(Entry::link(
            &format!("{home}/.config/patroni/patronictl.yaml"),
            PATRONI_CONFIG,
        ));
    }
    let mut names = fs::read_dir(scripts)
        .and_then(|dir| {
            dir.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()))
                .collect()
        })
        .with_context(|| format!("read {}", scripts.display()))
        .map(|names: Vec<String>| names)?;
    names.retain(|name| name != "__pycache__");
    names.sort();
    entries.extend(
        names
            .iter()
            .map(|n| Entry::file(&format!("scripts/{n}"), 0o755, &scripts.join(n))),
    );
    Ok(entries)
}

/// The Debian root as a layer.
fn base(cache: &Cache, progress: &Progress) -> Result<Layer> {
    let script = sources("postgres").join("build-root.sh");
    let key = Key::new().text("1").text(architecture()).file(&script)?;
    let entry = cache.get_or_make("image-postgres-base", &key, |dir| {
        make_base(&script, dir, progress).context("cannot build the database image")
    })?;
    read_layer(&entry)
}

fn make_base(script: &Path, dir: &Path, progress: &Progress) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("it needs root, for debootstrap; run as root once, later runs find it in the cache");
    }
    packages::ensure(&["debootstrap"], progress)?;
    let root = dir.join("root");
    let step = progress.step("installing Debian, PostgreSQL and Patroni for the database image");
    // debootstrap mounts /proc below the root; in a namespace of its own nothing of it can stay behind.
    Run::new("unshare")
        .args(["--mount", "--propagation", "private", "sh"])
        .args([script, &root])
        .timeout(BASE_TIMEOUT)
        .advice("look whether the machine reaches its package mirror, and whether the disk is full")
        .output()?;
    step.done();
    let step = progress.step("packing the database image");
    let layer = pack(dir, &root)?;
    fs::remove_dir_all(&root).with_context(|| format!("remove {}", root.display()))?;
    write_layer(dir, &layer)?;
    step.done();
    Ok(())
}

/// Everything below `root` as a layer; device files and what was mounted come from the container runtime.
fn pack(dir: &Path, root: &Path) -> Result<Layer> {
    Layer::write(dir, |out| {
        let mut tar = Command::new("tar")
            .args(["--create", "--numeric-owner", "--sort=name", "--one-file-system"])
            .args([
                "--exclude=./dev/*",
                "--exclude=./proc/*",
                "--exclude=./sys/*",
                "--directory",
            ])
            .arg(root)
            .arg(".")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("start tar")?;
        let mut stdout = tar.stdout.take().context("tar was started with a pipe")?;
        let copied = io::copy(&mut stdout, out);
        drop(stdout);
        let status = tar.wait().context("wait for tar")?;
        copied.context("compress the root")?;
        if !status.success() {
            bail!("tar of {} ended with {status}", root.display());
        }
        Ok(())
    })
}

fn write_layer(dir: &Path, layer: &Layer) -> Result<()> {
    let text = json!({ "digest": layer.digest, "diff_id": layer.diff_id, "size": layer.size }).to_string();
    fs::write(dir.join(LAYER_JSON), text).with_context(|| format!("write to {}", dir.display()))
}

fn read_layer(entry: &Path) -> Result<Layer> {
    let path = entry.join(LAYER_JSON);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let value: Value = serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))?;
    let field = |name: &str| {
        value[name]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("{name} is missing"))
    };
    let digest = field("digest")?;
    let blob = entry.join(format!("{}.tar.gz", digest.trim_start_matches("sha256:")));
    let size = value["size"].as_u64().context("size is missing")?;
    Ok(Layer {
        blob,
        digest,
        diff_id: field("diff_id")?,
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_found_again_beside_its_description() {
        let dir = tempfile::tempdir().unwrap();
        let layer = Layer::of(dir.path(), &[Entry::bytes("a", 0o644, "x")]).unwrap();
        write_layer(dir.path(), &layer).unwrap();
        let found = read_layer(dir.path()).unwrap();
        assert_eq!(
            (found.digest, found.diff_id, found.size),
            (layer.digest, layer.diff_id, layer.size)
        );
        assert!(found.blob.is_file());
    }

    #[test]
    fn the_top_layer_holds_the_entry_point() {
        let entries = top(&sources("postgres").join("scripts")).unwrap();
        let find = |path: &str| entries.iter().find(|entry| entry.path == path);
        let Some(entry) = find("scripts/launch.py") else {
            panic!("no launch.py")
        };
        assert_eq!(entry.mode, 0o755);
        assert!(find("scripts/patroni_main.py").is_some());
        assert_eq!(spec(vec![]).entrypoint.last().unwrap(), "/scripts/launch.py");
    }

    #[test]
    fn the_entry_point_obeys_the_contract() {
        packages::ensure(&["python3"], &Progress::silent()).unwrap();
        Run::new("python3")
            .arg(sources("postgres").join("tests/test_configuration.py"))
            .output()
            .unwrap();
    }
}
