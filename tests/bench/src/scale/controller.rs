//! The program under test: a process of its own, started as it is deployed but for the database, which simulated pods have not.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pgherd_tests::controller;
use serde_json::Value;

use super::place::{HOME, Place, SETTINGS};
use crate::server::free;
use crate::usage::{self, Memory};

const DEPLOYMENT: &str = include_str!("../../../../deploy/kustomize/controller/deployment.yaml");

/// One that runs.
#[derive(Debug)]
pub struct Controller {
    process: controller::Controller,
    log: PathBuf,
}

impl Controller {
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(place: &Place, watched: &[&str]) -> Result<Self> {
        let folder = place.folder();
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new(&place.program);
        command
            .arg("--kubeconfig")
            .arg(place.kubeconfig())
            .args(["--operator-namespace", HOME, "--config-map", SETTINGS])
            .args(["--watched-namespace", &watched.join(",")])
            .args(["--no-database-access", "--no-teams-api", "--no-rest-api"])
            .envs(environment()?)
            .env_remove("KUBECONFIG");
        let log = folder.join("scale-controller.log");
        let process = controller::Controller::start(command, &log, free()?)?;
        Ok(Self { process, log })
    }

    /// When its process was started.
    pub fn started(&self) -> Instant {
        self.process.started
    }

    /// It leads, and knows every object.
    ///
    /// # Errors
    ///
    /// It does not get there.
    pub fn wait_until_it_works(&self) -> Result<()> {
        self.process.wait_until_it_works().map(drop)
    }

    /// The sum of a family's values, over all labels.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn count(&self, family: &str) -> Result<f64> {
        Ok(sum(&self.metrics()?, family))
    }

    /// What its admin port says.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn metrics(&self) -> Result<String> {
        self.process.ask("/metrics")
    }

    /// CPU time so far.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.process.id())
    }

    /// Memory now, and the most so far.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn memory(&self) -> Result<Memory> {
        usage::memory(self.process.id())
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    ///
    /// It does not end well.
    pub fn stop(self) -> Result<()> {
        let (status, _) = self.process.stop()?;
        ensure!(
            status.success(),
            "the controller ended with {status}; see {}",
            self.log.display()
        );
        Ok(())
    }
}

fn sum(metrics: &str, family: &str) -> f64 {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        let name = name.split('{').next()?;
        (name == family).then(|| value.parse::<f64>().ok())?
    });
    values.sum()
}

/// What the deployment sets besides where it is: settings of the allocator, say.
fn environment() -> Result<Vec<(String, String)>> {
    let deployment: Value = serde_yaml::from_str(DEPLOYMENT).context("read the controller's deployment")?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().into_iter().flatten();
    let settings = variables.filter_map(|variable| {
        let (name, value) = (variable["name"].as_str()?, variable["value"].as_str()?);
        (name != "CONFIG_MAP_NAME").then(|| (name.to_owned(), value.to_owned()))
    });
    Ok(settings.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_summed_over_its_labels_and_no_other_is_taken_for_it() {
        let text = "# TYPE a counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\nab_total 7\na_total_more 9\n";
        assert!((sum(text, "a_total") - 5.0).abs() < 1e-9);
        assert!(sum(text, "b_total").abs() < 1e-9);
    }

    #[test]
    fn the_deployment_can_be_read() {
        let set = environment().unwrap();
        let names: Vec<_> = set.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["MIMALLOC_PURGE_DELAY"],
            "what says where it is, is left out"
        );
    }
}
