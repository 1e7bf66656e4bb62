//! Certificates of servers, as a person judges them.

use crate::{Timestamp, words};

words! {
    /// A certificate that a server showed and that is not trusted. All but its fingerprint is what it says of itself: nobody vouches for it.
    #[derive(Eq)]
    pub struct Certificate {
        /// SHA-256 of its DER form, lower-case hexadecimal.
        pub sha256: String,
        /// Whom it was made for: its common name and organisation, one short line. None if it does not say.
        pub subject: Option<String>,
        /// Who made it, likewise.
        pub issuer: Option<String>,
        /// From when it is valid. None if the certificate cannot be read.
        pub valid_from: Option<Timestamp>,
        /// Until when it is valid, likewise.
        pub valid_until: Option<Timestamp>,
    }
}

/// A fingerprint as people compare it: `AB:CD:…`.
pub fn shown_fingerprint(sha256: &str) -> String {
    let pairs: Vec<String> = sha256.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_ascii_uppercase()).collect();
    pairs.join(":")
}

/// A fingerprint as people write it, in the one spelling that is kept; none if it is not a SHA-256.
pub fn read_fingerprint(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect::<String>().to_ascii_lowercase();
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown() {
        let kept = "0a1b".repeat(16);
        assert!(shown_fingerprint(&kept).starts_with("0A:1B:0A"));
        assert_eq!(read_fingerprint(&shown_fingerprint(&kept)), Some(kept.clone()));
        assert_eq!(read_fingerprint(&format!(" {kept} ")), Some(kept));
        assert_eq!(read_fingerprint("0a:1b"), None);
        assert_eq!(read_fingerprint(&"xy".repeat(32)), None);
    }
}
