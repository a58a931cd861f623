//! What is wanted inside of the prepared databases, and where we do not go in. Must not: which schemas and privileges (`privileges`), or
//! extensions (`databases`).

use std::collections::BTreeSet;

use pgherd_model::cluster::{Cluster, Role};
use pgherd_model::config::OperatorConfig;

use super::roles::known_roles;
use super::{ASK_AGAIN, databases, existing, lookup, outsider, privileges, take};
use crate::observed::Catalog;
use crate::observed::catalog::ContentView;
use crate::plan::{Hold, HoldReason, Matter, Plan, Purpose, Verb};

/// Its owner may see to that, and until he lets us in again there is nothing to ask for.
const CLOSED: &str = "it takes no connections (ALLOW_CONNECTIONS is false)";

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
        plan.hold(
            Matter::Object(Verb::Read, name.clone()),
            HoldReason::Conflict(why),
        );
    }
    for database in &cluster.prepared_databases {
        let name = &database.name;
        let Some(content) = opened(name, Purpose::Prepare, catalog, plan) else {
            continue;
        };
        take(plan, privileges::wanted(cluster, database, content, &known));
        take(plan, databases::extensions(database, config, content));
        take(plan, existing::wanted(database, content, &known));
        look_up(cluster, config, name, content, &known, catalog, plan);
    }
    let is_prepared = |name: &str| cluster.prepared_databases.iter().any(|it| it.name == name);
    let others = catalog.databases.iter().filter(|(name, view)| {
        cluster.pooler.is_some() && !view.template && !view.closed && !is_prepared(name)
    });
    for (name, _) in others {
        if let Some(content) = opened(name, Purpose::Lookup, catalog, plan) {
            look_up(cluster, config, name, content, &known, catalog, plan);
        }
    }
}

/// What is in a database, where that is known and nobody lies in wait for us.
fn opened<'a>(
    name: &str,
    purpose: Purpose,
    catalog: &'a Catalog,
    plan: &mut Plan,
) -> Option<&'a ContentView> {
    let view = catalog.databases.get(name);
    let Some(content) = view.and_then(|view| view.content.as_ref()) else {
        let silence = view.and_then(|view| view.silence.as_deref());
        if silence.is_some() {
            // Nobody tells when it would answer.
            plan.wake(ASK_AGAIN);
        }
        let source = format!("content of database {name}");
        let unread = if view.is_some_and(|view| view.closed) {
            CLOSED
        } else {
            "it has not been read yet"
        };
        let why = silence.unwrap_or(unread).to_owned();
        plan.hold(
            Matter::Inside(purpose, None),
            HoldReason::SourceUnknown { source, why },
        );
        return None;
    };
    if let Some(trap) = trap(content, catalog) {
        plan.hold(
            Matter::Inside(purpose, Some(name.to_owned())),
            HoldReason::Conflict(trap),
        );
        return None;
    }
    Some(content)
}

/// What a pooler needs in a database, if there is one.
fn look_up(
    cluster: &Cluster,
    config: &OperatorConfig,
    database: &str,
    content: &ContentView,
    known: &BTreeSet<&str>,
    catalog: &Catalog,
    plan: &mut Plan,
) {
    let Some(pooler) = &cluster.pooler else { return };
    if known.contains(pooler.user.as_str()) {
        let superuser = &config.users.super_username;
        let mut wanted = lookup::wanted(pooler, database, content, catalog, superuser);
        // Whoever can become the pooler would see all passwords.
        let outsider = lookup::grants_any(&wanted)
            .then(|| outsider::of(cluster, config, catalog, &pooler.user))
            .flatten();
        if let Some(why) = outsider {
            lookup::grant_nothing(&mut wanted);
            tell_once(HoldReason::Conflict(why), plan);
        }
        take(plan, wanted);
    }
}

/// Of the pooler's role, which is not one database's matter.
fn tell_once(reason: HoldReason, plan: &mut Plan) {
    let matter = Matter::Inside(Purpose::Lookup, None);
    let is_told = |hold: &Hold| hold.matter == matter && hold.reason == reason;
    if !plan.holds.iter().any(is_told) {
        plan.hold(matter, reason);
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

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;
    use serde_json::json;

    use super::*;
    use crate::observed::catalog::EventTrigger;
    use crate::observed::{DatabaseView, RoleView};
    use crate::plan::provision::tests::cluster_under;

    fn plan(catalog: &Catalog) -> Plan {
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let spec = json!({"preparedDatabases": {"shop": {"schemas": {"data": {}}}}});
        let cluster = cluster_under(&spec, &config);
        let mut plan = Plan::default();
        prepare(&cluster, &config, &cluster.roles, catalog, &mut plan);
        plan
    }

    fn catalog(shop: DatabaseView) -> Catalog {
        let superuser = RoleView {
            superuser: true,
            ..RoleView::default()
        };
        Catalog {
            databases: [("shop".to_owned(), shop)].into(),
            roles: [("postgres".to_owned(), superuser)].into(),
            ..Catalog::default()
        }
    }

    #[test]
    fn a_database_that_does_not_answer_is_named_and_asked_again() {
        let silent = plan(&catalog(DatabaseView {
            silence: Some("no more connections".to_owned()),
            ..DatabaseView::default()
        }));
        assert!(silent.steps.is_empty() && silent.wake_after == Some(ASK_AGAIN));
        assert!(silent.holds[0].to_string().contains("no more connections"));
        let closed = plan(&catalog(DatabaseView {
            closed: true,
            ..DatabaseView::default()
        }));
        assert!(closed.wake_after.is_none() && closed.holds[0].to_string().contains("ALLOW_CONNECTIONS"));
        // One that is about to be made is read when it is there.
        let unmade = plan(&Catalog::default());
        assert!(unmade.wake_after.is_none() && unmade.holds.len() == 1);
    }

    #[test]
    fn nobody_goes_where_an_event_trigger_waits() {
        let with_function_of = |owner: &str| {
            let trigger = EventTrigger {
                owner: "postgres".to_owned(),
                function_owner: owner.to_owned(),
            };
            let content = ContentView {
                event_triggers: [("audit".to_owned(), trigger)].into(),
                ..ContentView::default()
            };
            plan(&catalog(DatabaseView {
                content: Some(content),
                ..DatabaseView::default()
            }))
        };
        assert!(!with_function_of("postgres").steps.is_empty());
        let trapped = with_function_of("shop_owner");
        assert!(trapped.steps.is_empty());
        assert!(trapped.holds[0].to_string().contains("event trigger audit"));
    }
}
