//! Puts the process together and runs it until it is asked to end.

use std::sync::Arc;

use pgherd_certs::keep::keep;
use pgherd_certs::metrics::CertMetrics;
use pgherd_certs::policy::PolicyError;
use pgherd_certs::serving::Serving;
use pgherd_runtime::client::{ClientError, Meter, connect};
use pgherd_runtime::listen::{ListenError, listen};
use pgherd_runtime::metrics::Metrics;
use pgherd_runtime::readiness::Readiness;
use pgherd_runtime::shutdown::Shutdown;
use pgherd_runtime::tasks::{TaskFailure, Tasks};
use pgherd_runtime::{admin, config_watch};
use tracing::info;

use crate::args::Args;
use crate::metrics::WebhookMetrics;
use crate::router::App;
use crate::serve::serve;

/// Why the webhook could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that do not fit together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The system refuses signal handlers.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// A port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The API server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A task.
    #[error(transparent)]
    Task(#[from] TaskFailure),
}

/// Runs the webhook.
///
/// # Errors
///
/// [`StartError`], one sentence with what to do.
pub async fn run(args: Args) -> Result<(), StartError> {
    args.policy.check()?;
    let shutdown = Shutdown::on_signals().map_err(StartError::Signals)?;
    let listener = listen(args.address, "--address").await?;
    let admin_listener = listen(args.admin.admin_address, "--admin-address").await?;

    let mut metrics = Metrics::new("webhook");
    let meter = Meter::registered(metrics.registry());
    let webhook_metrics = WebhookMetrics::registered(metrics.registry());
    let cert_metrics = CertMetrics::registered(metrics.registry());

    let readiness = Readiness::new();
    let config_gate = readiness.gate("config", "not read yet");
    let certificate_gate = readiness.gate("certificate", "none yet");
    let mut tasks = Tasks::new(shutdown.clone());
    tasks.spawn_companion(
        "admin",
        admin::serve(admin_listener, readiness, Arc::new(metrics), shutdown.clone()),
    );

    let client = tokio::select! {
        client = connect(&args.client, "webhook", &meter) => client?,
        () = shutdown.begun() => return Ok(tasks.join(args.admin.shutdown_timeout).await?),
    };
    let (namespace, source) = (args.config.namespace(), args.config.source());
    info!(%namespace, configuration = %source, address = %args.address, "webhook starts");
    let (config, follow) = config_watch::watch(
        client.clone(),
        source.clone(),
        namespace.clone(),
        config_gate,
        shutdown.clone(),
    );
    tasks.spawn("config", follow);

    let serving = Serving::new();
    let settings = args.certificates();
    let certificates = keep(
        &client,
        &settings,
        Arc::clone(&serving),
        certificate_gate,
        cert_metrics,
        shutdown.clone(),
    );
    tasks.spawn("certificates", certificates);

    let app = App::new(config, source, namespace, args.limits, webhook_metrics);
    tasks.spawn("reviews", serve(listener, app, serving, shutdown));
    Ok(tasks.join(args.admin.shutdown_timeout).await?)
}
