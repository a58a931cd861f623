//! Parameters that consist of parts: namespaced names, infrastructure roles, claim retention,
//! embedded Kubernetes objects.

use std::fmt;

use indexmap::IndexMap;
use k8s_openapi::api::core::v1::{Container, Probe};
use serde_json::{Value, json};

use super::choice::ClaimFate;
use super::param::Kind;
use super::scope::Scope;
use super::value::{ParamValue, REDACTED};

/// Name of an object together with its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespacedName {
    /// The namespace; never empty.
    pub namespace: String,
    /// The name; never empty.
    pub name: String,
}

impl NamespacedName {
    /// Reads `name`, `/name` or `namespace/name`; `namespace` stands in where the text names none.
    ///
    /// # Errors
    ///
    /// The text has no name, or more than one slash.
    pub fn parse(text: &str, namespace: &str) -> Result<Self, String> {
        let (given, name) = text.split_once('/').unwrap_or(("", text));
        let name = name.trim_start_matches('/');
        if name.is_empty() || name.contains('/') {
            return Err("is not namespace/name".to_owned());
        }
        let namespace = if given.is_empty() { namespace } else { given };
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl ParamValue for NamespacedName {
    const KIND: Kind = Kind::NamespacedName;

    fn unset() -> Self {
        Self {
            namespace: String::new(),
            name: String::new(),
        }
    }

    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String> {
        Self::parse(text, scope.namespace)
    }

    fn to_json(&self) -> Value {
        Value::from(self.to_string())
    }
}

/// A secret that holds infrastructure roles: roles that every cluster gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfrastructureRole {
    /// The secret.
    pub secret_name: NamespacedName,
    /// Key of the role's name in it.
    pub user_key: String,
    /// Key of the password.
    pub password_key: String,
    /// Key of the role that it becomes a member of.
    pub role_key: String,
    /// Name when the key is missing in the secret.
    pub default_user_value: String,
    /// Membership when the key is missing in the secret.
    pub default_role_value: String,
    /// Key of a YAML definition of the whole role, which then wins.
    pub details: String,
    /// The keys are prefixes: `user1`, `user2`, and so on.
    pub template: bool,
}

impl InfrastructureRole {
    /// The oldest form: one secret with `user1`, `password1`, `inrole1`, `user2`, and so on.
    pub fn indexed(secret_name: NamespacedName) -> Self {
        Self {
            secret_name,
            user_key: "user".to_owned(),
            password_key: "password".to_owned(),
            role_key: "inrole".to_owned(),
            default_user_value: String::new(),
            default_role_value: String::new(),
            details: String::new(),
            template: true,
        }
    }

    /// A definition without a name for the role or without a key for the password means nothing.
    fn is_complete(&self) -> bool {
        let named = !self.user_key.is_empty() || !self.default_user_value.is_empty();
        !self.details.is_empty() || (named && !self.password_key.is_empty())
    }

    fn from_fields(
        fields: &IndexMap<&str, String>,
        namespace: &str,
        scope: &mut Scope<'_>,
    ) -> Result<Option<Self>, String> {
        let text = |key: &str| fields.get(key).cloned().unwrap_or_default();
        if text("secretname").is_empty() {
            scope
                .remarks
                .push("a definition without secretname is ignored".to_owned());
            return Ok(None);
        }
        let role = Self {
            secret_name: NamespacedName::parse(&text("secretname"), namespace)
                .map_err(|problem| format!("secretname {problem}"))?,
            user_key: text("userkey"),
            password_key: text("passwordkey"),
            role_key: text("rolekey"),
            default_user_value: text("defaultuservalue"),
            default_role_value: text("defaultrolevalue"),
            details: text("details"),
            template: text("template") == "true",
        };
        if !role.is_complete() {
            scope.remarks.push(format!(
                "{} is ignored: it needs userkey and passwordkey",
                role.secret_name
            ));
            return Ok(None);
        }
        Ok(Some(role))
    }

    /// Fields of a definition on the wire; a ConfigMap knows the first six.
    pub(super) const FIELDS: [&'static str; 8] = [
        "secretname",
        "userkey",
        "passwordkey",
        "rolekey",
        "defaultuservalue",
        "defaultrolevalue",
        "details",
        "template",
    ];
}

impl ParamValue for Vec<InfrastructureRole> {
    const KIND: Kind = Kind::InfrastructureRoles;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self::new()
    }

    /// One secret in one line. Its namespace defaults to `default`, not to the operator's: so it is upstream.
    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String> {
        let mut fields = IndexMap::new();
        for property in text.split(',').filter(|property| !property.trim().is_empty()) {
            let Some((key, value)) = property.split_once(':') else {
                scope
                    .remarks
                    .push(format!("{property:?} is ignored: it has no colon"));
                continue;
            };
            match InfrastructureRole::FIELDS[..6]
                .iter()
                .find(|field| **field == key.trim())
            {
                Some(field) => {
                    fields.insert(*field, value.trim().to_owned());
                }
                None => scope.remarks.push(format!(
                    "{:?} is ignored: it is not a field of a definition",
                    key.trim()
                )),
            }
        }
        let role = InfrastructureRole::from_fields(&fields, "default", scope)?;
        Ok(role.into_iter().collect())
    }

    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| "is not a list".to_owned())?;
        let mut roles = Self::new();
        for item in items {
            let object = item
                .as_object()
                .ok_or_else(|| "has an item that is not an object".to_owned())?;
            let mut fields = IndexMap::new();
            for field in InfrastructureRole::FIELDS {
                match object.get(field) {
                    None | Some(Value::Null) => {}
                    Some(Value::String(text)) if field != "template" => {
                        fields.insert(field, text.clone());
                    }
                    Some(Value::Bool(flag)) if field == "template" => {
                        fields.insert(field, flag.to_string());
                    }
                    Some(_) => return Err(format!("has a {field} of the wrong type")),
                }
            }
            let namespace = scope.namespace;
            roles.extend(InfrastructureRole::from_fields(&fields, namespace, scope)?);
        }
        Ok(roles)
    }

    fn to_json(&self) -> Value {
        self.iter()
            .map(|role| {
                json!({
                    "secretname": role.secret_name.to_string(),
                    "userkey": role.user_key,
                    "passwordkey": role.password_key,
                    "rolekey": role.role_key,
                    "defaultuservalue": role.default_user_value,
                    "defaultrolevalue": role.default_role_value,
                    "details": role.details,
                    "template": role.template,
                })
            })
            .collect()
    }
}

/// What becomes of volume claims after a scale-down and after the StatefulSet is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRetention {
    /// When the StatefulSet is deleted.
    pub when_deleted: ClaimFate,
    /// When a pod is scaled away.
    pub when_scaled: ClaimFate,
}

impl ClaimRetention {
    fn from_pairs(pairs: &IndexMap<String, String>, scope: &mut Scope<'_>) -> Self {
        let mut retention = Self::unset();
        for (key, value) in pairs {
            let fate = match value.as_str() {
                "delete" => ClaimFate::Delete,
                "retain" => ClaimFate::Retain,
                _ => {
                    scope
                        .remarks
                        .push(format!("{value:?} under {key:?} counts as \"retain\""));
                    ClaimFate::Retain
                }
            };
            match key.as_str() {
                "when_deleted" => retention.when_deleted = fate,
                "when_scaled" => retention.when_scaled = fate,
                _ => scope.remarks.push(format!(
                    "{key:?} is ignored: only when_deleted and when_scaled count"
                )),
            }
        }
        retention
    }
}

impl ParamValue for ClaimRetention {
    const KIND: Kind = Kind::ClaimRetention;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self {
            when_deleted: ClaimFate::Retain,
            when_scaled: ClaimFate::Retain,
        }
    }

    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String> {
        let pairs = IndexMap::from_text(text, scope)?;
        Ok(Self::from_pairs(&pairs, scope))
    }

    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        let pairs = IndexMap::from_json(value, scope)?;
        Ok(Self::from_pairs(&pairs, scope))
    }

    fn to_json(&self) -> Value {
        json!({ "when_deleted": self.when_deleted.as_str(), "when_scaled": self.when_scaled.as_str() })
    }
}

/// Reads one embedded Kubernetes object. The error tells where and what was expected, never what is there: that
/// may be a credential in a sidecar's environment.
fn object<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        match message.rsplit_once(", expected ") {
            Some((_, expected)) => format!("needs {expected} at {path}"),
            None if message.starts_with("missing field") => format!("has a {message} at {path}"),
            None => format!("has another shape at {path}"),
        }
    })
}

impl ParamValue for Vec<Container> {
    const KIND: Kind = Kind::Containers;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self::new()
    }

    fn from_text(_: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        Err("can only be given in an OperatorConfiguration".to_owned())
    }

    /// A list, or (since 2.0.0's CRD only admitted an object) an object of containers by name.
    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return object(value);
        };
        if fields.contains_key("image") || fields.contains_key("name") {
            return object(value).map(|container| vec![container]);
        }
        if !fields.is_empty() {
            scope
                .remarks
                .push("an object is read as containers by name; write a list".to_owned());
        }
        fields
            .iter()
            .map(|(name, value)| {
                let mut container = value.clone();
                if let Value::Object(fields) = &mut container {
                    fields.entry("name").or_insert_with(|| Value::from(name.as_str()));
                }
                object(&container)
            })
            .collect()
    }

    /// Values of environment variables are hidden.
    fn to_json(&self) -> Value {
        let mut shown = self.clone();
        for variable in shown
            .iter_mut()
            .flat_map(|container| container.env.iter_mut().flatten())
        {
            variable.value = variable.value.as_ref().map(|_| REDACTED.to_owned());
        }
        serde_json::to_value(shown).unwrap_or_default()
    }
}

impl ParamValue for Probe {
    const KIND: Kind = Kind::Probe;

    fn unset() -> Self {
        Self::default()
    }

    fn from_text(_: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        Err("can only be given in an OperatorConfiguration".to_owned())
    }

    fn from_json(value: &Value, _: &mut Scope<'_>) -> Result<Self, String> {
        object(value)
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
