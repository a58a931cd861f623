//! Installing pgherd into a cluster as a user does: the kustomize base of `deploy/`, with images and a few settings of our own on top.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use pgherd_model::names::operator;

use crate::kubectl::Kubectl;
use crate::progress::Progress;

const ROLLOUT: Duration = Duration::from_mins(2);

/// What is laid over the base.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// The controller's image, with its tag.
    pub controller: String,
    /// The webhook's image, with its tag.
    pub webhook: String,
    /// Operator parameters, by their names in the operator's `ConfigMap`.
    pub parameters: BTreeMap<String, String>,
}

impl Overlay {
    /// The kustomization that stands in a folder from which `base` leads to the base.
    fn kustomization(&self, base: &str) -> String {
        let mut text = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [{base}]\nimages:\n{}{}",
            image("pgherd/controller", &self.controller),
            image("pgherd/webhook", &self.webhook),
        );
        if !self.parameters.is_empty() {
            let name = operator::CONFIGURATION;
            let namespace = operator::NAMESPACE;
            let _ = write!(
                text,
                "patches:\n  - patch: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata:\n        name: {name}\n        namespace: {namespace}\n      data:\n"
            );
            for (key, value) in &self.parameters {
                let _ = writeln!(text, "        {key}: {}", serde_json::Value::from(value.as_str()));
            }
        }
        text
    }
}

fn image(name: &str, wanted: &str) -> String {
    let (repository, tag) = wanted.rsplit_once(':').unwrap_or((wanted, "latest"));
    format!(
        "  - name: {name}\n    newName: {repository}\n    newTag: {}\n",
        serde_json::Value::from(tag)
    )
}

/// Installs pgherd, or brings an installation up to date, and returns when both programs are ready.
///
/// `state` is a folder of ours inside the checkout, where the overlay is written.
///
/// # Errors
/// When the API server refuses an object or a program does not become ready; the error then ends with what its pods say.
pub fn install(kubectl: &Kubectl, state: &Path, overlay: &Overlay, progress: &Progress) -> Result<()> {
    let step = progress.step("Install pgherd: kubectl apply -k");
    let folder = state.join("install");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let text = overlay.kustomization(&relative_base(&folder)?);
    fs::write(folder.join("kustomization.yaml"), text)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    kubectl
        .call(["apply", "-k", &folder.to_string_lossy()])
        .purpose("install pgherd")
        .output()?;
    step.done();
    for deployment in [operator::WEBHOOK, operator::CONTROLLER] {
        let step = progress.step(format!("Wait for {deployment}"));
        wait_for_rollout(kubectl, deployment)?;
        step.done();
    }
    Ok(())
}

fn wait_for_rollout(kubectl: &Kubectl, deployment: &str) -> Result<()> {
    let namespace = operator::NAMESPACE;
    let timeout = format!("--timeout={}s", ROLLOUT.as_secs());
    let target = format!("deployment/{deployment}");
    let waited = kubectl
        .call(["-n", namespace, "rollout", "status", &target, &timeout])
        .timeout(ROLLOUT + Duration::from_secs(10))
        .output();
    waited.map(drop).with_context(|| {
        let pods = kubectl
            .run(&format!("-n {namespace} get pods -o wide"))
            .unwrap_or_default();
        let log = kubectl
            .run(&format!("-n {namespace} logs {target} --tail=20"))
            .unwrap_or_default();
        format!("{deployment} did not become ready\n{pods}\n{log}")
    })
}

/// kustomize takes only relative paths for folders outside of its own root.
fn relative_base(folder: &Path) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the tests package has a parent folder")?;
    let inside = folder.strip_prefix(root).with_context(|| {
        format!(
            "{} is not inside the checkout {}",
            folder.display(),
            root.display()
        )
    })?;
    Ok("../".repeat(inside.components().count()) + "deploy/kustomize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay() -> Overlay {
        Overlay {
            controller: "localhost/pgherd/controller:abc".to_owned(),
            webhook: "localhost/pgherd/webhook:123".to_owned(),
            parameters: [("enable_teams_api".to_owned(), "false".to_owned())].into(),
        }
    }

    #[test]
    fn kustomization_names_images_and_parameters() {
        let text = overlay().kustomization("../base");
        let parsed: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(parsed["images"][0]["newName"], "localhost/pgherd/controller");
        assert_eq!(parsed["images"][1]["newTag"], "123");
        let patch: serde_json::Value =
            serde_yaml::from_str(parsed["patches"][0]["patch"].as_str().unwrap()).unwrap();
        assert_eq!(patch["data"]["enable_teams_api"], "false");
    }

    #[test]
    fn base_is_found_from_a_folder_of_the_checkout() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("a/b");
        assert_eq!(relative_base(&folder).unwrap(), "../../../deploy/kustomize");
    }
}
