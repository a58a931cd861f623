//! The program under test: a process of its own, started as it is deployed but for the database, which simulated pods have not.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::place::{HOME, Place, SETTINGS};
use crate::server::free;
use crate::usage::{self, Memory};

const DEPLOYMENT: &str = include_str!("../../../../deploy/kustomize/controller/deployment.yaml");
const START: Duration = Duration::from_mins(1);

/// One that runs.
#[derive(Debug)]
pub struct Controller {
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
    /// When its process was started.
    pub started: Instant,
}

impl Controller {
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(place: &Place, watched: &[&str]) -> Result<Self> {
        let (admin, folder) = (free()?, place.folder());
        std::fs::create_dir_all(&folder)?;
        let log = folder.join("scale-controller.log");
        let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let child = Command::new(&place.program)
            .arg("--kubeconfig")
            .arg(place.kubeconfig())
            .args(["--admin-address", &admin.to_string()])
            .args(["--operator-namespace", HOME, "--config-map", SETTINGS])
            .args(["--watched-namespace", &watched.join(",")])
            .args(["--no-database-access", "--no-teams-api", "--no-rest-api"])
            .envs(environment()?)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {}", place.program.display()))?;
        Ok(Self {
            child,
            admin,
            log,
            started: Instant::now(),
        })
    }

    /// It leads, and knows every object.
    ///
    /// # Errors
    ///
    /// It does not get there.
    pub fn wait_until_it_works(&self) -> Result<()> {
        let text = "first lists complete";
        while !std::fs::read_to_string(&self.log)?.contains(text) {
            ensure!(
                self.started.elapsed() < START,
                "{text:?} is not in {}",
                self.log.display()
            );
            sleep(Duration::from_millis(10));
        }
        Ok(())
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
        let mut stream = TcpStream::connect(self.admin).context("ask the controller for metrics")?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// CPU time so far.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.child.id())
    }

    /// Memory now, and the most so far.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn memory(&self) -> Result<Memory> {
        usage::memory(self.child.id())
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    ///
    /// It does not end well.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the controller ended with {status}; see {}", self.log.display());
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("no process")?, signal)?)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
        assert!(
            set.iter()
                .all(|(name, _)| name != "OPERATOR_NAMESPACE" && name != "CONFIG_MAP_NAME")
        );
    }
}
