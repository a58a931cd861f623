//! The two programs as pods: how they are confined, what they say, how they end.

use anyhow::{Result, ensure};

use super::Test;
use super::stage::Stage;

pub(crate) const TESTS: &[Test] = &[("programs_run_confined", run_confined)];

const PROGRAMS: [&str; 2] = ["pgherd-controller", "pgherd-webhook"];

fn run_confined(stage: &Stage) -> Result<()> {
    for program in PROGRAMS {
        let container = format!("-n pgherd deployment/{program}");
        let value = |field: &str| {
            stage.kubectl().value(
                &container,
                &format!(".spec.template.spec.containers[0].securityContext.{field}"),
            )
        };
        ensure!(
            value("readOnlyRootFilesystem")? == "true",
            "{program} can write to its image"
        );
        ensure!(
            value("allowPrivilegeEscalation")? == "false",
            "{program} can gain rights"
        );
        ensure!(
            value("capabilities.drop")?.contains("ALL"),
            "{program} keeps capabilities"
        );
    }
    Ok(())
}

/// Every secret that exists now, against everything that both programs have printed.
pub(crate) fn logs_hold_no_password(stage: &Stage) -> Result<()> {
    let listed = stage.kubectl().run("-n default get secrets -o json")?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let encoded = listed["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|secret| secret["data"]["password"].as_str());
    let passwords: Vec<String> = encoded.map(decode).collect::<Result<_>>()?;
    ensure!(!passwords.is_empty(), "there are no secrets to look for");
    for program in PROGRAMS {
        let log = stage.kubectl().run(&format!(
            "-n pgherd logs deployment/{program} --all-pods --tail=-1"
        ))?;
        let leaked = passwords
            .iter()
            .filter(|password| log.contains(password.as_str()))
            .count();
        ensure!(leaked == 0, "the log of {program} holds {leaked} passwords");
    }
    Ok(())
}

pub(crate) fn decode(text: &str) -> Result<String> {
    use base64::Engine as _;
    Ok(String::from_utf8(
        base64::engine::general_purpose::STANDARD.decode(text)?,
    )?)
}
