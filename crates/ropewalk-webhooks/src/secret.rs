use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;

const PREFIX: &str = "whsec_";
const NEW_BYTES: usize = 32;

/// What a webhook's deliveries are signed with: its receiver has the same. It prints as `***`.
///
/// # Source
///
/// Standard Webhooks 1.0.0, "Signature scheme": HMAC-SHA256, 24 to 64 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Box<[u8]>);

/// Text that is no secret. It does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is `whsec_` and the Base64 of 24 to 64 bytes")]
pub struct BadSecret;

impl SigningSecret {
    /// A new one of 256 random bits.
    #[must_use]
    pub fn generate() -> Self {
        Self(Box::new(rand::random::<[u8; NEW_BYTES]>()))
    }

    /// Reads `whsec_` and Base64.
    ///
    /// # Errors
    ///
    /// [`BadSecret`] if it is anything else, or too short or too long.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).ok_or(BadSecret)?).map_err(|_| BadSecret)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(BadSecret);
        }
        Ok(Self(bytes.into()))
    }

    /// The secret itself, as [`parse`](Self::parse) reads it: for its receiver, and for where it is kept.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The value of `webhook-signature` for a delivery of `body` under this `webhook-id` and `webhook-timestamp`, in Unix
    /// seconds.
    ///
    /// ```
    /// use ropewalk_webhooks::SigningSecret;
    ///
    /// let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    /// let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    /// assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    /// # Ok::<(), ropewalk_webhooks::BadSecret>(())
    /// ```
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signed = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        signed.update(format!("{id}.{timestamp}.").as_bytes());
        signed.update(body);
        format!("v1,{}", STANDARD.encode(signed.sign()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the reference libraries, and RFC 4231's second with a key that is long enough.
    #[test]
    fn a_signature_is_the_one_that_others_compute() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_331, br#"{"test": 2432232314}"#);
        assert_ne!(signature, other);
    }

    #[test]
    fn a_secret_reads_back_and_never_prints() {
        let secret = SigningSecret::generate();
        let text = secret.reveal();
        assert_eq!(SigningSecret::parse(&text), Ok(secret.clone()));
        assert_eq!(text.len(), "whsec_".len() + 44);
        assert_eq!(format!("{secret:?}"), "***");
        assert_ne!(secret, SigningSecret::generate());
    }

    #[test]
    fn nothing_else_is_a_secret() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        assert!(SigningSecret::parse(&of(24)).is_ok() && SigningSecret::parse(&of(64)).is_ok());
        for bad in ["", "whsec_", "whsec_é", "sk-1", &of(23), &of(65), &of(32)[6..], &format!("{} ", of(32))]
        {
            assert_eq!(SigningSecret::parse(bad), Err(BadSecret), "{bad}");
        }
    }
}
