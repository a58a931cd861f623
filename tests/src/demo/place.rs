//! Where the demo plays: the local Kubernetes with images of our own, or a cluster of the user's with images that they name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{CLUSTER, Stage, YourCluster};
use crate::install::Overlay;
use crate::kubectl::Kubectl;
use crate::local;
use crate::localkube::{Cluster, Options, checkout};
use crate::progress::Progress;
use crate::shell::find_program;

pub(super) fn up(yours: &YourCluster, progress: &Progress) -> Result<Stage> {
    match &yours.context {
        Some(context) => of_the_user(context, yours),
        None => on_this_machine(progress),
    }
}

pub(super) fn down(yours: &YourCluster, progress: &Progress) -> Result<()> {
    let Some(context) = &yours.context else {
        return Cluster::down(progress);
    };
    let kubectl = Kubectl::of_context(&user_kubectl()?, context);
    let step = progress.step(format!("delete the cluster {CLUSTER}"));
    kubectl.run(&format!(
        "-n default delete postgresql {CLUSTER} --ignore-not-found"
    ))?;
    step.done();
    progress.note("pgherd stays installed; `kubectl delete -k deploy/kustomize` removes it, and with its CRDs every cluster");
    Ok(())
}

fn on_this_machine(progress: &Progress) -> Result<Stage> {
    progress.title("0. A local Kubernetes, and images for it");
    let local = local::up(&Options::default(), progress)?;
    let program = local.cluster.kubectl_program();
    let programs = program.parent().unwrap_or(Path::new(""));
    let look_around = format!(
        "export KUBECONFIG={} PATH={}:$PATH",
        local.cluster.kubeconfig().display(),
        programs.display()
    );
    Ok(Stage {
        kubectl: local.kubectl,
        state: local.state,
        overlay: local.overlay,
        look_around,
    })
}

fn of_the_user(context: &str, yours: &YourCluster) -> Result<Stage> {
    let (Some(controller), Some(webhook)) = (&yours.controller_image, &yours.webhook_image) else {
        bail!(
            "--context needs --controller-image and --webhook-image: images that the cluster {context} can pull"
        );
    };
    let kubectl = Kubectl::of_context(&user_kubectl()?, context);
    kubectl
        .run("version")
        .with_context(|| format!("the context {context} does not answer"))?;
    let parameters = yours
        .postgres_image
        .iter()
        .map(|image| ("docker_image".to_owned(), image.clone()))
        .collect();
    Ok(Stage {
        kubectl,
        state: checkout().join("target/demo"),
        overlay: Overlay {
            controller: controller.clone(),
            webhook: webhook.clone(),
            parameters,
        },
        look_around: format!("kubectl config use-context {context}"),
    })
}

fn user_kubectl() -> Result<PathBuf> {
    find_program("kubectl").context("kubectl is not in PATH; install it, or run the demo without --context")
}
