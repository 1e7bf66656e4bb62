//! Where the program keeps what. Service, windows, SDK and command line must agree, so the rule stands once.

use std::{ffi::OsString, path::PathBuf};

/// The folders of one Afterglow. Under `--home DIR` or `AFTERGLOW_HOME` all of them lie in that folder; otherwise in the places of
/// the XDG Base Directory Specification 0.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// What must not be lost: the queue, albums.
    pub data: PathBuf,
    /// What the person wrote.
    pub config: PathBuf,
    /// What can be made again: the index's thumbnails.
    pub cache: PathBuf,
    /// Logs.
    pub state: PathBuf,
    /// Sockets and the lock.
    pub runtime: PathBuf,
    /// The folder given with `--home`, if one was.
    pub explicit: Option<PathBuf>,
}

impl Home {
    /// The folders for an explicit home, else for what the environment says. `env` looks up a variable.
    ///
    /// None if there is neither an explicit home nor a `HOME`.
    pub fn resolve(explicit: Option<PathBuf>, env: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(dir) = explicit.or_else(|| set("AFTERGLOW_HOME")) {
            return Some(Self {
                data: dir.join("data"),
                config: dir.join("config"),
                cache: dir.join("cache"),
                state: dir.join("state"),
                runtime: dir.join("run"),
                explicit: Some(dir),
            });
        }
        let home = set("HOME").or_else(|| set("USERPROFILE"));
        let place = |variable: &str, below_home: &str| {
            set(variable).filter(|path| path.is_absolute()).or_else(|| home.as_ref().map(|home| home.join(below_home)))
        };
        let state = place("XDG_STATE_HOME", ".local/state")?.join("afterglow");
        Some(Self {
            data: place("XDG_DATA_HOME", ".local/share")?.join("afterglow"),
            config: place("XDG_CONFIG_HOME", ".config")?.join("afterglow"),
            cache: place("XDG_CACHE_HOME", ".cache")?.join("afterglow"),
            runtime: set("XDG_RUNTIME_DIR").map_or_else(|| state.join("run"), |dir| dir.join("afterglow")),
            state,
            explicit: None,
        })
    }

    /// The socket of the windows and the command line.
    pub fn owner_socket(&self) -> PathBuf {
        self.runtime.join("owner.sock")
    }

    /// The socket of other programs.
    pub fn apps_socket(&self) -> PathBuf {
        self.runtime.join("apps.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_home_holds_everything() {
        let home = Home::resolve(Some("/h".into()), |_| None).unwrap();
        for path in [&home.data, &home.config, &home.cache, &home.state, &home.runtime] {
            assert!(path.starts_with("/h"), "{}", path.display());
        }
    }

    #[test]
    fn without_one_the_xdg_places_hold() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/ada".into()),
            "XDG_RUNTIME_DIR" => Some("/run/user/1000".into()),
            "XDG_CACHE_HOME" => Some("relative/is/ignored".into()),
            _ => None,
        };
        let home = Home::resolve(None, env).unwrap();
        assert_eq!(home.owner_socket(), PathBuf::from("/run/user/1000/afterglow/owner.sock"));
        assert_eq!(home.cache, PathBuf::from("/home/ada/.cache/afterglow"));
        assert_eq!(Home::resolve(None, |_| None), None);
    }
}
