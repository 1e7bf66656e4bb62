//! The person's file: opened safely, pinned, and read as the one version that it was when it was opened.
//!
//! A file is opened beneath its root without following any link, without blocking (a FIFO cannot hang us), and only if it is a
//! regular file. It is pinned by device, inode, size and both times; `ctime` changes even if somebody sets `mtime` back.
//! Everything here blocks and is called off the async workers.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::buffers::Buffers;

/// What tells one version of a file from every other. Equal pins: the same bytes, as far as the file system knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last change of the content, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of content or attributes, nanoseconds since 1970.
    pub ctime_ns: i64,
}

impl Pin {
    /// The pin of a file as it lies there now; none if there is no regular file beneath `root`, reached through no link. Blocks.
    pub fn of(root: &Path, path: &Path) -> Option<Self> {
        Source::open(root, path).ok().map(|source| source.pin())
    }
}

/// Why a file cannot be read as that one version.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the folder {0} is not there")]
    RootMissing(PathBuf),
    #[error("the file is gone")]
    Vanished,
    #[error("the path leaves its folder or passes through a link")]
    OutsideRoot,
    #[error("it is not a regular file")]
    NotRegular,
    #[error("the file changed")]
    Changed,
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    /// The thread that read it panicked.
    #[error("reading it broke off")]
    Broken,
}

/// An open file and its pin.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    pin: Pin,
}

/// A file that fits in memory, read as one version.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) source: Source,
    pub(crate) content: Bytes,
    /// Its SHA-256.
    pub(crate) digest: [u8; 32],
}

/// Opens and reads a file that is as large as it is said to be; no byte of one that is not.
pub(crate) fn whole(root: &Path, path: &Path, byte_count: u64, buffers: &Buffers) -> Result<Whole, SourceError> {
    let source = Source::open(root, path)?;
    if source.pin().size == byte_count { source.read_whole(buffers) } else { Err(SourceError::Changed) }
}

impl Source {
    /// Opens `path` beneath `root`; an absolute `path` must begin with `root`.
    pub(crate) fn open(root: &Path, path: &Path) -> Result<Self, SourceError> {
        Self::of(beneath::open(root, relative(root, path)?)?)
    }

    /// Opens a file of which the kernel knows everything, without waiting for a disk; none if it does not.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_known(root: &Path, path: &Path) -> Option<Self> {
        Self::of(beneath::open_known(root, relative(root, path).ok()?)?).ok()
    }

    fn of(file: File) -> Result<Self, SourceError> {
        let metadata = file.metadata().map_err(SourceError::Unreadable)?;
        if !metadata.is_file() {
            return Err(SourceError::NotRegular);
        }
        Ok(Self { pin: beneath::pin(&metadata), file })
    }

    pub(crate) fn pin(&self) -> Pin {
        self.pin
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Fails if the file is no longer what it was when it was opened.
    pub(crate) fn ensure_unchanged(&self) -> Result<(), SourceError> {
        let metadata = self.file.metadata().map_err(SourceError::Unreadable)?;
        if beneath::pin(&metadata) == self.pin { Ok(()) } else { Err(SourceError::Changed) }
    }

    /// Fills `buffer` from `offset`. A file that ends sooner has changed.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), SourceError> {
        beneath::read_exact_at(&self.file, buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SourceError::Changed,
            _ => SourceError::Unreadable(error),
        })
    }

    /// The whole file and its SHA-256, for files that fit in memory.
    pub(crate) fn read_whole(self, buffers: &Buffers) -> Result<Whole, SourceError> {
        let size = usize::try_from(self.pin.size).map_err(|_| SourceError::NotRegular)?;
        let mut buffer = buffers.take(size);
        self.read_at(0, buffer.sized(size))?;
        self.whole_of(buffer.freeze())
    }

    /// What was just read of this file, if it is all of it and the file still the same.
    pub(crate) fn whole_of(self, content: Bytes) -> Result<Whole, SourceError> {
        if content.len() as u64 != self.pin.size {
            return Err(SourceError::Changed);
        }
        self.ensure_unchanged()?;
        let digest = Sha256::digest(&content).into();
        Ok(Whole { source: self, content, digest })
    }

    /// SHA-256 of the whole file, read in blocks.
    pub(crate) fn digest(&self, block_bytes: usize) -> Result<[u8; 32], SourceError> {
        let mut prefix = Prefix::default();
        prefix.seek(self, self.pin.size, block_bytes)?;
        self.ensure_unchanged()?;
        Ok(prefix.digest())
    }

    /// SHA-256 and SHA-1 of the whole file, from one reading.
    pub(crate) fn digests(&self, block_bytes: usize) -> Result<([u8; 32], [u8; 20]), SourceError> {
        let (mut sha256, mut sha1) = (Sha256::new(), Sha1::new());
        self.read_through(block_bytes, |block| {
            sha256.update(block);
            sha1.update(block);
        })?;
        Ok((sha256.finalize().into(), sha1.finalize().into()))
    }

    /// SHA-1 of the whole file.
    pub(crate) fn sha1(&self, block_bytes: usize) -> Result<[u8; 20], SourceError> {
        let mut sha1 = Sha1::new();
        self.read_through(block_bytes, |block| sha1.update(block))?;
        Ok(sha1.finalize().into())
    }

    /// Hands the whole file over in blocks, as one version.
    fn read_through(&self, block_bytes: usize, mut take: impl FnMut(&[u8])) -> Result<(), SourceError> {
        let (mut at, mut block) = (0, vec![0; block_bytes]);
        while at < self.pin.size {
            let length = block.len().min(usize::try_from(self.pin.size - at).unwrap_or(usize::MAX));
            self.read_at(at, &mut block[..length])?;
            take(&block[..length]);
            at += length as u64;
        }
        self.ensure_unchanged()
    }
}

/// A path beneath its root; an absolute one must begin with it.
fn relative<'a>(root: &Path, path: &'a Path) -> Result<&'a Path, SourceError> {
    if path.is_absolute() { path.strip_prefix(root).map_err(|_| SourceError::OutsideRoot) } else { Ok(path) }
}

/// What was hashed so far.
#[derive(Debug, Clone, Default)]
struct Hashes {
    sha256: Sha256,
    /// Only where the server speaks of it.
    sha1: Option<Sha1>,
}

impl Hashes {
    fn update(&mut self, block: &[u8]) {
        self.sha256.update(block);
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(block);
        }
    }
}

/// The digests of everything from the file's first byte to where sending stands, with marks to step back to after a cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prefix {
    hashes: Hashes,
    at: u64,
    marks: Vec<(u64, Hashes)>,
}

/// Distance of the marks: what is read again at most after a cut, from the disk, not over the network.
const MARK_BYTES: u64 = 1 << 20;

impl Prefix {
    /// At the file's first byte.
    pub(crate) fn new(with_sha1: bool) -> Self {
        Self { hashes: Hashes { sha1: with_sha1.then(Sha1::new), ..Hashes::default() }, ..Self::default() }
    }

    /// Moves to `offset`: back to the nearest mark, then forward through the file.
    pub(crate) fn seek(&mut self, source: &Source, offset: u64, block_bytes: usize) -> Result<(), SourceError> {
        if offset < self.at {
            (self.at, self.hashes) = match self.marks.iter().rev().find(|(at, _)| *at <= offset) {
                Some((at, hashes)) => (*at, hashes.clone()),
                None => (0, Self::new(self.hashes.sha1.is_some()).hashes),
            };
        }
        self.marks.clear();
        let mut block = if self.at < offset { vec![0; block_bytes] } else { Vec::new() };
        while self.at < offset {
            let length = block.len().min(usize::try_from(offset - self.at).unwrap_or(usize::MAX));
            source.read_at(self.at, &mut block[..length])?;
            self.hashes.update(&block[..length]);
            self.at += length as u64;
        }
        self.marks.push((self.at, self.hashes.clone()));
        Ok(())
    }

    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, block: &[u8]) {
        self.hashes.update(block);
        self.at += block.len() as u64;
        if self.marks.last().is_none_or(|(at, _)| self.at - at >= MARK_BYTES) {
            self.marks.push((self.at, self.hashes.clone()));
        }
    }

    /// How far it has come, in bytes.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// SHA-256 of the bytes up to here.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.hashes.sha256.clone().finalize().into()
    }

    /// SHA-1 of the bytes up to here, if it was to be known.
    pub(crate) fn sha1(&self) -> Option<[u8; 20]> {
        Some(self.hashes.sha1.clone()?.finalize().into())
    }
}

#[cfg(unix)]
mod beneath {
    use std::{
        fs::{File, Metadata},
        io,
        os::{
            fd::OwnedFd,
            unix::fs::{FileExt, MetadataExt},
        },
        path::{Component, Path},
    };

    use rustix::{
        fs::{Mode, OFlags},
        io::Errno,
    };

    use super::{Pin, SourceError};

    /// `O_NONBLOCK`: opening a FIFO returns at once and is then refused. It means nothing for regular files.
    const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::DIRECTORY);

    pub(super) fn open(root: &Path, relative: &Path) -> Result<File, SourceError> {
        let folder = rustix::fs::open(root, FOLDER, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => SourceError::RootMissing(root.to_owned()),
            errno => SourceError::Unreadable(errno.into()),
        })?;
        open_in(&folder, relative).map(File::from).map_err(refusal)
    }

    /// As [`open`], of what the kernel knows already.
    #[cfg(target_os = "linux")]
    pub(super) fn open_known(root: &Path, relative: &Path) -> Option<File> {
        use rustix::fs::{CWD, ResolveFlags, openat2};
        let folder = openat2(CWD, root, FOLDER, Mode::empty(), ResolveFlags::CACHED).ok()?;
        // What is mounted inside the folder may lie elsewhere.
        let known = INSIDE | ResolveFlags::CACHED | ResolveFlags::NO_XDEV;
        openat2(folder, relative, READ, Mode::empty(), known).map(File::from).ok()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const INSIDE: rustix::fs::ResolveFlags = rustix::fs::ResolveFlags::BENEATH
        .union(rustix::fs::ResolveFlags::NO_SYMLINKS)
        .union(rustix::fs::ResolveFlags::NO_MAGICLINKS);

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open_in(folder: &OwnedFd, relative: &Path) -> rustix::io::Result<OwnedFd> {
        /// The kernel gives up with EAGAIN when a rename elsewhere makes the walk uncertain.
        const ATTEMPTS: usize = 16;
        for _ in 0..ATTEMPTS {
            match rustix::fs::openat2(folder, relative, READ, Mode::empty(), INSIDE) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Kernels before 5.6, and sandboxes that do not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return step_by_step(folder, relative),
                answer => return answer,
            }
        }
        Err(Errno::AGAIN)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn open_in(folder: &OwnedFd, relative: &Path) -> rustix::io::Result<OwnedFd> {
        step_by_step(folder, relative)
    }

    /// The same promise by opening one component after the other, none of which may be a link.
    fn step_by_step(folder: &OwnedFd, relative: &Path) -> rustix::io::Result<OwnedFd> {
        let mut open = folder.try_clone().map_err(|_| Errno::MFILE)?;
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            let Component::Normal(name) = component else { return Err(Errno::XDEV) };
            let flags = if components.peek().is_some() { FOLDER } else { READ };
            open = rustix::fs::openat(&open, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        }
        Ok(open)
    }

    fn refusal(errno: Errno) -> SourceError {
        match errno {
            Errno::NOENT | Errno::NOTDIR => SourceError::Vanished,
            Errno::LOOP | Errno::XDEV => SourceError::OutsideRoot,
            // What opening a socket or a device without a driver says.
            Errno::NXIO | Errno::NODEV => SourceError::NotRegular,
            errno => SourceError::Unreadable(errno.into()),
        }
    }

    pub(super) fn pin(metadata: &Metadata) -> Pin {
        const NS: i64 = 1_000_000_000;
        Pin {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: metadata.mtime().saturating_mul(NS).saturating_add(metadata.mtime_nsec()),
            ctime_ns: metadata.ctime().saturating_mul(NS).saturating_add(metadata.ctime_nsec()),
        }
    }

    pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }
}

#[cfg(not(unix))]
mod beneath {
    use std::{
        fs::{File, Metadata},
        io::{self, Read, Seek, SeekFrom},
        path::{Component, Path},
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::{Pin, SourceError};

    /// Without a system call that resolves beneath a folder: no component may be a link when it is looked at.
    pub(super) fn open(root: &Path, relative: &Path) -> Result<File, SourceError> {
        if !root.is_dir() {
            return Err(SourceError::RootMissing(root.to_owned()));
        }
        let mut path = root.to_owned();
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(SourceError::OutsideRoot) };
            path.push(name);
            let metadata = path.symlink_metadata().map_err(refusal)?;
            if metadata.is_symlink() {
                return Err(SourceError::OutsideRoot);
            }
        }
        File::open(path).map_err(refusal)
    }

    fn refusal(error: io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::NotFound => SourceError::Vanished,
            _ => SourceError::Unreadable(error),
        }
    }

    /// Device, inode and `ctime` are not to be had from the standard library here; the time of creation stands for the latter.
    pub(super) fn pin(metadata: &Metadata) -> Pin {
        let ns = |time: io::Result<SystemTime>| {
            let since = time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        };
        Pin { device: 0, inode: 0, size: metadata.len(), mtime_ns: ns(metadata.modified()), ctime_ns: ns(metadata.created()) }
    }

    pub(super) fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_back_gives_the_digest_of_the_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(folder.path().join("a"), &content).unwrap();
        let source = Source::open(folder.path(), Path::new("a")).unwrap();
        let mut prefix = Prefix::new(true);
        prefix.seek(&source, 0, 64 * 1024).unwrap();
        for block in content.chunks(64 * 1024) {
            prefix.update(block);
        }
        for offset in [2_900_001, 1_500_000, 0, content.len()] {
            prefix.seek(&source, offset as u64, 64 * 1024).unwrap();
            assert_eq!(prefix.digest(), <[u8; 32]>::from(Sha256::digest(&content[..offset])), "at {offset}");
            assert_eq!(prefix.sha1(), Some(Sha1::digest(&content[..offset]).into()), "at {offset}");
        }
    }

    #[test]
    fn a_version_with_the_time_set_back_is_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"before").unwrap();
        let source = Source::open(folder.path(), &path).unwrap();
        let modified = path.metadata().unwrap().modified().unwrap();
        source.ensure_unchanged().unwrap();
        // The clock of a file system may tick as seldom as every 10 ms; write until it has.
        let changed = (0..1_000_000).any(|_| {
            std::fs::write(&path, b"after!").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            source.ensure_unchanged().is_err()
        });
        assert!(changed);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_everything_that_is_not_a_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("inner")).unwrap();
        std::fs::write(folder.path().join("secret"), b"x").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let open = |path: &str| Source::open(&root, Path::new(path)).unwrap_err();
        assert!(matches!(open("link"), SourceError::OutsideRoot));
        assert!(matches!(open("up/secret"), SourceError::OutsideRoot));
        assert!(matches!(open("../secret"), SourceError::OutsideRoot));
        assert!(matches!(open("/etc/passwd"), SourceError::OutsideRoot));
        assert!(matches!(open("fifo"), SourceError::NotRegular));
        assert!(matches!(open("inner"), SourceError::NotRegular));
        assert!(matches!(open("missing"), SourceError::Vanished));
        assert!(matches!(Source::open(&root.join("gone"), Path::new("a")).unwrap_err(), SourceError::RootMissing(_)));
    }
}
