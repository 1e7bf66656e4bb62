//! `afterglow serve`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use afterglow_client::home_from_env;
use afterglow_receiver::{Listen, ReceiverOptions, SenderToken};
use afterglow_service::{ArchiveHost, OpenArchive, ServeError, ServeOptions};
use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::{Exit, args::ServeArgs, log, output};

/// Serves until told to end by a signal or by the person.
pub(crate) async fn run(home: Option<PathBuf>, args: ServeArgs) -> anyhow::Result<Exit> {
    let home = home_from_env(home)?;
    let quit = CancellationToken::new();
    end_on_signal(&quit)?;
    write_log(&home);
    let ready = || output::line(format!("Afterglow is running. Socket: {}", home.owner_socket().display()));
    let options = ServeOptions {
        home: home.clone(),
        tray: !args.no_tray,
        notifications: !args.no_notifications,
        archives: Arc::new(Receiving),
    };
    match afterglow_service::run(options, quit, ready).await {
        Ok(()) => Ok(Exit::Done),
        Err(error @ ServeError::AlreadyRunning { .. }) => {
            output::line(error.to_string());
            Ok(Exit::Done)
        }
        Err(error) => Err(error.into()),
    }
}

/// The receiver of archives on this computer.
struct Receiving;

#[async_trait]
impl ArchiveHost for Receiving {
    async fn receive(&self, dir: &Path, socket: &Path) -> Result<OpenArchive, String> {
        let sender = SenderToken::of_folder(dir).map_err(|error| format!("{} cannot be used: {error}", dir.display()))?;
        let token = sender.token.clone();
        let options = ReceiverOptions::new(dir.to_owned(), Listen::Unix(socket.to_owned()), vec![sender]);
        let receiver = afterglow_receiver::start(options).await.map_err(|error| error.to_string())?;
        Ok(OpenArchive { receiver: Box::new(receiver), token })
    }
}

/// SIGTERM, SIGINT and SIGHUP end the program in order.
pub(crate) fn end_on_signal(quit: &CancellationToken) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut signals = signal(kind)?;
        let quit = quit.clone();
        tokio::spawn(async move {
            signals.recv().await;
            quit.cancel();
        });
    }
    Ok(())
}

/// Logs to the standard error, as journald and a terminal want it, and to a file of its own where nobody would see that.
fn write_log(home: &afterglow_client::model::Home) {
    use std::os::unix::fs::DirBuilderExt;
    let path = home.state.join("service.log");
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&home.state);
    match made.and_then(|()| rotated(&path)) {
        Ok(file) => log::start(LevelFilter::INFO, std::sync::Mutex::new(file)),
        Err(_) => log::start(LevelFilter::INFO, std::io::stderr),
    }
}

/// Largest log that is carried on; a larger one becomes `service.log.1`.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

fn rotated(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    if std::fs::metadata(path).is_ok_and(|found| found.len() > LOG_BYTES_MAX) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
