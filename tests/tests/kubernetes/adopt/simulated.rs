//! A fleet's pods without a kubelet: each is bound to a node that does not exist, becomes ready at once, and has an address of this machine's
//! loopback network at which a simulated Patroni answers. Must not: know what is tested with them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use pgherd_tests::localkube::Cluster;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The node that all pods are on.
const NODE: &str = "simulated";
/// Where every member's Patroni listens.
const PORT: u16 = 8008;
/// How often new pods are looked for.
const ROUND: Duration = Duration::from_millis(300);
/// The largest request that is read.
const REQUEST: usize = 64 * 1024;

/// Runs until it is dropped.
pub(crate) struct Simulation {
    world: World,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Everybody's view.
#[derive(Clone, Default)]
struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Cluster and pod by address.
    members: BTreeMap<IpAddr, (String, String)>,
    /// Patroni's dynamic configuration by cluster.
    configs: BTreeMap<String, Value>,
    /// What Patroni was asked to change: method, path, body.
    asked: Vec<(String, Value)>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulation {
    /// `cluster_label` and `role_label` are the keys that the operator's configuration gives.
    pub(crate) fn start(
        cluster: &Cluster,
        namespace: &str,
        cluster_label: &str,
        role_label: &str,
    ) -> Result<Self> {
        let world = World::default();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let listener = runtime.block_on(TcpListener::bind(address));
        let listener =
            listener.with_context(|| format!("cannot listen at {address} for simulated members"))?;
        let client = runtime.block_on(cluster.client())?;
        let kubelet = Kubelet {
            nodes: Api::all(client.clone()),
            pods: Api::namespaced(client, namespace),
            cluster_label: cluster_label.to_owned(),
            role_label: role_label.to_owned(),
            world: world.clone(),
        };
        let answers = serve(listener, world.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = answers => {}
                    () = kubelet.run() => {}
                }
            });
        });
        Ok(Self {
            world,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Patroni's configuration of a cluster, before its members are asked for the first time.
    pub(crate) fn configure(&self, cluster: &str, config: Value) {
        self.world.state().configs.insert(cluster.to_owned(), config);
    }

    /// What Patroni was asked to change.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
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

/// What scheduler, kubelet and Patroni write to Kubernetes.
struct Kubelet {
    nodes: Api<Node>,
    pods: Api<Pod>,
    cluster_label: String,
    role_label: String,
    world: World,
}

impl Kubelet {
    async fn run(self) {
        loop {
            if let Err(error) = self.round().await {
                eprintln!("simulated kubelet: {error:#}");
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn round(&self) -> Result<()> {
        self.keep_node().await?;
        for pod in self
            .pods
            .list(&ListParams::default().labels(&self.cluster_label))
            .await?
        {
            if pod.metadata.deletion_timestamp.is_some() {
                let gone = kube::api::DeleteParams::default().grace_period(0);
                self.pods.delete(&pod.name_any(), &gone).await?;
            } else if pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Running") {
                self.begin(&pod).await?;
            }
        }
        Ok(())
    }

    /// Without a word from its kubelet a node is drained after some minutes.
    async fn keep_node(&self) -> Result<()> {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": NODE, "labels": {"lifecycle-status": "ready"}},
            // Nothing real may come here; its own pods are bound past the scheduler.
            "spec": {"taints": [{"key": "simulated", "effect": "NoSchedule"}]},
        });
        let apply = PatchParams::apply("simulated-kubelet").force();
        self.nodes.patch(NODE, &apply, &Patch::Apply(&node)).await?;
        let now = jiff::Timestamp::now().to_string();
        let ready =
            json!({"type": "Ready", "status": "True", "reason": "Simulated", "lastHeartbeatTime": now});
        let status = json!({"status": {"conditions": [ready], "capacity": {"pods": "1000"}, "allocatable": {"pods": "1000"}}});
        self.nodes
            .patch_status(NODE, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(())
    }

    async fn begin(&self, pod: &Pod) -> Result<()> {
        let name = pod.name_any();
        let cluster = pod.labels().get(&self.cluster_label).cloned().unwrap_or_default();
        if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
            });
            // The scheduler may have been faster; it has no other node.
            let _: Result<Value, _> = self
                .pods
                .create_subresource("binding", &name, &PostParams::default(), &binding)
                .await;
        }
        let role = if name.ends_with("-0") { "master" } else { "replica" };
        let labelled = json!({"metadata": {"labels": {&self.role_label: role}}});
        self.pods
            .patch(&name, &PatchParams::default(), &Patch::Merge(&labelled))
            .await?;
        let address = self.settle(&cluster, &name);
        let yes = |kind: &str| json!({"type": kind, "status": "True"});
        let status = json!({"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [yes("PodScheduled"), yes("Initialized"), yes("ContainersReady"), yes("Ready")],
        }});
        self.pods
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(())
    }

    /// The pod's address, the same as long as it lives.
    fn settle(&self, cluster: &str, pod: &str) -> IpAddr {
        let mut state = self.world.state();
        let number = u16::try_from(state.members.len()).unwrap_or(u16::MAX);
        let [high, low] = number.to_be_bytes();
        let address = IpAddr::from(Ipv4Addr::new(127, 80, high, low));
        let known = state
            .members
            .iter()
            .find(|(_, (_, name))| name == pod)
            .map(|(address, _)| *address);
        let address = known.unwrap_or(address);
        state
            .members
            .insert(address, (cluster.to_owned(), pod.to_owned()));
        address
    }
}

async fn serve(listener: TcpListener, world: World) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream, world.clone()));
    }
}

/// One connection, which is kept.
async fn talk(mut stream: TcpStream, world: World) -> Option<()> {
    let member = stream.local_addr().ok()?.ip();
    let mut read = Vec::new();
    loop {
        let (line, body) = request(&mut stream, &mut read).await?;
        let (status, answer) = world.answer(member, &line, &body);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(text.as_bytes()).await.ok()?;
    }
}

/// Method and path, and the body. None when the other side has gone.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        let end = read.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let whole = end + 4 + length.unwrap_or(0_usize);
            if read.len() >= whole {
                let line = String::from_utf8_lossy(&read[..end]).lines().next()?.to_owned();
                let body = serde_json::from_slice(&read[end + 4..whole]).unwrap_or_default();
                read.drain(..whole);
                let mut words = line.split(' ');
                return Some((format!("{} {}", words.next()?, words.next()?), body));
            }
        }
        if read.len() > REQUEST || stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

impl World {
    fn answer(&self, at: IpAddr, line: &str, body: &Value) -> (&'static str, Value) {
        let mut state = self.state();
        let Some((cluster, pod)) = state.members.get(&at).cloned() else {
            return ("404 Not Found", Value::Null);
        };
        match line {
            "GET /cluster" => ("200 OK", state.members_of(&cluster)),
            "GET /config" => ("200 OK", state.configs.get(&cluster).cloned().unwrap_or_default()),
            "GET /patroni" => (
                "200 OK",
                json!({
                    "state": "running", "role": if pod.ends_with("-0") { "primary" } else { "replica" },
                    "server_version": 170_004, "patroni": {"version": "4.0.5", "scope": cluster, "name": pod},
                }),
            ),
            _ => {
                state.asked.push((format!("{line} {pod}"), body.clone()));
                if line == "PATCH /config" {
                    let config = state.configs.entry(cluster).or_default();
                    json_patch::merge(config, body);
                }
                ("200 OK", json!({}))
            }
        }
    }
}

impl State {
    fn members_of(&self, cluster: &str) -> Value {
        let members = self.members.iter().filter(|(_, (of, _))| of == cluster);
        let members: Vec<Value> = members
            .map(|(address, (_, pod))| {
                let leads = pod.ends_with("-0");
                let mut member = json!({
                    "name": pod, "host": address, "port": 5432, "timeline": 1,
                    "role": if leads { "leader" } else { "replica" },
                    "state": if leads { "running" } else { "streaming" },
                });
                if !leads {
                    member["lag"] = json!(0);
                }
                member
            })
            .collect();
        json!({ "members": members, "scope": cluster })
    }
}
