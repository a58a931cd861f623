//! Sending the plan's statements. All together in one transaction when none is refused, which is the rule; else each group by itself, so that
//! one that is refused takes no other with it. Must not: decide which statements there are.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::maybe_done;
use pgherd_model::secret::Secret;
use pgherd_planner::sql::{Statement, Subject, Verifier, verifier};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::connect::{STATEMENT_LIMIT, bounded_by};
use super::{Refusal, Session, SqlError};
use crate::password::{RandomnessError, salt};

/// What makes a database or an extension may copy a lot.
const SLOW_LIMIT: Duration = Duration::from_mins(5);
const SLOW: &str = "SET statement_timeout = '290s'";
const USUAL: &str = "SET statement_timeout = '30s'";

/// A verifier is as good as a password to who can guess: while one is sent, the server writes down nothing of the statement.
const UNSEEN: &str = "SET LOCAL log_statement = none; SET LOCAL log_min_duration_statement = -1; \
    SET LOCAL log_min_duration_sample = -1; SET LOCAL log_min_error_statement = panic; \
    SET LOCAL track_activities = off; SET LOCAL pg_stat_statements.track_utility = off";

/// Statements that are carried out all or none, in this order; with the passwords that they are about.
#[derive(Debug)]
pub struct Draft {
    pub subject: Subject,
    /// Without these there is no sense in trying.
    pub needs: Vec<Subject>,
    pub statements: Vec<(Statement, Option<Secret>)>,
}

/// The same with the verifiers that the statements' texts need.
#[derive(Debug)]
pub struct Group {
    subject: Subject,
    needs: Vec<Subject>,
    orders: Vec<Order>,
}

#[derive(Debug)]
struct Order {
    statement: Statement,
    verifier: Option<Verifier>,
}

/// A group that was not carried out, while others were.
#[derive(Debug)]
pub struct Failure {
    /// Which of the groups.
    pub index: usize,
    pub error: SqlError,
}

/// Makes the verifiers. Some milliseconds of arithmetic each: not for a thread that serves others.
pub async fn groups(drafts: Vec<Draft>) -> Result<Vec<Group>, RandomnessError> {
    let all = spawn_blocking(move || drafts.into_iter().map(group).collect());
    all.await.expect("arithmetic does not panic")
}

fn group(draft: Draft) -> Result<Group, RandomnessError> {
    let order = |(statement, password): (Statement, Option<Secret>)| {
        let verifier = match (statement.password(), &password) {
            (Some(place), Some(password)) => {
                let role = statement.role().unwrap_or_default();
                Some(verifier::create(place.scheme, role, password, &salt()?))
            }
            _ => None,
        };
        Ok::<_, RandomnessError>(Order { statement, verifier })
    };
    let statements = draft.statements.into_iter().flat_map(apart);
    Ok(Group {
        subject: draft.subject,
        needs: draft.needs,
        orders: statements.map(order).collect::<Result<_, _>>()?,
    })
}

/// Whoever reads the server's log shall see who is made with which rights. His password is set by itself, which nobody sees.
fn apart((statement, secret): (Statement, Option<Secret>)) -> Vec<(Statement, Option<Secret>)> {
    match statement {
        Statement::CreateRole {
            role,
            flags,
            connection_limit,
            valid_until,
            password: Some(password),
        } => {
            let create = Statement::CreateRole {
                role: role.clone(),
                flags,
                connection_limit,
                valid_until,
                password: None,
            };
            vec![
                (create, None),
                (Statement::SetPassword { role, password }, secret),
            ]
        }
        other => vec![(other, secret)],
    }
}

impl Order {
    fn text(&self) -> Result<Zeroizing<String>, SqlError> {
        Ok(Zeroizing::new(self.statement.render(self.verifier.as_ref())?))
    }
}

impl Group {
    fn is_transactional(&self) -> bool {
        self.orders.iter().all(|order| order.statement.is_transactional())
    }

    fn is_slow(&self) -> bool {
        self.orders.iter().any(|order| is_slow(&order.statement))
    }

    /// What it is about or what it needs has failed before.
    fn lacks(&self, failed: &BTreeSet<Subject>) -> Option<SqlError> {
        let mut wanted = self.needs.iter().chain([&self.subject]);
        let missing = wanted.find(|subject| failed.contains(subject))?;
        Some(SqlError::Lacking {
            missing: missing.to_string(),
        })
    }
}

impl Session {
    /// Carries out the groups, under the operator's lock. What is refused is returned, and added to the subjects that failed; an error means
    /// that the connection is gone, or that the lock is not free, and the database has to be looked at again.
    pub async fn carry_out(
        &self,
        groups: &[Group],
        failed: &mut BTreeSet<Subject>,
    ) -> Result<Vec<Failure>, SqlError> {
        self.lock().await?;
        let mut failures = Vec::new();
        let mut rest: Vec<usize> = (0..groups.len()).collect();
        while let Some(first) = rest.first() {
            let together = |index: usize| groups[index].is_transactional() && !groups[index].is_slow();
            let kind = together(*first);
            let end = rest.iter().position(|index| together(*index) != kind);
            let later = rest.split_off(end.unwrap_or(rest.len()));
            let known = rest.iter().any(|index| groups[*index].lacks(failed).is_some());
            if known || self.is_late() || !kind || rest.len() == 1 || !self.together(groups, &rest).await? {
                failures.extend(self.one_by_one(groups, rest, failed).await?);
            }
            rest = later;
        }
        Ok(failures)
    }

    /// One transaction, its statements sent without waiting for the answer to the one before. False when it was rolled back.
    async fn together(&self, groups: &[Group], chosen: &[usize]) -> Result<bool, SqlError> {
        let orders: Vec<&Order> = chosen.iter().flat_map(|index| &groups[*index].orders).collect();
        match self.transact(&orders).await {
            Ok(()) => Ok(true),
            Err(error) if error.ends_session() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Each in a transaction of its own. What is refused is tried again as long as that helps: one may need what another makes.
    async fn one_by_one(
        &self,
        groups: &[Group],
        mut chosen: Vec<usize>,
        failed: &mut BTreeSet<Subject>,
    ) -> Result<Vec<Failure>, SqlError> {
        loop {
            let mut failures = Vec::new();
            let mut refused = failed.clone();
            for index in &chosen {
                let group = &groups[*index];
                let obstacle = self.is_late().then_some(SqlError::PutOff);
                let error = match obstacle.or_else(|| group.lacks(&refused)) {
                    Some(obstacle) => obstacle,
                    None => match self.alone(group).await {
                        Ok(()) => continue,
                        Err(error) if error.ends_session() => return Err(error),
                        Err(error) => error,
                    },
                };
                refused.insert(group.subject.clone());
                failures.push(Failure { index: *index, error });
            }
            if failures.is_empty() || failures.len() == chosen.len() || self.is_late() {
                *failed = refused;
                return Ok(failures);
            }
            chosen = failures.iter().map(|failure| failure.index).collect();
        }
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    async fn alone(&self, group: &Group) -> Result<(), SqlError> {
        if group.is_transactional() && !group.is_slow() {
            return self.transact(&group.orders.iter().collect::<Vec<_>>()).await;
        }
        for order in &group.orders {
            self.unhurried(&order.statement, &order.text()?).await?;
        }
        Ok(())
    }

    /// All or none. Nothing is sent when one of them cannot be written.
    async fn transact(&self, orders: &[&Order]) -> Result<(), SqlError> {
        let (unseen, seen): (Vec<&Order>, Vec<&Order>) =
            orders.iter().partition(|order| order.verifier.is_some());
        let seen: Vec<_> = seen
            .into_iter()
            .map(|order| Ok((&order.statement, order.text()?)))
            .collect::<Result<_, SqlError>>()?;
        let passwords = passwords(&unseen)?;
        self.plain("BEGIN").await?;
        let mut outcome = self.pipeline(&seen).await;
        if let (Ok(()), Some((first, texts))) = (&outcome, &passwords) {
            outcome = match self.plain(UNSEEN).await {
                Ok(()) => {
                    let sent = self.send(texts, first, true);
                    bounded_by(SLOW_LIMIT, "setting passwords", sent).await
                }
                Err(error) => Err(error),
            };
        }
        match outcome {
            Ok(()) => self.plain("COMMIT").await,
            Err(error) if error.ends_session() => Err(error),
            Err(error) => self.plain("ROLLBACK").await.and(Err(error)),
        }
    }

    /// Each sent without waiting for the answer to the one before; the first refusal counts.
    async fn pipeline(&self, texts: &[(&Statement, Zeroizing<String>)]) -> Result<(), SqlError> {
        let sent = texts
            .iter()
            .map(|(statement, text)| self.send(text, statement, false));
        let all = async {
            let mut answers: Vec<_> = sent.map(|sent| Box::pin(maybe_done(sent))).collect();
            for answer in &mut answers {
                // What is polled first is sent first.
                let _ = futures::poll!(answer);
            }
            let mut refused = None;
            for mut answer in answers {
                answer.as_mut().await;
                refused = refused.or(answer.as_mut().take_output().and_then(Result::err));
            }
            Ok(refused)
        };
        let refused = bounded_by(SLOW_LIMIT, "carrying out statements", all).await?;
        refused.map_or(Ok(()), Err)
    }

    /// Outside of a transaction block, with time enough.
    async fn unhurried(&self, statement: &Statement, text: &str) -> Result<(), SqlError> {
        self.plain(SLOW).await?;
        let sent = self.send(text, statement, false);
        let answer = bounded_by(SLOW_LIMIT, "carrying out a statement", sent).await;
        if !answer.as_ref().is_err_and(SqlError::ends_session) {
            self.plain(USUAL).await?;
        }
        answer
    }

    /// Writes what is in memory to disk.
    pub async fn checkpoint(&self) -> Result<(), SqlError> {
        self.plain("CHECKPOINT").await
    }

    /// A statement of ours, which holds nothing that may not be seen.
    async fn plain(&self, text: &str) -> Result<(), SqlError> {
        let sent = self.send(text, text, false);
        bounded_by(STATEMENT_LIMIT, "carrying out a statement", sent).await
    }

    async fn send(&self, text: &str, shown: impl ToString, secret: bool) -> Result<(), SqlError> {
        let refusal = if secret { Refusal::silent } else { Refusal::of };
        let sent = self.client.batch_execute(text).await;
        sent.map_err(|error| SqlError::Refused {
            statement: shown.to_string(),
            refusal: refusal(&error),
        })
    }
}

/// What sets passwords, in one message, for which alone the server is told to be silent: where one of them is refused, which ends that, it reads
/// no further. The first statement stands for all.
fn passwords<'a>(orders: &[&'a Order]) -> Result<Option<(&'a Statement, Zeroizing<String>)>, SqlError> {
    let Some(first) = orders.first() else {
        return Ok(None);
    };
    let mut all = Zeroizing::new(String::new());
    for order in orders {
        all.push_str(&order.text()?);
        all.push(';');
    }
    Ok(Some((&first.statement, all)))
}

/// Copies, or runs a script.
fn is_slow(statement: &Statement) -> bool {
    use Statement as S;
    !statement.is_transactional()
        || matches!(
            statement,
            S::CreateExtension { .. } | S::MoveExtension { .. } | S::UpdateExtension { .. }
        )
}
