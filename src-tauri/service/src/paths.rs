//! The folders of this home, made safe, and the lock that keeps a second service away.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        net::UnixStream,
    },
    path::Path,
    time::{Duration, Instant},
};

use afterglow_model::Home;
use rustix::{
    fs::{FlockOperation, flock},
    process::getuid,
};

use crate::ServeError;

/// The longest path that a Unix socket can have on Linux: `sun_path` of unix(7), less the closing NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Held as long as the service lives.
pub(crate) struct Lock {
    _file: File,
}

/// Makes the folders, each for this user alone.
pub(crate) fn prepare(home: &Home) -> Result<(), ServeError> {
    for dir in [&home.data, &home.config, &home.cache, &home.state, &home.runtime] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| at(dir, error.to_string()))?;
    }
    let ours = std::fs::symlink_metadata(&home.runtime).map_err(|error| at(&home.runtime, error.to_string()))?;
    if !ours.is_dir() || ours.uid() != getuid().as_raw() {
        return Err(at(&home.runtime, "is not a folder of this user, so no socket is put there. Remove it.".to_owned()));
    }
    // The log and where the windows stood may have been written before there was a service.
    for dir in [&home.runtime, &home.state] {
        std::fs::set_permissions(dir, PermissionsExt::from_mode(0o700)).map_err(|error| at(dir, error.to_string()))?;
    }
    let socket = home.owner_socket();
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        let problem =
            format!("is {length} bytes long; a socket's path has at most {SOCKET_PATH_BYTES_MAX}. Choose a shorter --home.");
        return Err(at(&socket, problem));
    }
    Ok(())
}

/// How long a service that is just ending may hold the lock: longer than it takes to end.
const ENDING_WAIT_MAX: Duration = Duration::from_secs(3);
/// How often the lock is tried meanwhile.
const ENDING_PAUSE: Duration = Duration::from_millis(50);

/// Takes the lock of this home. One that answers no more is ending, and is waited for.
///
/// # Errors
/// [`ServeError::AlreadyRunning`] with the holder's process.
pub(crate) async fn lock(home: &Home) -> Result<Lock, ServeError> {
    let began = Instant::now();
    loop {
        match try_lock(home) {
            Err(ServeError::AlreadyRunning { .. })
                if began.elapsed() < ENDING_WAIT_MAX && UnixStream::connect(home.owner_socket()).is_err() =>
            {
                tokio::time::sleep(ENDING_PAUSE).await;
            }
            taken => return taken,
        }
    }
}

fn try_lock(home: &Home) -> Result<Lock, ServeError> {
    let path = home.runtime.join("lock");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(|error| at(&path, error.to_string()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut pid = String::new();
        // The number is for people only; the lock itself is what counts.
        let _ = file.read_to_string(&mut pid);
        return Err(ServeError::AlreadyRunning { pid: pid.trim().parse().unwrap_or(0) });
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|error| at(&path, error.to_string()))?;
    Ok(Lock { _file: file })
}

fn at(path: &Path, problem: String) -> ServeError {
    ServeError::Path { path: path.to_owned(), problem }
}
