//! New passwords and salts. Lives here: randomness from the operating system. Must not: who gets one (planner), or where it is kept (execute).

use pgherd_model::secret::Secret;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Zalando's length; 64 characters of 62 kinds are 381 bits.
const LENGTH: usize = 64;
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("cannot read random bytes from the operating system: {0}")]
pub struct RandomnessError(#[from] rand::rand_core::OsError);

/// 64 characters out of `a-zA-Z0-9`: needs no quoting in any connection string.
pub fn generate() -> Result<Secret, RandomnessError> {
    let mut password = String::with_capacity(LENGTH);
    let mut bytes = zeroize::Zeroizing::new([0_u8; 2 * LENGTH]);
    while password.len() < LENGTH {
        OsRng.try_fill_bytes(&mut *bytes)?;
        let missing = LENGTH - password.len();
        password.extend(bytes.iter().copied().filter_map(letter).take(missing));
    }
    Ok(Secret::new(password))
}

/// Salt of one password verifier.
pub fn salt() -> Result<[u8; 16], RandomnessError> {
    let mut salt = [0; 16];
    OsRng.try_fill_bytes(&mut salt)?;
    Ok(salt)
}

/// Bytes beyond the largest multiple of the alphabet are thrown away: taking them modulo would prefer the first letters.
fn letter(byte: u8) -> Option<char> {
    let kinds = ALPHABET.len();
    let byte = usize::from(byte);
    (byte < 256 / kinds * kinds).then(|| char::from(ALPHABET[byte % kinds]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_promised_length_and_letters_and_never_repeats() {
        let one = generate().unwrap();
        let other = generate().unwrap();
        assert_eq!(one.expose().len(), LENGTH);
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn every_letter_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for letter in (0..=u8::MAX).filter_map(letter) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }
}
