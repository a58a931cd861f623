//! Stands between operator and server, and cuts connections off after so many messages of the operator. It sees TLS records, one per write:
//! the log-in is among them. Must not: look inside.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};

#[derive(Default)]
struct Budget {
    /// Messages that still pass.
    left: AtomicUsize,
    cuts: AtomicUsize,
}

pub(crate) struct Cutter {
    port: u16,
    budget: Arc<Budget>,
}

impl Cutter {
    pub(crate) fn start(server: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen")?;
        let port = listener.local_addr()?.port();
        let budget = Arc::new(Budget::default());
        let shared = Arc::clone(&budget);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let budget = Arc::clone(&shared);
                thread::spawn(move || carry(client, server, &budget));
            }
        });
        Ok(Self { port, budget })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on so many messages pass, over all connections.
    pub(crate) fn cut_after(&mut self, messages: usize) {
        self.budget.cuts.store(0, Ordering::SeqCst);
        self.budget.left.store(messages, Ordering::SeqCst);
    }

    pub(crate) fn has_cut(&self) -> bool {
        self.budget.cuts.load(Ordering::SeqCst) > 0
    }
}

fn carry(client: TcpStream, server: u16, budget: &Budget) -> Option<()> {
    let server = TcpStream::connect(("127.0.0.1", server)).ok()?;
    let (mut back, mut forth) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || std::io::copy(&mut back, &mut forth).map(|_| forth.shutdown(Shutdown::Both)));
    let (mut client, mut server) = (client, server);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0);
        let pass = |left: usize| left.checked_sub(1);
        let passes = budget
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, pass)
            .is_ok();
        let sent = match read {
            Some(read) if passes => server.write_all(&buffer[..read]).is_ok(),
            Some(_) => {
                budget.cuts.fetch_add(1, Ordering::SeqCst);
                false
            }
            None => false,
        };
        if !sent {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
            return None;
        }
    }
}
