//! Roles and databases (zalando-behaviour 4.11): the statements that bring the catalog to what the manifest wants. Lives here: when there is
//! anything to provision, and the order: roles, databases, then what is inside of them. Must not: text of statements (`sql`).
//!
//! Quiet: nothing that is there already is said again. What belongs together is one step, so that a failure is that of one role, database,
//! schema or extension.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pgherd_model::{
    cluster::{Cluster, Origin, Role, role::outside::NOT_ASKED},
    config::OperatorConfig,
    names::roles::MAINTENANCE_DATABASE,
};

use super::{Action, Hold, HoldReason, Impact, Matter, NO_NEWS, Plan, Precondition, Reason, Step};
use crate::observed::{Catalog, Observed, PatroniView};
use crate::sql::{Statement, Subject};

mod credentials;
mod databases;
mod edited;
mod existing;
mod inside;
pub(crate) mod leave;
mod lookup;
mod outsider;
mod owned;
mod privileges;
mod roles;
pub(crate) mod rotated;
pub(crate) mod settled;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use roles::scheme;

/// A primary that does not answer yet is asked again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// Who did not say which roles there are is asked again after this: no watch tells that it would answer.
const LISTEN_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// What is inside of a database that was just made is read after this.
const LOOK_INSIDE: SignedDuration = SignedDuration::from_secs(1);

/// What is wanted of the catalog, and what cannot be had.
#[derive(Debug, Default)]
struct Wanted {
    groups: Vec<Group>,
    holds: Vec<Hold>,
}

/// Statements that stand and fall together.
#[derive(Debug)]
struct Group {
    /// The database to be connected to.
    database: String,
    subject: Subject,
    /// What has to be there before; counts where an earlier group makes it.
    needs: BTreeSet<Subject>,
    statements: Vec<Statement>,
    reason: Reason,
}

impl Group {
    /// One in the database where roles and databases are made.
    fn of(subject: Subject, statements: Vec<Statement>) -> Self {
        Self {
            database: MAINTENANCE_DATABASE.to_owned(),
            subject,
            needs: BTreeSet::new(),
            statements,
            reason: Reason::Missing,
        }
    }

    /// The same inside of another database.
    fn inside(self, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            ..self
        }
    }

    /// The same, with roles that have to be there before.
    fn after_roles<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        let roles = roles.into_iter().map(|role| Subject::Role(role.to_owned()));
        self.needs.extend(roles.filter(|needed| *needed != self.subject));
        self
    }
}

impl Wanted {
    fn join(&mut self, other: Self) {
        self.groups.extend(other.groups);
        self.holds.extend(other.holds);
    }

    fn lacking(&mut self, matter: Matter, role: &str) {
        self.hold(matter, HoldReason::Lacking(format!("role {role}")));
    }

    fn hold(&mut self, matter: Matter, reason: HoldReason) {
        self.holds.push(Hold {
            matter,
            reason,
            until: None,
        });
    }
}

/// Adds the statements that are needed.
pub(super) fn provision(
    cluster: &Cluster,
    config: &OperatorConfig,
    observed: &Observed,
    now: Timestamp,
    plan: &mut Plan,
) {
    if cluster.instances == 0 || unwanted(cluster, config).is_some() {
        return;
    }
    if observed.patroni.known().is_some_and(PatroniView::follows) {
        return plan.hold(Matter::Catalog, HoldReason::NoPrimary);
    }
    let catalog = match (&observed.catalog.known(), observed.catalog.unknown()) {
        (Some(catalog), _) => *catalog,
        (None, why) => return wait_for_catalog(why.unwrap_or_default(), observed, plan),
    };
    let gaps = observed.role_sources.gaps(&cluster.identity.team, config);
    tell_silence(&gaps, plan);
    let secrets = observed.secrets.known().map(Vec::as_slice);
    let mut impossible = Wanted::default();
    let roles = credentials::roles(cluster, secrets, &mut impossible);
    take(plan, impossible);
    let mut wanted = roles::wanted(cluster, config, &roles, catalog, observed);
    let scene = edited::Scene {
        cluster,
        config,
        observed,
        catalog,
    };
    edited::ensure(&scene, &mut wanted, plan);
    take(plan, wanted);
    let given = observed.cluster.status.provisioned.as_ref();
    let wanted = databases::wanted(cluster, &roles, catalog, given, &gaps);
    let makes = |group: &Group| {
        let mut statements = group.statements.iter();
        statements.any(|statement| matches!(statement, Statement::CreateDatabase { .. }))
    };
    if wanted.groups.iter().any(makes) {
        plan.wake(LOOK_INSIDE);
    }
    take(plan, wanted);
    inside::prepare(cluster, config, &roles, catalog, plan);
    // Who is in use is told by the secrets.
    let Some(secrets) = secrets else { return };
    let mut last = Wanted::default();
    if let Some(given) = given.filter(|_| cluster.removal.is_any()) {
        let scene = leave::Scene {
            cluster,
            config,
            made: &roles,
            catalog,
            given,
            secrets,
            gaps: &gaps,
        };
        last.join(leave::wanted(&scene));
    }
    last.join(rotated::over(cluster, config, &roles, catalog, secrets, now));
    last.groups
        .sort_by(|one, other| session(one).cmp(&session(other)));
    take(plan, last);
}

/// In which session what leaves is carried out: in each database one after the other, together with what is prepared there, then where roles
/// are dropped. Databases before roles, which may own them.
fn session(group: &Group) -> (u8, &str) {
    let is_any = |wanted: fn(&Statement) -> bool| group.statements.iter().any(wanted);
    if group.database != MAINTENANCE_DATABASE {
        (0, &group.database)
    } else if is_any(|statement| matches!(statement, Statement::DropDatabase { .. })) {
        (1, "")
    } else if is_any(|statement| matches!(statement, Statement::DropRole { .. })) {
        (3, "")
    } else {
        (2, "")
    }
}

/// What brings a single role to what it shall be; its name in the catalog may be another one's.
pub(super) fn role_statements(
    cluster: &Cluster,
    config: &OperatorConfig,
    catalog: &Catalog,
    role: &Role,
) -> Vec<Statement> {
    roles::alone(cluster, config, catalog, role)
}

/// Why roles and databases of a cluster are not managed, and its catalog is not asked for, if so.
pub fn unwanted(cluster: &Cluster, config: &OperatorConfig) -> Option<&'static str> {
    if !config.debug.enable_database_access {
        return Some("database access is switched off (enable_database_access)");
    }
    matches!(cluster.origin, Origin::Standby(_)).then_some("a standby follows its source")
}

fn wait_for_catalog(why: &str, observed: &Observed, plan: &mut Plan) {
    let reason = HoldReason::SourceUnknown {
        source: "database catalog".to_owned(),
        why: why.to_owned(),
    };
    plan.holds.push(Hold {
        matter: Matter::Catalog,
        reason,
        until: None,
    });
    plan.wake(if observed.has_nobody_to_ask() {
        NO_NEWS
    } else {
        ASK_AGAIN
    });
}

/// Of sources of roles. Where there is nobody to ask them nothing is missed here.
fn tell_silence(gaps: &[(String, String)], plan: &mut Plan) {
    for (source, why) in gaps.iter().filter(|(_, why)| why != NOT_ASKED) {
        let (source, why) = (source.clone(), why.clone());
        plan.hold(Matter::OthersRoles, HoldReason::Unheard { source, why });
        plan.wake(LISTEN_AGAIN);
    }
}

/// One step per group. It needs what earlier steps are about, and nothing else: the rest is there.
fn take(plan: &mut Plan, wanted: Wanted) {
    plan.holds.extend(wanted.holds);
    let mut before: BTreeSet<Subject> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::RunSql { subject, .. } => Some(subject.clone()),
            _ => None,
        })
        .collect();
    for group in wanted.groups {
        if group.statements.is_empty() {
            continue;
        }
        let needs = group.needs.intersection(&before).cloned().collect();
        let drops = |statement: &Statement| matches!(statement, Statement::DropDatabase { .. });
        let impact = if group.statements.iter().any(drops) {
            Impact::DataRewrite
        } else {
            Impact::None
        };
        before.insert(group.subject.clone());
        plan.steps.push(Step {
            action: Action::RunSql {
                database: group.database,
                subject: group.subject,
                needs,
                statements: group.statements,
            },
            reason: group.reason,
            impact,
            precondition: Precondition::None,
        });
    }
}
