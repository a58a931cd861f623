//! The client for the API server: found where people expect, with timeouts, a name, counted requests, and errors that say what to do.

mod meter;
mod patience;

pub use meter::Meter;
pub use patience::Patience;

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use kube::client::ClientBuilder;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::runtime::watcher;
use kube::{Client, Config};
use tokio::time::{Instant, sleep};
use tower::timeout::TimeoutLayer;
use tracing::warn;

use crate::args::ClientArgs;
use crate::tasks::chain;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the API server lets a watch live that asks for it by [`watching`]. Short, because nothing else tells a watch without news from one
/// whose connection has died without a word: a lost route, a balancer that forgot it, a proxy that hangs. It goes on where it ended, without
/// a new list.
const WATCH_LIFE: Duration = Duration::from_secs(40);
/// Longer than a watch lives, so that only dead connections meet it; they are noticed after this.
const READ_TIMEOUT: Duration = Duration::from_secs(50);
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// There is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing tells where the API server is.
    #[error(
        "cannot find an API server: not in a pod, KUBECONFIG is not set and {} is not there; name a file with \
         --kubeconfig",
        .home.display()
    )]
    NotConfigured {
        /// Where a kubeconfig was expected.
        home: PathBuf,
    },
    /// The kubeconfig is there, or was asked for, and is of no use.
    #[error(
        "cannot use kubeconfig {origin}: {reason}; mend it, or name another with --kubeconfig or --context"
    )]
    Kubeconfig {
        /// The file, or the variable that names files.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// The pod's service account is of no use.
    #[error("cannot use the pod's service account: {0}; mount its token, or name a file with --kubeconfig")]
    ServiceAccount(#[source] InClusterError),
    /// Keys, certificates or proxy settings are of no use.
    #[error(
        "cannot set up the connection to {server}: {reason}; check certificates and keys in the kubeconfig"
    )]
    Setup {
        /// Its address.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The API server cannot be reached.
    #[error(
        "no answer from the API server at {server} within {waited:?}: {reason}; is it running and reachable from here?"
    )]
    Away {
        /// Its address.
        server: String,
        /// How long was tried.
        waited: Duration,
        /// What happened at the last try.
        reason: String,
    },
    /// The API server answers, and refuses.
    #[error("the API server at {server} refuses this client: {reason}; check the credentials")]
    Refused {
        /// Its address.
        server: String,
        /// What it says.
        reason: String,
    },
}

/// How to watch with a client of [`connect`]. A watch that asks for a longer life is cut off when nothing happens.
pub fn watching() -> watcher::Config {
    living(WATCH_LIFE)
}

fn living(life: Duration) -> watcher::Config {
    watcher::Config::default().timeout(u32::try_from(life.as_secs()).unwrap_or(u32::MAX))
}

/// Connects, and makes sure that the API server answers. `program` becomes part of the user agent.
///
/// # Errors
///
/// [`ClientError`], each with what to do.
pub async fn connect(args: &ClientArgs, program: &str, meter: &Meter) -> Result<Client, ClientError> {
    let config = configuration(args).await?;
    let server = config.cluster_url.to_string();
    let client = build(config, args, program, meter, READ_TIMEOUT).map_err(|err| ClientError::Setup {
        server: server.clone(),
        reason: chain(&err),
    })?;
    answers(&client, server, args.connect_patience).await?;
    Ok(client)
}

/// What was asked for by flag or variable counts and must work; then the pod's account; then the user's own file.
async fn configuration(args: &ClientArgs) -> Result<Config, ClientError> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = &args.kubeconfig {
        let origin = path.display().to_string();
        return from_file(Kubeconfig::read_from(path), &options, origin).await;
    }
    match Kubeconfig::from_env() {
        Ok(None) => {}
        read => {
            let origin = std::env::var("KUBECONFIG").unwrap_or_default();
            return from_file(read.map(Option::unwrap_or_default), &options, origin).await;
        }
    }
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && args.context.is_none() && !args.out_of_cluster
    {
        return Config::incluster().map_err(ClientError::ServiceAccount);
    }
    let home = std::env::home_dir().unwrap_or_default().join(".kube/config");
    if !home.exists() {
        return Err(ClientError::NotConfigured { home });
    }
    from_file(Kubeconfig::read_from(&home), &options, home.display().to_string()).await
}

async fn from_file(
    read: Result<Kubeconfig, KubeconfigError>,
    options: &KubeConfigOptions,
    origin: String,
) -> Result<Config, ClientError> {
    let config = match read {
        Ok(file) => Config::from_custom_kubeconfig(file, options).await,
        Err(err) => Err(err),
    };
    config.map_err(|err| ClientError::Kubeconfig {
        origin,
        reason: chain(&err),
    })
}

fn build(
    mut config: Config,
    args: &ClientArgs,
    program: &str,
    meter: &Meter,
    silence: Duration,
) -> Result<Client, kube::Error> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(silence);
    config.reset_reader_on_write = true;
    config.write_timeout = Some(WRITE_TIMEOUT);
    let agent = format!("pgherd-{program}/{}", env!("CARGO_PKG_VERSION"));
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        config.headers.push((USER_AGENT, agent));
    }
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder
        .with_layer(&TimeoutLayer::new(args.request_timeout))
        .with_layer(meter)
        .build())
}

/// Asks for the version until there is an answer: an API server that restarts is no reason to give up at once.
async fn answers(client: &Client, server: String, patience: Duration) -> Result<(), ClientError> {
    let start = Instant::now();
    loop {
        let Err(err) = client.apiserver_version().await else {
            return Ok(());
        };
        let reason = chain(&err);
        if let kube::Error::Api(status) = &err
            && status.code < 500
        {
            return Err(ClientError::Refused {
                server,
                reason: status.message.clone(),
            });
        }
        if start.elapsed() + RETRY_AFTER > patience {
            return Err(ClientError::Away {
                server,
                waited: patience,
                reason,
            });
        }
        warn!(%server, %reason, "the API server does not answer; trying again");
        sleep(RETRY_AFTER).await;
    }
}

#[cfg(test)]
mod tests;
