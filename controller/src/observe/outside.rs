//! What others say of a cluster's roles: known from the watches, or read where none runs; the teams API is asked. Must not: conclude anything.

use std::collections::BTreeMap;

use futures::future::join_all;
use pgherd_model::cluster::role::infrastructure::{self, InfrastructureRoles};
use pgherd_model::cluster::role::team::{TeamMap, admitted};
use pgherd_model::cluster::{Cluster, RoleSources};
use pgherd_model::config::{InfrastructureRole, OperatorConfig};
use pgherd_model::secret::Secret;
use pgherd_planner::observed::Source;

use crate::cache::environment::Source as From;
use crate::cache::outside::decode;
use crate::context::Context;
use crate::credentials::data;

/// Keys of the secret with the token, and the only kind of token there is.
const TOKEN_TYPE: &str = "read-only-token-type";
const TOKEN: &str = "read-only-token-secret";
const BEARER: &str = "Bearer";

/// Everything that is configured to say something.
pub async fn role_sources(context: &Context, cluster: &Cluster, config: &OperatorConfig) -> RoleSources {
    let definitions = config.infrastructure_role_secrets();
    let infrastructure = definitions
        .iter()
        .map(|definition| infrastructure(context, definition));
    let teams = if config.teams_api.enable_postgres_team_crd {
        let known = context.cache.outside.teams();
        known.map_or_else(
            || Source::Unknown("they are not listed yet".to_owned()),
            Source::Known,
        )
    } else {
        Source::Known(TeamMap::default())
    };
    RoleSources {
        infrastructure: join_all(infrastructure).await,
        members: members(context, cluster, &teams, config).await,
        teams,
    }
}

async fn infrastructure(context: &Context, definition: &InfrastructureRole) -> Source<InfrastructureRoles> {
    let place = &definition.secret_name;
    let secret = match data(context, From::Secret, place).await {
        Ok(Some(data)) => data,
        Ok(None) => return Source::Unknown(format!("secret {place} is not there")),
        Err(problem) => return Source::Unknown(problem),
    };
    let map = match data(context, From::ConfigMap, place).await {
        Ok(map) => map.map(|data| {
            data.into_iter()
                .map(|(key, text)| (key, text.expose().to_owned()))
                .collect()
        }),
        Err(problem) => return Source::Unknown(problem),
    };
    Source::Known(infrastructure::read(definition, &secret, map.as_ref()))
}

/// Of every team that is let in.
async fn members(
    context: &Context,
    cluster: &Cluster,
    teams: &Source<TeamMap>,
    config: &OperatorConfig,
) -> BTreeMap<String, Source<Option<std::collections::BTreeSet<String>>>> {
    let settings = &config.teams_api;
    let (true, Some(teams)) = (settings.enable_teams_api, teams.known()) else {
        return BTreeMap::new();
    };
    let ask = async |team: String| {
        let answer = context
            .teams
            .members(&settings.teams_api_url, &team, token(context, config));
        let answer = answer.await;
        (team, answer)
    };
    let admitted = admitted(&cluster.identity.team, teams, config);
    let asked = admitted.into_iter().map(|it| ask(it.team));
    join_all(asked).await.into_iter().collect()
}

async fn token(context: &Context, config: &OperatorConfig) -> Result<Secret, String> {
    let place = &config.kubernetes.oauth_token_secret_name;
    let found = context.read("Secret", &place.namespace, &place.name).await?;
    let secret = found.ok_or_else(|| format!("secret {place} (oauth_token_secret_name) is not there"))?;
    let mut data = decode(From::Secret, &secret["data"]);
    match data.get(TOKEN_TYPE).map(Secret::expose) {
        Some(BEARER) => {}
        _ => return Err(format!("secret {place} does not say {TOKEN_TYPE}: {BEARER}")),
    }
    data.remove(TOKEN)
        .ok_or_else(|| format!("secret {place} has no {TOKEN}"))
}
