//! Readiness ends with the certificate being served, whatever else is going on: also when the Secret cannot be read for days.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_runtime::readiness::Gate;
use pgherd_runtime::shutdown::Shutdown;
use tokio::time::sleep;

use crate::serving::Serving;

/// Sleeps are cut to this: sleeping clocks stand still while a machine is suspended, certificates do not.
const NAP: Duration = Duration::from_secs(5);

/// Keeps `gate` open exactly while a valid certificate is being served, until shutdown begins: run it as a task.
pub async fn watch(serving: Arc<Serving>, gate: Gate, shutdown: Shutdown) -> Result<(), Infallible> {
    tokio::select! {
        () = shutdown.begun() => {}
        () = watch_by(&serving, &gate, Timestamp::now) => {}
    }
    Ok(())
}

async fn watch_by(serving: &Serving, gate: &Gate, now: impl Fn() -> Timestamp) {
    loop {
        let now = now();
        let rest = match serving.leaf() {
            None => {
                gate.close("there is no certificate yet");
                NAP
            }
            Some(leaf) if leaf.certificate().is_valid(now) => {
                gate.open();
                let left = leaf.certificate().not_after().duration_since(now);
                Duration::try_from(left).unwrap_or_default().min(NAP)
            }
            Some(leaf) => {
                let certificate = leaf.certificate();
                gate.close(format!(
                    "the certificate being served is valid from {} to {} only",
                    certificate.not_before(),
                    certificate.not_after()
                ));
                NAP
            }
        };
        tokio::select! {
            () = sleep(rest) => {}
            () = serving.swapped() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use pgherd_runtime::readiness::Readiness;

    use super::*;
    use crate::authority::Authority;
    use crate::leaf::Leaf;
    use crate::policy::Policy;

    fn leaf(now: Timestamp) -> Leaf {
        let policy = Policy::default();
        let authority = Authority::make(now, policy.authority_life).unwrap();
        Leaf::sign(&authority, &["localhost".to_owned()], now, &policy).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn gate_follows_the_certificate_by_the_wall_clock() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Arc::new(Mutex::new(start));
        let (serving, readiness) = (Serving::new(), Readiness::new());
        let gate = readiness.gate("validity", "not looked yet");
        let (watched, wall) = (Arc::clone(&serving), Arc::clone(&clock));
        let task =
            tokio::spawn(async move { watch_by(&watched, &gate, move || *wall.lock().unwrap()).await });
        let settle = || sleep(Duration::from_millis(10));
        settle().await;
        assert_eq!(readiness.closed()[0].1, "there is no certificate yet");
        serving.swap(leaf(start));
        settle().await;
        assert_eq!(readiness.closed(), []);

        // Nothing is heard for days, most of which the machine sleeps through.
        *clock.lock().unwrap() = start.checked_add(Duration::from_hours(169)).unwrap();
        sleep(NAP).await;
        assert!(
            readiness.closed()[0]
                .1
                .contains("valid from 2026-03-01T11:00:00Z"),
            "{readiness:?}"
        );
        let later = *clock.lock().unwrap();
        serving.swap(leaf(later));
        settle().await;
        assert_eq!(readiness.closed(), []);
        task.abort();
    }
}
