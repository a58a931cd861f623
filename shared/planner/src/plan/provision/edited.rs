//! Passwords of the superuser and of the replication user that somebody edited in their secrets (zalando-behaviour 4.12). Lives here: which of
//! them the server is told. Must not: what pods make of it (`pod_passwords`).

use pgherd_model::cluster::{Cluster, Role};
use pgherd_model::config::OperatorConfig;

use super::{Group, Wanted};
use crate::observed::{Catalog, Observed};
use crate::plan::{Action, Plan, Precondition, Reason, pod_passwords};
use crate::sql::{Statement, Subject};

/// What is looked at.
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) config: &'a OperatorConfig,
    pub(super) observed: &'a Observed,
    pub(super) catalog: &'a Catalog,
}

/// Takes such statements out of what is wanted, and plans them after the marks on the pods.
pub(super) fn ensure(scene: &Scene<'_>, wanted: &mut Wanted, plan: &mut Plan) {
    for group in &mut wanted.groups {
        if let Some((role, statement)) = taken(scene, group) {
            tell(scene, role, statement, plan);
        }
    }
}

/// The statement that tells the server, if the group has one and the password is really another.
fn taken<'a>(scene: &Scene<'a>, group: &mut Group) -> Option<(&'a Role, Statement)> {
    let Subject::Role(name) = &group.subject else {
        return None;
    };
    let role = scene
        .cluster
        .role(name)
        .filter(|role| pod_passwords::is_read(role))?;
    let found = scene.catalog.roles.get(name)?;
    if found.password_matches != Some(false) {
        return None;
    }
    let is_of_password = |it: &Statement| matches!(it, Statement::SetPassword { .. });
    let index = group.statements.iter().position(is_of_password)?;
    Some((role, group.statements.remove(index)))
}

/// At once: with any other password of the superuser than his secret's nobody gets in once the operator has been restarted, and with any other of
/// the replication user's no pod that is made meanwhile finds its primary. That the pods of before are made anew waits for a window; one of them
/// that loses its primary before is made anew by itself.
fn tell(scene: &Scene<'_>, role: &Role, statement: Statement, plan: &mut Plan) {
    let Scene {
        cluster,
        config,
        observed,
        catalog: _,
    } = *scene;
    pod_passwords::mark(role, cluster, observed, config, plan);
    let group = Group::of(Subject::Role(role.name.clone()), vec![statement]);
    let leader = observed
        .patroni
        .known()
        .and_then(|patroni| patroni.running_leader());
    let action = Action::RunSql {
        database: group.database,
        subject: group.subject,
        needs: Vec::new(),
        statements: group.statements,
    };
    // By itself: it is not told when the pods cannot be marked.
    let still = leader.map(|leader| Precondition::StillPrimary(leader.name.clone()));
    plan.quiet(
        action,
        Reason::Differs(vec!["/password".to_owned()]),
        still.unwrap_or_default(),
    );
}
