//! What is wanted inside of the prepared databases, and where we do not go in. Must not: which schemas and privileges (`privileges`), or
//! extensions (`databases`).

use pgherd_model::cluster::{Cluster, Role};
use pgherd_model::config::OperatorConfig;

use super::roles::known_roles;
use super::{ASK_AGAIN, databases, privileges, take};
use crate::observed::Catalog;
use crate::observed::catalog::ContentView;
use crate::plan::{HoldReason, Plan};

/// Schemas, privileges and extensions of the prepared databases that exist, one database after the other: each is one connection.
pub(super) fn prepare(
    cluster: &Cluster,
    config: &OperatorConfig,
    roles: &[Role],
    catalog: &Catalog,
    plan: &mut Plan,
) {
    let known = known_roles(roles, catalog);
    for name in &catalog.illegible {
        let why = "its name is not UTF-8: it is left alone".to_owned();
        plan.hold(format!("read {name}"), HoldReason::Conflict(why));
    }
    for database in &cluster.prepared_databases {
        let name = &database.name;
        let view = catalog.databases.get(name);
        let Some(content) = view.and_then(|view| view.content.as_ref()) else {
            let silence = view.and_then(|view| view.silence.as_deref());
            if silence.is_some() {
                // Nobody tells when it would answer.
                plan.wake(ASK_AGAIN);
            }
            let source = format!("content of database {name}");
            let why = silence.unwrap_or("it has not been read yet").to_owned();
            plan.hold("prepare the database", HoldReason::SourceUnknown { source, why });
            continue;
        };
        if let Some(trap) = trap(content, catalog) {
            plan.hold(format!("prepare database {name}"), HoldReason::Conflict(trap));
            continue;
        }
        take(plan, privileges::wanted(cluster, database, content, &known));
        take(plan, databases::extensions(database, config, content));
    }
}

/// An event trigger that runs code of somebody who is no superuser, as the superuser that we are, whatever we make.
fn trap(content: &ContentView, catalog: &Catalog) -> Option<String> {
    let is_superuser = |name: &str| catalog.roles.get(name).is_some_and(|role| role.superuser);
    let mut triggers = content.event_triggers.iter();
    let (name, trigger) = triggers.find(|(_, trigger)| !is_superuser(&trigger.function_owner))?;
    Some(format!(
        "event trigger {name} runs a function of {} as whoever makes something here, and also as us",
        trigger.function_owner
    ))
}
