//! One set of windows for each home. The lock goes with the process, however it ends.

use std::{
    fs::{DirBuilder, File, TryLockError},
    io,
};

use afterglow_client::model::Home;

/// Whether this process shows the windows.
pub(crate) enum Instance {
    /// It does, as long as the file is held.
    First(File),
    /// Another one does.
    Other,
}

impl Instance {
    /// Takes the lock of this home's windows.
    pub(crate) fn take(home: &Home) -> io::Result<Self> {
        let mut folder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(&home.runtime)?;
        let file = File::options().create(true).append(true).open(home.runtime.join("windows.lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self::First(file)),
            Err(TryLockError::WouldBlock) => Ok(Self::Other),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
