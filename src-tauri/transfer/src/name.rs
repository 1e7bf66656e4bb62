//! Names of remote files: told by cameras and people, made safe for whatever stores them.
//!
//! Guarantees of [`safe`]: 1 to 255 bytes, no separator, no control character and none that turns the direction of text, not `.` or `..`,
//! nothing that FAT, exFAT or NTFS refuses or Windows reserves, not hidden.

use crate::driver::base16;

/// Longest name that common file systems store: 255 bytes or more.
const NAME_BYTES_MAX: usize = 255;
/// A longer ending is taken for part of the name, not for a file type.
const EXTENSION_BYTES_MAX: usize = 16;

/// `told` as a name that every file system takes.
pub(crate) fn safe(told: &str) -> String {
    let kept: String = told.chars().filter(|c| !is_invisible(*c)).map(storable).collect();
    // Windows drops dots and spaces at the end, which would make two names one; a dot in front would hide the file.
    let trimmed = trim_end(kept.trim_start());
    let mut name = match trimmed.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => trimmed.to_owned(),
    };
    if name.is_empty() {
        return "unnamed".to_owned();
    }
    if is_reserved(&name) {
        name.insert(0, '_');
    }
    with_suffix(&name, "", NAME_BYTES_MAX)
}

/// The names under which a content may be stored, in the order in which they are tried: each but the first tells more of its digest.
pub(crate) fn candidates(filename: &str, digest: &[u8; 32]) -> [String; 4] {
    let (name, hex) = (safe(filename), base16(digest));
    let with = |digits: usize| with_suffix(&name, &format!(" ({})", &hex[..digits]), NAME_BYTES_MAX);
    [name.clone(), with(8), with(16), with(64)]
}

/// The place of a content that follows from its digest alone, outermost part first: `sha256`, the digest's first byte, and the digest with
/// the extension of the name.
pub(crate) fn by_content(filename: &str, digest: &[u8; 32]) -> [String; 3] {
    let (name, hex) = (safe(filename), base16(digest));
    ["sha256".to_owned(), hex[..2].to_owned(), format!("{hex}{}", parted(&name).1.to_ascii_lowercase())]
}

/// The folders of a photo of that date, outermost first: those of `folder`, then year and month (UTC).
pub(crate) fn folders(folder: Option<&str>, created_ms: Option<i64>) -> Vec<String> {
    let within = folder.unwrap_or_default().split(['/', '\\']).filter(|part| !part.trim_matches(['.', ' ']).is_empty());
    let mut folders: Vec<String> = within.map(safe).collect();
    match created_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        Some(created) => {
            let created = created.to_zoned(jiff::tz::TimeZone::UTC);
            folders.extend([format!("{:04}", created.year()), format!("{:02}", created.month())]);
        }
        None => folders.push("undated".to_owned()),
    }
    folders
}

/// The start of a name, of so many bytes at most.
pub(crate) fn start(name: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    &name[..end]
}

fn is_invisible(c: char) -> bool {
    // Unicode's bidirectional formatting (UAX #9), zero-width characters, and line ends beyond ASCII.
    let formatting =
        matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || formatting
}

fn storable(c: char) -> char {
    if matches!(c, '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

fn trim_end(name: &str) -> &str {
    name.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

/// The names of devices that Windows keeps for itself, whatever their ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let port = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.chars().count() == 1 && rest.contains(|c: char| c.is_ascii_digit() || "¹²³".contains(c)))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || port("COM") || port("LPT")
}

/// A name before its extension, and the extension with its dot.
fn parted(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_BYTES_MAX => name.split_at(at),
        Some(_) | None => (name, ""),
    }
}

/// `suffix` before the extension; the part before it is shortened until all fits.
fn with_suffix(name: &str, suffix: &str, bytes_max: usize) -> String {
    let (stem, extension) = parted(name);
    let room = bytes_max.saturating_sub(suffix.len() + extension.len());
    if stem.len() <= room {
        return format!("{stem}{suffix}{extension}");
    }
    format!("{}{suffix}{extension}", trim_end(start(stem, room)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_by_every_file_system() {
        for (told, stored) in [
            ("IMG_0001.jpg", "IMG_0001.jpg"),
            ("Grüße 100% #1.jpg", "Grüße 100% #1.jpg"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("..", "unnamed"),
            ("", "unnamed"),
            (".bashrc", "_bashrc"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1 .jpg", "_com1 .jpg"),
            ("a:b?.jpg", "a_b_.jpg"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("a\0b\n.jpg", "ab.jpg"),
            ("trailing. . ", "trailing"),
        ] {
            assert_eq!(safe(told), stored, "{told:?}");
            assert_eq!(safe(stored), stored, "{told:?}, twice");
        }
        let long = "ü".repeat(300) + ".jpg";
        let names = candidates(&long, &[0xab; 32]);
        assert!(names.iter().all(|name| name.len() <= NAME_BYTES_MAX && name.ends_with(".jpg")), "{names:?}");
        assert_eq!(names[1], format!("{} (abababab).jpg", "ü".repeat(120)));
    }

    #[test]
    fn a_photo_lies_in_the_folder_of_its_month() {
        assert_eq!(folders(Some("/Photos/../a:b/"), Some(1_700_000_000_000)), ["Photos", "a_b", "2023", "11"]);
        assert_eq!(folders(None, None), ["undated"]);
        assert_eq!(folders(Some(""), Some(-1)), ["1969", "12"]);
    }
}
