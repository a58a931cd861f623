//! Where the servers' programs run: the root file system of the database image, in a mount namespace of its own, as user and group of the
//! image's `postgres`. Nothing of the machine is changed, and root is not needed where the kernel gives namespaces to everybody.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Result;

use crate::images;
use crate::progress::Progress;
use crate::shell::{Run, search_path};

/// User and group of the image's `postgres`, as `chroot --userspec` and `chown` take them.
const IDS: (&str, &str) = ("101", "103");

/// Mounts the machine's devices, the server's place and a small file system if one is asked for; then becomes the program. The program ends
/// when whoever started it does.
const ENTER: &str = r#"
root=$1 place=$2 small=$3 as_root=$4; shift 4
set -e
mount --rbind /dev "$root/dev"
mount --bind "$place" "$root/srv"
if [ "$small" != 0 ]; then
    mkdir -p "$place/small"
    mount -t tmpfs -o "size=${small}m" small "$root/srv/small"
    [ "$as_root" = 0 ] || chown 101:103 "$root/srv/small"
    chmod 700 "$root/srv/small"
fi
export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 HOME=/srv
if [ "$as_root" = 1 ]; then
    exec chroot "$root" /usr/bin/setpriv --reuid 101 --regid 103 --clear-groups --pdeathsig QUIT "$@"
fi
exec unshare --user --map-user=101 --map-group=103 --root="$root" --wd=/ /usr/bin/setpriv --pdeathsig QUIT "$@"
"#;

/// The way in.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    root: PathBuf,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Asked once per process: it costs a process.
pub(super) fn obstacle() -> Option<&'static str> {
    static ANSWER: OnceLock<Option<&'static str>> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            return Some("Linux");
        }
        let namespaces = Run::new("unshare").args(enter_arguments()).arg("true");
        (!namespaces.succeeds().unwrap_or(false))
            .then_some("root, or a kernel with user namespaces for everybody")
    })
}

fn enter_arguments() -> Vec<&'static str> {
    let mut arguments = vec!["--mount", "--propagation", "private"];
    if !is_root() {
        arguments.extend(["--user", "--map-root-user"]);
    }
    arguments
}

impl Sandbox {
    /// Unpacks the image's root, the first time.
    pub(super) fn open(progress: &Progress) -> Result<Self> {
        Ok(Self {
            root: images::postgres_root(progress)?,
        })
    }

    /// What the programs are, for keys of caches.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The arguments of `unshare` that run `program` with `place` as `/srv`.
    fn arguments(&self, place: &Path, small: Option<u32>) -> Vec<String> {
        let mut arguments: Vec<String> = enter_arguments().into_iter().map(str::to_owned).collect();
        arguments.extend(["sh", "-c", ENTER, "sh"].map(str::to_owned));
        arguments.extend([
            self.root.display().to_string(),
            place.display().to_string(),
            small.unwrap_or_default().to_string(),
            u8::from(is_root()).to_string(),
        ]);
        arguments
    }

    /// A program that stays.
    pub(super) fn command(&self, place: &Path, small: Option<u32>, program: &[String]) -> Command {
        let mut command = Command::new("unshare");
        command
            .env("PATH", search_path())
            .args(self.arguments(place, small))
            .args(program);
        command
    }

    /// A program that ends.
    pub(super) fn run(&self, place: &Path, program: &[&str]) -> Run {
        Run::new("unshare")
            .args(self.arguments(place, None))
            .args(program)
    }

    /// Makes the server's user the owner of everything below; without root it is already.
    #[expect(clippy::unused_self, reason = "who has no sandbox has nobody to give to")]
    pub(super) fn give(&self, place: &Path) -> Result<()> {
        if is_root() {
            let owner = format!("{}:{}", IDS.0, IDS.1);
            Run::new("chown")
                .args(["--recursive", &owner])
                .arg(place)
                .output()?;
        }
        Ok(())
    }
}
