//! Files on their way in: written under `.afterglow/uploads`, where nobody looks, until they are whole and proved.
//!
//! A staged file is a gapless prefix of what was sent. Its digest is kept while it grows; after a restart it is computed again
//! from what is really on disk. All functions here block.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Read at once when a prefix is hashed again.
const READ_BYTES: usize = 1024 * 1024;

/// The prefix of a file.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    path: PathBuf,
    length: u64,
    hasher: Sha256,
}

impl Staged {
    /// A file of which nothing has come yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, length: 0, hasher: Sha256::new() }
    }

    /// What is on disk of the file at `path`; nothing if there is no file.
    pub(crate) fn reopen(path: PathBuf) -> io::Result<Self> {
        let mut staged = Self::new(path);
        let mut file = match File::open(&staged.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(staged),
            Err(error) => return Err(error),
        };
        staged.take_in_all(&mut file)?;
        Ok(staged)
    }

    /// Bytes that are there.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Digest of the bytes that are there.
    pub(crate) fn digest(&self) -> Digest {
        Digest::so_far(&self.hasher)
    }

    /// Digest of the bytes from `offset` on, read again.
    pub(crate) fn digest_from(&self, offset: u64) -> io::Result<Digest> {
        let mut file = File::open(&self.path)?;
        file.seek(io::SeekFrom::Start(offset))?;
        let mut content = Self::new(self.path.clone());
        content.take_in_all(&mut file)?;
        Ok(content.digest())
    }

    /// Where they are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds `chunks`: all of them, or none if it fails.
    pub(crate) fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let mut file = self.open()?;
        if let Err(error) = chunks.iter().try_for_each(|chunk| file.write_all(chunk)) {
            file.set_len(self.length)?;
            return Err(error);
        }
        chunks.iter().for_each(|chunk| self.take_in(chunk));
        Ok(())
    }

    /// Drops what was added since the copy `earlier` was made.
    pub(crate) fn rewind(&mut self, earlier: Self) -> io::Result<()> {
        self.open()?.set_len(earlier.length)?;
        *self = earlier;
        Ok(())
    }

    /// Makes durable what is there, the file's name included.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.open()?.sync_data()?;
        sync_parent(&self.path)
    }

    /// As [`Staged::sync`], for a whole file: gives it the photo's own date first.
    pub(crate) fn seal(&self, modified_ms: Option<i64>) -> io::Result<()> {
        let file = self.open()?;
        if let Some(modified) = modified_ms.and_then(|ms| u64::try_from(ms).ok()) {
            file.set_modified(UNIX_EPOCH + Duration::from_millis(modified))?;
        }
        file.sync_all()?;
        sync_parent(&self.path)
    }

    /// Throws the file away.
    pub(crate) fn remove(&self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a discarded upload could not be removed; the next start does it");
        }
    }

    /// Opens the file for writing at its end, and refuses if somebody else has changed it.
    fn open(&self) -> io::Result<File> {
        let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        if file.metadata()?.len() != self.length {
            return Err(io::Error::other("a staged file was changed from outside"));
        }
        Ok(file)
    }

    fn take_in_all(&mut self, file: &mut File) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                read => self.take_in(&buffer[..read]),
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }
}

/// A new file survives a power cut only with its directory entry (fsync(2), "Notes").
#[cfg(unix)]
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(not(unix))]
pub(crate) fn sync_parent(_path: &Path) -> io::Result<()> {
    Ok(())
}
