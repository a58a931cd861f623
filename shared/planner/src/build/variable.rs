//! One variable of a container, by where its value comes from. A leaf. Must not: which variables there are.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector};
use pgherd_model::names::secrets;

/// An empty value is sent as none, as the API server stores it.
pub(super) fn plain(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()).filter(|value| !value.is_empty()),
        value_from: None,
    }
}

/// The password in a role's secret.
pub(super) fn password_of(name: &str, secret: String) -> EnvVar {
    from_secret(name, secret, secrets::PASSWORD)
}

pub(super) fn from_secret(name: &str, secret: String, key: &str) -> EnvVar {
    let selector = SecretKeySelector {
        name: secret,
        key: key.to_owned(),
        optional: None,
    };
    from(
        name,
        EnvVarSource {
            secret_key_ref: Some(selector),
            ..EnvVarSource::default()
        },
    )
}

pub(super) fn from_field(name: &str, path: &str) -> EnvVar {
    let selector = ObjectFieldSelector {
        api_version: Some("v1".to_owned()),
        field_path: path.to_owned(),
    };
    from(
        name,
        EnvVarSource {
            field_ref: Some(selector),
            ..EnvVarSource::default()
        },
    )
}

fn from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(source),
    }
}
