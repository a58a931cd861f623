//! A way to the API server that can be cut: a TCP proxy on this machine. Must not: look into what it carries.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// Ends with the process.
pub(super) struct Proxy {
    pub(super) kubeconfig: PathBuf,
    wire: Arc<Mutex<Wire>>,
}

#[derive(Default)]
struct Wire {
    cut: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// In front of the server that this kubeconfig names; a kubeconfig that names the proxy is written to `folder`.
    pub(super) fn start(kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let text = std::fs::read_to_string(kubeconfig)?;
        let server = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("server: "))
            .context("the kubeconfig names no server")?
            .trim_matches('"')
            .to_owned();
        let address = server
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned();
        let path = folder.join("away-kubeconfig");
        std::fs::write(&path, text.replace(&server, &format!("https://127.0.0.1:{port}")))?;
        let wire = Arc::<Mutex<Wire>>::default();
        let shared = Arc::clone(&wire);
        thread::spawn(move || serve(&listener, &address, &shared));
        Ok(Self {
            kubeconfig: path,
            wire,
        })
    }

    /// Ends all connections and takes no new ones.
    pub(super) fn cut(&self) {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        wire.cut = true;
        for stream in wire.open.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn mend(&self) {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).cut = false;
    }
}

fn serve(listener: &TcpListener, address: &str, wire: &Mutex<Wire>) {
    for client in listener.incoming().flatten() {
        let mut wire = wire.lock().unwrap_or_else(PoisonError::into_inner);
        if wire.cut {
            // Dropped: whoever asks sees a connection that ends at once.
            continue;
        }
        let Ok(server) = TcpStream::connect(address) else {
            continue;
        };
        let pairs = [(&client, &server), (&server, &client)];
        for (from, to) in pairs {
            let (Ok(mut from), Ok(mut to), Ok(known)) = (from.try_clone(), to.try_clone(), from.try_clone())
            else {
                continue;
            };
            wire.open.push(known);
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    }
}
