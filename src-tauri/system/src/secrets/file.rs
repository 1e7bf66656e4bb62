//! Secrets in a file: JSON, handle to value, mode 0600, replaced as a whole.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use super::{Secret, SecretError};

/// The file. It is read at each use: it is small, and rarely wanted.
#[derive(Clone)]
pub(super) struct FileStore {
    path: PathBuf,
}

impl FileStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn get(&self, handle: &str) -> Result<Option<Secret>, SecretError> {
        let mut values = self.explain(read(&self.path))?;
        Ok(values.remove(handle).map(Secret))
    }

    pub(super) fn put(&self, handle: &str, secret: Option<Secret>) -> Result<(), SecretError> {
        let mut values = self.explain(read(&self.path))?;
        let changed = match secret {
            Some(Secret(value)) => values.insert(handle.to_owned(), value.clone()) != Some(value),
            None => values.remove(handle).is_some(),
        };
        if changed { self.explain(write(&self.path, &values)) } else { Ok(()) }
    }

    fn explain<T>(&self, done: io::Result<T>) -> Result<T, SecretError> {
        done.map_err(|source| SecretError::File { path: self.path.clone(), source })
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(path) {
        // The parser's own message could quote a value.
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is damaged; move it away and enter the passwords again")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Writes beside the file and puts it in place, so that a crash leaves the old or the new one. Temporary files are made with mode 0600.
fn write(path: &Path, values: &BTreeMap<String, String>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec_pretty(values)?)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.json");
        let store = FileStore::new(path.clone());
        for value in ["one", "two"] {
            store.put("a", Some(Secret::new(value))).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_damaged_file_is_an_error_that_quotes_nothing_and_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.json");
        fs::write(&path, r#"{"a": hunter2"#).unwrap();
        let store = FileStore::new(path.clone());
        assert!(!store.get("a").unwrap_err().to_string().contains("hunter2"));
        assert!(store.put("b", Some(Secret::new("x"))).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"a": hunter2"#);
    }
}
