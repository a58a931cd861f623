//! The addresses of a local Kubernetes, and the link that connects its own network namespace with the machine.
//! Fixed, so one machine runs one of them at a time; `up` of another checkout ends the first.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};

use super::layout::Place;
use crate::shell::Run;

/// The nodes' addresses are in here, one per node from `.1`.
pub(super) const NODES: &str = "10.88.0.0/24";
/// Every node's pods have a /24 of it.
pub(super) const PODS: &str = "10.77.0.0/16";
/// The service addresses.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// The first service address is the API server's.
pub(super) const API_SERVICE: &str = "10.96.0.1";
/// The machine, as pods and the API server reach it: a webhook under test can listen here.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 88, 255, 1);
/// The other end of the link.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, 255, 2);
/// The machine's end of the link.
pub(super) const LINK: &str = "pgherd-local";
/// The most nodes that the address ranges and the certificates are made for.
pub(super) const MAX_NODES: u8 = 8;
/// The API server's port.
pub(super) const API_PORT: u16 = 6443;

/// The address of node `number`, counted from 1.
pub(super) fn node_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 88, 0, number)
}

/// The pods of node `number`.
pub(super) fn pod_subnet(number: u8) -> String {
    format!("10.77.{number}.0/24")
}

/// Where the API server and the DNS server are.
pub(super) fn api_address(place: Place) -> Ipv4Addr {
    match place {
        Place::Own => node_address(1),
        Place::Loopback => Ipv4Addr::LOCALHOST,
    }
}

/// Connects the network namespace of process `pid` with the machine.
///
/// # Errors
/// When the machine already routes one of our address ranges elsewhere, or has no such links.
pub(super) fn attach(pid: u32) -> Result<()> {
    if let Some((range, device)) = conflict()? {
        bail!(
            "the addresses {range} are already in use by network device {device}: end the other Kubernetes, \
             container network or VPN on this machine that uses them, then try again"
        );
    }
    ip(&format!(
        "link add {LINK} type veth peer name uplink netns {pid}\n\
         address add {HOST}/30 dev {LINK}\n\
         link set {LINK} up\n"
    ))?;
    // A program in here must have a route to a service before the rules for services can turn it into a route to a pod.
    // Everything else is unreachable on purpose: a pull from a registry fails at once, and no test leaves the machine.
    inside(pid)
        .args(["ip", "-batch", "-"])
        .stdin_text(format!(
            "address add {GATEWAY}/30 dev uplink\nlink set uplink up\nroute add unreachable default\n\
             route add {SERVICES} dev uplink\n"
        ))
        .purpose("set up the link inside")
        .output()?;
    ip(&[NODES, PODS, SERVICES]
        .map(|range| format!("route add {range} via {GATEWAY} dev {LINK}\n"))
        .concat())
}

/// Whether the link is there.
pub(super) fn is_attached() -> Result<bool> {
    Run::new("ip").args(["link", "show", "dev", LINK]).succeeds()
}

/// Removes the link; its routes and addresses go with it. Says whether there was one.
pub(super) fn detach() -> Result<bool> {
    if !is_attached()? {
        return Ok(false);
    }
    let gone = Run::new("ip").args(["link", "delete", LINK]).output();
    // The kernel removes it as well, when the namespace of its other end goes.
    if gone.is_err() && is_attached()? {
        gone.with_context(|| format!("network device {LINK} cannot be removed"))?;
    }
    Ok(true)
}

fn ip(batch: &str) -> Result<()> {
    let run = Run::new("ip").args(["-batch", "-"]).stdin_text(batch);
    run.purpose("connect the local Kubernetes with this machine's network")
        .output()
        .map(drop)
}

/// The words before a command that let it run inside the namespaces of process `pid`.
pub(super) fn enter(pid: u32) -> [String; 7] {
    let pid = pid.to_string();
    ["nsenter", "--target", &pid, "--mount", "--net", "--pid", "--"].map(str::to_owned)
}

/// A run inside the namespaces of process `pid`.
pub(super) fn inside(pid: u32) -> Run {
    let [program, args @ ..] = enter(pid);
    Run::new(program).args(args)
}

/// A range of ours that overlaps with a route of the machine, and that route's device.
fn conflict() -> Result<Option<(String, String)>> {
    let routes = Run::new("ip")
        .args(["-4", "-o", "route", "show", "table", "all"])
        .output()?;
    Ok(overlap(&routes))
}

fn overlap(routes: &str) -> Option<(String, String)> {
    for line in routes.lines() {
        let mut words = line.split_whitespace().peekable();
        let kind = words.next_if(|word| matches!(*word, "local" | "broadcast" | "unreachable" | "blackhole"));
        let Some(target) = words.next().filter(|target| *target != "default") else {
            continue;
        };
        let device = words
            .skip_while(|word| *word != "dev")
            .nth(1)
            .or(kind)
            .unwrap_or("unknown");
        let ours = [NODES, PODS, SERVICES, "10.88.255.0/30"];
        if let Some(range) = ours.iter().find(|range| overlaps(range, target)) {
            return Some(((*range).to_owned(), device.to_owned()));
        }
    }
    None
}

fn overlaps(one: &str, other: &str) -> bool {
    let (Some((one, one_length)), Some((other, other_length))) = (parse(one), parse(other)) else {
        return false;
    };
    let length = one_length.min(other_length);
    // A route as wide as a whole class A is a default route in disguise; the more specific one of ours wins over it.
    length > 8 && (one ^ other).checked_shr(32 - length).unwrap_or(0) == 0
}

fn parse(range: &str) -> Option<(u32, u32)> {
    let (address, length) = range.split_once('/').unwrap_or((range, "32"));
    Some((
        address.parse::<Ipv4Addr>().ok()?.to_bits(),
        length.parse().ok().filter(|length| *length <= 32)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "default via 192.0.2.1 dev eth0\n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2\n\
                         local 127.0.0.1 dev lo table local\nbroadcast 192.0.2.255 dev eth0\n10.0.0.0/8 dev tun0\n";

    #[test]
    fn a_plain_machine_has_no_conflict() {
        assert_eq!(overlap(PLAIN), None);
    }

    #[test]
    fn a_route_into_our_ranges_is_found_with_its_device() {
        let found = overlap("10.96.0.1 via 10.0.0.2 dev cni0 proto static\n").unwrap();
        assert_eq!(found, (SERVICES.to_owned(), "cni0".to_owned()));
        assert_eq!(overlap("10.64.0.0/10 dev vpn0\n").unwrap().1, "vpn0");
    }

    #[test]
    fn subnets_of_nodes_are_disjoint_and_inside_the_pods_range() {
        assert!(!overlaps(&pod_subnet(1), &pod_subnet(2)));
        assert!((1..=MAX_NODES).all(|number| overlaps(PODS, &pod_subnet(number))));
    }
}
