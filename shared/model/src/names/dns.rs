//! DNS names: inside of the Kubernetes cluster, and the external ones of load balancers (zalando-behaviour 3.5).

use super::{Names, labels::Role};
use crate::config::OperatorConfig;

/// The part of a cluster's name after `<team>-`, or none when the name does not start with the team. Compared without case; something must
/// follow.
pub fn without_team<'a>(cluster: &'a str, team: &str) -> Option<&'a str> {
    let (prefix, rest) = cluster.split_at_checked(team.len())?;
    let rest = rest.strip_prefix('-').filter(|rest| !rest.is_empty())?;
    (!team.is_empty() && prefix.eq_ignore_ascii_case(team)).then_some(rest)
}

impl Names {
    /// Where the operator reaches a role's service.
    pub fn host(&self, role: Role) -> String {
        format!("{}.{}.svc.{}", self.service(role), self.namespace, self.domain)
    }

    /// Names of the role's load balancer, separated by a comma: the configured one, and the older form for a cluster named after its team.
    pub fn external(&self, role: Role, team: &str, config: &OperatorConfig) -> String {
        let balancer = &config.load_balancer;
        let (format, legacy) = match role {
            Role::Primary => (
                &balancer.master_dns_name_format,
                &balancer.master_legacy_dns_name_format,
            ),
            Role::Replica => (
                &balancer.replica_dns_name_format,
                &balancer.replica_legacy_dns_name_format,
            ),
        };
        let fill = |format: &crate::config::Template, cluster: &str| {
            let values = [
                ("cluster", cluster),
                ("team", team),
                ("namespace", &self.namespace),
                ("hostedzone", &balancer.db_hosted_zone),
            ];
            format.fill(&values).to_lowercase()
        };
        let name = fill(format, &self.cluster);
        match without_team(&self.cluster, team) {
            Some(short) => format!("{name},{}", fill(legacy, short)),
            None => name,
        }
    }

    /// Name of the load balancer of a role's pooler. The replica format itself says which role it is; there is no older form.
    pub fn external_pooler(&self, role: Role, team: &str, config: &OperatorConfig) -> String {
        let balancer = &config.load_balancer;
        let format = match role {
            Role::Primary => &balancer.master_dns_name_format,
            Role::Replica => &balancer.replica_dns_name_format,
        };
        let values = [
            ("cluster", self.pooler(Role::Primary)),
            ("team", team.to_owned()),
            ("namespace", self.namespace.clone()),
            ("hostedzone", balancer.db_hosted_zone.clone()),
        ];
        format
            .fill(&values.each_ref().map(|(key, value)| (*key, value.as_str())))
            .to_lowercase()
    }
}
