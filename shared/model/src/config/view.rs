//! The configuration in force, for people: without secrets, and what changed between two of them.

use serde_json::{Map, Value};

use super::section::SECTIONS;
use super::{InfrastructureRole, OperatorConfig, Param};

impl OperatorConfig {
    /// Every parameter in the shape of an OperatorConfiguration's `configuration`; unset ones are `null`, secrets
    /// a fixed word.
    pub fn redacted(&self) -> Value {
        let mut view = Map::new();
        for section in SECTIONS {
            let rows = section
                .params
                .iter()
                .map(|param| (param.name.to_owned(), param.show(self)));
            if section.group == "general" {
                view.extend(rows);
            } else {
                view.insert(section.group.to_owned(), rows.collect::<Map<_, _>>().into());
            }
        }
        view.into()
    }

    /// The parameters that differ in `next`, in the order of the reference page.
    pub fn changes<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = &'static Param> + 'a {
        super::params().filter(move |param| param.differs(self, next))
    }

    /// Every secret with infrastructure roles, the one in the oldest form last: a later role wins over an earlier
    /// one of the same name.
    pub fn infrastructure_role_secrets(&self) -> Vec<InfrastructureRole> {
        let mut secrets = self.kubernetes.infrastructure_roles_secrets.clone();
        let indexed = self.kubernetes.infrastructure_roles_secret_name.clone();
        secrets.extend(indexed.map(InfrastructureRole::indexed));
        secrets
    }
}
