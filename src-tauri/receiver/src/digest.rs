//! The SHA-256 of a file's bytes, the proof a sender asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest as _, Sha256};

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// What `hasher` has seen so far.
    pub(crate) fn so_far(hasher: &Sha256) -> Self {
        Self(hasher.clone().finalize().into())
    }

    /// The digest of `text`; for tokens, which are compared by digest.
    pub(crate) fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// From its 32 bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        Self::from_bytes(&HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?)
    }

    /// The 32 bytes.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// As the value of `Repr-Digest` (RFC 9530, section 3).
    pub(crate) fn field(&self) -> String {
        format!("sha-256=:{}:", STANDARD.encode(self.0))
    }
}
