//! Ids as one app sees them. Every app has a key of its own, so that two apps cannot compare what they see, and an id of one is
//! nothing to another.

use aes::{
    Aes128,
    cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// An app's way to write ids.
pub(crate) struct OpaqueIds {
    cipher: Aes128,
}

impl OpaqueIds {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self { cipher: Aes128::new(&Array::from(*key)) }
    }

    /// The id for the app. Ids of the library are 128 bits in hexadecimal: one block.
    pub(crate) fn outward(&self, id: &str) -> Option<String> {
        let mut block = Array::from(from_hex(id)?);
        self.cipher.encrypt_block(&mut block);
        Some(HEXLOWER.encode(&block))
    }

    /// The library's id; none if this cannot be an id given out before. That it exists is for the caller to check.
    pub(crate) fn inward(&self, id: &str) -> Option<String> {
        let mut block = Array::from(from_hex(id)?);
        self.cipher.decrypt_block(&mut block);
        Some(HEXLOWER.encode(&block))
    }
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_only_through_the_same_app() {
        let (one, other) = (OpaqueIds::new(&[1; 16]), OpaqueIds::new(&[2; 16]));
        let id = "00112233445566778899aabbccddeeff";
        let outward = one.outward(id).unwrap();
        assert_ne!(outward, id);
        assert_ne!(Some(&outward), other.outward(id).as_ref());
        assert_eq!(one.inward(&outward).as_deref(), Some(id));
        assert_ne!(other.inward(&outward).as_deref(), Some(id));
        assert_eq!(one.inward("../../etc/passwd"), None);
    }
}
