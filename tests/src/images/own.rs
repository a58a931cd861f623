//! The images of our own programs: one static binary in an empty root, run by a numeric user. They are tagged with the
//! hash of the binary, so that deploying a changed program rolls its Deployment and deploying an unchanged one does not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::oci::{Entry, ImageSpec, Layer, digest_of_file};
use super::{BuiltImage, IMAGE_TAR};
use crate::cache::{Cache, Key};
use crate::progress::Progress;

/// The programs: their package, and the name that their image and the file in it have.
const PROGRAMS: [(&str, &str); 2] = [("pgherd-controller", "controller"), ("pgherd-webhook", "webhook")];
/// A user without a name and without rights, as in other images that hold one program.
const USER: &str = "65532:65532";

/// Builds the programs and their images: controller, then webhook.
///
/// # Errors
/// When they do not compile or the cache cannot be written.
pub fn own(progress: &Progress) -> Result<Vec<BuiltImage>> {
    let step = progress.step("building our programs for their images");
    let programs = build()?;
    step.done();
    PROGRAMS
        .iter()
        .zip(programs)
        .map(|((_, name), program)| image(name, &program))
        .collect()
}

/// The controller as it is in its image, to be run beside the local Kubernetes.
///
/// # Errors
/// When it does not compile.
pub fn controller() -> Result<PathBuf> {
    build()?
        .into_iter()
        .next()
        .context("the controller was not built")
}

/// Compiles the programs; their paths in the order of [`PROGRAMS`]. What the compiler says goes to the person who waits.
fn build() -> Result<Vec<PathBuf>> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With a named target the flags reach only what runs in the image: procedural macros and build scripts cannot be static.
    let done = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--profile",
            "image",
            "--bins",
            "--target",
            &target,
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .args(PROGRAMS.iter().flat_map(|(package, _)| ["--package", *package]))
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo to compile our programs")?;
    if !done.status.success() {
        bail!("our programs do not compile; see the messages above");
    }
    let messages = String::from_utf8_lossy(&done.stdout);
    PROGRAMS
        .iter()
        .map(|(package, _)| executable(&messages, package))
        .collect()
}

/// Where cargo says that a package's program is.
pub(crate) fn executable(messages: &str, package: &str) -> Result<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == package)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo built no program named {package}"))
}

fn image(name: &str, program: &Path) -> Result<BuiltImage> {
    let digest = digest_of_file(program)?;
    let hash = digest
        .trim_start_matches("sha256:")
        .get(..12)
        .context("a digest has 64 digits")?;
    let repository = format!("localhost/pgherd/{name}");
    let tagged = format!("{repository}:{hash}");
    let spec = |layer| ImageSpec {
        names: vec![tagged.clone(), format!("{repository}:local")],
        entrypoint: vec![format!("/{name}")],
        user: USER.to_owned(),
        layers: vec![layer],
        ..ImageSpec::default()
    };
    let key = Key::new().text("1").text(USER).text(&digest);
    let entry = Cache::open()?.get_or_make(&format!("image-{name}"), &key, |dir| {
        let layer = Layer::of(dir, &[Entry::file(name, 0o755, program)])?;
        spec(layer).save(&dir.join(IMAGE_TAR))
    })?;
    Ok(BuiltImage {
        name: tagged,
        tar: entry.join(IMAGE_TAR),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"pgherd-webhook","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"pgherd-webhook","kind":["bin"]},"executable":"/t/image/pgherd-webhook"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "pgherd-webhook").unwrap(),
            PathBuf::from("/t/image/pgherd-webhook")
        );
        let error = executable(messages, "pgherd-controller").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cargo built no program named pgherd-controller"
        );
    }
}
