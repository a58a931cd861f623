//! Roles and databases: what is made, and what stays although the manifest does not name it any more.

use std::collections::BTreeSet;

use pgherd_model::cluster::Cluster;

use super::super::Change;
use super::super::text::listed;
use crate::plan::Action;
use crate::sql::Statement;

/// Names by what is done with them, in the order of the lines.
#[derive(Default)]
struct Made {
    roles: Vec<String>,
    altered: BTreeSet<String>,
    secrets: Vec<String>,
    databases: Vec<String>,
    owned: Vec<String>,
    prepared: BTreeSet<String>,
}

/// What is made in the database, and the secrets for it.
pub(super) fn made(change: &Change) -> Vec<String> {
    let mut made = Made::default();
    for step in &change.plan.steps {
        match &step.action {
            Action::CreateSecret(draft) => made.secrets.push(draft.username.clone()),
            Action::RunSql { database, statements } => statements
                .iter()
                .for_each(|statement| made.note(database, statement)),
            _ => {}
        }
    }
    made.lines()
}

impl Made {
    fn note(&mut self, database: &str, statement: &Statement) {
        match statement {
            Statement::CreateRole { role, .. } => self.roles.push(role.clone()),
            Statement::AddFlags { role, .. }
            | Statement::SetPassword { role, .. }
            | Statement::SetSetting { role, .. }
            | Statement::GrantRole {
                role: _,
                member: role,
                admin: false,
            }
            | Statement::GrantRole {
                role, admin: true, ..
            } => {
                self.altered.insert(role.clone());
            }
            Statement::CreateDatabase { database, .. } => self.databases.push(database.clone()),
            Statement::SetDatabaseOwner { database, .. } => self.owned.push(database.clone()),
            // Everything else happens inside of one database.
            _ => {
                self.prepared.insert(database.to_owned());
            }
        }
    }

    fn lines(mut self) -> Vec<String> {
        let new: BTreeSet<String> = self.roles.iter().cloned().collect();
        self.altered.retain(|role| !new.contains(role));
        self.secrets.retain(|role| !new.contains(role));
        let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        [
            ("creates role", self.roles),
            ("creates secret for role", self.secrets),
            ("changes role", list(self.altered)),
            ("creates database", self.databases),
            ("gives another owner to database", self.owned),
            (
                "adds schemas, extensions or privileges in database",
                list(self.prepared),
            ),
        ]
        .into_iter()
        .filter_map(|(what, names)| named(what, &names))
        .collect()
    }
}

/// `creates roles a, b`.
fn named(what: &str, names: &[String]) -> Option<String> {
    let plural = if names.len() == 1 { "" } else { "s" };
    (!names.is_empty()).then(|| listed(&format!("{what}{plural} "), names, ""))
}

/// What stays although it is not named any more: nothing is dropped, and Patroni keeps its settings.
pub(super) fn left(change: &Change) -> Vec<String> {
    let (before, after) = (&change.before.cluster, &change.after.cluster);
    let mut lines = Vec::new();
    let gone = gone(roles(before), &roles(after));
    lines.extend(named("keeps what is no longer named: role", &gone));
    let gone = self::gone(databases(before), &databases(after));
    lines.extend(named("keeps what is no longer named: database", &gone));
    let parameters = |cluster: &Cluster| -> BTreeSet<String> {
        cluster.postgres.dynamic_parameters.keys().cloned().collect()
    };
    let gone = self::gone(parameters(before), &parameters(after));
    lines.extend(named("keeps what is no longer named: parameter", &gone));
    lines
}

fn roles(cluster: &Cluster) -> BTreeSet<String> {
    cluster.roles.iter().map(|role| role.name.clone()).collect()
}

fn databases(cluster: &Cluster) -> BTreeSet<String> {
    let plain = cluster.databases.iter().map(|database| database.name.clone());
    let prepared = cluster
        .prepared_databases
        .iter()
        .map(|database| database.name.clone());
    plain.chain(prepared).collect()
}

fn gone(before: BTreeSet<String>, after: &BTreeSet<String>) -> Vec<String> {
    before.into_iter().filter(|name| !after.contains(name)).collect()
}
