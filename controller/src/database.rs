//! The server of a cluster, for those who talk SQL to it: where it is, who logs in, whom to trust. Must not: talk.

use std::net::IpAddr;

use pgherd_model::config::{OperatorConfig, TlsVerification};
use pgherd_model::names::{Names, Role, ports};

use crate::cache::environment::Source;
use crate::cluster_ref::ClusterRef;
use crate::context::Context;
use crate::credentials;
use crate::error::TurnError;
use crate::sql::{Server, Target, Trust};

/// Key of the secret with the authorities.
const AUTHORITY: &str = "ca.crt";

/// The primary, entered as the superuser.
pub async fn server(
    context: &Context,
    cluster: &ClusterRef,
    names: &Names,
    config: &OperatorConfig,
    primary: Option<IpAddr>,
) -> Result<Server, TurnError> {
    let (user, account) = credentials::superuser(context, cluster, names, config).await?;
    let known = context
        .memories
        .with(cluster, |memory| memory.entrance.clone())
        .filter(|known| *known != account.password);
    Ok(Server {
        target: Target {
            service: names.host(Role::Primary),
            primary,
            port: ports::POSTGRES,
        },
        user,
        password: account.password,
        previous: known.or(account.previous),
        trust: trust(context, config).await?,
    })
}

/// As the operator's configuration says.
async fn trust(context: &Context, config: &OperatorConfig) -> Result<Trust, TurnError> {
    let provisioning = &config.provisioning;
    let names = match provisioning.database_tls_verification {
        TlsVerification::Require => return Ok(Trust::anybody()?),
        TlsVerification::Authority => false,
        TlsVerification::Full => true,
    };
    let unreadable = |secret: String, message| TurnError::Credentials { secret, message };
    let Some(place) = &provisioning.database_tls_ca_secret_name else {
        let parameter = "database_tls_ca_secret_name".to_owned();
        return Err(unreadable(
            parameter,
            "it is not set, and certificates are to be verified",
        ));
    };
    let data = credentials::data(context, Source::Secret, place).await;
    let data = data.map_err(|_| unreadable(place.to_string(), "the API server did not answer"))?;
    let data = data.ok_or_else(|| unreadable(place.to_string(), "it does not exist"))?;
    let pem = data
        .get(AUTHORITY)
        .ok_or_else(|| unreadable(place.to_string(), "it has no ca.crt"))?;
    Ok(Trust::authority(pem.expose(), names)?)
}
