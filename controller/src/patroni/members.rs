//! Which pods can be asked, in which order. Must not: judge what they answer.

use std::net::IpAddr;

use pgherd_model::names::Role;
use pgherd_planner::observed::PodView;

/// Running members with an address, the primary first.
pub fn members(pods: &[PodView]) -> Vec<(&str, IpAddr)> {
    let mut running: Vec<&PodView> = pods
        .iter()
        .filter(|pod| pod.phase == "Running" && !pod.terminating)
        .collect();
    running.sort_by_key(|pod| pod.role_label != Role::Primary.label());
    running
        .into_iter()
        .filter_map(|pod| Some((pod.name.as_str(), pod.ip.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, role: &str, ip: &str, phase: &str) -> PodView {
        PodView {
            name: name.into(),
            role_label: role.into(),
            ip: ip.into(),
            phase: phase.into(),
            ..PodView::default()
        }
    }

    #[test]
    fn the_primary_is_asked_first_and_who_cannot_answer_not_at_all() {
        let pods = [
            pod("a-0", "replica", "10.0.0.1", "Running"),
            pod("a-1", "master", "10.0.0.2", "Running"),
            pod("a-2", "replica", "", "Running"),
            pod("a-3", "replica", "10.0.0.4", "Pending"),
        ];
        let asked: Vec<&str> = members(&pods).into_iter().map(|(name, _)| name).collect();
        assert_eq!(asked, ["a-1", "a-0"]);
    }
}
