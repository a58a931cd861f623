//! Waiting until pods can be made. Nothing is started here.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Client;
use kube::api::{Api, ListParams};

use super::api::{self, is_node_ready};
use super::layout::Layout;
use super::network::node_address;
use super::provisioner::STORAGE_CLASS;
use super::running::{Supervisor, plan, report};
use super::services::DNS_READY_PORT;
use super::{logs, status};
use crate::progress::Progress;

const TIMEOUT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);

/// Waits for the API server, for the service account that pods run under, and, if there are nodes, for all of them, for
/// the storage class and for DNS.
///
/// # Errors
/// When it takes too long, or a program ends again and again: with its last words.
pub(super) async fn wait(layout: &Layout, progress: &Progress) -> Result<()> {
    let end = Instant::now() + TIMEOUT;
    let kubeconfig = layout.host("kubeconfig");
    until(layout, progress, "the API server", end, || {
        api::is_ready(&kubeconfig)
    })
    .await?;
    let client = api::client(&kubeconfig).await?;
    until(layout, progress, "the first service account", end, || {
        has_account(&client)
    })
    .await?;
    let nodes = plan(layout).map_or(0, |plan| plan.options.node_count());
    if nodes > 0 {
        until(layout, progress, &format!("{nodes} node(s)"), end, || {
            has_nodes(&client, nodes)
        })
        .await?;
        until(layout, progress, "volumes", end, || has_storage_class(&client)).await?;
        until(layout, progress, "DNS", end, answers_dns).await?;
    }
    Ok(())
}

async fn until<F: Future<Output = bool>>(
    layout: &Layout,
    progress: &Progress,
    what: &str,
    end: Instant,
    is_true: impl Fn() -> F,
) -> Result<()> {
    let step = progress.step(format!("waiting for {what}"));
    while !is_true().await {
        if Supervisor::find(layout)?.is_none() {
            bail!(
                "the supervisor ended while we waited for {what}: {}",
                logs::last_line(layout, "supervisor")
            );
        }
        if let Some(words) = report(layout).and_then(|report| status::failing(&report, layout)) {
            bail!("{words}");
        }
        if Instant::now() > end {
            bail!(
                "no sign of {what} within {} s; `cargo localkube status` shows what runs",
                TIMEOUT.as_secs()
            );
        }
        tokio::time::sleep(POLL).await;
    }
    step.done();
    Ok(())
}

async fn has_account(client: &Client) -> bool {
    Api::<ServiceAccount>::namespaced(client.clone(), "default")
        .get("default")
        .await
        .is_ok()
}

async fn has_nodes(client: &Client, wanted: u8) -> bool {
    let Ok(nodes) = Api::<Node>::all(client.clone())
        .list(&ListParams::default())
        .await
    else {
        return false;
    };
    nodes.items.iter().filter(|node| is_node_ready(node)).count() >= usize::from(wanted)
}

async fn has_storage_class(client: &Client) -> bool {
    Api::<StorageClass>::all(client.clone())
        .get(STORAGE_CLASS)
        .await
        .is_ok()
}

/// The port opens when the DNS server has read the cluster's services.
async fn answers_dns() -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect((node_address(1), DNS_READY_PORT)).await else {
        return false;
    };
    let mut answer = Vec::new();
    let asked = stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n").await;
    asked.is_ok() && stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.0 200")
}
