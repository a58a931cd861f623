//! How the types of parameters are read from both forms and shown again.
//!
//! Not here: the parameters (`section`), the syntax of Go literals (`text`).

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::param::{Kind, Width};
use super::scope::Scope;
use super::text;
use crate::secret::Secret;
use crate::units::{GoDuration, PgVersion, Quantity, UnitError, Window};

/// A type that a parameter can have.
pub(crate) trait ParamValue: Sized + PartialEq {
    /// How it is written.
    const KIND: Kind;
    /// The empty text is a value of its own (no items, not set) instead of a request for the default.
    const EMPTY_IS_VALUE: bool = false;

    /// The value before any default was applied.
    fn unset() -> Self;

    /// Reads ConfigMap syntax.
    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String>;

    /// Reads the OperatorConfiguration's JSON; text unless the type says otherwise.
    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::from_text(text, scope),
            _ => Err("is not a string".to_owned()),
        }
    }

    /// Shows it in the OperatorConfiguration's spelling. Never a secret.
    fn to_json(&self) -> Value;
}

impl ParamValue for String {
    const KIND: Kind = Kind::Text;

    fn unset() -> Self {
        Self::new()
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl<T: ParamValue> ParamValue for Option<T> {
    const KIND: Kind = T::KIND;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        None
    }

    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String> {
        if text.is_empty() {
            Ok(None)
        } else {
            T::from_text(text, scope).map(Some)
        }
    }

    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            _ => T::from_json(value, scope).map(Some),
        }
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
}

impl ParamValue for bool {
    const KIND: Kind = Kind::Switch;

    fn unset() -> Self {
        false
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        text::boolean(text)
    }

    fn from_json(value: &Value, _: &mut Scope<'_>) -> Result<Self, String> {
        value
            .as_bool()
            .ok_or_else(|| "is neither true nor false".to_owned())
    }

    fn to_json(&self) -> Value {
        Value::from(*self)
    }
}

macro_rules! integers {
    ($($type:ident $width:ident),+) => { $(
        impl ParamValue for $type {
            const KIND: Kind = Kind::Integer(Width::$width);

            fn unset() -> Self {
                0
            }

            fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
                let number = text::integer(text)?;
                Self::try_from(number).map_err(|_| "is out of range".to_owned())
            }

            fn from_json(value: &Value, _: &mut Scope<'_>) -> Result<Self, String> {
                let number = value.as_i64().ok_or_else(|| "is not a whole number".to_owned())?;
                Self::try_from(number).map_err(|_| "is out of range".to_owned())
            }

            fn to_json(&self) -> Value {
                Value::from(*self)
            }
        }
    )+ };
}

integers!(u16 U16, u32 U32, i32 I32, i64 I64);

impl ParamValue for Duration {
    const KIND: Kind = Kind::Duration;

    fn unset() -> Self {
        Self::ZERO
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        let duration = GoDuration::parse(text).map_err(|error| why(&error))?;
        if duration.0.is_zero() {
            Err("is not longer than 0".to_owned())
        } else {
            Ok(duration.0)
        }
    }

    fn to_json(&self) -> Value {
        Value::from(GoDuration(*self).to_string())
    }
}

impl ParamValue for PgVersion {
    const KIND: Kind = Kind::MajorVersion;

    fn unset() -> Self {
        Self::SUPPORTED[0]
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        Self::parse(text).map_err(|error| why(&error))
    }

    fn to_json(&self) -> Value {
        Value::from(self.to_string())
    }
}

/// Empty, `0` and `null` all mean: none.
impl ParamValue for Option<Quantity> {
    const KIND: Kind = Kind::Cpu;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        None
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        if matches!(text, "" | "0" | "null") {
            return Ok(None);
        }
        let quantity = Quantity::parse(text).map_err(|error| why(&error))?;
        if quantity.is_negative() {
            Err("is negative".to_owned())
        } else {
            Ok(Some(quantity))
        }
    }

    fn to_json(&self) -> Value {
        self.map_or(Value::Null, |quantity| Value::from(quantity.to_string()))
    }
}

impl ParamValue for Vec<Window> {
    const KIND: Kind = Kind::Windows;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self::new()
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self::new())
        } else {
            windows(text.split(','))
        }
    }

    fn from_json(value: &Value, scope: &mut Scope<'_>) -> Result<Self, String> {
        windows(Vec::<String>::from_json(value, scope)?.iter().map(String::as_str))
    }

    fn to_json(&self) -> Value {
        self.iter().map(Window::to_string).collect()
    }
}

fn windows<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<Window>, String> {
    let parse =
        |text| Window::parse(text).map_err(|error| format!("has a wrong window {text:?}: {}", error.why));
    texts.map(parse).collect()
}

/// What a unit's parser found, without the text: that is a part of the error already.
fn why(error: &UnitError) -> String {
    format!("is not {}: {}", error.what, error.why)
}

impl ParamValue for Vec<String> {
    const KIND: Kind = Kind::List;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self::new()
    }

    /// Items are not trimmed: ` b` in `a, b` keeps its blank, as upstream does.
    fn from_text(text: &str, scope: &mut Scope<'_>) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::new());
        }
        let items: Self = text.split(',').map(str::to_owned).collect();
        if items.iter().any(|item| item.trim() != item) {
            scope
                .remarks
                .push("items are taken with the blanks around them".to_owned());
        }
        Ok(items)
    }

    fn from_json(value: &Value, _: &mut Scope<'_>) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| "is not a list".to_owned())?;
        items
            .iter()
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| "has an item that is not a string".into())
            })
            .collect()
    }

    fn to_json(&self) -> Value {
        self.iter().map(String::as_str).collect()
    }
}

impl ParamValue for IndexMap<String, String> {
    const KIND: Kind = Kind::Map;
    const EMPTY_IS_VALUE: bool = true;

    fn unset() -> Self {
        Self::new()
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self::new())
        } else {
            text::pairs(text)
        }
    }

    fn from_json(value: &Value, _: &mut Scope<'_>) -> Result<Self, String> {
        let fields = value.as_object().ok_or_else(|| "is not an object".to_owned())?;
        fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key.clone(), text.clone())),
                _ => Err(format!("has a value under {key:?} that is not a string")),
            })
            .collect()
    }

    fn to_json(&self) -> Value {
        self.iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect()
    }
}

impl ParamValue for Secret {
    const KIND: Kind = Kind::Text;

    fn unset() -> Self {
        Self::new(String::new())
    }

    fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
        Ok(Self::new(text.to_owned()))
    }

    fn to_json(&self) -> Value {
        Value::from(REDACTED)
    }
}

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";
