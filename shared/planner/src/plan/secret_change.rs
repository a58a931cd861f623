//! A change of what is in a secret. Lives here: the value and its line for people. Must not: passwords, or when a change is due
//! (`secrets`, `rotation`).

use std::fmt;

use pgherd_model::cluster::SecretKey;
use serde::{Deserialize, Serialize};

use crate::build::SecretDraft;
use crate::sql::Statement;

/// What is written into a secret that exists. Keys that are not spoken of stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretChange {
    /// The secret; its `username` is the role's own name, without a date.
    pub draft: SecretDraft,
    /// Why it is written.
    pub why: Why,
    /// Name to be written under `username`.
    pub username: String,
    /// The password.
    pub password: NewPassword,
    /// What becomes of `nextRotation`.
    pub next_rotation: NextRotation,
    /// What becomes of `previousPassword`.
    pub previous: Previous,
    /// Statements for the maintenance database that are carried out before the secret is written, in one transaction, with the new password
    /// where they need one. When the secret then cannot be written, nothing is lost: nobody has been told the new password.
    pub before: Vec<Statement>,
}

/// Why a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// The date of its rotation is missing, or too far away.
    Stamped,
    /// Its rotation is due: another role takes over.
    RotatedUser,
    /// Its rotation is due: another password.
    RotatedPassword,
    /// It names a dated role and no longer shall.
    NameRestored,
    /// It holds the password before, which nobody needs any more.
    Over,
    /// It holds a password, and not whose.
    Named,
    /// The password that is given elsewhere has changed.
    Given,
    /// Keys about the connection are missing or out of date.
    Connection,
}

/// Where the password of a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NewPassword {
    /// It stays.
    Keep,
    /// The executor draws one.
    Draw,
    /// It is copied from there.
    Copy(SecretKey),
}

/// What becomes of the password before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Previous {
    /// What there is stays, which mostly is nothing.
    Leave,
    /// The password so far is put there: those who log in with it to change it need it once more.
    Keep,
    /// It goes: the server has the new one.
    Forget,
}

/// What becomes of the date of the next rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NextRotation {
    /// It stays.
    Keep,
    /// RFC 3339 in UTC.
    At(String),
    /// It becomes the empty text, as in Zalando's operator.
    Clear,
}

impl fmt::Display for SecretChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { draft, username, .. } = self;
        let secret = format!("secret {}/{}", draft.namespace, draft.name);
        match (self.why, &self.next_rotation) {
            (Why::Stamped, NextRotation::At(date)) => {
                write!(f, "set the next rotation of {secret} to {date}")
            }
            (Why::Stamped, _) => write!(f, "change the next rotation of {secret}"),
            (Why::RotatedUser, _) => write!(f, "rotate {secret} to role {username}"),
            (Why::RotatedPassword, _) => write!(f, "rotate the password in {secret}"),
            (Why::NameRestored, _) => write!(f, "give {secret} back to role {username}"),
            (Why::Over, _) => write!(f, "remove the password before from {secret}"),
            (Why::Named, _) => write!(f, "write the name of role {username} into {secret}"),
            (Why::Given, _) => write!(f, "copy the given password into {secret}"),
            (Why::Connection, _) => write!(f, "write the connection keys of {secret}"),
        }
    }
}
