//! What a receiver keeps in its own folder: for its owner alone, and never half written.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::staging;

/// The receiver's own folder inside `dir`.
pub(crate) fn folder(dir: &Path) -> io::Result<PathBuf> {
    let folder = dir.join(".afterglow");
    std::fs::create_dir_all(&folder)?;
    #[cfg(unix)]
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(folder)
}

/// The word that a file holds: one that nobody can foresee, made at the first call.
pub(crate) fn word(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(kept) => Ok(kept.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut random = [0; 32];
            random[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
            random[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
            let made = URL_SAFE_NO_PAD.encode(random);
            write(path, &made)?;
            Ok(made)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file beside its place, and moves it there once it is on disk.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    staging::sync_parent(path)
}
