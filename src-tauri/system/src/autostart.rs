//! Start at login, by an entry in the desktop's autostart folder (Desktop Application Autostart Specification 0.5).
//!
//! A package may bring a systemd user unit as well; the service's lock lets only one of them run.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why start at login could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum AutostartError {
    /// This system has no autostart folder, or we do not know its way.
    #[error("starting at login is not supported on this system yet; start `afterglow serve` from the system's own settings")]
    Unsupported,
    /// The path cannot stand in a desktop entry.
    #[error("{0} cannot be started at login: its path has a character that a desktop entry cannot hold")]
    Path(PathBuf),
    /// The entry could not be written or removed.
    #[error("could not change {path}: {source}")]
    Io {
        /// The entry.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the entry lies, below the person's configuration folder (`$XDG_CONFIG_HOME`).
pub fn entry_path(config_dir: &Path) -> PathBuf {
    config_dir.join("autostart").join("afterglow.desktop")
}

/// Whether the entry is there.
pub fn is_set(config_dir: &Path) -> bool {
    entry_path(config_dir).exists()
}

/// Writes the entry that starts `exe serve` at login, or removes it. Repeating either changes nothing.
///
/// # Errors
/// See [`AutostartError`].
pub fn set(enabled: bool, exe: &Path, config_dir: &Path) -> Result<(), AutostartError> {
    if !cfg!(target_os = "linux") {
        return Err(AutostartError::Unsupported);
    }
    let path = entry_path(config_dir);
    let done = if enabled {
        let entry = entry(exe).ok_or_else(|| AutostartError::Path(exe.to_owned()))?;
        write(&path, &entry)
    } else {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    };
    done.map_err(|source| AutostartError::Io { path, source })
}

fn write(path: &Path, entry: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(entry.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn entry(exe: &Path) -> Option<String> {
    let exec = quoted(exe.to_str()?)?;
    Some(format!(
        "[Desktop Entry]\nType=Application\nName=Afterglow\nComment=Uploads photos in the background\nExec={exec} serve\n\
         Icon=afterglow\nTerminal=false\nX-GNOME-Autostart-enabled=true\n"
    ))
}

/// An argument of `Exec` (Desktop Entry Specification 1.5, "The Exec key"): quoted, with `"`, `` ` ``, `$` and `\` escaped; then the
/// escaping of a string value doubles every backslash; `%` is doubled against field codes. None for control characters.
fn quoted(argument: &str) -> Option<String> {
    let mut out = String::from("\"");
    for c in argument.chars() {
        match c {
            c if c.is_control() => return None,
            '"' | '`' | '$' => out.extend(["\\\\", c.encode_utf8(&mut [0; 4])]),
            '\\' => out.push_str("\\\\\\\\"),
            '%' => out.push_str("%%"),
            c => out.push(c),
        }
    }
    out.push('"');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_as_the_specification_says() {
        assert_eq!(quoted("/opt/my apps/afterglow").unwrap(), r#""/opt/my apps/afterglow""#);
        assert_eq!(quoted(r#"/a"b$c\d%e"#).unwrap(), r#""/a\\"b\\$c\\\\d%%e""#);
        assert_eq!(quoted("/a\nb"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_entry_comes_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let exe = Path::new("/usr/bin/afterglow");
        set(true, exe, dir.path()).unwrap();
        set(true, exe, dir.path()).unwrap();
        assert!(is_set(dir.path()));
        assert!(std::fs::read_to_string(entry_path(dir.path())).unwrap().contains("\nExec=\"/usr/bin/afterglow\" serve\n"));
        set(false, exe, dir.path()).unwrap();
        set(false, exe, dir.path()).unwrap();
        assert!(!is_set(dir.path()));
    }
}
