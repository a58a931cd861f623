//! Roles and databases that are made or changed. What leaves the manifest stays; a rule of validation says so.

use std::collections::BTreeSet;

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
    dropped: BTreeSet<String>,
    gone: Vec<String>,
}

/// What is made in the database, and the secrets for it.
pub(super) fn made(change: &Change) -> Vec<String> {
    let mut made = Made::default();
    for step in &change.plan.steps {
        match &step.action {
            Action::CreateSecret(draft) => made.secrets.push(draft.username.clone()),
            Action::RunSql {
                database, statements, ..
            } => statements
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
            | Statement::RemoveFlags { role, .. }
            | Statement::SetPassword { role, .. }
            | Statement::SetConnectionLimit { role, .. }
            | Statement::SetValidUntil { role, .. }
            | Statement::SetSetting { role, .. }
            | Statement::ResetSetting { role, .. }
            | Statement::RevokeRole { member: role, .. }
            | Statement::SetMembership { member: role, .. }
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
            Statement::DropRole { role }
            | Statement::ReassignOwned { role, .. }
            | Statement::DropOwned { role }
            | Statement::RenameRole { role, .. } => {
                self.dropped.insert(role.clone());
            }
            Statement::DropDatabase { database } => self.gone.push(database.clone()),
            Statement::SetDatabaseLimit { .. } => {}
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
            ("drops role", list(self.dropped)),
            ("drops with all its data database", self.gone),
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
