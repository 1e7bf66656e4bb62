//! The header fields of the protocol, read and written.
//!
//! Structured fields (RFC 9651) with an unexpected value count as absent, as the draft demands of each of its fields
//! (draft-ietf-httpbis-resumable-upload-11, section "State": "Other values MUST cause the entire header field to be ignored").

use axum::http::HeaderMap;
use axum::http::header::{self, AsHeaderName, HeaderName};
use sfv::{Dictionary, Item, ListEntry, Parser};

use crate::digest::Digest;
use crate::problem::Problem;

/// Bytes that the sender of the message believes to be stored.
pub(crate) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Whether the upload is, or becomes, complete.
pub(crate) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
/// Bytes of the whole file.
pub(crate) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// What the receiver takes.
pub(crate) const UPLOAD_LIMIT: HeaderName = HeaderName::from_static("upload-limit");
/// The iteration of the draft that is spoken.
pub(crate) const UPLOAD_DRAFT_INTEROP_VERSION: HeaderName = HeaderName::from_static("upload-draft-interop-version");
/// Digest of the whole file (RFC 9530).
pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// Asks for a digest, and says that one is understood (RFC 9530, section 4).
pub(crate) const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
/// Digest of one request's content (RFC 9530).
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// Names a request, so that its repetition is known (draft-ietf-httpapi-idempotency-key-header).
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The methods' partial content type (draft, section "Media Type application/partial-upload").
pub(crate) const PARTIAL_UPLOAD: &str = "application/partial-upload";
/// Interop version of draft -09 to -11 (draft, section "Draft Version Identification").
pub(crate) const INTEROP_VERSION: &str = "8";
/// The structured boolean true.
pub(crate) const TRUE: &str = "?1";
/// The structured boolean false.
pub(crate) const FALSE: &str = "?0";

/// Longer keys are refused; a UUID has 36 characters.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// All lines of a field as one value (RFC 9110, section 5.3); `None` also when it is not ASCII text.
fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let lines: Option<Vec<&str>> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join(", "))
}

/// A non-negative integer.
pub(crate) fn integer(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    let item: Item = Parser::new(&text(headers, name)?).parse().ok()?;
    u64::try_from(item.bare_item.as_integer()?).ok()
}

/// A boolean.
pub(crate) fn boolean(headers: &HeaderMap, name: HeaderName) -> Option<bool> {
    let item: Item = Parser::new(&text(headers, name)?).parse().ok()?;
    item.bare_item.as_boolean()
}

/// The SHA-256 of a digest field. Other algorithms are ignored (RFC 9530, section 2); a malformed one is refused, since the
/// sender would believe its bytes checked.
pub(crate) fn sha256(headers: &HeaderMap, name: HeaderName) -> Result<Option<Digest>, Problem> {
    let malformed =
        || Problem::bad_request(format!("{name} must be a dictionary with sha-256 as 32 bytes in base64 between colons."));
    if !headers.contains_key(&name) {
        return Ok(None);
    }
    let value = text(headers, &name).ok_or_else(malformed)?;
    let digests: Dictionary = Parser::new(&value).parse().map_err(|_| malformed())?;
    match digests.get("sha-256") {
        None => Ok(None),
        Some(ListEntry::Item(item)) => {
            item.bare_item.as_byte_sequence().and_then(Digest::from_bytes).map(Some).ok_or_else(malformed)
        }
        Some(ListEntry::InnerList(_)) => Err(malformed()),
    }
}

/// The key of the request, as a structured string or bare.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = text(headers, IDEMPOTENCY_KEY) else { return Ok(None) };
    let item: Option<Item> = Parser::new(&value).parse().ok();
    let key = item.and_then(|item| item.bare_item.as_string().map(|key| key.as_str().to_owned())).unwrap_or(value);
    match key.len() {
        1..=IDEMPOTENCY_KEY_BYTES_MAX => Ok(Some(key)),
        _ => Err(Problem::bad_request(format!("Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} characters."))),
    }
}

/// Bytes of the request's content, if known before it comes. A request that tells neither length nor transfer coding has none
/// (RFC 9112, section 6.3).
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    match text(headers, header::CONTENT_LENGTH) {
        Some(length) => length.parse().ok(),
        None => (!headers.contains_key(header::TRANSFER_ENCODING)).then_some(0),
    }
}

/// `Last-Modified` in milliseconds since 1970.
pub(crate) fn last_modified_ms(headers: &HeaderMap) -> Option<i64> {
    let time = httpdate::parse_http_date(&text(headers, header::LAST_MODIFIED)?).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// The file name of `Content-Disposition`: `filename*` (RFC 8187, UTF-8) before `filename` (RFC 6266, section 4.3).
pub(crate) fn filename(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(header::CONTENT_DISPOSITION)?.as_bytes();
    let value = String::from_utf8_lossy(bytes);
    let parameters = parameters(&value);
    let named = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
    named("filename*").and_then(extended_value).or_else(|| named("filename").map(str::to_owned))
}

/// The parameters after the first `;`, quotes and backslashes resolved (RFC 9110, section 5.6.6).
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut found = vec![];
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches(|c: char| c == ';' || c.is_whitespace()).to_owned();
        let after = after.trim_start();
        let (parsed, remaining) = match after.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.push((key, parsed));
        rest = remaining;
    }
    found
}

/// The text up to the closing quote, and what follows it.
fn quoted_string(text: &str) -> (String, &str) {
    let mut parsed = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (parsed, &text[at + 1..]),
            '\\' => parsed.extend(chars.next().map(|(_, c)| c)),
            _ => parsed.push(c),
        }
    }
    (parsed, "")
}

/// `UTF-8''na%C3%AFve` (RFC 8187, section 3.2); `None` for another charset or bytes that are no UTF-8.
fn extended_value(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => u8::try_from(hex_digit(rest.next()?)? * 16 + hex_digit(rest.next()?)?).ok()?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn unexpected_values_count_as_absent() {
        for (value, expected) in
            [("12", Some(12)), ("0", Some(0)), ("-1", None), ("1.5", None), ("?1", None), ("1, 2", None), ("", None)]
        {
            assert_eq!(integer(&headers(UPLOAD_OFFSET, value), UPLOAD_OFFSET), expected, "{value:?}");
        }
        for (value, expected) in [("?1", Some(true)), ("?0", Some(false)), ("true", None), ("1", None)] {
            assert_eq!(boolean(&headers(UPLOAD_COMPLETE, value), UPLOAD_COMPLETE), expected, "{value:?}");
        }
    }

    #[test]
    fn digests_round_trip_and_malformed_ones_are_refused() {
        let digest = Digest::of(b"photo");
        let read = sha256(&headers(REPR_DIGEST, &format!("sha-512=:AAAA:, {}", digest.field())), REPR_DIGEST).unwrap();
        assert_eq!(read, Some(digest));
        assert_eq!(sha256(&headers(REPR_DIGEST, "md5=:AAAA:"), REPR_DIGEST).unwrap(), None);
        for malformed in ["sha-256=:AAAA:", "sha-256=abc", "sha-256=(1 2)", "="] {
            assert!(sha256(&headers(REPR_DIGEST, malformed), REPR_DIGEST).is_err(), "{malformed:?}");
        }
        assert_eq!(Digest::from_hex(&digest.hex()), Some(digest));
    }

    #[test]
    fn file_names_are_read_in_both_forms() {
        for (value, expected) in [
            ("inline; filename=\"file name.jpg\"; filename*=UTF-8''gr%C3%BC%C3%9Fe.jpg", Some("grüße.jpg")),
            ("inline; filename=plain.jpg", Some("plain.jpg")),
            ("attachment; filename=\"a;b\\\"c.jpg\"", Some("a;b\"c.jpg")),
            ("inline; filename*=ISO-8859-1''x; filename=y", Some("y")),
            ("inline; filename*=UTF-8''%FF; filename=\"y", Some("y")),
            ("inline; filename*=UTF-8''%4", None),
            ("inline", None),
        ] {
            assert_eq!(filename(&headers(header::CONTENT_DISPOSITION, value)).as_deref(), expected, "{value:?}");
        }
    }
}
