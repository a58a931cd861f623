//! A way to the API server that can be cut: a TCP proxy on this machine. Must not: look into what it carries.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// Ends with the process.
pub(crate) struct Proxy {
    pub(crate) kubeconfig: PathBuf,
    wire: Arc<Mutex<Wire>>,
}

#[derive(Default)]
struct Wire {
    cut: bool,
    /// How often what was open fell silent.
    silences: u64,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// In front of the server that this kubeconfig names; a kubeconfig that names the proxy is written to `folder`.
    pub(crate) fn start(kubeconfig: &Path, folder: &Path) -> Result<Self> {
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
    pub(crate) fn cut(&self) {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        wire.cut = true;
        for stream in wire.open.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Nothing comes through any more on what is open now, and nobody is told; new connections work.
    pub(crate) fn fall_silent(&self) {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).silences += 1;
    }

    pub(crate) fn mend(&self) {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).cut = false;
    }
}

fn serve(listener: &TcpListener, address: &str, shared: &Arc<Mutex<Wire>>) {
    for client in listener.incoming().flatten() {
        let mut wire = shared.lock().unwrap_or_else(PoisonError::into_inner);
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
            let (shared, since) = (Arc::clone(shared), wire.silences);
            thread::spawn(move || {
                let _ = carry(&mut from, &mut to, &shared, since);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    }
}

/// Copies until either end closes. What arrives after the way has fallen silent is taken, and goes nowhere.
fn carry(from: &mut TcpStream, to: &mut TcpStream, wire: &Mutex<Wire>, since: u64) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        if wire.lock().unwrap_or_else(PoisonError::into_inner).silences == since {
            to.write_all(&buffer[..read])?;
        }
    }
}
