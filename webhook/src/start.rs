//! Puts the process together and runs it until it is asked to end.

use std::sync::Arc;

use kube::Client;
use pgherd_certs::expiry;
use pgherd_certs::follow::follow;
use pgherd_certs::keep::keep;
use pgherd_certs::metrics::CertMetrics;
use pgherd_certs::policy::PolicyError;
use pgherd_certs::serving::Serving;
use pgherd_runtime::client::{ClientError, Meter, connect};
use pgherd_runtime::listen::{ListenError, listen};
use pgherd_runtime::metrics::Metrics;
use pgherd_runtime::readiness::{Gate, Readiness};
use pgherd_runtime::shutdown::Shutdown;
use pgherd_runtime::tasks::{TaskFailure, Tasks};
use pgherd_runtime::{admin, config_watch};
use tracing::info;

use crate::args::{Args, ArgsError, Certificates};
use crate::lookup::Lookup;
use crate::metrics::WebhookMetrics;
use crate::router::App;
use crate::serve::serve;

/// Why the webhook could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that do not fit together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Flags that do not fit together.
    #[error(transparent)]
    Args(#[from] ArgsError),
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
    let certificates = args.certificates()?;
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
    let validity_gate = readiness.gate("certificate-validity", "none yet");
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
    let kept = Kept {
        serving: Arc::clone(&serving),
        gate: certificate_gate,
        metrics: cert_metrics,
    };
    kept.keep(certificates, &client, &mut tasks, &shutdown);
    tasks.spawn(
        "certificate validity",
        expiry::watch(Arc::clone(&serving), validity_gate, shutdown.clone()),
    );

    let lookup = Lookup::new(client, args.limits.lookup_timeout);
    let app = App::new(config, source, namespace, lookup, args.limits, webhook_metrics);
    tasks.spawn("reviews", serve(listener, app, serving, shutdown));
    Ok(tasks.join(args.admin.shutdown_timeout).await?)
}

/// What certificates are kept for.
struct Kept {
    serving: Arc<Serving>,
    gate: Gate,
    metrics: CertMetrics,
}

impl Kept {
    /// Keeps them, wherever they come from.
    fn keep(self, certificates: Certificates, client: &Client, tasks: &mut Tasks, shutdown: &Shutdown) {
        let shutdown = shutdown.clone();
        match certificates {
            Certificates::Own(settings) => {
                let keeping = keep(client, &settings, self.serving, self.gate, self.metrics, shutdown);
                tasks.spawn("certificates", keeping);
            }
            Certificates::Files(settings) => {
                let following = follow(client, &settings, self.serving, self.gate, self.metrics, shutdown);
                tasks.spawn("certificates", following);
            }
        }
    }
}
