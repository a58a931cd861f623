//! The Go programs of a local Kubernetes: built once per version of their sources, kept in the user's cache, linked into
//! the state directory under every name that they answer to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::layout::{Layout, checkout};
use crate::cache::{Cache, Key};
use crate::images::executable;
use crate::progress::Progress;
use crate::shell::{Run, find_program};

const BUILD_TIMEOUT: Duration = Duration::from_mins(45);

/// A Go module of ours.
struct Module {
    /// Also the name of the file.
    name: &'static str,
    /// Below the checkout.
    dir: &'static str,
    ldflags: &'static str,
    /// What else its binary answers to.
    links: &'static [&'static str],
    /// What a person should expect of the first build.
    expect: &'static str,
}

const MODULES: [Module; 2] = [
    Module {
        name: "kubernetes",
        dir: "tests/kubernetes",
        // Without a version in it kubectl cannot parse what the API server says.
        ldflags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4 \
                  -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35",
        links: &[
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "kubelet",
            "kubectl",
        ],
        expect: "about 6 minutes on 2 cores",
    },
    Module {
        name: "coredns",
        dir: "tests/kubernetes/coredns",
        ldflags: "-s -w",
        links: &[],
        expect: "about 1 minute",
    },
];

/// Makes sure that `bin/` of the state directory holds every program, this one included.
///
/// # Errors
/// When Go is missing, or a build fails: with the compiler's last words.
pub(super) fn ensure(layout: &Layout, progress: &Progress) -> Result<()> {
    let cache = Cache::open()?;
    let bin = layout.host("bin");
    fs::create_dir_all(&bin)
        .with_context(|| format!("cannot make {}; is the directory another user's?", bin.display()))?;
    for module in &MODULES {
        let binary = module.ensure(&cache, progress)?;
        replace(&bin.join(module.name), |draft| link_or_copy(&binary, draft))?;
        for link in module.links {
            replace(&bin.join(link), |draft| Ok(symlink(module.name, draft)?))?;
        }
    }
    // A copy of its own, because `cargo` replaces the original at any time.
    let own = own_program()?;
    replace(&bin.join("localkube"), |draft| {
        Ok(fs::copy(&own, draft).map(drop)?)
    })
}

/// The `localkube` program: this one, or the one that belongs to the running demo or test, built if need be.
fn own_program() -> Result<PathBuf> {
    const NAME: &str = "localkube";
    let running = std::env::current_exe().context("cannot find this program's own file")?;
    if running.file_name().is_some_and(|name| name == NAME) {
        return Ok(running);
    }
    let messages = Run::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "pgherd-tests", "--bin", NAME])
        .args(["--message-format", "json-render-diagnostics"])
        .dir(checkout())
        .timeout(BUILD_TIMEOUT)
        .purpose("build the program localkube")
        .output()?;
    executable(&messages, NAME)
}

impl Module {
    fn ensure(&self, cache: &Cache, progress: &Progress) -> Result<PathBuf> {
        let dir = checkout().join(self.dir);
        let key = self.key(&dir)?;
        let entry = cache.get_or_make(self.name, &key, |entry| {
            let step = progress.step(format!(
                "building {} from Go modules ({})",
                self.name, self.expect
            ));
            self.build(&dir, entry)?;
            step.done();
            Ok(())
        })?;
        Ok(entry.join(self.name))
    }

    fn key(&self, dir: &Path) -> Result<Key> {
        let key = Key::new()
            .text("go module 1")
            .text(&go_version(dir)?)
            .text(self.ldflags);
        key.file(&dir.join("main.go"))?
            .file(&dir.join("go.mod"))?
            .file(&dir.join("go.sum"))
    }

    fn build(&self, dir: &Path, entry: &Path) -> Result<()> {
        Run::new(go()?)
            .args([
                "build",
                "-trimpath",
                // A checkout that belongs to another user must do, and its commit must not matter.
                "-buildvcs=false",
                "-mod=readonly",
                "-ldflags",
                self.ldflags,
                "-o",
            ])
            .arg(entry.join(self.name))
            .arg(".")
            .env("CGO_ENABLED", "0")
            .dir(dir)
            .timeout(BUILD_TIMEOUT)
            .purpose(format!("build {}", self.name))
            .advice("the first build needs the Go module proxy and 4 GB of disk")
            .output()
            .map(drop)
    }
}

fn go() -> Result<PathBuf> {
    find_program("go").context(
        "Go is missing, and the local Kubernetes is built with it: install Go 1.25 or newer (https://go.dev/dl) \
         and put its bin directory in PATH",
    )
}

fn go_version(dir: &Path) -> Result<String> {
    let version = Run::new(go()?)
        .args(["env", "GOVERSION", "GOARCH"])
        .dir(dir)
        .purpose("ask Go for its version");
    Ok(version.output()?.trim().to_owned())
}

/// Puts a file in the place of an older one in one step, because the older one may be running.
fn replace(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    make(&draft).with_context(|| format!("cannot write {}; is the disk full?", draft.display()))?;
    fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))
}

fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    // The cache may be on another file system.
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
    }
    Ok(())
}
