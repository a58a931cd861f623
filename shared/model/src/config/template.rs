//! Name templates: text with variables such as `{cluster}`.
//!
//! Not here: which names are made of them (`names`).

use std::fmt;

use serde_json::Value;

use super::param::Kind;
use super::scope::Scope;
use super::value::ParamValue;

/// Variables of a DNS name template.
pub(super) const DNS: &[&str] = &["cluster", "team", "namespace", "hostedzone"];
/// Variables of the disruption budget's name template.
pub(super) const BUDGET: &[&str] = &["cluster"];
/// Variables of the secret name template. `namespace` is documented upstream but never filled in there.
pub(super) const SECRET: &[&str] = &["username", "cluster", "tprkind", "tprgroup"];

/// A name with variables in braces. What is in braces and is not a variable stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Makes a template of a text; every text is one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text with its variables.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Fills in the given variables, in their order, each wherever it occurs.
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        values.iter().fold(self.0.clone(), |name, (variable, value)| {
            fill_one(&name, variable, value).unwrap_or(name)
        })
    }

    /// The variables that occur, in their order: what stands between braces.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
    }
}

/// The text with `value` for each `{variable}`; none where there is no such variable.
fn fill_one(text: &str, variable: &str, value: &str) -> Option<String> {
    let mut filled: Option<String> = None;
    let mut rest = text;
    let mut kept = 0;
    while let Some(open) = rest.find('{') {
        let start = text.len() - rest.len() + open;
        rest = &rest[open + 1..];
        let Some(after) = rest
            .strip_prefix(variable)
            .and_then(|after| after.strip_prefix('}'))
        else {
            continue;
        };
        let filled = filled.get_or_insert_with(|| String::with_capacity(text.len() + value.len()));
        filled.push_str(&text[kept..start]);
        filled.push_str(value);
        kept = text.len() - after.len();
        rest = after;
    }
    filled.map(|filled| filled + &text[kept..])
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ParamValue for Template {
    const KIND: Kind = Kind::Template(&[]);

    fn unset() -> Self {
        Self(String::new())
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_is_filled_wherever_it_occurs() {
        let filled = |text: &str| Template::new(text).fill(&[("a", "1"), ("b", "{c}"), ("c", "3")]);
        assert_eq!(
            filled("{a}-{b}.{a}{x}"),
            "1-3.1{x}",
            "a value is filled by those after it"
        );
        assert_eq!(filled("{{a}}{"), "{1}{");
        assert_eq!(filled("{aa}{a"), "{aa}{a");
        assert_eq!(filled("plain"), "plain");
        assert_eq!(filled(""), "");
    }
}
