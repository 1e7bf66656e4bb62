//! Starting the windows' program.

use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Starts `exe` with `args` on its own: no terminal, own process group, so that a signal to the service's group does not reach it.
/// It outlives the service; while the service runs, its end is awaited, so that no zombie stays.
///
/// Must be called within a tokio runtime.
///
/// # Errors
/// If the program cannot be started, for instance because it is not installed.
pub fn open_desktop<S: AsRef<OsStr>>(exe: &Path, args: &[S]) -> io::Result<()> {
    let mut command = Command::new(exe);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let mut child = tokio::process::Command::from(command).spawn()?;
    tokio::spawn(async move {
        match child.wait().await {
            Ok(status) => tracing::debug!(%status, "the window's process ended"),
            Err(error) => tracing::debug!(%error, "the window's process could not be awaited"),
        }
    });
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::open_desktop;

    #[tokio::test]
    async fn a_window_is_started_with_its_arguments_in_a_group_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let script =
            format!("printf '%s %s' \"$1\" \"$(ps -o pgid= -p $$ | tr -d ' ')\" > {0}.new && mv {0}.new {0}", out.display());
        open_desktop("/bin/sh".as_ref(), &["-c", &script, "sh", "uploads"]).unwrap();
        let said = loop {
            match std::fs::read_to_string(&out) {
                Ok(said) => break said,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let (pane, group) = said.split_once(' ').unwrap();
        assert_eq!(pane, "uploads");
        assert_ne!(group, rustix::process::getpgrp().as_raw_nonzero().to_string());
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        assert!(open_desktop::<&str>("/nowhere/afterglow-desktop".as_ref(), &[]).is_err());
    }
}
