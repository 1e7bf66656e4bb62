//! File names as bytes, as text for people, and as what pairs files.
//!
//! A name on disk is any bytes. The index keeps the bytes; people and servers see text in which nothing can move the cursor,
//! break a line or reverse the reading order.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

/// The bytes of a name or path as the index keeps them.
pub(crate) fn to_bytes(name: &OsStr) -> Vec<u8> {
    name.as_encoded_bytes().to_vec()
}

/// The name that [`to_bytes`] kept.
#[cfg(unix)]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// The name that [`to_bytes`] kept. Unpaired surrogates, which Windows allows and nothing there makes, do not come back.
#[cfg(not(unix))]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// A name or path for people: no UTF-8 is guessed, and control and direction characters (Unicode 16, `Bidi_Control`) are replaced.
pub(crate) fn display(name: &OsStr) -> String {
    let is_hostile = |c: char| {
        c.is_control() || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    name.to_string_lossy().chars().map(|c| if is_hostile(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The extension in lower case, empty without one.
pub(crate) fn extension(name: &OsStr) -> String {
    Path::new(name).extension().map(|ext| ext.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// What files of one asset have in common within their folder: the stem in lower case, without the marks that phones put in to
/// tell an edit (`IMG_E1234`) and its original sidecar (`IMG_O1234`) from the original (`IMG_1234`). A sidecar may carry the
/// whole name of its photo (`IMG_1234.JPG.xmp`).
pub(crate) fn pairing_stem(name: &OsStr) -> Vec<u8> {
    let mut stem = Path::new(name).file_stem().unwrap_or(name);
    if matches!(extension(name).as_str(), "xmp" | "aae") && crate::content::Kind::of_extension(&extension(stem)).is_some() {
        stem = Path::new(stem).file_stem().unwrap_or(stem);
    }
    let lower = match stem.to_str() {
        Some(text) => text.to_lowercase().into_bytes(),
        None => stem.as_encoded_bytes().to_ascii_lowercase(),
    };
    match marked_digits(&lower) {
        Some((_, digits)) => [b"img_", digits].concat(),
        None => lower,
    }
}

/// Whether the name says that this is an edit of another file.
pub(crate) fn is_edit(name: &OsStr) -> bool {
    let lower = name.as_encoded_bytes().to_ascii_lowercase();
    let stem = lower.split(|byte| *byte == b'.').next().unwrap_or(&lower);
    matches!(marked_digits(stem), Some((b'e', _)))
}

/// Whether a name, or the folder it is in, is one that systems give to pictures of the screen.
pub(crate) fn is_screenshot(name: &OsStr, folder: &Path) -> bool {
    const NAMES: [&str; 6] = ["screenshot", "screen shot", "bildschirmfoto", "屏幕截图", "截屏", "スクリーンショット"];
    let says_so = |text: &OsStr| {
        let lower = text.to_string_lossy().to_lowercase();
        NAMES.iter().any(|known| lower.starts_with(known))
    };
    says_so(name) || folder.file_name().is_some_and(says_so)
}

/// The mark and the digits of `img_e1234` or `img_o1234`.
fn marked_digits(stem: &[u8]) -> Option<(u8, &[u8])> {
    let (mark, digits) = stem.strip_prefix(b"img_")?.split_first()?;
    let all_digits = digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_digit);
    (matches!(mark, b'e' | b'o') && all_digits).then_some((*mark, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_asset_share_a_stem() {
        for name in ["IMG_1234.HEIC", "img_1234.mov", "IMG_E1234.JPG", "IMG_O1234.aae", "IMG_1234.JPG.xmp", "IMG_1234.xmp"] {
            assert_eq!(pairing_stem(OsStr::new(name)), b"img_1234", "{name}");
        }
        assert_eq!(pairing_stem(OsStr::new("img_eiffel.jpg")), b"img_eiffel");
        assert!(is_edit(OsStr::new("IMG_E1234.JPG")) && !is_edit(OsStr::new("IMG_1234.JPG")));
    }

    #[test]
    fn hostile_names_are_shown_harmless_and_kept_exact() {
        let name = from_bytes(b"a\nb\xff\xe2\x80\xaegpj.exe".to_vec());
        assert_eq!(to_bytes(&name), b"a\nb\xff\xe2\x80\xaegpj.exe");
        assert_eq!(display(&name), "a\u{fffd}b\u{fffd}\u{fffd}gpj.exe");
    }
}
