//! The port at which every cluster's Postgres is looked for, at an address of its own: connections to it are carried on to wherever the server is.
//! Must not: look inside.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::thread;

use anyhow::{Result, bail};
use pgherd_model::names::ports;

/// How many addresses are tried.
const TRIES: u32 = 50;

/// Open until the process ends.
pub(crate) struct Door {
    pub(crate) address: Ipv4Addr,
    leads_to: Arc<AtomicU16>,
}

impl Door {
    pub(crate) fn open() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..TRIES {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            // Every process has some hundred of them; below 127.1.0.0 others may listen.
            let number = 1 << 16 | (std::process::id().wrapping_mul(256).wrapping_add(count) & 0x003f_ffff);
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 0)) | number);
            let Ok(listener) = TcpListener::bind((address, ports::POSTGRES)) else {
                continue;
            };
            let leads_to = Arc::new(AtomicU16::new(0));
            let shared = Arc::clone(&leads_to);
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let port = shared.load(Ordering::SeqCst);
                    thread::spawn(move || carry(&client, port));
                }
            });
            return Ok(Self { address, leads_to });
        }
        bail!("no address of this machine has its port {} free", ports::POSTGRES)
    }

    pub(crate) fn lead_to(&self, port: u16) {
        self.leads_to.store(port, Ordering::SeqCst);
    }
}

/// Both ways, until one side ends.
fn carry(client: &TcpStream, port: u16) -> io::Result<()> {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
        return client.shutdown(Shutdown::Both);
    };
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to).map(|_| to.shutdown(Shutdown::Both)));
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let copied = io::copy(&mut from, &mut to);
    server.shutdown(Shutdown::Both)?;
    copied.map(drop)
}
