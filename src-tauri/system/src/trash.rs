//! The desktop's trash. What goes there can be restored; nothing is ever deleted for good.
//!
//! On Linux it is that of the freedesktop.org Trash specification 1.0: of the home folder, or of the file's own mount. Between two mounts
//! a file can only be copied and then deleted, so where neither is on the file's mount, it is refused.

use std::path::{Path, PathBuf};

/// Why a file is not in the trash. It lies where it was.
#[derive(Debug, thiserror::Error)]
pub enum TrashError {
    /// There is no trash for the drive or file system of the file.
    #[error("{} cannot go to the trash: there is none on its drive. Nothing was moved.", .0.display())]
    Unavailable(PathBuf),
    /// It did not work.
    #[error("{} could not be moved to the trash: {problem}. It lies where it was.", path.display())]
    Failed {
        /// Which file.
        path: PathBuf,
        /// What stood against it.
        problem: String,
    },
}

/// Moves a file to the trash. Blocks.
///
/// # Errors
/// See [`TrashError`].
pub fn move_to_trash(path: &Path) -> Result<(), TrashError> {
    if !place::has_trash(path) {
        return Err(TrashError::Unavailable(path.to_owned()));
    }
    place::move_there(path).map_err(|problem| TrashError::Failed { path: path.to_owned(), problem })
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn move_by_the_desktop(path: &Path) -> Result<(), String> {
    trash::delete(path).map_err(|error| match error {
        trash::Error::FileSystem { source, .. } => source.to_string(),
        other => other.to_string(),
    })
}

#[cfg(target_os = "linux")]
mod place {
    use std::{
        fs::DirBuilder,
        os::unix::fs::DirBuilderExt,
        path::{Path, PathBuf},
    };

    use rustix::fs::{Access, AtFlags, CWD, StatxFlags, access, statx};

    pub(super) use super::move_by_the_desktop as move_there;

    /// A mount and the device behind it. Both: a subvolume is a device of its own within a mount, and neither can be renamed out of.
    fn mount(path: &Path) -> Option<(u64, u32, u32)> {
        let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
        let is_told = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        is_told.then_some((found.stx_mnt_id, found.stx_dev_major, found.stx_dev_minor))
    }

    /// Section "Trash directories": `$XDG_DATA_HOME/Trash`.
    fn home_trash() -> Option<PathBuf> {
        let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        given("XDG_DATA_HOME").or_else(|| given("HOME").map(|home| home.join(".local/share"))).map(|data| data.join("Trash"))
    }

    /// Whether the file can be renamed into a trash, by the home's or by its own mount's.
    pub(super) fn has_trash(path: &Path) -> bool {
        let Some(folder) = path.parent().and_then(|folder| folder.canonicalize().ok()) else { return false };
        let Some(own) = mount(&folder) else { return false };
        let home = home_trash();
        let there = home.as_ref().and_then(|home| home.ancestors().find_map(|folder| folder.canonicalize().ok()));
        let home_mount = there.as_deref().and_then(mount);
        if home_mount == Some(own) {
            return true;
        }
        // The same mount, but another subvolume: the home's trash would be taken, by copying.
        if home_mount.is_some_and(|(id, ..)| id == own.0) {
            return false;
        }
        let top = folder.ancestors().take_while(|folder| mount(folder).is_some_and(|(id, ..)| id == own.0)).last();
        top.is_some_and(|top| mount(top) == Some(own) && has_own_trash(top))
    }

    /// Section "Trash directories": `$topdir/.Trash-$uid`, made if it is missing, so that nothing but the attempt says whether it can be.
    fn has_own_trash(top: &Path) -> bool {
        let own = top.join(format!(".Trash-{}", rustix::process::getuid().as_raw()));
        let made = own.is_dir() || DirBuilder::new().mode(0o700).create(&own).is_ok();
        made && access(&own, Access::WRITE_OK | Access::EXEC_OK).is_ok()
    }
}

#[cfg(target_os = "macos")]
mod place {
    use std::path::Path;

    pub(super) use super::move_by_the_desktop as move_there;

    /// The system refuses by itself where there is none.
    pub(super) fn has_trash(_path: &Path) -> bool {
        true
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod place {
    use std::path::Path;

    /// Windows deletes for good what its recycle bin does not take, and does not say so before.
    pub(super) fn has_trash(_path: &Path) -> bool {
        false
    }

    pub(super) fn move_there(_path: &Path) -> Result<(), String> {
        Err("there is no trash".to_owned())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_trash_stays() {
        // The kernel's own file system, on which nobody can make a folder.
        let path = Path::new("/proc/self/status");
        let error = move_to_trash(path).unwrap_err();
        assert!(matches!(error, TrashError::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("/proc/self/status"), "{error}");
        assert!(path.exists());
    }
}
