//! An API server that says its version and knows nothing else: the product's webhook wants to see one before it serves, and with certificates
//! from files and the compiled-in configuration asks it nothing more.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

/// Serves until the process ends; writes a kubeconfig for it into `folder`.
///
/// # Errors
///
/// There is no port, or the folder cannot be written.
pub fn start(folder: &Path) -> Result<PathBuf> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("find a port")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::spawn(move || runtime.block_on(serve(listener)));
    let path = folder.join("kubeconfig");
    fs::write(&path, kubeconfig(address)).context("write a kubeconfig")?;
    Ok(path)
}

async fn serve(listener: std::net::TcpListener) -> std::io::Result<()> {
    let version = || async {
        Json(json!({
            "major": "1", "minor": "35", "gitVersion": "v1.35.4", "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "",
        }))
    };
    let router = Router::new().route("/version", get(version));
    axum::serve(TcpListener::from_std(listener)?, router).await
}

fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: bench\n\
         clusters: [{{name: bench, cluster: {{server: 'http://{address}'}}}}]\n\
         users: [{{name: bench, user: {{}}}}]\n\
         contexts: [{{name: bench, context: {{cluster: bench, user: bench}}}}]\n"
    )
}
