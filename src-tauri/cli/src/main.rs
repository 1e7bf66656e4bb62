//! `afterglow`: the background service, the command line, the receiving server and the demo. Links no GUI toolkit.

mod args;
mod commands;
mod demo;
mod log;
mod output;
mod receive;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// How a command ended. The numbers are a promise to scripts; `afterglow --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Done,
    /// An error; a sentence was printed.
    Error,
    /// `wait`: something needs the person.
    Attention,
    /// `wait`: not all was delivered in time.
    TimedOut,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Attention => 3,
            Exit::TimedOut => 4,
        })
    }
}

fn main() -> ExitCode {
    afterglow_service::keep_little();
    let args = Args::parse();
    // The service has few threads: transfers wait for the network, and what computes runs on threads of its own.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("the runtime could not be started: {error}"));
            return Exit::Error.into();
        }
    };
    let exit = match runtime.block_on(run(args)) {
        Ok(exit) => exit,
        Err(error) => {
            output::error(&format!("{error:#}"));
            Exit::Error
        }
    };
    // A blocking call that hangs (a dead network mount, a silent bus) does not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    exit.into()
}

async fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Serve(options) => serve::run(args.home, options).await,
        Command::Receive(options) => receive::run(options).await,
        Command::Demo(options) => demo::run(args.home, options).await,
        Command::Completions { shell } => {
            output::text(&args::completions(shell));
            Ok(Exit::Done)
        }
        Command::Openapi { socket } => commands::openapi(socket),
        Command::Decode { size, orientation } => decode(size, orientation),
        other => commands::run(args.home, args.json, other).await,
    }
}

/// The service's decoding worker.
fn decode(size: u32, orientation: u8) -> anyhow::Result<Exit> {
    let picture = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned()?;
    afterglow_service::decode_worker(picture.into(), size, orientation, std::io::stdout().lock())?;
    Ok(Exit::Done)
}
