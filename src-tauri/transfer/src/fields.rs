//! Header fields of the protocol, read and written: RFC 9651 (structured fields), RFC 9530 (digests), RFC 6266 and RFC 8187 (names).
//!
//! A field of another shape counts as absent, as draft-ietf-httpbis-resumable-upload-11 section 4.1 demands.

use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use sfv::{Dictionary, Item, ListEntry, Parser};

/// What an answer says of an upload.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    /// `Upload-Offset`.
    pub(crate) offset: Option<u64>,
    /// `Upload-Complete`; `Upload-Incomplete` of the drafts up to -01 says the opposite.
    pub(crate) complete: Option<bool>,
    /// `Upload-Length`.
    pub(crate) length: Option<u64>,
    /// `Upload-Limit`.
    pub(crate) limits: Limits,
    /// The SHA-256 in `Repr-Digest`.
    pub(crate) digest: Option<[u8; 32]>,
}

/// `Upload-Limit` (section 4.1.4), in bytes where not said otherwise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest upload.
    pub max_size: Option<u64>,
    /// Largest request.
    pub max_append_size: Option<u64>,
    /// Smallest request, but for the last.
    pub min_append_size: Option<u64>,
    /// Seconds after which the server forgets the upload.
    pub max_age: Option<u64>,
}

impl Fields {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            offset: integer(headers, "upload-offset"),
            complete: boolean(headers, "upload-complete").or_else(|| Some(!boolean(headers, "upload-incomplete")?)),
            length: integer(headers, "upload-length"),
            limits: dictionary(headers, "upload-limit").and_then(|limits| Limits::of(&limits)).unwrap_or_default(),
            digest: dictionary(headers, "repr-digest").and_then(|digests| sha256_of(&digests)),
        }
    }
}

impl Limits {
    /// Requests of one size, but for the last.
    pub(crate) fn parts(bytes: u64) -> Self {
        Self { max_append_size: Some(bytes), min_append_size: Some(bytes), ..Self::default() }
    }

    /// Whether requests have one size that cannot be changed in mid-session.
    pub(crate) fn are_parts(&self) -> bool {
        self.min_append_size.is_some() && self.min_append_size == self.max_append_size
    }

    /// None if a known member has another type than Integer: then the whole field is ignored.
    fn of(dictionary: &Dictionary) -> Option<Self> {
        let member = |name: &str| match dictionary.get(name) {
            None => Some(None),
            Some(ListEntry::Item(item)) => unsigned(item).map(Some),
            Some(ListEntry::InnerList(_)) => None,
        };
        Some(Self {
            max_size: member("max-size")?,
            max_append_size: member("max-append-size")?,
            min_append_size: member("min-append-size")?,
            max_age: member("max-age")?,
        })
    }
}

/// Whether the answer wants a SHA-256 with every upload (`Want-Repr-Digest`, RFC 9530 section 4): a server that checks what it stores.
pub(crate) fn wants_sha256(headers: &HeaderMap) -> bool {
    match dictionary(headers, "want-repr-digest").as_ref().and_then(|wanted| wanted.get("sha-256")) {
        Some(ListEntry::Item(item)) => unsigned(item).is_some_and(|preference| preference > 0),
        Some(ListEntry::InnerList(_)) | None => false,
    }
}

/// The digest as `Repr-Digest` carries it.
pub(crate) fn repr_digest(sha256: &[u8; 32]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("sha-256=:{}:", STANDARD.encode(sha256))
}

/// `Content-Disposition` with the file's name (RFC 6266 section 4.3).
pub(crate) fn content_disposition(filename: &str) -> String {
    /// RFC 8187 section 3.2.1: everything but `attr-char` is encoded.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    format!("inline; filename*=UTF-8''{}", utf8_percent_encode(filename, ENCODED))
}

/// A time as HTTP writes it; none before 1970 or after the year 9999, for which it has no dates.
pub(crate) fn http_date(ms: i64) -> Option<String> {
    const YEAR_10000_MS: u64 = 253_402_300_800_000;
    let ms = u64::try_from(ms).ok().filter(|ms| *ms < YEAR_10000_MS)?;
    Some(httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_millis(ms)))
}

/// The delay of `Retry-After` in milliseconds, from seconds or a date (RFC 9110 section 10.2.3); a day at most.
pub(crate) fn retry_after_ms(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let ms = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<u64>().map_or(DAY_MS, |seconds| seconds.saturating_mul(1000))
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        u64::try_from(until.duration_since(now).unwrap_or_default().as_millis()).unwrap_or(DAY_MS)
    };
    Some(ms.min(DAY_MS))
}

fn sha256_of(digests: &Dictionary) -> Option<[u8; 32]> {
    match digests.get("sha-256")? {
        ListEntry::Item(item) => item.bare_item.as_byte_sequence()?.try_into().ok(),
        ListEntry::InnerList(_) => None,
    }
}

fn integer(headers: &HeaderMap, name: &str) -> Option<u64> {
    unsigned(&item(headers, name)?)
}

fn boolean(headers: &HeaderMap, name: &str) -> Option<bool> {
    item(headers, name)?.bare_item.as_boolean()
}

fn unsigned(item: &Item) -> Option<u64> {
    u64::try_from(i64::from(item.bare_item.as_integer()?)).ok()
}

fn item(headers: &HeaderMap, name: &str) -> Option<Item> {
    Parser::new(&joined(headers, name)?).parse().ok()
}

fn dictionary(headers: &HeaderMap, name: &str) -> Option<Dictionary> {
    Parser::new(&joined(headers, name)?).parse().ok()
}

/// All lines of a field as one value (RFC 9110 section 5.2); an Item given twice thereby becomes unreadable, as it should.
fn joined(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
    if lines.is_empty() { None } else { Some(lines.join(&b", "[..])) }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn fields_of_another_shape_count_as_absent() {
        let fields = Fields::of(&headers(&[("upload-offset", "-1"), ("upload-complete", "1"), ("upload-length", "5.0")]));
        assert_eq!(fields, Fields::default());
        let mut twice = headers(&[("upload-offset", "1")]);
        twice.append("upload-offset", HeaderValue::from_static("2"));
        assert_eq!(Fields::of(&twice).offset, None);
        assert_eq!(Fields::of(&headers(&[("upload-limit", "max-size=10, max-append-size=abc")])).limits, Limits::default());
    }

    #[test]
    fn limits_and_digests_are_read() {
        let digest = [7; 32];
        let fields = Fields::of(&headers(&[
            ("upload-limit", "max-size=10, later=(1 2), max-append-size=4"),
            ("repr-digest", &repr_digest(&digest)),
            ("upload-complete", "?0"),
        ]));
        assert_eq!(fields.limits, Limits { max_size: Some(10), max_append_size: Some(4), min_append_size: None, max_age: None });
        assert_eq!((fields.digest, fields.complete), (Some(digest), Some(false)));
    }

    #[test]
    fn patience_is_read_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(90));
        let past = httpdate::fmt_http_date(now - Duration::from_secs(90));
        let read = |value: &str| retry_after_ms(&headers(&[("retry-after", value)]), now);
        assert_eq!(read("120"), Some(120_000));
        assert_eq!(read(&date), Some(90_000));
        assert_eq!(read(&past), Some(0));
        assert_eq!(read("99999999999999999999999"), Some(86_400_000));
        assert_eq!(read("soon"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_field() {
        assert_eq!(content_disposition("a\"b\r\nX: ü.jpg"), "inline; filename*=UTF-8''a%22b%0D%0AX%3A%20%C3%BC.jpg");
    }

    #[test]
    fn times_that_http_cannot_write_are_left_out() {
        assert_eq!(http_date(0).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(http_date(-1), None);
        assert_eq!(http_date(i64::MAX), None);
    }
}
