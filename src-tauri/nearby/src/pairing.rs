//! How a code becomes a token: SPAKE2, a password-authenticated key exchange (RFC 9382; here as the crate `spake2` and its relatives in
//! other languages speak it, on Ed25519).
//!
//! ```text
//! sender                                   receiver
//!   POST pairing                      ->
//!                                     <-   Greeting: an id, the receiver's message
//!   POST pairing/ID, Claim:           ->
//!     the sender's message and proof
//!                                     <-   Welcome: the receiver's proof and certificate; or: wrong, so many tries are left
//! ```
//!
//! Each message is a point that tells nothing of the code. Both sides derive one key if and only if they hold the same code; whoever
//! stands between them holds two different keys and not the code. The sender proves its key first, so that the receiver answers no
//! wrong one with anything to test guesses against, and counts it. The token is derived from the key and never sent while pairing.
//!
//! The receiver's proof is one of its certificate as well (its SHA-256, or that it has none): nobody between the two can put another in
//! its place, or have the sender go on unencrypted. So the exchange itself needs neither an encrypted connection nor a certificate that
//! is trusted; it is by the exchange that one becomes so. A receiver without TLS keeps nothing secret of what is sent later.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use subtle::ConstantTimeEq;

use crate::Code;

const SENDER: &[u8] = b"afterglow sender 1";
const RECEIVER: &[u8] = b"afterglow receiver 1";

/// What the receiver says first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Greeting {
    /// Names this exchange.
    pub id: String,
    /// The receiver's message, in Base64.
    pub message: String,
}

/// What the sender answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// The sender's message, in Base64.
    pub message: String,
    /// That it holds the key, in Base64.
    pub proof: String,
}

/// What the receiver says to a right code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// That the receiver holds the key as well, and shows this certificate, in Base64.
    pub proof: String,
    /// SHA-256 of the certificate by which the receiver is known, lower-case hexadecimal; none if it speaks no TLS.
    pub certificate: Option<String>,
}

/// One side of an exchange. It is used once.
pub struct Side {
    exchange: Spake2<Ed25519Group>,
    /// What the other side has to be told, in Base64.
    pub message: String,
}

impl Side {
    /// The side that sends photos.
    pub fn sender(code: &Code) -> Self {
        Self::of(Spake2::start_a(&Password::new(code.digits()), &Identity::new(SENDER), &Identity::new(RECEIVER)))
    }

    /// The side that receives photos.
    pub fn receiver(code: &Code) -> Self {
        Self::of(Spake2::start_b(&Password::new(code.digits()), &Identity::new(SENDER), &Identity::new(RECEIVER)))
    }

    fn of((exchange, message): (Spake2<Ed25519Group>, Vec<u8>)) -> Self {
        Self { exchange, message: URL_SAFE_NO_PAD.encode(message) }
    }

    /// The key that follows from the other side's message; none if that is no message of this exchange.
    pub fn agree(self, message: &str) -> Option<Agreed> {
        let message = URL_SAFE_NO_PAD.decode(message).ok()?;
        let key = self.exchange.finish(&message).ok()?;
        Some(Agreed(Hkdf::new(None, &key)))
    }
}

/// A key. That both sides have the same one shows only in the proofs.
pub struct Agreed(Hkdf<Sha256>);

impl Agreed {
    /// What the sender shows from now on.
    pub fn token(&self) -> String {
        self.derive("token")
    }

    /// That the sender holds the key.
    pub fn proof_of_sender(&self) -> String {
        self.derive("proof of the sender")
    }

    /// That the receiver holds the key, and shows the certificate with this SHA-256, or none.
    pub fn proof_of_receiver(&self, certificate: Option<&str>) -> String {
        self.derive(&format!("proof of the receiver, certificate {}", certificate.unwrap_or("none")))
    }

    /// Whether a proof is the expected one; the time tells nothing of it.
    pub fn is(expected: &str, shown: &str) -> bool {
        expected.as_bytes().ct_eq(shown.as_bytes()).into()
    }

    fn derive(&self, what: &str) -> String {
        let mut derived = [0; 32];
        // It fails for more than 255 such lengths alone (RFC 5869 section 2.3).
        let _ = self.0.expand(format!("afterglow pairing 1: {what}").as_bytes(), &mut derived);
        URL_SAFE_NO_PAD.encode(derived)
    }
}
