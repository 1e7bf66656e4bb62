//! The work on the drive: from its root to a file, and from a part to what can be seen. Everything here blocks.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Component, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::beneath::{Dir, forget_cached};
use crate::{
    destination::{Content, Proof, Setback},
    failure, name,
    payload::Pulse,
};

/// The folder inside the chosen one that says that it is the one.
const MARK: &str = ".afterglow";

/// What is read at a time to compare. Bytes.
const READ_BYTES: usize = 256 * 1024;

/// No file is given a date before this one: FAT knows none. Seconds since 1970: 1980-01-01.
const EARLIEST_S: u64 = 315_532_800;

/// What work on the drive needs to know.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    /// The folder's name, for sentences.
    pub(super) name: String,
    pub(super) pulse: Arc<Pulse>,
    pub(super) cancel: CancellationToken,
}

/// A file beneath the chosen folder: the folders on the way, and its name.
#[derive(Clone)]
pub(super) struct Spot {
    pub(super) folders: Vec<String>,
    pub(super) name: String,
}

impl Spot {
    pub(super) fn url(&self, root: &Path) -> Option<Url> {
        let folders = self.folders.iter().fold(root.to_owned(), |path, folder| path.join(folder));
        Url::from_file_path(folders.join(&self.name)).ok()
    }

    /// None for a URL of something else than a file beneath `root`.
    pub(super) fn of(url: &Url, root: &Path) -> Option<Self> {
        let path = url.to_file_path().ok()?;
        let names = path.strip_prefix(root).ok()?.components().map(|component| match component {
            Component::Normal(name) => name.to_str().map(str::to_owned),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
        });
        let mut folders = names.collect::<Option<Vec<_>>>()?;
        let name = folders.pop()?;
        Some(Self { folders, name })
    }
}

impl Place {
    pub(super) fn setback(&self, error: &io::Error) -> Setback {
        Setback::Failed(failure::of_folder(&self.name, error))
    }

    /// The chosen folder itself, if it is that.
    pub(super) fn root(&self) -> Result<Dir, Setback> {
        let root = Dir::open(&self.root).map_err(|error| self.setback(&error))?;
        match root.child(MARK) {
            Ok(_) => Ok(root),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Setback::Failed(failure::folder_away(&self.name))),
            Err(error) => Err(self.setback(&error)),
        }
    }

    /// A folder beneath it; none if it is not there.
    pub(super) fn dir(&self, folders: &[String]) -> Result<Option<Dir>, Setback> {
        let mut dir = self.root()?;
        for folder in folders {
            dir = match dir.child(folder) {
                Ok(child) => child,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(self.setback(&error)),
            };
        }
        Ok(Some(dir))
    }

    /// The same, made where it is missing.
    pub(super) fn dir_or_new(&self, folders: &[String]) -> Result<Dir, Setback> {
        let mut dir = self.root()?;
        for folder in folders {
            let child = match dir.child(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => match dir.make(folder).and_then(|()| dir.sync()) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    Ok(()) | Err(_) => dir.child(folder),
                },
                child => child,
            };
            dir = child.map_err(|error| self.setback(&error))?;
        }
        Ok(dir)
    }

    /// The part of a session, and its folder.
    pub(super) fn part(&self, part: &Spot) -> Result<(Dir, File, u64), Setback> {
        let gone = || Setback::SessionGone(failure::lost_bytes(&self.name));
        let dir = self.dir(&part.folders)?.ok_or_else(gone)?;
        let file = match dir.file(&part.name, true) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(gone()),
            Err(error) => return Err(self.setback(&error)),
        };
        let size = file.metadata().map_err(|error| self.setback(&error))?.len();
        Ok((dir, file, size))
    }

    /// SHA-256 of what the drive holds.
    fn digest(&self, file: &mut File) -> io::Result<[u8; 32]> {
        let (mut hasher, mut block) = (Sha256::new(), vec![0; READ_BYTES]);
        file.seek(SeekFrom::Start(0))?;
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                return Ok(hasher.finalize().into());
            }
            if self.cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.pulse.beat();
            hasher.update(&block[..read]);
        }
    }

    /// The content under one of its names, if it is there: synced, and read from the drive where that can be.
    pub(super) fn held(
        &self,
        dir: &Dir,
        folders: &[String],
        content: &Content,
        from_drive: &AtomicBool,
    ) -> Result<Option<Proof>, Setback> {
        for name in name::candidates(&content.filename, &content.digest) {
            let spot = Spot { folders: folders.to_vec(), name };
            if let Some(proof) = self.same(dir, &spot, content, from_drive)? {
                return Ok(Some(proof));
            }
        }
        Ok(None)
    }

    /// The content under one name, if it is there.
    pub(super) fn same(
        &self,
        dir: &Dir,
        spot: &Spot,
        content: &Content,
        from_drive: &AtomicBool,
    ) -> Result<Option<Proof>, Setback> {
        // What cannot be opened, or is no file, is not ours.
        let Ok(mut file) = dir.file(&spot.name, false) else { return Ok(None) };
        if file.metadata().map_err(|error| self.setback(&error))?.len() != content.byte_count {
            return Ok(None);
        }
        file.sync_all().and_then(|()| dir.sync()).map_err(|error| self.setback(&error))?;
        let forgotten = forget_cached(&file);
        if self.digest(&mut file).map_err(|error| self.setback(&error))? != content.digest {
            return Ok(None);
        }
        from_drive.store(forgotten, Ordering::Relaxed);
        self.proof(spot, content, true).map(Some)
    }

    fn proof(&self, spot: &Spot, content: &Content, compared: bool) -> Result<Proof, Setback> {
        let url = spot.url(&self.root).ok_or_else(|| Setback::Failed(failure::internal("a file without an address")))?;
        Ok(Proof { remote_id: url.to_string(), digest: compared.then_some(content.digest), byte_count: Some(content.byte_count) })
    }

    /// A whole part becomes the file. `compare`: its bytes are read first.
    pub(super) fn complete(&self, part: &Spot, content: &Content, compare: bool, from_drive: &AtomicBool) -> Result<(), Setback> {
        let (_, mut file, size) = self.part(part)?;
        if size != content.byte_count {
            return Err(Setback::OffsetIs(size));
        }
        if let Some(created) = sensible(content.created_ms) {
            // A date is a courtesy; not every file system takes it.
            let _ = file.set_modified(created);
        }
        file.sync_all().map_err(|error| self.setback(&error))?;
        if compare {
            let forgotten = forget_cached(&file);
            if self.digest(&mut file).map_err(|error| self.setback(&error))? != content.digest {
                return Err(Setback::Spoilt(failure::damaged_on_the_way(&self.name)));
            }
            from_drive.store(forgotten, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The first of its names that nothing has. A file of that name that is the content itself is as good.
    pub(super) fn name(&self, part: &Spot, content: &Content, compared: bool, from_drive: &AtomicBool) -> Result<Proof, Setback> {
        let dir = self.part(part)?.0;
        for name in name::candidates(&content.filename, &content.digest) {
            match dir.rename(&part.name, &name) {
                Ok(()) => {
                    dir.sync().map_err(|error| self.setback(&error))?;
                    return self.proof(&Spot { folders: part.folders.clone(), name }, content, compared);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.setback(&error)),
            }
            if let Some(proof) = self.held(&dir, &part.folders, content, from_drive)? {
                let _ = dir.remove(&part.name);
                return Ok(proof);
            }
        }
        Err(Setback::Failed(failure::digest_mismatch(&self.name)))
    }
}

/// The date that a file is given: neither before FAT's first nor in the future.
fn sensible(created_ms: Option<i64>) -> Option<SystemTime> {
    let created = UNIX_EPOCH + Duration::from_millis(u64::try_from(created_ms?).ok()?);
    (created >= UNIX_EPOCH + Duration::from_secs(EARLIEST_S) && created <= SystemTime::now()).then_some(created)
}

/// Writes at a place, and no further than asked: an attempt that hung and was left may still be writing the same.
pub(super) fn append(mut file: &File, at: u64, slice: &[u8], sync: bool) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(slice)?;
    if sync {
        file.sync_data()?;
        forget_cached(file);
    }
    Ok(())
}
