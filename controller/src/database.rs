//! The server of a cluster, for those who talk SQL to it: where it is, who logs in, whom to trust. Must not: talk.

use std::net::IpAddr;

use pgherd_model::config::OperatorConfig;
use pgherd_model::names::{Names, Role, ports};

use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::credentials;
use crate::error::TurnError;
use crate::sql::{Server, Target, Trust};

/// The primary, entered as the superuser.
pub async fn server(
    context: &Context,
    cluster: &ClusterRef,
    names: &Names,
    config: &OperatorConfig,
    primary: Option<IpAddr>,
) -> Result<Server, TurnError> {
    let (user, account) = credentials::superuser(context, cluster, names, config).await?;
    Ok(Server {
        target: Target {
            service: names.host(Role::Primary),
            primary,
            port: ports::POSTGRES,
        },
        user,
        password: account.password,
        previous: account.previous,
        trust: Trust::anybody()?,
    })
}
