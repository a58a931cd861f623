//! The user's cache: directories of what is dear to build, each under the hash of everything it was built from, so that
//! a fresh clone finds what another checkout made. Entries appear whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// How many entries of one name are kept; the ones used longest ago go first.
const KEPT: usize = 4;

/// The hash of what an entry is made from.
#[derive(Debug, Clone)]
pub struct Key(Sha256);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds words: a version, a flag, a list of packages.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
        self
    }

    /// Adds a file's content (not its name).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.0.update(file.metadata()?.len().to_le_bytes());
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = file
                .read(&mut buffer)
                .with_context(|| format!("cannot read {}", path.display()))?;
            if read == 0 {
                return Ok(self);
            }
            self.0.update(&buffer[..read]);
        }
    }

    /// Adds every file below a directory, names and contents, in the order of their names.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn tree(mut self, dir: &Path) -> Result<Self> {
        let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            self = self.text(&path.file_name().unwrap_or_default().to_string_lossy());
            self = if path.is_dir() {
                self.tree(&path)?
            } else {
                self.file(&path)?
            };
        }
        Ok(self)
    }

    /// The first 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        let hash = self.0.clone().finalize();
        let first = hash
            .iter()
            .take(8)
            .fold(0_u64, |digits, byte| digits << 8 | u64::from(*byte));
        format!("{first:016x}")
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

/// The user's cache directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/pgherd`, or `~/.cache/pgherd`; made if it is missing.
    ///
    /// # Errors
    /// When there is no home directory or it cannot be written.
    pub fn open() -> Result<Self> {
        let base = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
            Some(dir) => PathBuf::from(dir),
            None => std::env::home_dir()
                .context("no home directory is set; set XDG_CACHE_HOME")?
                .join(".cache"),
        };
        Self::at(&base.join("pgherd"))
    }

    fn at(root: &Path) -> Result<Self> {
        fs::create_dir_all(root)
            .with_context(|| format!("cannot make the cache {}; set XDG_CACHE_HOME", root.display()))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The entry's directory, if it was made before.
    pub fn get(&self, name: &str, key: &Key) -> Option<PathBuf> {
        let entry = self.entry(name, key);
        // The time of the last use decides what is dropped; an entry that cannot be touched is still good.
        let touched = File::open(&entry).and_then(|dir| dir.set_modified(SystemTime::now()));
        match touched {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            _ => Some(entry),
        }
    }

    /// The entry's directory; `make` fills it if this is the first time. Only one process makes it, others wait.
    ///
    /// # Errors
    /// What `make` returns, or what the file system says (a full disk).
    pub fn get_or_make(
        &self,
        name: &str,
        key: &Key,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        if let Some(entry) = self.get(name, key) {
            return Ok(entry);
        }
        let _guard = self.lock(name)?;
        if let Some(entry) = self.get(name, key) {
            return Ok(entry);
        }
        let entry = self.entry(name, key);
        let draft = tempfile::Builder::new()
            .prefix(".draft-")
            .tempdir_in(&self.root)
            .with_context(|| format!("cannot write to the cache {}", self.root.display()))?;
        let filled = draft.path().join("entry");
        fs::create_dir(&filled)?;
        make(&filled)?;
        fs::rename(&filled, &entry)
            .with_context(|| format!("cannot write the cache entry {}", entry.display()))?;
        self.drop_old(name)?;
        Ok(entry)
    }

    fn entry(&self, name: &str, key: &Key) -> PathBuf {
        self.root.join(format!("{name}-{}", key.digest()))
    }

    fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!(".{name}.lock"));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// Removes the entries of a name that were used longest ago, all but [`KEPT`].
    fn drop_old(&self, name: &str) -> Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let file_name = entry.file_name().to_string_lossy().into_owned();
            let digest = file_name
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('-'));
            if digest.is_some_and(|digest| digest.len() == 16 && !digest.contains('-')) {
                entries.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        entries.sort();
        let surplus = entries.len().saturating_sub(KEPT);
        for (_, path) in &entries[..surplus] {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path()).unwrap();
        (dir, cache)
    }

    #[test]
    fn makes_once_and_finds_again() {
        let (_dir, cache) = cache();
        let key = Key::new().text("1");
        let made = cache
            .get_or_make("tool", &key, |dir| Ok(fs::write(dir.join("a"), "x")?))
            .unwrap();
        let found = cache
            .get_or_make("tool", &key, |_| anyhow::bail!("made twice"))
            .unwrap();
        assert_eq!(made, found);
        assert_eq!(fs::read_to_string(found.join("a")).unwrap(), "x");
    }

    #[test]
    fn a_failed_build_leaves_no_entry() {
        let (dir, cache) = cache();
        let key = Key::new().text("1");
        let failed = cache.get_or_make("tool", &key, |_| anyhow::bail!("no luck"));
        assert_eq!(failed.unwrap_err().to_string(), "no luck");
        assert!(cache.get("tool", &key).is_none());
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [".tool.lock"]);
    }

    #[test]
    fn keeps_the_entries_used_last() {
        let (_dir, cache) = cache();
        for version in ["1", "2", "3", "4", "5", "6"] {
            cache
                .get_or_make("tool", &Key::new().text(version), |_| Ok(()))
                .unwrap();
        }
        assert!(cache.get("tool", &Key::new().text("2")).is_none());
        assert!(cache.get("tool", &Key::new().text("3")).is_some());
    }

    #[test]
    fn key_tells_where_one_text_ends() {
        assert_ne!(
            Key::new().text("ab").text("c").digest(),
            Key::new().text("a").text("bc").digest()
        );
    }
}
