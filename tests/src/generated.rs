//! Files that are made from code, committed, and never edited by hand. `cargo generate` writes them; a test proves that they are current.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use pgherd_model::cluster::postgres::LOCAL_PARAMETERS;
use pgherd_model::{config, crd, default, postgres_parameters, validate};

/// A file and what must be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// From the root of the repository.
    pub path: String,
    pub content: String,
}

const CRD_HEADER: &str = "# Generated from the types in shared/model/src by `cargo generate`. Do not edit.\n";

/// All generated files.
pub fn files() -> Result<Vec<Generated>> {
    let mut files = Vec::new();
    for crd in crd::all() {
        let path = format!("deploy/kustomize/crds/{}.yaml", crd.spec.names.plural);
        let yaml = serde_yaml::to_string(&crd).with_context(|| format!("cannot write {path} as YAML"))?;
        files.push(Generated {
            path,
            content: format!("{CRD_HEADER}{yaml}"),
        });
    }
    let pages = [
        ("defaults", default::reference::markdown()),
        ("operator-configuration", config::reference::markdown()),
        (
            "postgres-parameters",
            postgres_parameters::reference::markdown(LOCAL_PARAMETERS),
        ),
        ("rules", validate::reference::markdown()),
    ];
    files.extend(pages.map(|(page, content)| Generated {
        path: format!("docs/reference/{page}.md"),
        content,
    }));
    files.push(Generated {
        path: "deploy/examples/operator-configuration.yaml".to_owned(),
        content: config::render::operator_configuration("pgherd", "pgherd"),
    });
    Ok(files)
}

/// Where the repository lies on this machine.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files that are not what the code would make of them now.
pub fn stale(root: &Path) -> Result<Vec<Generated>> {
    let mut stale = Vec::new();
    for file in files()? {
        let path = root.join(&file.path);
        match fs::read_to_string(&path) {
            Ok(found) if found == file.content => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
            _ => stale.push(file),
        }
    }
    Ok(stale)
}

/// Writes what is stale.
pub fn write(root: &Path, files: &[Generated]) -> Result<()> {
    for file in files {
        let path = root.join(&file.path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, &file.content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
