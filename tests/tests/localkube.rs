//! The local Kubernetes itself: it comes up with two nodes, survives what kills its parts, and goes without a trace.
//!
//! The tests run in the order of the list below and share one cluster. Where pods cannot run, or a local Kubernetes runs
//! already (somebody may be using it), they are counted as ignored, loudly; with `CI` set that is a failure.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::{Arguments, Trial};
use pgherd_tests::kubectl::Kubectl;
use pgherd_tests::localkube::{Cluster, Options, PACKAGES, STORAGE_CLASS};
use pgherd_tests::packages;
use pgherd_tests::progress::Progress;
use pgherd_tests::shell::Run;

/// A test: its name and what it does with the cluster that all share.
type Test = (&'static str, fn() -> Result<()>);

const TESTS: [Test; 6] = [
    (
        "two_nodes_run_pods_that_the_machine_reaches",
        two_nodes_run_pods_that_the_machine_reaches,
    ),
    (
        "a_volume_is_writable_grows_and_goes_with_its_claim",
        a_volume_is_writable_grows_and_goes_with_its_claim,
    ),
    (
        "programs_that_are_killed_come_back",
        programs_that_are_killed_come_back,
    ),
    ("writes_are_in_the_audit_log", writes_are_in_the_audit_log),
    (
        "up_recovers_from_a_killed_supervisor",
        up_recovers_from_a_killed_supervisor,
    ),
    ("down_leaves_nothing", down_leaves_nothing),
];

/// A limit against hanging, not a measurement.
const LIMIT: Duration = Duration::from_mins(4);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let obstacle = obstacle();
    if let (Some(obstacle), false) = (&obstacle, arguments.list) {
        eprintln!("\nNOT RUN: the tests of the local Kubernetes: {obstacle}. They are counted as ignored.\n");
        if std::env::var_os("CI").is_some() {
            eprintln!("error: in CI they must run");
            return ExitCode::FAILURE;
        }
    }
    let trials = TESTS.map(|(name, test)| {
        let run = move || test().map_err(|error| format!("{error:#}").into());
        Trial::test(name, run).with_ignored_flag(obstacle.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    if STAGE.get().is_some() && Cluster::find().is_ok_and(|found| found.is_some()) {
        // Only after a failure, or when the last test was not asked for.
        if let Err(error) = Cluster::down(&Progress::new()) {
            eprintln!("the local Kubernetes was not taken down: {error:#}");
        }
    }
    conclusion.exit_code()
}

fn obstacle() -> Option<String> {
    if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
        return Some("they need Linux, and root for containers".to_owned());
    }
    match Cluster::find() {
        Ok(None) => None,
        Ok(Some(_)) => Some("one runs already; `cargo localkube down` ends it".to_owned()),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// The shared cluster, and the machine as it was before.
struct Stage {
    cluster: Cluster,
    kubectl: Kubectl,
    before: BTreeSet<String>,
}

static STAGE: OnceLock<Result<Stage, String>> = OnceLock::new();

fn stage() -> Result<&'static Stage> {
    let set_up = || -> Result<Stage> {
        // What looks at the machine, and what `up` would install, must not count as left behind.
        packages::ensure(&PACKAGES, &Progress::new())?;
        let before = machine()?;
        let cluster = up()?;
        let kubectl = Kubectl::of_kubeconfig(&cluster.kubectl_program(), &cluster.kubeconfig());
        Ok(Stage {
            cluster,
            kubectl,
            before,
        })
    };
    let stage = STAGE.get_or_init(|| set_up().map_err(|error| format!("{error:#}")));
    stage.as_ref().map_err(|error| anyhow!("{error}"))
}

fn up() -> Result<Cluster> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(Cluster::up(
        &Options {
            nodes: 2,
            control_plane_only: false,
        },
        &Progress::new(),
    ))
}

fn two_nodes_run_pods_that_the_machine_reaches() -> Result<()> {
    let stage = stage()?;
    for node in ["node1", "node2"] {
        stage.kubectl.apply(&pod(node, ""))?;
        stage
            .kubectl
            .run(&format!("wait --for=condition=Ready pod/{node} --timeout=240s"))?;
        let address = stage.kubectl.value(&format!("pod/{node}"), ".status.podIP")?;
        // Nobody listens, and the pod itself says so: a packet that is lost would end in a timeout.
        let answer = connect(&address, 80).expect_err("nobody listens in a pause container");
        ensure!(
            answer.kind() == std::io::ErrorKind::ConnectionRefused,
            "{node}: {address}: {answer}"
        );
    }
    let service = stage.kubectl.value("service/kubernetes", ".spec.clusterIP")?;
    connect(&service, 443)
        .with_context(|| format!("the service address {service} does not lead to the API server"))?;
    Ok(())
}

fn a_volume_is_writable_grows_and_goes_with_its_claim() -> Result<()> {
    let Stage { kubectl, cluster, .. } = stage()?;
    kubectl.apply(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\nspec:\n  \
         accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: 1Gi\n",
    )?;
    let is_some = |value: &str| !value.is_empty();
    let volume = kubectl.wait_for_value("pvc/data", ".spec.volumeName", LIMIT, is_some, |_| {})?;
    ensure!(
        kubectl.value("pvc/data", ".spec.storageClassName")? == STORAGE_CLASS,
        "not the default class"
    );
    let dir = cluster.kubeconfig().with_file_name("volumes").join(&volume);
    ensure!(
        fs::metadata(&dir)?.permissions().mode() & 0o777 == 0o777,
        "a pod's user cannot write to its volume"
    );
    kubectl.wait_for_value(
        "pvc/data",
        ".status.phase",
        LIMIT,
        |phase| phase == "Bound",
        |_| {},
    )?;
    kubectl.run(r#"patch pvc data --patch {"spec":{"resources":{"requests":{"storage":"2Gi"}}}}"#)?;
    kubectl.wait_for_value(
        "pvc/data",
        ".status.capacity.storage",
        LIMIT,
        |size| size == "2Gi",
        |_| {},
    )?;
    ensure!(
        kubectl.value(&format!("pv/{volume}"), ".spec.capacity.storage")? == "2Gi",
        "the volume did not grow"
    );
    kubectl.run("delete pvc data --timeout=240s")?;
    kubectl.run(&format!("wait --for=delete pv/{volume} --timeout=240s"))?;
    ensure!(!dir.exists(), "the volume's directory is still there");
    Ok(())
}

fn programs_that_are_killed_come_back() -> Result<()> {
    let stage = stage()?;
    let kill =
        "kill -9 $(pidof etcd) $(pidof kube-apiserver) $(pidof containerd) $(pidof kubelet) $(pidof coredns)";
    let status = stage.cluster.inside(["sh", "-c", kill])?.status()?;
    ensure!(status.success(), "the programs to kill were not found");
    up()?;
    // Pods outlive the programs that made them, and new ones can be made.
    stage.kubectl.apply(&pod("node2", "-later"))?;
    stage
        .kubectl
        .run("wait --for=condition=Ready pod/node2 pod/node2-later --timeout=240s")?;
    let restarts = stage
        .kubectl
        .value("pod/node2", ".status.containerStatuses[0].restartCount")?;
    ensure!(restarts == "0", "the pod was started again {restarts} times");
    Ok(())
}

fn writes_are_in_the_audit_log() -> Result<()> {
    let stage = stage()?;
    stage.kubectl.run("create configmap audited")?;
    stage.kubectl.run("get configmap audited")?;
    let log = fs::read_to_string(stage.cluster.audit_log())?;
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"name\":\"audited\""))
        .collect();
    ensure!(
        lines.len() == 1,
        "expected one line for the create and none for the get, found {lines:#?}"
    );
    ensure!(
        lines[0].contains("\"verb\":\"create\"") && lines[0].contains("\"username\":\"admin\""),
        "{}",
        lines[0]
    );
    Ok(())
}

fn up_recovers_from_a_killed_supervisor() -> Result<()> {
    let stage = stage()?;
    let supervisor = stage.cluster.supervisor()?.to_string();
    Run::new("kill").args(["-9", &supervisor]).output()?;
    up()?;
    ensure!(
        stage.cluster.supervisor()?.to_string() != supervisor,
        "the killed supervisor still runs"
    );
    stage.kubectl.apply(&pod("node1", ""))?;
    stage
        .kubectl
        .run("wait --for=condition=Ready pod/node1 --timeout=240s")?;
    Ok(())
}

fn down_leaves_nothing() -> Result<()> {
    let stage = stage()?;
    Cluster::down(&Progress::new())?;
    let left: Vec<String> = machine()?.difference(&stage.before).cloned().collect();
    ensure!(left.is_empty(), "down left {left:#?}");
    Ok(())
}

/// A pod that does nothing, on a node and named like it.
fn pod(node: &str, suffix: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {node}{suffix}\nspec:\n  nodeName: {node}\n  containers:\n  \
         - name: pause\n    image: localhost/pgherd/pause:local\n    imagePullPolicy: Never\n"
    )
}

fn connect(address: &str, port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::new(address.parse().map_err(std::io::Error::other)?, port);
    TcpStream::connect_timeout(&address, Duration::from_secs(5))
}

/// Everything on the machine that a local Kubernetes could leave behind, one line each.
fn machine() -> Result<BTreeSet<String>> {
    let mut lines = BTreeSet::new();
    for (name, command) in [
        ("address", "ip -o address show"),
        ("route", "ip route show table all"),
        ("rule", "ip rule"),
        ("namespace", "ip netns list"),
        ("filter", "iptables-save"),
    ] {
        let [program, args @ ..] = &*command.split(' ').collect::<Vec<_>>() else {
            continue;
        };
        let output = Run::new(program).args(args).output()?;
        let rules = output.lines().filter(|line| !line.starts_with('#'));
        lines.extend(rules.map(|line| format!("{name}: {}", without_counters(line))));
    }
    lines.extend(
        fs::read_to_string("/proc/self/mounts")?
            .lines()
            .map(|line| format!("mount: {line}")),
    );
    lines.insert(format!(
        "forwarding: {}",
        fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?
    ));
    for dir in [
        "/run",
        "/run/netns",
        "/var/lib",
        "/var/lib/cni",
        "/var/log",
        "/opt",
    ] {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let files = entries.map(|entry| format!("file: {}", entry.path().display()));
        lines.extend(files.filter(|file| is_of_a_kubernetes(file)));
    }
    cgroups(Path::new("/sys/fs/cgroup"), &mut lines);
    processes(&mut lines)?;
    Ok(lines)
}

/// A name that a part of a local Kubernetes would give; the machine's own services come and go meanwhile.
fn is_of_a_kubernetes(line: &str) -> bool {
    let words = [
        "pgherd",
        "localkube",
        "kube",
        "k8s",
        "containerd",
        "runc",
        "cni",
        "netns",
        "etcd",
        "coredns",
    ];
    words.iter().any(|word| line.contains(word))
}

/// A line without what changes by itself: lifetimes of addresses, counters of packets.
fn without_counters(line: &str) -> &str {
    line.split(['\\', '[']).next().unwrap_or(line).trim_end()
}

fn cgroups(dir: &Path, lines: &mut BTreeSet<String>) {
    let dirs = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    for dir in dirs.filter(|path| path.is_dir() && !path.is_symlink()) {
        let line = format!("cgroup: {}", dir.display());
        if is_of_a_kubernetes(&line) {
            lines.insert(line);
        }
        cgroups(&dir, lines);
    }
}

/// Programs of a local Kubernetes; what else starts meanwhile is none of its business.
fn processes(lines: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if ["target/localkube", "/run/localkube", "containerd", "/pause"]
            .iter()
            .any(|word| line.contains(word))
        {
            lines.insert(format!("process: {line}"));
        }
    }
    Ok(())
}
