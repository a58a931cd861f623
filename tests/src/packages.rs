//! Debian packages that the machine must have: installed when we are root and there is an apt, else named in the error.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use crate::progress::Progress;
use crate::shell::{Run, find_program};

/// Package lists older than this are fetched anew before an installation.
const LISTS_STALE: Duration = Duration::from_hours(24);
const INSTALL_TIMEOUT: Duration = Duration::from_mins(15);

/// The file or program that shows that a package is there, whatever way it came.
fn is_present(package: &str) -> bool {
    match package {
        "containernetworking-plugins" => cni_plugins().is_some(),
        "iproute2" => find_program("ip").is_some(),
        other => find_program(other).is_some(),
    }
}

/// Makes sure that the packages are there.
///
/// # Errors
/// When some are missing and cannot be installed: names them and the command that installs them.
pub fn ensure(packages: &[&str], progress: &Progress) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_present(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root = rustix::process::geteuid().is_root();
    let apt = find_program("apt-get").is_some();
    if let Some(advice) = advice(&missing, root, apt) {
        bail!("these programs are missing: {}; {advice}", missing.join(", "));
    }
    install(&missing, progress)?;
    match missing.iter().find(|package| !is_present(package)) {
        Some(package) => bail!("{package} was installed but its program is not where it was expected"),
        None => Ok(()),
    }
}

/// What a person must do, when we cannot do it.
fn advice(missing: &[&str], root: bool, apt: bool) -> Option<String> {
    match (apt, root) {
        (true, true) => None,
        (true, false) => Some(format!(
            "run as root, or install them: sudo apt-get install {}",
            missing.join(" ")
        )),
        (false, _) => {
            Some("install them with the machine's package manager (these are Debian's names)".to_owned())
        }
    }
}

fn install(missing: &[&str], progress: &Progress) -> Result<()> {
    let step = progress.step(format!("installing {}", missing.join(", ")));
    if lists_are_stale(Path::new("/var/lib/apt/lists")) {
        apt(&["update", "--quiet"])?;
    }
    let mut args = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    args.extend(missing);
    apt(&args)?;
    step.done();
    Ok(())
}

fn apt(args: &[&str]) -> Result<()> {
    let run = Run::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .timeout(INSTALL_TIMEOUT);
    run.purpose("install packages")
        .advice("look whether the machine reaches its package mirror")
        .output()?;
    Ok(())
}

fn lists_are_stale(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else {
        return true;
    };
    let newest = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name() != "lock")
        .filter_map(|entry| entry.metadata().ok()?.modified().ok())
        .max();
    newest.is_none_or(|time| {
        SystemTime::now()
            .duration_since(time)
            .is_ok_and(|age| age > LISTS_STALE)
    })
}

/// Where the distribution keeps the network plugins.
pub fn cni_plugins() -> Option<PathBuf> {
    ["/usr/lib/cni", "/opt/cni/bin"]
        .map(PathBuf::from)
        .into_iter()
        .find(|dir| dir.join("ptp").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_the_command_is_named() {
        let advice = advice(&["runc", "conntrack"], false, true).unwrap();
        assert_eq!(
            advice,
            "run as root, or install them: sudo apt-get install runc conntrack"
        );
    }

    #[test]
    fn as_root_with_apt_they_are_installed() {
        assert_eq!(advice(&["runc"], true, true), None);
    }

    #[test]
    fn no_lists_or_only_a_lock_are_stale_and_a_fresh_list_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(lists_are_stale(&dir.path().join("missing")));
        fs::write(dir.path().join("lock"), "").unwrap();
        assert!(lists_are_stale(dir.path()));
        fs::write(dir.path().join("mirror_dists_stable_Packages"), "").unwrap();
        assert!(!lists_are_stale(dir.path()));
    }
}
