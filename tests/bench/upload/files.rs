//! What is uploaded.

use std::{fs, path::PathBuf};

use afterglow_tests::stage::photo;
use anyhow::Result;
use tempfile::TempDir;

pub(crate) const MB: usize = 1_000_000;

/// A folder of files that no other set has.
pub(crate) struct Files {
    pub(crate) title: String,
    dir: TempDir,
    pub(crate) sizes: Vec<u64>,
}

impl Files {
    /// `n` files of `len` bytes, in memory once they are written.
    pub(crate) fn new(title: &str, n: usize, len: usize) -> Result<Self> {
        let name = |at: usize| if len > MB { format!("film{at}.mov") } else { format!("photo{at}.jpg") };
        Self::of(title, (0..n).map(|at| (name(at), len)))
    }

    /// One file, of a size by which it is known.
    pub(crate) fn one(name: &str, len: usize) -> Result<Self> {
        Self::of(name, [(name.to_owned(), len)])
    }

    fn of(title: &str, files: impl IntoIterator<Item = (String, usize)>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("files"))?;
        let mut sizes = Vec::new();
        for (at, (name, len)) in files.into_iter().enumerate() {
            photo(&dir.path().join("files").join(name), (len + at) as u64, len)?;
            sizes.push(len as u64);
        }
        Ok(Self { title: title.to_owned(), dir, sizes })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }
}
