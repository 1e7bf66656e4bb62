//! What a certificate says of itself, for a person who is asked to trust it. Each word of it was written by whoever made it: it is shown
//! as one short line, and nothing is decided by it.

use afterglow_model::{Certificate, Timestamp, is_invisible};
use sha2::{Digest, Sha256};
use x509_parser::{certificate::X509Certificate, prelude::FromDer, time::ASN1Time, x509::X509Name};

use crate::driver::base16;

/// Longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 100;

/// The SHA-256 by which a certificate in DER form is compared.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    base16(&Sha256::digest(der))
}

/// What it says. One that cannot be read is its fingerprint alone.
pub(crate) fn describe(der: &[u8]) -> Certificate {
    let unread = Certificate { sha256: fingerprint(der), subject: None, issuer: None, valid_from: None, valid_until: None };
    let Ok((_, read)) = X509Certificate::from_der(der) else { return unread };
    let at = |time: ASN1Time| Some(Timestamp(time.timestamp().saturating_mul(1000)));
    Certificate {
        subject: name(read.subject()),
        issuer: name(read.issuer()),
        valid_from: at(read.validity().not_before),
        valid_until: at(read.validity().not_after),
        ..unread
    }
}

/// Common name and organisation.
fn name(name: &X509Name<'_>) -> Option<String> {
    let parts = name.iter_common_name().chain(name.iter_organization()).filter_map(|part| part.as_str().ok());
    let line: String = parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
        .chars()
        .filter(|c| !is_invisible(*c))
        .take(NAME_CHARS_MAX)
        .collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(common_name: &str, organisation: &str) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.distinguished_name.push(DnType::OrganizationName, organisation);
        params.not_before = date_time_ymd(1969, 12, 31);
        params.not_after = date_time_ymd(2001, 9, 9);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_how_long() {
        let der = certificate("nas.home.arpa", "Ada");
        let told = describe(&der);
        assert_eq!(told.sha256, fingerprint(&der));
        assert_eq!((told.subject.as_deref(), told.issuer), (Some("nas.home.arpa, Ada"), told.subject.clone()));
        let day = 24 * 60 * 60 * 1000;
        assert_eq!((told.valid_from, told.valid_until), (Some(Timestamp(-day)), Some(Timestamp(11_574 * day))));
    }

    #[test]
    fn what_a_stranger_wrote_is_one_short_line() {
        let told = |name: &str| describe(&certificate(name, "")).subject;
        assert_eq!(told("a\u{1b}[2J\r\nTrust it: \u{202e}b\0").as_deref(), Some("a[2JTrust it: b"));
        assert_eq!(told(&"ü".repeat(10_000)), Some("ü".repeat(NAME_CHARS_MAX)));
    }

    #[test]
    fn what_cannot_be_read_has_a_fingerprint() {
        let whole = certificate("nas", "Ada");
        for der in [&[][..], b"nonsense", &whole[..whole.len() / 2]] {
            let told = describe(der);
            assert_eq!((told.sha256, told.subject, told.valid_until), (fingerprint(der), None, None));
        }
    }
}
