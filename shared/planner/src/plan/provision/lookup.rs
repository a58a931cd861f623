//! What a pooler looks passwords up with, in every database that may be connected to (zalando-behaviour 4.13 and Appendix B). Must not: the
//! poolers themselves.
//!
//! The function shows what only superusers may see. It is worth as much as its owner: where somebody else owns it or its schema, he could
//! answer with passwords of his own.

use pgherd_model::cluster::Pooler;

use super::databases::schema_subject;
use super::{Group, Wanted};
use crate::observed::Catalog;
use crate::observed::catalog::{ContentView, EVERYBODY, LookupView};
use crate::plan::{HoldReason, Matter, Purpose};
use crate::sql::{Privilege, Statement, Subject};

/// What is missing of it in one database. `superuser` is who we are, and owns what we make.
pub(super) fn wanted(
    pooler: &Pooler,
    database: &str,
    found: &ContentView,
    catalog: &Catalog,
    superuser: &str,
) -> Wanted {
    let mut wanted = Wanted::default();
    let subject = schema_subject(database, &pooler.schema);
    let there = found.lookups.get(&pooler.schema);
    let is_trusted = |name: &str| name == superuser || catalog.roles.get(name).is_some_and(|it| it.superuser);
    let owners = [found.schemas.get(&pooler.schema), there.map(|it| &it.owner)];
    if let Some(stranger) = owners.into_iter().flatten().find(|owner| !is_trusted(owner)) {
        let why = format!("{subject} or its look-up function belongs to {stranger}, who is no superuser");
        wanted.hold(Matter::Inside(Purpose::Lookup, None), HoldReason::Conflict(why));
        return wanted;
    }
    let mut statements = Vec::new();
    if !found.schemas.contains_key(&pooler.schema) {
        statements.push(Statement::CreateSchema {
            schema: pooler.schema.clone(),
            owner: superuser.to_owned(),
        });
    }
    statements.extend(function(&pooler.schema, there));
    statements.extend(grants(pooler, found, there));
    let group = Group::of(subject, statements).inside(database);
    let needed = Subject::Role(pooler.user.clone());
    wanted.groups.push(Group {
        needs: [needed].into(),
        ..group
    });
    wanted
}

/// The pooler gets something that it does not have.
pub(super) fn grants_any(wanted: &Wanted) -> bool {
    let mut statements = wanted.groups.iter().flat_map(|group| &group.statements);
    statements.any(is_grant)
}

/// Takes that out. What keeps others from the function stays.
pub(super) fn grant_nothing(wanted: &mut Wanted) {
    for group in &mut wanted.groups {
        group.statements.retain(|it| !is_grant(it));
    }
}

fn is_grant(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::GrantLookup { .. } | Statement::GrantSchema { .. }
    )
}

/// Adds all of it.
pub(super) fn complete(pooler: &Pooler, superuser: &str, content: &mut ContentView) {
    let view = LookupView {
        owner: superuser.to_owned(),
        definer: true,
        pinned: true,
        callers: [superuser, &pooler.user].map(str::to_owned).into(),
    };
    let (schema, user) = (pooler.schema.clone(), pooler.user.clone());
    content.schemas.insert(schema.clone(), superuser.to_owned());
    content.lookups.insert(schema.clone(), view);
    content.schema_grants.insert((schema, user, Privilege::Usage));
}

/// The function itself, and that nobody else may call it.
fn function(schema: &str, there: Option<&LookupView>) -> Vec<Statement> {
    let mut statements = Vec::new();
    if !there.is_some_and(|it| it.definer && it.pinned) {
        statements.push(Statement::CreateLookup {
            schema: schema.to_owned(),
        });
    }
    // A new function may be called by everybody.
    if there.is_none_or(|it| it.callers.contains(EVERYBODY)) {
        statements.push(Statement::HideLookup {
            schema: schema.to_owned(),
        });
    }
    statements
}

fn grants(pooler: &Pooler, found: &ContentView, there: Option<&LookupView>) -> Vec<Statement> {
    let (schema, grantee) = (pooler.schema.clone(), pooler.user.clone());
    let may_call = there.is_some_and(|it| it.callers.contains(&grantee));
    let entry = (schema.clone(), grantee.clone(), Privilege::Usage);
    let may_enter = found.schema_grants.contains(&entry);
    let call = Statement::GrantLookup {
        schema: schema.clone(),
        grantee: grantee.clone(),
    };
    let enter = Statement::GrantSchema {
        schema,
        privileges: vec![Privilege::Usage],
        grantee,
    };
    [(may_call, call), (may_enter, enter)]
        .into_iter()
        .filter_map(|(has, statement)| (!has).then_some(statement))
        .collect()
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::{Form, OperatorConfig};
    use serde_json::json;

    use super::*;
    use crate::plan::provision::tests::cluster_under;

    fn lines(found: &ContentView) -> Vec<String> {
        let wanted = wanted(&pooler(), "shop", found, &Catalog::default(), "postgres");
        let statements = wanted.groups.iter().flat_map(|group| &group.statements);
        let holds = wanted.holds.iter().map(|hold| hold.reason.to_string());
        statements.map(ToString::to_string).chain(holds).collect()
    }

    fn pooler() -> Pooler {
        let config = OperatorConfig::default_for(Form::ConfigMap);
        let cluster = cluster_under(&json!({"enableConnectionPooler": true}), &config);
        cluster.pooler.unwrap()
    }

    fn whole() -> ContentView {
        let mut content = ContentView::default();
        complete(&pooler(), "postgres", &mut content);
        content
    }

    #[test]
    fn all_of_it_is_made_and_then_nothing() {
        let made = lines(&ContentView::default());
        assert_eq!(made.len(), 5, "{made:?}");
        assert!(made[0].starts_with("CREATE SCHEMA"), "{made:?}");
        assert!(made[2].starts_with("REVOKE ALL ON FUNCTION"), "{made:?}");
        assert!(lines(&whole()).is_empty());
    }

    #[test]
    fn each_part_that_is_lost_is_mended_by_itself() {
        let mut found = whole();
        let view = found.lookups.get_mut("pooler").unwrap();
        view.callers.insert(EVERYBODY.to_owned());
        view.callers.remove("pooler");
        let made = lines(&found);
        assert!(
            made.len() == 2 && made[1].starts_with("GRANT EXECUTE"),
            "{made:?}"
        );
        // As Zalando's operator makes it: it runs with whatever search_path its caller has.
        let mut found = whole();
        found.lookups.get_mut("pooler").unwrap().pinned = false;
        let made = lines(&found);
        assert!(
            made.len() == 1 && made[0].starts_with("CREATE OR REPLACE"),
            "{made:?}"
        );
    }

    #[test]
    fn what_a_stranger_owns_is_left_alone_and_told() {
        let mut schema = whole();
        schema
            .schemas
            .insert("pooler".to_owned(), "shop_owner".to_owned());
        let mut function = whole();
        function.lookups.get_mut("pooler").unwrap().owner = "shop_owner".to_owned();
        for found in [schema, function] {
            let told = lines(&found);
            assert!(told.len() == 1 && told[0].contains("shop_owner"), "{told:?}");
        }
    }
}
