//! Keys of a secret that say how to connect, beside name and password. Lives here: their names and how their values are written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Key of the host.
pub const HOST: &str = "host";
/// Key of the port.
pub const PORT: &str = "port";
/// Key of the database.
pub const DATABASE: &str = "dbname";
/// Key of all of it as libpq reads it.
pub const URI: &str = "uri";
/// Key of all of it as JDBC reads it.
pub const JDBC_URI: &str = "jdbc-uri";

/// Where a role connects to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Connection {
    /// Name of the primary's service, in full.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
}

/// The keys and their values for a role.
pub fn keys(connection: &Connection, username: &str, password: &Secret) -> BTreeMap<&'static str, Secret> {
    let Connection { host, port, database } = connection;
    let (user, password) = (escaped(username), escaped(password.expose()));
    let (database_path, user, password) = (escaped(database), user.as_str(), password.as_str());
    let database_path = database_path.as_str();
    [
        (HOST, Secret::new(host.clone())),
        (PORT, Secret::new(port.to_string())),
        (DATABASE, Secret::new(database.clone())),
        (
            URI,
            Secret::new(format!(
                "postgresql://{user}:{password}@{host}:{port}/{database_path}?sslmode=require"
            )),
        ),
        (
            JDBC_URI,
            Secret::new(format!(
                "jdbc:postgresql://{host}:{port}/{database_path}?user={user}&password={password}&sslmode=require"
            )),
        ),
    ]
    .into()
}

/// Percent-encoded but for letters, digits and `-._~`: right in every part of both forms.
fn escaped(text: &str) -> Zeroizing<String> {
    let mut escaped = Zeroizing::new(String::with_capacity(text.len() * 3));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_password_is_the_parts_stay_apart() {
        let connection = Connection {
            host: "demo.apps.svc.cluster.local".to_owned(),
            port: 5432,
            database: "shop".to_owned(),
        };
        let keys = keys(&connection, "apps.o'hara", &Secret::new("p@ss:w/rd?&=#% ü\"\\"));
        assert_eq!(keys[PORT].expose(), "5432");
        let password = "p%40ss%3Aw%2Frd%3F%26%3D%23%25%20%C3%BC%22%5C";
        assert_eq!(
            keys[URI].expose(),
            format!(
                "postgresql://apps.o%27hara:{password}@demo.apps.svc.cluster.local:5432/shop?sslmode=require"
            )
        );
        assert_eq!(
            keys[JDBC_URI].expose(),
            format!(
                "jdbc:postgresql://demo.apps.svc.cluster.local:5432/shop?user=apps.o%27hara&password={password}&sslmode=require"
            )
        );
        assert!(!format!("{keys:?}").contains("p%40"));
    }
}
