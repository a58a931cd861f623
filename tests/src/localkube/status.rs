//! What a person is told about a local Kubernetes: which programs run, which nodes are ready, what a log says last.

use std::fmt::Write;

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};

use super::api::{self, is_node_ready};
use super::layout::Layout;
use super::logs::last_line;
use super::plan::{Report, Running};
use super::running::{Supervisor, report};

/// Everything in a few lines, and whether it runs at all.
pub(super) async fn describe(layout: &Layout) -> Result<(String, bool)> {
    let Some(supervisor) = Supervisor::find(layout)? else {
        let others = Supervisor::find_all()?;
        let mut text =
            "the local Kubernetes of this checkout is down; `cargo localkube up` starts it\n".to_owned();
        for other in others {
            writeln!(
                text,
                "another one runs, of the checkout {}",
                other.checkout().display()
            )?;
        }
        return Ok((text, false));
    };
    let mut text = format!(
        "state    {} (supervisor {})\n",
        layout.root().display(),
        supervisor.pid
    );
    writeln!(
        text,
        "config   export KUBECONFIG={}",
        layout.host("kubeconfig").display()
    )?;
    for program in report(layout).map(|report| report.programs).unwrap_or_default() {
        writeln!(
            text,
            "program  {:<24}{}",
            program.name,
            describe_program(&program)
        )?;
    }
    match nodes(layout).await {
        Ok(nodes) => nodes.iter().try_for_each(|(name, ready)| {
            writeln!(
                text,
                "node     {name:<24}{}",
                if *ready { "ready" } else { "not ready" }
            )
        })?,
        Err(error) => writeln!(text, "node     the API server does not answer: {error:#}")?,
    }
    Ok((text, true))
}

fn describe_program(program: &Running) -> String {
    let state = match program.pid {
        Some(_) => "runs",
        None if program.ended.is_some() => "ended, is started again",
        None => "waits for the others",
    };
    match &program.ended {
        Some(ended) => format!("{state}; restarts: {}, the last after {ended}", program.restarts),
        None => state.to_owned(),
    }
}

async fn nodes(layout: &Layout) -> Result<Vec<(String, bool)>> {
    let nodes = Api::<Node>::all(api::client(&layout.host("kubeconfig")).await?);
    let listed = nodes.list(&ListParams::default()).await?;
    Ok(listed
        .into_iter()
        .map(|node| {
            (
                node.metadata.name.clone().unwrap_or_default(),
                is_node_ready(&node),
            )
        })
        .collect())
}

/// A program that ended again and again since `before` will not come up by waiting: its name and last words.
pub(super) fn failing(before: Option<&Report>, now: &Report, layout: &Layout) -> Option<String> {
    const TOO_OFTEN: u32 = 4;
    let restarts = |name: &str| {
        let before = before.and_then(|report| report.programs.iter().find(|program| program.name == name));
        before.map_or(0, |program| program.restarts)
    };
    let often = |program: &Running| program.restarts.saturating_sub(restarts(&program.name));
    let program = now.programs.iter().find(|program| often(program) >= TOO_OFTEN)?;
    let words = last_line(layout, &program.name);
    Some(format!(
        "{} ended {} times: {words}",
        program.name,
        often(program)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localkube::layout::Place;

    fn report(restarts: u32) -> Report {
        let (pid, ended) = (None, Some("exit code 1".to_owned()));
        let program = Running {
            name: "etcd".to_owned(),
            pid,
            restarts,
            ended,
        };
        Report {
            pid: 1,
            programs: vec![program],
        }
    }

    #[test]
    fn only_what_ended_while_we_waited_counts() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path().to_owned(), Place::Own);
        layout
            .write("logs/etcd.log", "starting\nno space left on device\n")
            .unwrap();
        let words = failing(None, &report(4), &layout).unwrap();
        assert!(
            words.starts_with("etcd ended 4 times: no space left on device"),
            "{words}"
        );
        assert_eq!(failing(Some(&report(3)), &report(4), &layout), None);
    }
}
