//! The OCI image format: layers as compressed tars, and an image as one tar file that `ctr images import`
//! (or `docker load`, `podman load`) takes. What goes into an image is not decided here.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An image before it is written.
#[derive(Debug, Clone, Default)]
pub struct ImageSpec {
    /// Full references, such as `localhost/pgherd/pause:local`; several names share one image.
    pub names: Vec<String>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// User name, or `uid:gid`; empty for root.
    pub user: String,
    /// Working directory; empty for `/`.
    pub workdir: String,
    /// From the bottom to the top.
    pub layers: Vec<Layer>,
}

/// One layer, compressed and stored in a file.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The gzipped tar.
    pub blob: PathBuf,
    /// `sha256:…` of the blob.
    pub digest: String,
    /// `sha256:…` of the tar inside.
    pub diff_id: String,
    /// Bytes of the blob.
    pub size: u64,
}

/// A file, directory or link of a small layer; times are always the epoch, so that the same content gives the same digest.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Inside the image, without the leading slash.
    pub path: String,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub content: Content,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone)]
pub enum Content {
    Directory,
    Bytes(Vec<u8>),
    /// Copied from this file of the machine.
    File(PathBuf),
    /// A symbolic link to this target.
    Link(String),
}

impl Entry {
    /// A directory of root's.
    pub fn directory(path: &str, mode: u32) -> Self {
        Self::of_root(path, mode, Content::Directory)
    }

    /// A file of root's, copied from the machine.
    pub fn file(path: &str, mode: u32, source: &Path) -> Self {
        Self::of_root(path, mode, Content::File(source.to_owned()))
    }

    /// A file of root's with these bytes.
    pub fn bytes(path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::of_root(path, mode, Content::Bytes(bytes.into()))
    }

    /// A symbolic link.
    pub fn link(path: &str, target: &str) -> Self {
        Self::of_root(path, 0o777, Content::Link(target.to_owned()))
    }

    fn of_root(path: &str, mode: u32, content: Content) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            uid: 0,
            gid: 0,
            content,
        }
    }

    /// The same entry with another owner.
    #[must_use]
    pub fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    fn append_to(&self, tar: &mut tar::Builder<impl Write>) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(self.mode);
        header.set_uid(self.uid.into());
        header.set_gid(self.gid.into());
        header.set_mtime(0);
        header.set_size(0);
        match &self.content {
            Content::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                tar.append_data(&mut header, &self.path, io::empty())?;
            }
            Content::Bytes(bytes) => {
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, &self.path, bytes.as_slice())?;
            }
            Content::File(source) => {
                let file = File::open(source).with_context(|| format!("open {}", source.display()))?;
                header.set_size(file.metadata()?.len());
                tar.append_data(&mut header, &self.path, BufReader::new(file))?;
            }
            Content::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                tar.append_link(&mut header, &self.path, target)?;
            }
        }
        Ok(())
    }
}

impl Layer {
    /// Compresses what `fill` writes (a tar) into a file of `dir` that is named after its digest.
    pub fn write(dir: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Self> {
        let part = tempfile::NamedTempFile::new_in(dir)
            .with_context(|| format!("create a layer in {}", dir.display()))?;
        // No name and no time in the header, and a fixed system byte: the digest depends on the content alone.
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(Hashing::new(BufWriter::new(part.as_file())), Compression::fast());
        let mut tar = Hashing::new(gzip);
        fill(&mut tar)?;
        let (gzip, diff_id, _) = tar.finish();
        let (mut out, digest, size) = gzip.finish().context("compress a layer")?.finish();
        out.flush().context("write a layer")?;
        drop(out);
        let blob = dir.join(format!("{}.tar.gz", digest.trim_start_matches("sha256:")));
        part.persist(&blob)
            .with_context(|| format!("move a layer to {}", blob.display()))?;
        Ok(Self {
            blob,
            digest,
            diff_id,
            size,
        })
    }

    /// A layer of these entries, in this order.
    pub fn of(dir: &Path, entries: &[Entry]) -> Result<Self> {
        Self::write(dir, |out| {
            let mut tar = tar::Builder::new(out);
            for entry in entries {
                entry
                    .append_to(&mut tar)
                    .with_context(|| format!("add {} to a layer", entry.path))?;
            }
            tar.finish().context("finish a layer")
        })
    }
}

impl ImageSpec {
    /// Writes the image as one tar file.
    pub fn save(&self, to: &Path) -> Result<()> {
        let config = serde_json::to_vec(&self.config())?;
        let manifest = serde_json::to_vec(&self.manifest(&config))?;
        let index = serde_json::to_vec(&self.index(&manifest))?;
        let part = to.with_extension("part");
        let file = File::create(&part).with_context(|| format!("create {}", part.display()))?;
        let mut tar = tar::Builder::new(BufWriter::new(file));
        let mut entries = vec![
            Entry::bytes("oci-layout", 0o644, r#"{"imageLayoutVersion":"1.0.0"}"#),
            Entry::bytes("index.json", 0o644, index),
            Entry::bytes(&blob_path(&digest_of(&manifest)), 0o644, manifest),
            Entry::bytes(&blob_path(&digest_of(&config)), 0o644, config),
        ];
        entries.extend(
            self.layers
                .iter()
                .map(|l| Entry::file(&blob_path(&l.digest), 0o644, &l.blob)),
        );
        for entry in entries {
            entry
                .append_to(&mut tar)
                .with_context(|| format!("write {}", to.display()))?;
        }
        tar.into_inner()
            .and_then(|mut out| out.flush())
            .with_context(|| format!("write {}", to.display()))?;
        fs::rename(&part, to).with_context(|| format!("rename to {}", to.display()))
    }

    fn config(&self) -> Value {
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Cmd": self.cmd,
                "Env": self.env,
                "User": self.user,
                "WorkingDir": self.workdir,
            },
            "rootfs": { "type": "layers", "diff_ids": self.layers.iter().map(|l| &l.diff_id).collect::<Vec<_>>() },
            "history": self.layers.iter().map(|_| json!({ "created_by": "pgherd" })).collect::<Vec<_>>(),
        })
    }

    fn manifest(&self, config: &[u8]) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest_of(config),
                "size": config.len(),
            },
            "layers": self.layers.iter().map(|layer| json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": layer.digest,
                "size": layer.size,
            })).collect::<Vec<_>>(),
        })
    }

    fn index(&self, manifest: &[u8]) -> Value {
        let manifests = self.names.iter().map(|name| {
            json!({
                "mediaType": MANIFEST,
                "digest": digest_of(manifest),
                "size": manifest.len(),
                "platform": { "architecture": architecture(), "os": "linux" },
                "annotations": { "io.containerd.image.name": name },
            })
        });
        json!({ "schemaVersion": 2, "manifests": manifests.collect::<Vec<_>>() })
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The machine's architecture in the words of OCI (and of Debian and Go).
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `sha256:…` of a file.
pub fn digest_of_file(path: &Path) -> Result<String> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut sink = Hashing::new(io::sink());
    io::copy(&mut BufReader::new(file), &mut sink).with_context(|| format!("read {}", path.display()))?;
    Ok(sink.finish().1)
}

fn digest_of(bytes: &[u8]) -> String {
    let mut sink = Hashing::new(io::sink());
    sink.update(bytes);
    sink.finish().1
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    fn finish(self) -> (W, String, u64) {
        (
            self.inner,
            format!("sha256:{:x}", self.hash.finalize()),
            self.size,
        )
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
