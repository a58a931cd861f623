//! Clusters' pods without a node: a stand-in for scheduler and kubelet (`kubelet`) binds each pod to a node that does not exist and makes it
//! ready at once, at an address of this machine where a stand-in for Patroni (`patroni`) answers. Must not: know what is tested with them.
//!
//! Nothing runs in such a pod. Its Patroni is always healthy, obeys every change of its configuration and leads in the first pod; there is no
//! database.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use kube::{Api, Client};
use pgherd_model::names::ports;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use kubelet::Kubelet;

mod kubelet;
mod patroni;

/// The node that all pods are on.
pub const NODE: &str = "simulated";
/// First half of the members' addresses, unless told otherwise.
const LOOPBACK: [u8; 2] = [127, 80];

/// Which pods are simulated, and where they are.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespaces with clusters.
    pub namespaces: Vec<String>,
    /// Label with the cluster's name, as the operator's configuration gives it.
    pub cluster_label: String,
    /// Label with the member's role.
    pub role_label: String,
    /// First half of the pods' addresses. They have to lead to this machine.
    pub network: [u8; 2],
}

impl Settings {
    /// With the labels of the default configuration, on the loopback network.
    pub fn of(namespaces: &[&str]) -> Self {
        Self {
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            cluster_label: "cluster-name".to_owned(),
            role_label: "spilo-role".to_owned(),
            network: LOOPBACK,
        }
    }
}

/// Runs until it is dropped, in a thread of its own.
#[derive(Debug)]
pub struct Simulation {
    world: World,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Everybody's view.
#[derive(Debug, Clone, Default)]
struct World(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    network: [u8; 2],
    members: HashMap<IpAddr, Member>,
    /// By namespace and name, as long as the world exists: a pod that comes again has the address that it had.
    addresses: HashMap<(String, String), IpAddr>,
    /// Addresses of the members, by cluster and pod.
    clusters: HashMap<String, BTreeMap<String, IpAddr>>,
    /// Patroni's dynamic configuration by cluster.
    configs: HashMap<String, Value>,
    /// What Patroni was asked to change: method, path, body.
    asked: Vec<(String, Value)>,
}

#[derive(Debug, Clone)]
struct Member {
    cluster: String,
    pod: String,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The pod's address, the same as long as the world exists.
    fn settle(&mut self, namespace: &str, cluster: &str, pod: &str) -> IpAddr {
        // Neither the network's own nor its broadcast's.
        let number = u16::try_from(self.addresses.len() + 1).unwrap_or(u16::MAX);
        let ([first, second], [high, low]) = (self.network, number.to_be_bytes());
        let next = IpAddr::from(Ipv4Addr::new(first, second, high, low));
        let place = (namespace.to_owned(), pod.to_owned());
        let address = *self.addresses.entry(place).or_insert(next);
        let member = Member {
            cluster: cluster.to_owned(),
            pod: pod.to_owned(),
        };
        self.members.insert(address, member);
        let members = self.clusters.entry(cluster.to_owned()).or_default();
        members.insert(pod.to_owned(), address);
        address
    }
}

/// In a cluster without history the first pod leads.
fn leads(pod: &str) -> bool {
    pod.ends_with("-0")
}

impl Simulation {
    /// # Errors
    /// When Patroni's port is taken.
    pub fn start(client: impl AsyncFnOnce() -> Result<Client>, settings: &Settings) -> Result<Self> {
        let world = World::default();
        world.state().network = settings.network;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, ports::PATRONI));
        let listener = runtime.block_on(TcpListener::bind(address));
        let listener =
            listener.with_context(|| format!("cannot listen at {address} for simulated members"))?;
        let client = runtime.block_on(client())?;
        let kubelet = Kubelet::new(&client, settings, &world);
        let pods: Vec<_> = settings
            .namespaces
            .iter()
            .map(|namespace| Api::namespaced(client.clone(), namespace))
            .collect();
        let answers = patroni::serve(listener, world.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = answers => {}
                    () = kubelet.run(pods) => {}
                }
            });
        });
        Ok(Self {
            world,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Patroni's configuration of a cluster, before its members are asked for the first time. Without it, it is what the pods' own variable
    /// says.
    pub fn configure(&self, cluster: &str, config: Value) {
        self.world.state().configs.insert(cluster.to_owned(), config);
    }

    /// What Patroni was asked to change.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.world.state().asked.clone()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Names that are taken care of.
type Names = Arc<Mutex<HashSet<String>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_keeps_its_address_and_no_two_have_the_same() {
        let mut state = State {
            network: [127, 80],
            ..State::default()
        };
        let first = state.settle("n", "a", "a-0");
        let second = state.settle("n", "a", "a-1");
        let elsewhere = state.settle("m", "a", "a-0");
        assert_eq!(first, state.settle("n", "a", "a-0"));
        assert_eq!(first, IpAddr::from([127, 80, 0, 1]));
        assert!(first != second && second != elsewhere && first != elsewhere);
    }
}
