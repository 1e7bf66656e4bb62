//! Folders and files beneath the one that the person chose. No link is followed on the way, and nothing that exists is replaced.
//!
//! Everything here blocks and is called off the async workers.

pub(super) use system::{Dir, forget_cached};

#[cfg(unix)]
mod system {
    use std::{
        fs::File,
        io,
        os::fd::{AsFd, OwnedFd},
        path::Path,
    };

    use rustix::{
        fs::{Access, AtFlags, Mode, OFlags},
        io::Errno,
    };

    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::DIRECTORY);
    /// `O_NONBLOCK`: a FIFO of that name cannot hang us. It means nothing for regular files.
    const FILE: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

    /// An open folder, wherever its path leads by now.
    #[derive(Debug)]
    pub(in crate::folder) struct Dir(OwnedFd);

    impl Dir {
        /// The person's own choice, which may be a link.
        pub(in crate::folder) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self(rustix::fs::open(path, FOLDER, Mode::empty())?))
        }

        /// A folder in this one.
        pub(in crate::folder) fn child(&self, name: &str) -> io::Result<Self> {
            Ok(Self(rustix::fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(refusal)?))
        }

        /// Makes a folder in this one.
        pub(in crate::folder) fn make(&self, name: &str) -> io::Result<()> {
            Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
        }

        /// Removes a folder in this one, if it is empty.
        pub(in crate::folder) fn remove_empty(&self, name: &str) -> io::Result<()> {
            Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
        }

        /// A regular file in this folder.
        pub(in crate::folder) fn file(&self, name: &str, writable: bool) -> io::Result<File> {
            let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
            let file = File::from(rustix::fs::openat(&self.0, name, FILE | access, Mode::empty()).map_err(refusal)?);
            if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }

        /// Creates a file that was not there.
        pub(in crate::folder) fn create(&self, name: &str) -> io::Result<File> {
            let flags = FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
            Ok(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o666))?.into())
        }

        /// Removes a file.
        pub(in crate::folder) fn remove(&self, name: &str) -> io::Result<()> {
            Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
        }

        /// Gives a file another name, which nothing has.
        pub(in crate::folder) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            match rename_only(self.0.as_fd(), from, to) {
                // File systems that do not know the wish.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
                done => return Ok(done?),
            }
            match self.rename_by_link(from, to) {
                // And those that know no links.
                Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::MLINK) => {}
                done => return Ok(done?),
            }
            self.rename_onto_a_new_file(from, to)
        }

        pub(in crate::folder) fn rename_by_link(&self, from: &str, to: &str) -> rustix::io::Result<()> {
            rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
            rustix::fs::unlinkat(&self.0, from, AtFlags::empty())
        }

        /// What is replaced is an empty file that was not there before.
        pub(in crate::folder) fn rename_onto_a_new_file(&self, from: &str, to: &str) -> io::Result<()> {
            drop(self.create(to)?);
            Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
        }

        /// Makes names in this folder durable, where the file system knows how.
        pub(in crate::folder) fn sync(&self) -> io::Result<()> {
            match rustix::fs::fsync(&self.0) {
                Ok(()) | Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        }

        /// Whether files may be made here.
        pub(in crate::folder) fn ensure_writable(&self) -> io::Result<()> {
            Ok(rustix::fs::accessat(&self.0, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty())?)
        }

        /// The largest file that the file system takes, in bytes, where that is less than any photo or film: FAT counts to 4 GiB.
        pub(in crate::folder) fn largest_file(&self) -> Option<u64> {
            is_fat(self.0.as_fd()).then_some(u64::from(u32::MAX))
        }

        /// Bytes for which there is room, if the file system tells.
        pub(in crate::folder) fn room(&self) -> Option<u64> {
            let stat = rustix::fs::fstatvfs(&self.0).ok().filter(|stat| stat.f_blocks > 0)?;
            Some(stat.f_bavail.saturating_mul(stat.f_frsize))
        }
    }

    /// A link is as little a folder as a file is.
    fn refusal(errno: Errno) -> io::Error {
        if errno == Errno::LOOP { io::ErrorKind::NotADirectory.into() } else { errno.into() }
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn rename_only(dir: rustix::fd::BorrowedFd<'_>, from: &str, to: &str) -> rustix::io::Result<()> {
        rustix::fs::renameat_with(dir, from, dir, to, rustix::fs::RenameFlags::NOREPLACE)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn rename_only(_: rustix::fd::BorrowedFd<'_>, _: &str, _: &str) -> rustix::io::Result<()> {
        Err(Errno::NOSYS)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_fat(dir: rustix::fd::BorrowedFd<'_>) -> bool {
        /// `MSDOS_SUPER_MAGIC` of statfs(2).
        const FAT: u64 = 0x4d44;
        rustix::fs::fstatfs(dir).is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(FAT))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn is_fat(_: rustix::fd::BorrowedFd<'_>) -> bool {
        false
    }

    /// Drops what is cached of a synced file, so that reading it asks the drive. Whether that can be asked for here.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(in crate::folder) fn forget_cached(file: &File) -> bool {
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).is_ok()
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(in crate::folder) fn forget_cached(_: &File) -> bool {
        false
    }
}

#[cfg(not(unix))]
mod system {
    use std::{
        fs::{self, File},
        io,
        path::{Path, PathBuf},
    };

    /// A folder by its path: without system calls that resolve beneath a folder, no link may be there when it is looked at.
    #[derive(Debug)]
    pub(in crate::folder) struct Dir(PathBuf);

    impl Dir {
        pub(in crate::folder) fn open(path: &Path) -> io::Result<Self> {
            if fs::metadata(path)?.is_dir() { Ok(Self(path.to_owned())) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }

        pub(in crate::folder) fn child(&self, name: &str) -> io::Result<Self> {
            let path = self.0.join(name);
            if fs::symlink_metadata(&path)?.is_dir() { Ok(Self(path)) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }

        pub(in crate::folder) fn make(&self, name: &str) -> io::Result<()> {
            fs::create_dir(self.0.join(name))
        }

        pub(in crate::folder) fn remove_empty(&self, name: &str) -> io::Result<()> {
            fs::remove_dir(self.0.join(name))
        }

        pub(in crate::folder) fn file(&self, name: &str, writable: bool) -> io::Result<File> {
            let path = self.0.join(name);
            if !fs::symlink_metadata(&path)?.is_file() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            File::options().read(true).write(writable).open(path)
        }

        pub(in crate::folder) fn create(&self, name: &str) -> io::Result<File> {
            File::options().read(true).write(true).create_new(true).open(self.0.join(name))
        }

        pub(in crate::folder) fn remove(&self, name: &str) -> io::Result<()> {
            fs::remove_file(self.0.join(name))
        }

        /// A link fails where the name is taken. Where there are no links, the name is looked for first.
        pub(in crate::folder) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            let (from, to) = (self.0.join(from), self.0.join(to));
            match fs::hard_link(&from, &to) {
                Ok(()) => fs::remove_file(from),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
                Err(_) if fs::symlink_metadata(&to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => fs::rename(from, to),
            }
        }

        pub(in crate::folder) fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        pub(in crate::folder) fn ensure_writable(&self) -> io::Result<()> {
            if fs::metadata(&self.0)?.permissions().readonly() { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
        }

        pub(in crate::folder) fn largest_file(&self) -> Option<u64> {
            None
        }

        pub(in crate::folder) fn room(&self) -> Option<u64> {
            None
        }
    }

    pub(in crate::folder) fn forget_cached(_: &File) -> bool {
        false
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{fs, io};

    #[test]
    fn nothing_is_replaced_in_any_of_the_ways() {
        type Way = fn(&Dir, &str, &str) -> io::Result<()>;
        let ways: [Way; 3] = [Dir::rename, |dir, from, to| Ok(dir.rename_by_link(from, to)?), Dir::rename_onto_a_new_file];
        for way in ways {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            fs::write(path("part"), "new").unwrap();
            fs::write(path("mine"), "mine").unwrap();
            let dir = Dir::open(folder.path()).unwrap();
            assert_eq!(way(&dir, "part", "mine").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read(path("mine")).unwrap(), fs::read(path("part")).unwrap()), (b"mine".to_vec(), b"new".to_vec()));
            way(&dir, "part", "file").unwrap();
            assert!(fs::read(path("file")).unwrap() == b"new" && !path("part").exists());
        }
    }
}
