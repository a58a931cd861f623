//! Password verifiers, as Postgres stores them. Lives here: making one from a password, and asking whether a stored one belongs to a
//! password, so that a password is neither sent nor changed without need. Must not: decide who gets which.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use pgherd_model::secret::Secret;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

use crate::password::RandomnessError;

/// What Postgres itself uses.
const ITERATIONS: u32 = 4096;
const PREFIX: &str = "SCRAM-SHA-256$";

/// How passwords of a cluster are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    Scram,
    /// Only for clusters whose manifest says `password_encryption: md5`.
    Md5,
}

/// The verifier that belongs to `password`, with a new salt. What already is a verifier is passed through, as Zalando's operator does.
pub fn verifier(password: &Secret, role: &str, encryption: Encryption) -> Result<Secret, RandomnessError> {
    if is_verifier(password.expose()) {
        return Ok(password.clone());
    }
    Ok(match encryption {
        Encryption::Md5 => md5(password, role),
        Encryption::Scram => {
            let mut salt = [0_u8; 16];
            OsRng.try_fill_bytes(&mut salt)?;
            Secret::new(scram(password, &salt, ITERATIONS))
        }
    })
}

/// Whether the stored verifier belongs to this password. An unknown form never matches.
pub fn matches(stored: &str, password: &Secret, role: &str) -> bool {
    if is_verifier(password.expose()) {
        return stored == password.expose();
    }
    if stored.starts_with("md5") {
        return stored == md5(password, role).expose();
    }
    let Some((iterations, salt)) = parse(stored) else {
        return false;
    };
    scram(password, &salt, iterations) == stored
}

/// How the stored verifier was made.
pub fn encryption_of(stored: &str) -> Option<Encryption> {
    if stored.starts_with(PREFIX) {
        Some(Encryption::Scram)
    } else if stored.starts_with("md5") {
        Some(Encryption::Md5)
    } else {
        None
    }
}

fn is_verifier(text: &str) -> bool {
    text.starts_with(PREFIX) || (text.len() == 35 && text.starts_with("md5"))
}

fn md5(password: &Secret, role: &str) -> Secret {
    Secret::new(postgres_protocol::password::md5(
        password.expose().as_bytes(),
        role,
    ))
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
fn parse(stored: &str) -> Option<(u32, Vec<u8>)> {
    let (head, _) = stored.strip_prefix(PREFIX)?.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    Some((iterations.parse().ok()?, STANDARD.decode(salt).ok()?))
}

fn scram(password: &Secret, salt: &[u8], iterations: u32) -> String {
    // As Postgres: a password that SASLprep refuses is taken as it is.
    let prepared = stringprep::saslprep(password.expose())
        .map_or_else(|_| password.expose().to_owned(), |text| text.into_owned());
    let salted = salted_password(prepared.as_bytes(), salt, iterations);
    let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"]));
    let server_key = hmac(&salted, &[b"Server Key"]);
    format!(
        "{PREFIX}{iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

/// PBKDF2 with one block, RFC 5802's `Hi`.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut block = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = block;
    for _ in 1..iterations {
        block = hmac(password, &[&block]);
        for (sum, byte) in sum.iter_mut().zip(block) {
            *sum ^= byte;
        }
    }
    sum
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zalando's own test vector.
    const PASSWORD_WITH_SALT: &str = "SCRAM-SHA-256$4096:c2FsdA==$lF4cRm/Jky763CN4HtxdHnjV4Q8AWTNlKvGmEFFU8IQ=:ub8OgRsftnk2ccDMOt7ffHXNcikRkQkq1lh4xaAqrSw=";
    const PASSWORD_OF_TEST: &str = "md587f77988ccb5aa917c93201ba314fcd4";

    #[test]
    fn known_vectors_are_reproduced() {
        let password = Secret::new("password");
        assert_eq!(scram(&password, b"salt", 4096), PASSWORD_WITH_SALT);
        assert_eq!(
            verifier(&password, "test", Encryption::Md5).unwrap().expose(),
            PASSWORD_OF_TEST
        );
    }

    #[test]
    fn a_stored_verifier_is_recognised_whatever_its_salt_and_iterations() {
        let password = Secret::new("password");
        let fresh = verifier(&password, "test", Encryption::Scram).unwrap();
        let strong = scram(&password, b"other salt", 10);
        for stored in [PASSWORD_WITH_SALT, PASSWORD_OF_TEST, fresh.expose(), &strong] {
            assert!(matches(stored, &password, "test"), "{stored}");
            assert!(!matches(stored, &Secret::new("passwore"), "test"), "{stored}");
        }
        assert_ne!(
            fresh.expose(),
            verifier(&password, "test", Encryption::Scram).unwrap().expose()
        );
    }

    #[test]
    fn what_is_a_verifier_already_passes_through() {
        let given = Secret::new(PASSWORD_WITH_SALT);
        assert_eq!(verifier(&given, "test", Encryption::Scram).unwrap(), given);
        assert!(matches(PASSWORD_WITH_SALT, &given, "test"));
    }

    #[test]
    fn damaged_verifiers_never_match() {
        for stored in [
            "",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$x:c2FsdA==$a:b",
            "SCRAM-SHA-256$4096:***$a:b",
        ] {
            assert!(!matches(stored, &Secret::new("password"), "test"), "{stored}");
        }
    }
}
