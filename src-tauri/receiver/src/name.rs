//! File names as senders tell them, made safe to store.
//!
//! Guarantees of [`safe_name`] (invariant NameSafe): at most 255 bytes, no separator, NUL or control character, not `.` or `..`,
//! no name that Windows reserves, no character that turns the direction of text, never empty, and applying it twice changes
//! nothing.

use crate::digest::Digest;

/// Longest file name that common file systems store (ext4, APFS, NTFS, exFAT: 255 units or more).
const NAME_BYTES_MAX: usize = 255;
/// A longer ending is taken for part of the name, not for a file type.
const EXTENSION_BYTES_MAX: usize = 16;
/// What a file without a usable name is called.
const UNNAMED: &str = "unnamed";

/// The name under which a file told as `told` is stored.
///
/// Only the last path segment counts (RFC 6266, section 4.3). Characters that some file system refuses become `_`.
pub(crate) fn safe_name(told: &str) -> String {
    let last = told.rsplit(['/', '\\']).find(|segment| !segment.is_empty()).unwrap_or_default();
    let visible: String = last.chars().filter(|c| !is_invisible(*c)).map(storable).collect();
    let trimmed = trim_end(visible.trim_start());
    let mut name = match trimmed.strip_prefix('.') {
        // A leading dot would hide the file from the person who looks for it.
        Some(rest) => format!("_{rest}"),
        None => trimmed.to_owned(),
    };
    if name.is_empty() {
        return UNNAMED.to_owned();
    }
    if is_reserved(&name) {
        name.insert(0, '_');
    }
    without_staging_mark(with_suffix(&name, ""))
}

/// `name` with ` (n)` before its extension, within the same length.
pub(crate) fn numbered(name: &str, n: u32) -> String {
    with_suffix(name, &format!(" ({n})"))
}

/// `name` with the start of the content's digest before its extension: the way out when many files share a name.
pub(crate) fn digested(name: &str, digest: &Digest) -> String {
    with_suffix(name, &format!(" ({})", &digest.hex()[..16]))
}

/// The folder `yyyy/mm` (UTC) for a photo of that date.
pub(crate) fn folder(taken_ms: i64) -> String {
    let taken =
        jiff::Timestamp::from_millisecond(taken_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC);
    format!("{:04}/{:02}", taken.year(), taken.month())
}

fn is_invisible(c: char) -> bool {
    // Unicode's bidirectional formatting characters (UAX #9), zero-width characters, and line ends beyond ASCII.
    let formatting =
        matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || formatting
}

fn storable(c: char) -> char {
    // The characters that NTFS and exFAT refuse; separators are gone already.
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

/// Windows drops trailing dots and spaces, which would make two names one.
fn trim_end(name: &str) -> &str {
    name.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let device = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.chars().count() == 1 && rest.contains(|c: char| c.is_ascii_digit() || "¹²³".contains(c)))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || device("COM") || device("LPT")
}

/// `object_store` takes a first `#` followed by digits alone for an upload of its own and refuses to serve it.
fn without_staging_mark(name: String) -> String {
    match name.split_once('#') {
        Some((stem, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => format!("{stem}_{digits}"),
        _ => name,
    }
}

/// `suffix` before the extension; the part before it is shortened until all fits.
fn with_suffix(name: &str, suffix: &str) -> String {
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_BYTES_MAX => name.split_at(at),
        Some(_) | None => (name, ""),
    };
    let room = NAME_BYTES_MAX - suffix.len() - extension.len();
    if stem.len() <= room {
        return format!("{stem}{suffix}{extension}");
    }
    let end = (0..=room).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{suffix}{extension}", trim_end(&stem[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(name: &str) {
        assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX, "{name:?}");
        assert!(!name.chars().any(|c| c == '/' || c == '\\' || is_invisible(c) || storable(c) != c), "{name:?}");
        assert!(!name.starts_with('.') && !name.ends_with('.') && !name.ends_with(' '), "{name:?}");
        assert!(!is_reserved(name), "{name:?}");
        assert_eq!(safe_name(name), name, "idempotent");
    }

    #[test]
    fn hostile_names_become_harmless() {
        for (told, stored) in [
            ("IMG_0001.jpg", "IMG_0001.jpg"),
            ("Grüße 100% #1.jpg", "Grüße 100% #1.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("..", "unnamed"),
            (".", "unnamed"),
            ("", "unnamed"),
            ("a/..", "unnamed"),
            ("...", "unnamed"),
            (".bashrc", "_bashrc"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1 .jpg", "_com1 .jpg"),
            ("a:b?.jpg", "a_b_.jpg"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("a\0b\n.jpg", "ab.jpg"),
            ("trailing. . ", "trailing"),
            ("shot#12", "shot_12"),
        ] {
            assert_eq!(safe_name(told), stored, "{told:?}");
            holds(stored);
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = safe_name(&format!("{}.jpeg", "ü".repeat(300)));
        holds(&name);
        assert!(name.ends_with("ü.jpeg"));
        let second = numbered(&name, 2);
        assert!(second.ends_with(" (2).jpeg") && second.len() <= NAME_BYTES_MAX);
    }

    #[test]
    fn folders_are_by_year_and_month() {
        assert_eq!(folder(0), "1970/01");
        assert_eq!(folder(1_700_000_000_000), "2023/11");
    }

    proptest! {
        #[test]
        fn any_name_is_safe(told in "\\PC{0,300}|[.a# /\\\\\u{202e}\u{0}1]{0,12}|.{0,40}") {
            holds(&safe_name(&told));
        }
    }
}
