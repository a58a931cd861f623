//! The row of one operator parameter: everything that readers, schema, documentation and samples know about it.
//!
//! Not here: the rows themselves (`section`), nor what a parameter does (planner).

use serde_json::{Map, Value};

use super::OperatorConfig;
use super::scope::Scope;
use crate::units::{cron, quantity, window};

/// One operator parameter. The only definition: ConfigMap reader, OperatorConfiguration reader, CRD schema,
/// reference page, samples and impact preview all start from it.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Key in the ConfigMap and name of the field inside its group of the OperatorConfiguration.
    pub name: &'static str,
    /// Field of [`OperatorConfig`] and group under `configuration`; `general` stands for the top level.
    pub group: &'static str,
    /// What it does, one or two sentences.
    pub doc: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// Default of the ConfigMap form, in ConfigMap syntax; empty for none.
    pub default: &'static str,
    /// Default in the CRD's schema, in ConfigMap syntax: the API server writes it into the stored object.
    pub schema_default: Option<&'static str>,
    /// What counts in the OperatorConfiguration form when the field is absent although the schema's defaults
    /// were applied (the schema has none, or the group is missing). ConfigMap syntax.
    pub fallback: &'static str,
    /// Smallest number allowed.
    pub min: Option<i64>,
    /// Largest number allowed.
    pub max: Option<i64>,
    /// Regular expression of the CRD's schema; for a list it holds for each item.
    pub pattern: Option<&'static str>,
    /// Variables that a name template must contain.
    pub required_variables: &'static [&'static str],
    /// An explicit 0 in the OperatorConfiguration counts as absent.
    pub zero_is_unset: bool,
    /// Where it can be written.
    pub forms: Forms,
    /// What a change of it touches in running clusters.
    pub affects: &'static [Affects],
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
    /// The value is a credential: never printed, not even when it is wrong.
    pub secret: bool,
    pub(super) access: Access,
}

/// Typed access to the field behind a row, made by the `section!` macro.
#[derive(Clone, Copy)]
pub(super) struct Access {
    pub(super) empty_is_value: bool,
    pub(super) read_text: fn(&mut OperatorConfig, &str, &mut Scope<'_>) -> Result<(), String>,
    pub(super) read_json: fn(&mut OperatorConfig, &Value, &mut Scope<'_>) -> Result<(), String>,
    pub(super) show: fn(&OperatorConfig) -> Value,
    pub(super) differs: fn(&OperatorConfig, &OperatorConfig) -> bool,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access")
    }
}

/// How a parameter's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Switch,
    /// A whole number that fits into 16, 32 or 64 bits.
    Integer(Width),
    /// Go duration syntax: `30m`, `1h30m`, `500ms`.
    Duration,
    /// ConfigMap: items separated by commas; OperatorConfiguration: a list of strings.
    List,
    /// ConfigMap: `key:value` items separated by commas; OperatorConfiguration: an object of strings.
    Map,
    /// One of a closed set.
    OneOf(&'static [&'static str]),
    /// `namespace/name`; without a namespace the operator's own.
    NamespacedName,
    /// Postgres major version, such as `17`.
    MajorVersion,
    /// Kubernetes CPU quantity.
    Cpu,
    /// Kubernetes memory quantity.
    Memory,
    /// Name template with variables in braces.
    Template(&'static [&'static str]),
    /// Five-field cron schedule.
    Schedule,
    /// Maintenance windows, `Sat:01:00-06:00` or `01:00-06:00`, in UTC.
    Windows,
    /// Secrets that hold infrastructure roles.
    InfrastructureRoles,
    /// `when_deleted` and `when_scaled`, each `retain` or `delete`.
    ClaimRetention,
    /// List of `v1/Container`.
    Containers,
    /// `v1/Probe`.
    Probe,
    /// A Kubernetes object of the given kind, as JSON or YAML.
    Manifest(&'static str),
    /// Regular expressions, as a list.
    Expressions,
    /// Severities by id of a rule, written like a map.
    Severities,
    /// Kubernetes label selector.
    Selector,
}

/// Size of an integer parameter on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Network port.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
}

/// The two ways to hand the configuration to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A flat ConfigMap of strings.
    ConfigMap,
    /// An `OperatorConfiguration` object.
    Crd,
}

/// The forms in which a parameter can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    /// Both.
    Both,
    /// The OperatorConfiguration only: the value has a shape that a ConfigMap line cannot express.
    CrdOnly,
}

/// What a change of a parameter touches in running clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Affects {
    /// The pod template: pods roll (or are marked for it).
    Pods,
    /// How many pods a cluster has.
    Instances,
    /// Services, Endpoints and their annotations.
    Services,
    /// The connection pooler's Deployment and Service.
    Pooler,
    /// The logical backup's `CronJob`.
    Backup,
    /// Roles, databases and their secrets.
    Roles,
    /// Other objects (budgets, accounts, claims, metadata) are rewritten; nothing restarts.
    Objects,
    /// The operator's own behaviour only.
    Operator,
    /// Read, and without effect.
    Nothing,
}

impl Affects {
    /// Every class, most disruptive first.
    pub const ALL: [Self; 9] = [
        Self::Pods,
        Self::Instances,
        Self::Services,
        Self::Pooler,
        Self::Backup,
        Self::Roles,
        Self::Objects,
        Self::Operator,
        Self::Nothing,
    ];

    /// The word used in tables and previews.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Instances => "instances",
            Self::Services => "services",
            Self::Pooler => "pooler",
            Self::Backup => "backup",
            Self::Roles => "roles",
            Self::Objects => "objects",
            Self::Operator => "operator",
            Self::Nothing => "nothing",
        }
    }
}

// The row's builder: what `section!` calls, in a constant.
impl Param {
    pub(super) const fn new(
        name: &'static str,
        group: &'static str,
        doc: &'static str,
        kind: Kind,
        default: &'static str,
        affects: &'static [Affects],
        access: Access,
    ) -> Self {
        Self {
            name,
            group,
            doc,
            kind,
            default,
            schema_default: if is_nothing(default) { None } else { Some(default) },
            fallback: default,
            min: None,
            max: None,
            pattern: None,
            required_variables: &[],
            zero_is_unset: false,
            forms: Forms::Both,
            affects,
            deprecated: None,
            secret: false,
            access,
        }
    }

    /// Schema and fallback of the OperatorConfiguration form are both `value`.
    pub(super) const fn crd(mut self, value: &'static str) -> Self {
        self.schema_default = if is_nothing(value) { None } else { Some(value) };
        self.fallback = value;
        self
    }

    pub(super) const fn schema(mut self, value: &'static str) -> Self {
        self.schema_default = Some(value);
        self
    }

    pub(super) const fn not_in_schema(mut self) -> Self {
        self.schema_default = None;
        self
    }

    pub(super) const fn fallback(mut self, value: &'static str) -> Self {
        self.fallback = value;
        self
    }

    pub(super) const fn min(mut self, value: i64) -> Self {
        self.min = Some(value);
        self
    }

    pub(super) const fn max(mut self, value: i64) -> Self {
        self.max = Some(value);
        self
    }

    pub(super) const fn zero_is_unset(mut self) -> Self {
        self.zero_is_unset = true;
        self
    }

    pub(super) const fn cpu(mut self) -> Self {
        self.kind = Kind::Cpu;
        self.pattern = Some(quantity::CPU_PATTERN);
        self
    }

    pub(super) const fn memory(mut self) -> Self {
        self.kind = Kind::Memory;
        self.pattern = Some(quantity::MEMORY_PATTERN);
        self
    }

    pub(super) const fn schedule(mut self) -> Self {
        self.kind = Kind::Schedule;
        self.pattern = Some(cron::PATTERN);
        self
    }

    pub(super) const fn windows(mut self) -> Self {
        self.pattern = Some(window::PATTERN);
        self
    }

    pub(super) const fn manifest(mut self, kind: &'static str) -> Self {
        self.kind = Kind::Manifest(kind);
        self
    }

    pub(super) const fn expressions(mut self) -> Self {
        self.kind = Kind::Expressions;
        self
    }

    pub(super) const fn selector(mut self) -> Self {
        self.kind = Kind::Selector;
        self
    }

    pub(super) const fn variables(
        mut self,
        known: &'static [&'static str],
        required: &'static [&'static str],
    ) -> Self {
        self.kind = Kind::Template(known);
        self.required_variables = required;
        self
    }

    pub(super) const fn crd_only(mut self) -> Self {
        self.forms = Forms::CrdOnly;
        self
    }

    pub(super) const fn deprecated(mut self, why: &'static str) -> Self {
        self.deprecated = Some(why);
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// Defaults that a schema does not spell out: absent, and false.
const fn is_nothing(text: &str) -> bool {
    matches!(text.as_bytes(), b"" | b"false")
}

impl Param {
    /// The documentation as one paragraph.
    pub fn text(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Path inside an OperatorConfiguration, such as `configuration.users.super_username`.
    pub fn path(&self) -> String {
        match self.crd_group() {
            Some(group) => format!("configuration.{group}.{}", self.name),
            None => format!("configuration.{}", self.name),
        }
    }

    /// Group under `configuration`, or none for the top level.
    pub fn crd_group(&self) -> Option<&'static str> {
        (self.group != "general").then_some(self.group)
    }

    /// Where a user finds the parameter in the given form.
    pub fn place(&self, form: Form) -> String {
        match form {
            Form::ConfigMap => self.name.to_owned(),
            Form::Crd => self.path(),
        }
    }

    /// The value in `config` as JSON, in the spelling of the OperatorConfiguration; `null` when unset, and
    /// a fixed word in place of a secret.
    pub fn show(&self, config: &OperatorConfig) -> Value {
        (self.access.show)(config)
    }

    /// Whether the two configurations differ in this parameter.
    pub fn differs(&self, one: &OperatorConfig, other: &OperatorConfig) -> bool {
        (self.access.differs)(one, other)
    }

    /// The value written as ConfigMap text, as JSON in the spelling of the OperatorConfiguration.
    pub(super) fn json_of_text(&self, text: &str) -> Value {
        match self.kind {
            Kind::Switch => Value::Bool(text == "true"),
            Kind::Integer(_) => text.parse::<i64>().map_or(Value::Null, Value::from),
            Kind::List | Kind::Windows | Kind::Expressions => text.split(',').map(Value::from).collect(),
            Kind::Map | Kind::ClaimRetention | Kind::Severities => text
                .split(',')
                .filter_map(|item| item.split_once(':'))
                .map(|(key, value)| (key.to_owned(), Value::from(value)))
                .collect::<Map<_, _>>()
                .into(),
            _ => Value::from(text),
        }
    }
}
