//! The pause image: one static program of `tests/images/pause`, built with Go, which the local Kubernetes needs anyway.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::oci::{Entry, ImageSpec, Layer};
use super::{IMAGE_TAR, sources};
use crate::cache::{Cache, Key};
use crate::progress::Progress;
use crate::shell::{Run, find_program};

/// The reference of the pause image.
pub const PAUSE: &str = "localhost/pgherd/pause:local";

/// The archive of the pause image; built if it is not in the cache.
///
/// # Errors
/// When Go is missing or the cache cannot be written.
pub fn pause(progress: &Progress) -> Result<PathBuf> {
    let source = sources("pause").join("main.go");
    let key = Key::new().text("1").text(PAUSE).file(&source)?;
    let entry = Cache::open()?.get_or_make("image-pause", &key, |dir| {
        let step = progress.step("building the pause image");
        let program = dir.join("pause");
        Run::new(find_program("go").unwrap_or_else(|| PathBuf::from("go")))
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"])
            .args([&program, &source])
            .env("CGO_ENABLED", "0")
            .timeout(Duration::from_mins(5))
            .purpose("build the pause program")
            .advice("Go must be installed")
            .output()?;
        let image = ImageSpec {
            names: vec![PAUSE.to_owned()],
            entrypoint: vec!["/pause".to_owned()],
            user: "65535:65535".to_owned(),
            layers: vec![Layer::of(dir, &[Entry::file("pause", 0o755, &program)])?],
            ..ImageSpec::default()
        };
        image.save(&dir.join(IMAGE_TAR))?;
        step.done();
        Ok(())
    })?;
    Ok(entry.join(IMAGE_TAR))
}
