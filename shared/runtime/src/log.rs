//! The subscriber that prints logs: JSON for collectors, plain for people, colours only on a terminal.
//!
//! Logs go to standard error; standard output belongs to results.

use std::io::IsTerminal;

use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::args::{LogArgs, LogFormat};

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level does not parse.
    #[error(
        "cannot read log level {given:?}: {reason}; use error, warn, info, debug, trace or TARGET=LEVEL,…"
    )]
    Level {
        /// What was given.
        given: String,
        /// What the parser says.
        reason: String,
    },
    /// Somebody set a subscriber before.
    #[error("cannot set up the log: one is set up already in this process")]
    Again,
}

/// Sets the process's log, also for panics, so that these have the same form as everything else.
///
/// # Errors
///
/// [`LogError`] for a level that does not parse, and for a second call.
pub fn init(args: &LogArgs) -> Result<(), LogError> {
    let filter = filter(&args.log_level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let done = match format(args) {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Plain => builder.with_ansi(false).try_init(),
        LogFormat::Auto => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    done.map_err(|_| LogError::Again)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(
            place,
            reason = panic.payload_as_str().unwrap_or("unknown"),
            "panic"
        );
    }));
    Ok(())
}

fn format(args: &LogArgs) -> LogFormat {
    if args.enable_json_logging {
        LogFormat::Json
    } else {
        args.log_format
    }
}

/// The asked level; the libraries' own chatter stays out below warn unless it is asked for by name. Of the client nothing is said at all:
/// whoever made the request reports its failure.
fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let mut directives = Vec::new();
    for target in [
        "kube_client",
        "kube_runtime",
        "hyper",
        "hyper_util",
        "tower",
        "rustls",
    ] {
        if !level.contains(&format!("{target}=")) {
            directives.push(format!("{target}=warn"));
        }
    }
    if !level.contains("kube_client") {
        directives.push("kube_client::client=off".to_owned());
    } else if !level.contains("kube_client::client=") {
        // It shows an answer that it cannot decode, whole, at warn: a secret, perhaps.
        directives.push("kube_client::client=error".to_owned());
    }
    directives.push(level.to_owned());
    // It shows every statement, verifiers among them, to whoever listens.
    directives.push("tokio_postgres=off".to_owned());
    EnvFilter::try_new(directives.join(",")).map_err(|err| LogError::Level {
        given: level.to_owned(),
        reason: err.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_that_does_not_parse_is_named() {
        let err = filter("pgherd_webhook=loud").unwrap_err();
        assert!(err.to_string().contains("pgherd_webhook=loud"), "{err}");
    }

    #[test]
    fn libraries_are_quiet_unless_asked() {
        let unasked = filter("debug").unwrap().to_string();
        assert!(
            unasked.contains("kube_client=warn") && unasked.contains("kube_client::client=off"),
            "{unasked}"
        );
        let asked = filter("info,kube_client=debug").unwrap().to_string();
        assert!(
            asked.contains("kube_client=debug") && !asked.contains("kube_client=warn"),
            "{asked}"
        );
        assert!(
            asked.contains("kube_client::client=error"),
            "not by its family's name: {asked}"
        );
    }

    #[test]
    fn statements_are_never_shown() {
        for level in ["trace", "tokio_postgres=trace"] {
            let filter = filter(level).unwrap().to_string();
            assert!(filter.contains("tokio_postgres=off"), "{filter}");
            assert!(!filter.contains("tokio_postgres=trace"), "{filter}");
        }
    }

    #[test]
    fn zalandos_switch_asks_for_json() {
        let mut args = LogArgs {
            log_level: "info".into(),
            log_format: LogFormat::Auto,
            enable_json_logging: false,
        };
        assert_eq!(format(&args), LogFormat::Auto);
        args.enable_json_logging = true;
        assert_eq!(format(&args), LogFormat::Json);
    }
}
