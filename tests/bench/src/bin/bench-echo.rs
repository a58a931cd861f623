//! The bare echo: axum and rustls, the whole body read, a fixed answer sent. `bench-echo ADDRESS CERTIFICATES ANSWERS`: the answer of `/N` is
//! in the file `ANSWERS/N.json`. No limits, no counting, no end: what the libraries do by themselves.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .context("bench-echo ADDRESS CERTIFICATES ANSWERS")
    };
    let (address, certificates, answers) = (next()?, PathBuf::from(next()?), PathBuf::from(next()?));
    let tls = TlsAcceptor::from(tls(&certificates)?);
    let router = Router::new()
        .route("/{number}", post(answer))
        .with_state(Arc::new(read(&answers)?));
    let listener = TcpListener::bind(&address).await.context("listen")?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(attend(tls.clone(), router.clone(), stream));
    }
}

/// The same as the product's: TLS by ring, no client certificates, HTTP/1.1.
fn tls(folder: &std::path::Path) -> Result<Arc<ServerConfig>> {
    let chain = vec![CertificateDer::from_pem_file(folder.join("tls.crt"))?];
    let key = PrivateKeyDer::from_pem_file(folder.join("tls.key"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The answers, in the order of their numbers.
fn read(folder: &std::path::Path) -> Result<Vec<Bytes>> {
    let files = (0..).map(|number| folder.join(format!("{number}.json")));
    files
        .take_while(|file| file.exists())
        .map(|file| Ok(std::fs::read(file)?.into()))
        .collect()
}

async fn answer(State(answers): State<Arc<Vec<Bytes>>>, Path(number): Path<usize>, body: Bytes) -> Response {
    match answers.get(number) {
        Some(answer) if !body.is_empty() => {
            ([(CONTENT_TYPE, "application/json")], answer.clone()).into_response()
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn attend(tls: TlsAcceptor, router: Router, stream: TcpStream) {
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let service = TowerToHyperService::new(router);
    // A connection that breaks is the client's business.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
