//! `afterglow serve`.

use std::path::PathBuf;

use afterglow_client::home_from_env;
use afterglow_service::{ServeError, ServeOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{Exit, args::ServeArgs, output};

/// Serves until told to end by a signal or by the person.
pub(crate) async fn run(home: Option<PathBuf>, args: ServeArgs) -> anyhow::Result<Exit> {
    let home = home_from_env(home)?;
    let quit = CancellationToken::new();
    end_on_signal(&quit)?;
    log(&home);
    let ready = || output::line(format!("Afterglow is running. Socket: {}", home.owner_socket().display()));
    let options = ServeOptions { home: home.clone(), tray: !args.no_tray, notifications: !args.no_notifications };
    match afterglow_service::run(options, quit, ready).await {
        Ok(()) => Ok(Exit::Done),
        Err(error @ ServeError::AlreadyRunning { .. }) => {
            output::line(error.to_string());
            Ok(Exit::Done)
        }
        Err(error) => Err(error.into()),
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
fn log(home: &afterglow_client::model::Home) {
    let filter = EnvFilter::try_from_env("AFTERGLOW_LOG").unwrap_or_else(|_| EnvFilter::new("warn,afterglow=info,nom_exif=off"));
    let path = home.state.join("service.log");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_target(false);
    let file = std::fs::create_dir_all(&home.state).and_then(|()| rotated(&path));
    match file {
        Ok(file) => subscriber.with_writer(std::sync::Mutex::new(file)).init(),
        Err(_) => subscriber.with_writer(std::io::stderr).init(),
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
