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
use super::plan::Report;
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
    let step = progress.step("waiting until the local Kubernetes is ready");
    let wait = Wait {
        layout,
        before: report(layout),
        end: Instant::now() + TIMEOUT,
    };
    let kubeconfig = layout.host("kubeconfig");
    wait.until("the API server", || api::is_ready(&kubeconfig))
        .await?;
    let client = api::client(&kubeconfig).await?;
    wait.until("the first service account", || has_account(&client))
        .await?;
    let nodes = plan(layout).map_or(0, |plan| plan.options.node_count());
    if nodes > 0 {
        wait.until("every node", || has_nodes(&client, nodes)).await?;
        wait.until("the storage class", || has_storage_class(&client))
            .await?;
        wait.until("DNS", answers_dns).await?;
    }
    step.done_as(format!("the local Kubernetes is ready, with {nodes} node(s)"));
    Ok(())
}

struct Wait<'a> {
    layout: &'a Layout,
    /// What ran when the waiting began.
    before: Option<Report>,
    end: Instant,
}

impl Wait<'_> {
    async fn until<F: Future<Output = bool>>(&self, what: &str, is_true: impl Fn() -> F) -> Result<()> {
        while !is_true().await {
            if Supervisor::find(self.layout)?.is_none() {
                let words = logs::last_line(self.layout, "supervisor");
                bail!("the supervisor ended while we waited for {what}: {words}");
            }
            let now = report(self.layout);
            if let Some(words) = now.and_then(|now| status::failing(self.before.as_ref(), &now, self.layout))
            {
                bail!("{words}");
            }
            if Instant::now() > self.end {
                let limit = TIMEOUT.as_secs();
                bail!("no sign of {what} within {limit} s; `cargo localkube status` shows what runs");
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
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
