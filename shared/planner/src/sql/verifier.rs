//! Password verifiers: what the server stores instead of a password. Lives here: making one, and telling whether a stored one was made of
//! a password. Must not: randomness (the salt is an argument), sending.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use pgherd_model::secret::Secret;
use sha2::{Digest, Sha256};

use super::Scheme;

/// Iterations of new SCRAM verifiers; Postgres' default.
pub const ITERATIONS: u32 = 4096;
/// A verifier with more iterations is not compared: whoever stored it decides how long that takes, and any role may store one for itself. It
/// counts as one of another password, so that one of ours takes its place, once.
pub const MOST_ITERATIONS: u32 = 16 * ITERATIONS;
/// Prefix of a SCRAM verifier.
const SCRAM: &str = "SCRAM-SHA-256$";
/// Bytes of each of its two keys.
const KEY: usize = 32;

/// A verifier. As good as a password to someone who can guess: printed redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(Secret);

impl Verifier {
    /// The text to store. Only for the one who sends it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}

/// Makes the verifier of `password`. A password that is a verifier already is taken as it is, as Postgres does. `salt` is used by SCRAM
/// only and must be random (16 bytes).
pub fn create(scheme: Scheme, role: &str, password: &Secret, salt: &[u8]) -> Verifier {
    let text = password.expose();
    if is_verifier(text) {
        return Verifier(password.clone());
    }
    Verifier(Secret::new(match scheme {
        Scheme::ScramSha256 => scram(text, salt, ITERATIONS),
        Scheme::Md5 => md5(role, text),
    }))
}

/// Whether `stored` (of `pg_authid.rolpassword`) was made of `password`, by whatever scheme and salt.
pub fn matches(stored: &str, role: &str, password: &Secret) -> bool {
    let text = password.expose();
    if is_verifier(text) {
        return stored == text;
    }
    if stored.starts_with(SCRAM) {
        let read = read_scram(stored).filter(|(iterations, _)| *iterations <= MOST_ITERATIONS);
        return read.is_some_and(|(iterations, salt)| scram(text, &salt, iterations) == stored);
    }
    is_verifier(stored) && md5(role, text) == stored
}

/// The text is a verifier rather than a password: never one that the server would take for a password, which it then would make another
/// verifier of.
pub fn is_verifier(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let md5 = text.strip_prefix("md5").filter(|rest| rest.len() == 32);
    md5.is_some_and(|rest| rest.bytes().all(is_hex)) || read_scram(text).is_some()
}

/// Iterations and salt of a SCRAM verifier: `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
fn read_scram(text: &str) -> Option<(u32, Vec<u8>)> {
    let (head, keys) = text.strip_prefix(SCRAM)?.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    let is_key = |text: &str| BASE64.decode(text).is_ok_and(|key| key.len() == KEY);
    if !is_key(stored_key) || !is_key(server_key) {
        return None;
    }
    Some((
        iterations.parse().ok().filter(|count| *count > 0)?,
        BASE64.decode(salt).ok()?,
    ))
}

/// RFC 5802 with SHA-256, in Postgres' text form.
fn scram(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = salted_password(&normalize(password), salt, iterations);
    let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
    let server_key = hmac(&salted, b"Server Key");
    format!(
        "{SCRAM}{iterations}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored_key),
        BASE64.encode(server_key)
    )
}

/// Postgres prepares passwords by `SASLprep` and takes them as they are when that fails.
fn normalize(password: &str) -> std::borrow::Cow<'_, str> {
    stringprep::saslprep(password).unwrap_or(std::borrow::Cow::Borrowed(password))
}

/// `Hi` of RFC 5802: PBKDF2 with one block. The key is worked in once: that is half of the arithmetic.
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let keyed = keyed(password.as_bytes());
    let mut block = sealed(keyed.clone(), &[salt, &1_u32.to_be_bytes()].concat());
    let mut sum = block;
    for _ in 1..iterations {
        block = sealed(keyed.clone(), &block);
        sum.iter_mut().zip(block).for_each(|(byte, other)| *byte ^= other);
    }
    sum
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    sealed(keyed(key), message)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn sealed(mut mac: Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn md5(role: &str, password: &str) -> String {
    let digest = <md5::Md5 as md5::Digest>::digest([password.as_bytes(), role.as_bytes()].concat());
    digest
        .iter()
        .fold("md5".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAM_VECTOR: &str = "SCRAM-SHA-256$4096:c2FsdA==$lF4cRm/Jky763CN4HtxdHnjV4Q8AWTNlKvGmEFFU8IQ=:ub8OgRsftnk2ccDMOt7ffHXNcikRkQkq1lh4xaAqrSw=";
    const MD5_VECTOR: &str = "md587f77988ccb5aa917c93201ba314fcd4";

    #[test]
    fn verifiers_equal_those_of_zalandos_tests() {
        let password = Secret::new("password");
        let made = |scheme| create(scheme, "test", &password, b"salt").expose().to_owned();
        assert_eq!(made(Scheme::ScramSha256), SCRAM_VECTOR);
        assert_eq!(made(Scheme::Md5), MD5_VECTOR);
    }

    #[test]
    fn stored_verifiers_match_their_password_only() {
        let (right, wrong) = (Secret::new("password"), Secret::new("passw0rd"));
        for stored in [SCRAM_VECTOR, MD5_VECTOR] {
            assert!(matches(stored, "test", &right));
            assert!(!matches(stored, "test", &wrong));
        }
        assert!(
            !matches(MD5_VECTOR, "another", &right),
            "md5 depends on the role's name"
        );
        assert!(matches(SCRAM_VECTOR, "another", &right), "scram does not");
    }

    #[test]
    fn a_secret_may_hold_a_verifier() {
        let stored = Secret::new(SCRAM_VECTOR);
        assert_eq!(create(Scheme::Md5, "test", &stored, b"").expose(), SCRAM_VECTOR);
        assert!(matches(SCRAM_VECTOR, "test", &stored));
    }

    /// Any login may store such a one for itself; arithmetic for it would last an hour.
    #[test]
    fn nobody_decides_how_long_we_calculate() {
        let password = Secret::new("password");
        for iterations in [MOST_ITERATIONS + 1, u32::MAX] {
            let costly = SCRAM_VECTOR.replace("4096", &iterations.to_string());
            assert!(!matches(&costly, "test", &password));
            // Nothing has to be calculated where the secret holds the same.
            assert!(matches(&costly, "test", &Secret::new(costly.clone())));
        }
        let dear = scram("password", b"salt", MOST_ITERATIONS);
        assert!(matches(&dear, "test", &password));
    }

    #[test]
    fn rubbish_never_matches() {
        for stored in [
            "",
            "password",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$0:c2FsdA==$a:b",
            "md5",
            "SCRAM-SHA-256$x:y$z",
            // What the server takes for passwords.
            "md587F77988CCB5AA917C93201BA314FCD4",
            "SCRAM-SHA-256$4096:c2FsdA==$c2FsdA==:c2FsdA==",
            "scram-sha-256$4096:c2FsdA==$lF4cRm/Jky763CN4HtxdHnjV4Q8AWTNlKvGmEFFU8IQ=:ub8OgRsftnk2ccDMOt7ffHXNcikRkQkq1lh4xaAqrSw=",
        ] {
            assert!(!is_verifier(stored), "{stored}");
            assert!(!matches(stored, "test", &Secret::new("password")), "{stored}");
        }
    }

    #[test]
    fn debug_is_redacted() {
        let verifier = create(Scheme::Md5, "test", &Secret::new("password"), b"");
        assert_eq!(format!("{verifier:?}"), "Verifier(redacted)");
    }
}
