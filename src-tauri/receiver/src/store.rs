//! Where finished files are kept: a folder, or a bucket of an S3 service. Nothing there is ever overwritten.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetResult, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, WriteMultipart};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::digest::Digest;

/// Larger files go to a bucket in parts of this size (S3 takes at most 10,000 parts, so files up to 156 GiB).
const PART_BYTES: usize = 16 * 1024 * 1024;

/// What became of a staged file that was to be placed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It stands at its path now.
    Placed,
    /// Another file stands there; it was left alone.
    Occupied,
    /// There is no staged file.
    Missing,
}

/// The finished files.
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The folder, when it is one.
    folder: Option<PathBuf>,
    prefix: Key,
}

impl Store {
    /// Keeps files below `folder`.
    pub(crate) fn folder(folder: &Path) -> object_store::Result<Self> {
        let objects = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
        Ok(Self { objects, folder: Some(folder.to_owned()), prefix: Key::default() })
    }

    /// Keeps files in the bucket `s3://bucket/prefix`. Region, endpoint and keys come from the `AWS_*` environment variables
    /// (`AWS_ENDPOINT_URL` for other services than Amazon's).
    pub(crate) fn bucket(url: &str) -> object_store::Result<Self> {
        let prefix = url::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
        let objects = Arc::new(AmazonS3Builder::from_env().with_url(url).build()?);
        Ok(Self { objects, folder: None, prefix: Key::parse(prefix)? })
    }

    /// Moves the staged file to `path`, unless another file stands there.
    pub(crate) async fn place(&self, staged: &Path, path: &str) -> std::io::Result<Placement> {
        match &self.folder {
            Some(folder) => {
                let (staged, target) = (staged.to_owned(), folder.join(path));
                tokio::task::spawn_blocking(move || move_into_place(&staged, &target)).await?
            }
            None => self.upload(staged, path).await,
        }
    }

    /// Whether `length` bytes are there under `path`.
    pub(crate) async fn holds(&self, path: &str, length: u64) -> std::io::Result<bool> {
        match self.objects.head(&self.key(path)?).await {
            Ok(meta) => Ok(meta.size == length),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether exactly the bytes of `digest` are there under `path`; reads them.
    pub(crate) async fn holds_content(&self, path: &str, length: u64, digest: &Digest) -> std::io::Result<bool> {
        if !self.holds(path, length).await? {
            return Ok(false);
        }
        let mut bytes = self.objects.get(&self.key(path)?).await?.into_stream();
        let mut hasher = Sha256::new();
        while let Some(chunk) = bytes.next().await {
            hasher.update(chunk?);
        }
        Ok(Digest::so_far(&hasher) == *digest)
    }

    /// Opens what is there.
    pub(crate) async fn get(&self, path: &str, options: GetOptions) -> object_store::Result<GetResult> {
        self.objects.get_opts(&self.key(path)?, options).await
    }

    /// Removes what is there; nothing there is fine.
    pub(crate) async fn delete(&self, path: &str) -> std::io::Result<()> {
        match self.objects.delete(&self.key(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn key(&self, path: &str) -> object_store::Result<Key> {
        let separator = if self.prefix.as_ref().is_empty() { "" } else { "/" };
        Ok(Key::parse(format!("{}{separator}{path}", self.prefix))?)
    }

    /// Copies the staged file into the bucket. Keys are unique in the ledger, and nobody else is meant to write there, so that
    /// asking first is enough for files that are too large for one conditional request.
    async fn upload(&self, staged: &Path, path: &str) -> std::io::Result<Placement> {
        let mut file = match tokio::fs::File::open(staged).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Placement::Missing),
            Err(error) => return Err(error),
        };
        let key = self.key(path)?;
        let length = file.metadata().await?.len();
        if length <= PART_BYTES as u64 {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).await?;
            let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match self.objects.put_opts(&key, bytes.into(), create).await {
                Ok(_) => {}
                Err(object_store::Error::AlreadyExists { .. }) => return Ok(Placement::Occupied),
                Err(error) => return Err(error.into()),
            }
        } else {
            match self.objects.head(&key).await {
                Ok(_) => return Ok(Placement::Occupied),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let mut parts = WriteMultipart::new_with_chunk_size(self.objects.put_multipart(&key).await?, PART_BYTES);
            let mut buffer = vec![0; PART_BYTES];
            loop {
                let read = file.read(&mut buffer).await?;
                if read == 0 {
                    break;
                }
                parts.wait_for_capacity(2).await?;
                parts.write(&buffer[..read]);
            }
            parts.finish().await?;
        }
        tokio::fs::remove_file(staged).await?;
        Ok(Placement::Placed)
    }
}

fn move_into_place(staged: &Path, target: &Path) -> std::io::Result<Placement> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match rename_new(staged, target) {
        Ok(()) => Ok(Placement::Placed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Placement::Occupied),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Placement::Missing),
        Err(error) => Err(error),
    }
}

/// Renames without replacing, in one step where the system can; file systems without that flag get a link first.
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
    }
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_placed_once_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path()).unwrap();
        let staged = dir.path().join("staged");
        std::fs::write(&staged, "mine").unwrap();
        std::fs::create_dir_all(dir.path().join("2026/11")).unwrap();
        std::fs::write(dir.path().join("2026/11/a.jpg"), "theirs").unwrap();

        assert_eq!(store.place(&staged, "2026/11/a.jpg").await.unwrap(), Placement::Occupied);
        assert_eq!(store.place(&staged, "2026/12/b%20#1 ü~.jpg").await.unwrap(), Placement::Placed);
        assert_eq!(store.place(&staged, "2026/12/c.jpg").await.unwrap(), Placement::Missing);

        assert_eq!(std::fs::read(dir.path().join("2026/11/a.jpg")).unwrap(), b"theirs");
        assert!(store.holds_content("2026/12/b%20#1 ü~.jpg", 4, &Digest::of(b"mine")).await.unwrap());
        assert!(!store.holds_content("2026/12/b%20#1 ü~.jpg", 4, &Digest::of(b"else")).await.unwrap());
        assert!(!store.holds("2026/12/c.jpg", 4).await.unwrap());
    }

    #[tokio::test]
    async fn a_bucket_takes_small_and_large_files_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Arc::new(object_store::memory::InMemory::new());
        let store = Store { objects, folder: None, prefix: Key::from("photos") };
        let staged = dir.path().join("staged");
        for (path, bytes) in [("2026/11/small.jpg", vec![1; 1000]), ("2026/11/large.mov", vec![2; PART_BYTES + 1])] {
            std::fs::write(&staged, &bytes).unwrap();
            assert_eq!(store.place(&staged, path).await.unwrap(), Placement::Placed, "{path}");
            assert_eq!(store.place(&staged, path).await.unwrap(), Placement::Missing, "{path}");
            std::fs::write(&staged, "other").unwrap();
            let other = if bytes.len() > PART_BYTES { vec![3; PART_BYTES + 1] } else { vec![3; 10] };
            std::fs::write(&staged, other).unwrap();
            assert_eq!(store.place(&staged, path).await.unwrap(), Placement::Occupied, "{path}");
            assert!(store.holds_content(path, bytes.len() as u64, &Digest::of(&bytes)).await.unwrap(), "{path}");
        }
    }
}
