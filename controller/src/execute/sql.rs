//! The plan's statements on the primary, as the superuser: one connection per database, several databases at a time. Passwords become
//! verifiers here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};

use pgherd_model::names::{Role, roles::MAINTENANCE_DATABASE};
use pgherd_model::secret::Secret;
use pgherd_planner::observed::PodView;
use pgherd_planner::plan::{Action, Precondition, Step};
use pgherd_planner::sql::{PasswordRef, Statement, Subject};
use pgherd_runtime::tasks::chain;
use tokio::time::Instant;

use super::Scene;
use crate::context::Context;
use crate::credentials::password;
use crate::database::server;
use crate::error::TurnError;
use crate::sql::statement::{Draft, groups};
use crate::sql::{Failure, Server, Session, SqlError};

/// How many databases are changed at a time.
const AT_ONCE: usize = 4;
/// After this a turn begins with no other group of statements, of whichever steps: meanwhile nobody looks after the cluster's members.
const TURN_LIMIT: Duration = Duration::from_mins(1);

/// What comes last of all, people who leave among it, has at least so long, once a turn: databases that take their time are not theirs to wait
/// for.
const RESERVE: Duration = Duration::from_secs(20);

/// How many of the steps, which begin with one of statements, are carried out together: those of the database where roles and databases are
/// made, or those of others, which know nothing of one another.
pub fn run_length(steps: &[Step]) -> usize {
    let is_shared = |step: &Step| match (&step.action, &step.precondition) {
        (Action::RunSql { database, .. }, Precondition::None) => Some(database == MAINTENANCE_DATABASE),
        _ => None,
    };
    let Some(first) = steps.first().and_then(is_shared) else {
        return steps.len().min(1);
    };
    let same = |step: &&Step| is_shared(step) == Some(first);
    steps.iter().take_while(same).count()
}

/// What one turn may say to the database: until when, and over which connection secrets that change one after the other do.
#[derive(Debug, Default)]
pub(super) struct Door {
    session: Option<Session>,
    until: Option<Instant>,
    /// Other databases than the shared one were spoken to.
    went_around: bool,
    reserved: bool,
}

impl Door {
    /// It begins with the first statement of the turn. These are the next to be said.
    fn until(&mut self, steps: &[Step]) -> Instant {
        let until = *self.until.get_or_insert_with(deadline);
        if steps.iter().any(|step| database_of(step) != MAINTENANCE_DATABASE) {
            self.went_around = true;
        } else if self.went_around && !self.reserved {
            self.reserved = true;
            return until.max(Instant::now() + RESERVE);
        }
        until
    }

    /// Something else comes between.
    pub(super) fn shut(&mut self) {
        self.session = None;
    }
}

/// When a turn that begins now has said enough.
pub fn deadline() -> Instant {
    Instant::now() + TURN_LIMIT
}

/// Where the passwords are that statements speak of.
pub trait Passwords {
    fn read(&self, place: &PasswordRef) -> impl Future<Output = Result<Secret, TurnError>> + Send;
}

/// In the cluster's secrets.
struct Stored<'a> {
    context: &'a Context,
    scene: &'a Scene<'a>,
}

impl Passwords for Stored<'_> {
    async fn read(&self, place: &PasswordRef) -> Result<Secret, TurnError> {
        password(self.context, self.scene.cluster, &place.namespace, &place.secret).await
    }
}

/// Carries out steps that belong together by their [`run_length`]. What came of each, in their order.
pub(super) async fn run(
    context: &Context,
    scene: &Scene<'_>,
    steps: &[Step],
    failed: &mut BTreeSet<Subject>,
    door: &mut Door,
) -> Vec<Result<(), TurnError>> {
    // Whatever comes of it, what was known of the catalog is out of date.
    context
        .memories
        .with(scene.cluster, |memory| memory.catalog = None);
    let server = primary(context, scene).await;
    take(
        server,
        steps,
        &Stored { context, scene },
        failed,
        door.until(steps),
    )
    .await
}

/// The same without Kubernetes. What has not begun `until` then is put off.
pub async fn take(
    server: Result<Server, TurnError>,
    steps: &[Step],
    passwords: &impl Passwords,
    failed: &mut BTreeSet<Subject>,
    until: Instant,
) -> Vec<Result<(), TurnError>> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        places.entry(database_of(step)).or_default().push(index);
    }
    let server = match server {
        Ok(server) => server,
        Err(error) => return all_fail(error, steps.len()),
    };
    let mut results: Vec<Result<(), TurnError>> = steps.iter().map(|_| Ok(())).collect();
    let known = failed.clone();
    let mut tasks = Vec::with_capacity(places.len());
    for (database, places) in places {
        let here: Vec<&Step> = places.iter().map(|index| &steps[*index]).collect();
        let (server, mut failed) = (&server, known.clone());
        tasks.push(async move {
            let results = inside(server, database, &here, passwords, (&mut failed, until)).await;
            (places, results, failed)
        });
    }
    let mut done = stream::iter(tasks).buffer_unordered(AT_ONCE);
    while let Some((places, came, refused)) = done.next().await {
        failed.extend(refused);
        for (index, result) in places.into_iter().zip(came) {
            results[index] = result;
        }
    }
    results
}

/// The first error is told, the others are that one.
fn all_fail(error: TurnError, count: usize) -> Vec<Result<(), TurnError>> {
    let first = std::iter::once(error);
    let rest = std::iter::repeat_with(|| TurnError::SameConnection);
    first.chain(rest).take(count).map(Err).collect()
}

/// The steps of one database, over one connection.
async fn inside(
    server: &Server,
    database: &str,
    steps: &[&Step],
    passwords: &impl Passwords,
    (failed, until): (&mut BTreeSet<Subject>, Instant),
) -> Vec<Result<(), TurnError>> {
    let mut results: Vec<Result<(), TurnError>> = Vec::with_capacity(steps.len());
    let (mut drafts, mut places) = (Vec::new(), Vec::new());
    for (index, step) in steps.iter().enumerate() {
        match draft(step, passwords).await {
            Ok(draft) => {
                places.push(index);
                drafts.push(draft);
                results.push(Ok(()));
            }
            Err((subject, error)) => {
                failed.extend(subject);
                results.push(Err(error));
            }
        }
    }
    match send(server, database, drafts, failed, until).await {
        Ok(failures) => {
            for failure in failures {
                results[places[failure.index]] = Err(failure.error.into());
            }
        }
        Err(error) => {
            for (index, error) in places.iter().zip(all_fail(error, places.len())) {
                results[*index] = error;
            }
        }
    }
    results
}

/// Carries out the statements that have to come before a secret is written, with the password that it will hold. Secrets that are written one after
/// the other share the connection behind the `door`.
pub(super) async fn prepare(
    context: &Context,
    scene: &Scene<'_>,
    door: &mut Door,
    (role, statements): (&str, &[Statement]),
    password: &Secret,
) -> Result<(), TurnError> {
    context
        .memories
        .with(scene.cluster, |memory| memory.catalog = None);
    let until = door.until(&[]);
    if until <= Instant::now() {
        return Err(SqlError::PutOff.into());
    }
    let with = |statement: &Statement| statement.password().map(|_| password.clone());
    let draft = Draft {
        subject: Subject::Role(role.to_owned()),
        needs: Vec::new(),
        statements: statements.iter().map(|it| (it.clone(), with(it))).collect(),
    };
    let groups = groups(vec![draft]).await?;
    let mut session = match door.session.take() {
        Some(session) => session,
        None => primary(context, scene).await?.open(MAINTENANCE_DATABASE).await?,
    };
    session.until = Some(until);
    // One that broke is not put back.
    let mut failures = session.carry_out(&groups, &mut BTreeSet::new()).await?;
    door.session = Some(session);
    match failures.pop() {
        Some(failure) => Err(failure.error.into()),
        None => Ok(()),
    }
}

/// Has the primary write a checkpoint. Nothing depends on it but the length of a pause.
pub(super) async fn checkpoint(context: &Context, scene: &Scene<'_>) {
    let outcome = async {
        let session = primary(context, scene).await?.open(MAINTENANCE_DATABASE).await?;
        session.checkpoint().await.map_err(TurnError::from)
    };
    if let Err(error) = outcome.await {
        tracing::info!(error = chain(&error), "no checkpoint; going on");
    }
}

fn database_of(step: &Step) -> &str {
    match &step.action {
        Action::RunSql { database, .. } => database,
        _ => MAINTENANCE_DATABASE,
    }
}

async fn send(
    server: &Server,
    database: &str,
    drafts: Vec<Draft>,
    failed: &mut BTreeSet<Subject>,
    until: Instant,
) -> Result<Vec<Failure>, TurnError> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    if until <= Instant::now() {
        failed.extend(drafts.iter().map(|draft| draft.subject.clone()));
        let put_off = |index| Failure {
            index,
            error: SqlError::PutOff,
        };
        return Ok((0..drafts.len()).map(put_off).collect());
    }
    let groups = groups(drafts).await?;
    let mut session = server.open(database).await?;
    session.until = Some(until);
    Ok(session.carry_out(&groups, failed).await?)
}

/// With the passwords that it speaks of.
async fn draft(step: &Step, passwords: &impl Passwords) -> Result<Draft, (Option<Subject>, TurnError)> {
    let Action::RunSql {
        subject,
        needs,
        statements,
        ..
    } = &step.action
    else {
        let object = step.to_string();
        return Err((None, TurnError::UnknownKind { object }));
    };
    let mut all = Vec::with_capacity(statements.len());
    for statement in statements {
        let secret = match statement.password() {
            Some(place) => match passwords.read(place).await {
                Ok(password) => Some(password),
                Err(error) => return Err((Some(subject.clone()), error)),
            },
            None => None,
        };
        all.push((statement.clone(), secret));
    }
    Ok(Draft {
        subject: subject.clone(),
        needs: needs.clone(),
        statements: all,
    })
}

async fn primary(context: &Context, scene: &Scene<'_>) -> Result<Server, TurnError> {
    let leads = |pod: &&PodView| pod.role_label == Role::Primary.label();
    let primary = scene.pods.iter().find(leads).and_then(|pod| pod.ip.parse().ok());
    server(context, scene.cluster, scene.names, scene.config, primary).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::sql;
    use crate::sql::{Target, Trust};

    struct Nobody;

    impl Passwords for Nobody {
        async fn read(&self, _: &PasswordRef) -> Result<Secret, TurnError> {
            Err(TurnError::SameConnection)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_has_one_deadline_and_begins_with_nothing_after_it() {
        let mut door = Door::default();
        let until = door.until(&[]);
        tokio::time::advance(TURN_LIMIT).await;
        door.shut();
        assert_eq!(
            door.until(&[]),
            until,
            "other statements of the same turn have no more time"
        );
        // Nobody is asked: there is no such server.
        let server = Server {
            target: Target {
                service: "localhost".to_owned(),
                primary: None,
                port: 1,
            },
            user: "postgres".to_owned(),
            password: Secret::new("p"),
            previous: None,
            trust: Trust::anybody().unwrap(),
        };
        let (steps, mut failed) = ([sql("a"), sql("b")], BTreeSet::new());
        let done = take(Ok(server), &steps, &Nobody, &mut failed, until).await;
        assert_eq!((done.len(), failed.len()), (2, 2));
        for result in done {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("left to the next turn"), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_last_has_time_of_its_own_once_a_turn() {
        let (shared, mut elsewhere) = ([sql("a")], [sql("b")]);
        if let Action::RunSql { database, .. } = &mut elsewhere[0].action {
            *database = "shop".to_owned();
        }
        let mut door = Door::default();
        let until = door.until(&shared);
        assert_eq!(door.until(&elsewhere), until);
        tokio::time::advance(TURN_LIMIT * 5).await;
        assert_eq!(door.until(&elsewhere), until, "others of that kind wait");
        assert_eq!(door.until(&shared), Instant::now() + RESERVE);
        assert_eq!(door.until(&shared), until, "once");
    }
}
