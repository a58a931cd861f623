//! The tasks of a process. All are joined; one that ends before it was asked to ends the process, with its reason.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error, warn};

use crate::shutdown::Shutdown;

/// How long companions may take to end after the work has.
const COMPANION_PATIENCE: Duration = Duration::from_secs(5);

/// What a task may fail with.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// The tasks of a process: work, and companions that outlive it (admin port, lease).
#[derive(Debug)]
pub struct Tasks {
    shutdown: Shutdown,
    work: Crew,
    companions: Crew,
}

/// Why a process ended that nobody asked to.
#[derive(Debug, thiserror::Error)]
pub enum TaskFailure {
    /// A task returned an error.
    #[error("task {name} failed: {reason}")]
    Failed {
        /// The task.
        name: &'static str,
        /// The chain of what it returned, one sentence per hop.
        reason: String,
    },
    /// A task returned although nobody had asked it to.
    #[error("task {name} ended although nobody asked it to")]
    Ended {
        /// The task.
        name: &'static str,
    },
    /// A task panicked.
    #[error("task {name} panicked: {reason}; please report this")]
    Panicked {
        /// The task.
        name: &'static str,
        /// The panic's message.
        reason: String,
    },
    /// Tasks did not end in time and were cut off.
    #[error("still at work after {after:?} and cut off: {}", .names.join(", "))]
    Overdue {
        /// The tasks.
        names: Vec<&'static str>,
        /// How long they had.
        after: Duration,
    },
}

impl Tasks {
    /// No tasks yet; they all end with `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            work: Crew::default(),
            companions: Crew::default(),
        }
    }

    /// Starts work, which ends by itself after [`Shutdown::begun`].
    pub fn spawn<F, E>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError> + 'static,
    {
        self.work.spawn(name, task);
    }

    /// Starts a companion of the work, which ends by itself after [`Shutdown::drained`].
    pub fn spawn_companion<F, E>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError> + 'static,
    {
        self.companions.spawn(name, task);
    }

    /// Runs until shutdown begins or a task ends by itself; then gives work `patience` to end, then companions a moment.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong.
    pub async fn join(mut self, patience: Duration) -> Result<(), TaskFailure> {
        let early = tokio::select! {
            // Who ends at once when asked to was asked to.
            biased;
            () = self.shutdown.begun() => None,
            end = self.work.next() => end.map(End::unasked),
            end = self.companions.next() => end.map(End::unasked),
        };
        if let Some(failure) = &early {
            error!(reason = %failure, "a task ended; shutting down");
        }
        self.shutdown.begin();
        let work = self.work.drain(patience).await;
        self.shutdown.mark_drained();
        let companions = self.companions.drain(COMPANION_PATIENCE).await;
        match early.or(work.err()).or(companions.err()) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

/// Tasks that are joined together.
#[derive(Debug, Default)]
struct Crew {
    set: JoinSet<Result<(), TaskError>>,
    names: HashMap<Id, &'static str>,
}

/// How one task ended.
struct End {
    name: &'static str,
    outcome: Result<Result<(), TaskError>, JoinError>,
}

impl Crew {
    fn spawn<F, E>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError> + 'static,
    {
        let handle = self.set.spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name);
    }

    /// The next task that ends; waits for ever when there is none.
    async fn next(&mut self) -> Option<End> {
        match self.set.join_next_with_id().await {
            None => std::future::pending().await,
            Some(Ok((id, outcome))) => Some(self.end(id, Ok(outcome))),
            Some(Err(err)) => Some(self.end(err.id(), Err(err))),
        }
    }

    fn end(&mut self, id: Id, outcome: Result<Result<(), TaskError>, JoinError>) -> End {
        End {
            name: self.names.remove(&id).unwrap_or("unnamed"),
            outcome,
        }
    }

    /// Waits for all tasks, at most `patience`, then cuts off the rest.
    async fn drain(&mut self, patience: Duration) -> Result<(), TaskFailure> {
        let deadline = Instant::now() + patience;
        let mut first = Ok(());
        while !self.set.is_empty() {
            let Ok(Some(end)) = timeout_at(deadline, self.next()).await else {
                let mut names: Vec<_> = self.names.values().copied().collect();
                names.sort_unstable();
                warn!(tasks = ?names, "tasks did not end in time; cutting them off");
                self.set.shutdown().await;
                return first.and(Err(TaskFailure::Overdue {
                    names,
                    after: patience,
                }));
            };
            debug!(task = end.name, "task ended");
            first = first.and(end.asked());
        }
        first
    }
}

impl End {
    /// An end before anybody asked for one is always a failure.
    fn unasked(self) -> TaskFailure {
        let name = self.name;
        self.asked().err().unwrap_or(TaskFailure::Ended { name })
    }

    fn asked(self) -> Result<(), TaskFailure> {
        let name = self.name;
        match self.outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(err)) => Err(TaskFailure::Failed {
                name,
                reason: chain(err.as_ref()),
            }),
            Err(err) if err.is_cancelled() => Ok(()),
            Err(err) => Err(TaskFailure::Panicked {
                name,
                reason: panic_text(err),
            }),
        }
    }
}

/// An error and its sources in one line, without saying a sentence twice.
pub fn chain(err: &dyn Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(inner) = source {
        let sentence = inner.to_string();
        if !text.contains(&sentence) {
            text = format!("{text}: {sentence}");
        }
        source = inner.source();
    }
    text
}

fn panic_text(err: JoinError) -> String {
    let Ok(payload) = err.try_into_panic() else {
        return "unknown reason".to_owned();
    };
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown reason".to_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn task_that_ends_by_itself_ends_the_process_with_its_reason() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new(shutdown.clone());
        let asked = shutdown.clone();
        tasks.spawn("steady", async move {
            asked.begun().await;
            Ok::<_, Infallible>(())
        });
        tasks.spawn("fragile", async {
            Err::<(), _>(std::io::Error::other("the disk is gone"))
        });
        let failure = tasks.join(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(failure.to_string(), "task fragile failed: the disk is gone");
        assert!(shutdown.has_begun());
    }

    #[tokio::test]
    async fn task_that_ends_at_once_when_asked_to_is_no_failure() {
        for _ in 0..50 {
            let shutdown = Shutdown::new();
            let mut tasks = Tasks::new(shutdown.clone());
            for _ in 0..8 {
                let asked = shutdown.clone();
                tasks.spawn("quick", async move {
                    asked.begun().await;
                    Ok::<_, Infallible>(())
                });
            }
            let join = tokio::spawn(tasks.join(Duration::from_secs(1)));
            tokio::task::yield_now().await;
            shutdown.begin();
            join.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_a_reason_too() {
        let mut tasks = Tasks::new(Shutdown::new());
        tasks.spawn("fragile", async {
            assert_eq!(1, 2, "sums are off");
            Ok::<_, Infallible>(())
        });
        let failure = tasks.join(Duration::from_secs(1)).await.unwrap_err();
        assert!(failure.to_string().contains("sums are off"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn companions_end_after_the_work() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new(shutdown.clone());
        let worked = Arc::new(AtomicBool::new(false));
        let (work, seen, drained) = (shutdown.clone(), Arc::clone(&worked), shutdown.clone());
        tasks.spawn("work", async move {
            work.begun().await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            worked.store(true, Ordering::SeqCst);
            Ok::<_, Infallible>(())
        });
        tasks.spawn_companion("admin", async move {
            drained.drained().await;
            assert!(seen.load(Ordering::SeqCst), "work must have ended first");
            Ok::<_, Infallible>(())
        });
        shutdown.begin();
        tasks.join(Duration::from_secs(10)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_is_cut_off_and_named() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn("stuck", std::future::pending::<Result<(), Infallible>>());
        shutdown.begin();
        let failure = tasks.join(Duration::from_secs(2)).await.unwrap_err();
        assert!(matches!(failure, TaskFailure::Overdue { names, .. } if names == ["stuck"]));
    }
}
