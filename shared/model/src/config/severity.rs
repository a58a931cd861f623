//! Severities of rules, by id: how they are read from both forms.
//!
//! Not here: which rules there are (`validate`), nor what a severity comes to.

use indexmap::IndexMap;
use serde_json::Value;

use super::param::Kind;
use super::scope::Scope;
use super::value::ParamValue;
use crate::finding::Severity;

impl ParamValue for IndexMap<String, Severity> {
    const KIND: Kind = Kind::Severities;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self::new()
    }

    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String> {
        of_words(IndexMap::<String, String>::from_text(text, scope)?)
    }

    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        of_words(IndexMap::<String, String>::from_json(value, scope)?)
    }

    fn to_json(&self) -> Value {
        self.iter()
            .map(|(id, severity)| (id.as_str(), severity.word()))
            .collect()
    }
}

/// Ids count in any case; one that no rule has is found where the rules are.
fn of_words(words: IndexMap<String, String>) -> Result<IndexMap<String, Severity>, String> {
    let severity = |(id, word): (String, String)| {
        let known = Severity::WORDS.iter().find(|(known, _)| *known == word);
        match known {
            Some((_, severity)) => Ok((id.trim().to_uppercase(), *severity)),
            None => Err(format!("has {word:?} under {id:?}")),
        }
    };
    words.into_iter().map(severity).collect()
}
