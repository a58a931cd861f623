//! Roles and databases (zalando-behaviour 4.11): the statements that bring the catalog to what the manifest wants. Lives here: when there is
//! anything to provision, and the order: roles, databases, then what is inside of them. Must not: text of statements (`sql`).
//!
//! Quiet: nothing that is there already is said again. Additive: nothing is taken back.

use jiff::SignedDuration;
use pgherd_model::{
    cluster::{Cluster, Origin},
    config::OperatorConfig,
    names::roles::MAINTENANCE_DATABASE,
};

use super::{Action, Hold, HoldReason, Impact, Plan, Precondition, Reason, Step};
use crate::observed::{Catalog, Observed};
use crate::sql::Statement;

mod databases;
mod privileges;
mod roles;
pub(crate) mod settled;
#[cfg(test)]
mod tests;

/// A primary that does not answer yet is asked again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// What is inside of a database that was just made is read after this.
const LOOK_INSIDE: SignedDuration = SignedDuration::from_secs(1);

/// What is wanted of the catalog, and what cannot be had.
#[derive(Debug, Default)]
struct Wanted {
    statements: Vec<Statement>,
    holds: Vec<Hold>,
}

impl Wanted {
    fn lacking(&mut self, step: String, role: &str) {
        self.holds.push(Hold {
            step,
            reason: HoldReason::Lacking(format!("role {role}")),
            until: None,
        });
    }
}

/// Adds the statements that are needed.
pub(super) fn provision(cluster: &Cluster, config: &OperatorConfig, observed: &Observed, plan: &mut Plan) {
    if cluster.instances == 0 || unwanted(cluster, config).is_some() {
        return;
    }
    let catalog = match (&observed.catalog.known(), observed.catalog.unknown()) {
        (Some(catalog), _) => *catalog,
        (None, why) => return wait_for_catalog(why.unwrap_or_default(), plan),
    };
    let wanted = roles::wanted(cluster, catalog);
    take(plan, MAINTENANCE_DATABASE, wanted);
    let wanted = databases::wanted(cluster, catalog);
    if wanted
        .statements
        .iter()
        .any(|statement| matches!(statement, Statement::CreateDatabase { .. }))
    {
        plan.wake(LOOK_INSIDE);
    }
    take(plan, MAINTENANCE_DATABASE, wanted);
    inside(cluster, catalog, plan);
}

/// Why roles and databases of a cluster are not managed, and its catalog is not asked for, if so.
pub fn unwanted(cluster: &Cluster, config: &OperatorConfig) -> Option<&'static str> {
    if !config.debug.enable_database_access {
        return Some("database access is switched off (enable_database_access)");
    }
    matches!(cluster.origin, Origin::Standby(_)).then_some("a standby follows its source")
}

fn wait_for_catalog(why: &str, plan: &mut Plan) {
    let reason = HoldReason::SourceUnknown {
        source: "database catalog".to_owned(),
        why: why.to_owned(),
    };
    plan.holds.push(Hold {
        step: "roles and databases".to_owned(),
        reason,
        until: None,
    });
    plan.wake(ASK_AGAIN);
}

/// Schemas and privileges of the prepared databases that exist, then each extension by itself: one that the image lacks fails alone, and last.
fn inside(cluster: &Cluster, catalog: &Catalog, plan: &mut Plan) {
    let mut extensions = Vec::new();
    for database in &cluster.prepared_databases {
        let name = &database.name;
        let Some(content) = catalog.databases.get(name).and_then(|view| view.content.as_ref()) else {
            let reason = HoldReason::SourceUnknown {
                source: format!("content of database {name}"),
                why: "it has not been read yet".to_owned(),
            };
            plan.hold("prepare the database", reason);
            continue;
        };
        let mut statements = databases::schemas(database, content);
        statements.extend(privileges::wanted(database, content));
        take(
            plan,
            name,
            Wanted {
                statements,
                holds: Vec::new(),
            },
        );
        let missing = databases::extensions(database, content);
        extensions.extend(missing.into_iter().map(|statement| (name, statement)));
    }
    for (database, statement) in extensions {
        take(
            plan,
            database,
            Wanted {
                statements: vec![statement],
                holds: Vec::new(),
            },
        );
    }
}

/// One step for all statements of a database.
fn take(plan: &mut Plan, database: &str, wanted: Wanted) {
    plan.holds.extend(wanted.holds);
    if wanted.statements.is_empty() {
        return;
    }
    plan.steps.push(Step {
        action: Action::RunSql {
            database: database.to_owned(),
            statements: wanted.statements,
        },
        reason: Reason::Missing,
        impact: Impact::None,
        precondition: Precondition::None,
    });
}
