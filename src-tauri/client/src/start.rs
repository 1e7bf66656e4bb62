//! Finding and starting the service.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use afterglow_model::Home;

use crate::ClientError;

/// The home that `--home`, `AFTERGLOW_HOME` and the XDG variables name.
pub fn home_from_env(explicit: Option<PathBuf>) -> Result<Home, ClientError> {
    Home::resolve(explicit, |name| std::env::var_os(name)).ok_or(ClientError::NoHome)
}

/// Starts `afterglow serve` as a process of its own, which outlives the caller.
///
/// The program is the `afterglow` that lies beside the caller's own, else the one in `PATH`.
pub fn start_service(home: &Home) -> Result<(), ClientError> {
    let name = format!("afterglow{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|dir| dir.join(&name)));
    let program = beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name));
    let mut command = Command::new(&program);
    if let Some(dir) = &home.explicit {
        command.arg("--home").arg(dir);
    }
    command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // A group of its own: a Ctrl-C in the caller's terminal is not meant for it.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|error| ClientError::Start(format!("{}: {error}", program.display())))?;
    // Reaped when it ends, if that is before us.
    std::thread::spawn(move || child.wait());
    Ok(())
}
