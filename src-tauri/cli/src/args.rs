//! The words of the command line.

mod app;
mod destination;
mod library;
mod rules;
mod serve;

use std::{path::PathBuf, time::Duration};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use app::AppCommand;
pub(crate) use destination::{AddressCommand, BrowserArgs, ConnectorArg, DestinationCommand, RuleCommand, Switch};
pub(crate) use library::{AlbumCommand, FreeUpSpaceArgs, LibraryCommand};
pub(crate) use rules::{BatteryArg, RulesCommand, SetRules, SimulateArgs};
pub(crate) use serve::{DemoArgs, ReceiveArgs, ServeArgs};

/// Uploads photos in the background: with the window closed, when it is sensible, and until they are proved to have arrived.
#[derive(Debug, Parser)]
#[command(
    name = "afterglow",
    version,
    after_help = "Exit codes: 0 done · 1 error · 2 wrong usage · 3 something needs your attention (wait) · 4 timed out (wait)"
)]
pub(crate) struct Args {
    /// Keep all state, configuration, cache and sockets in this folder (also AFTERGLOW_HOME).
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the background service.
    Serve(ServeArgs),
    /// Receive uploads from other computers, or from this one.
    Receive(ReceiveArgs),
    /// Show everything at work, on sample photos or your own.
    Demo(DemoArgs),
    /// Say what Afterglow is doing.
    Status,
    /// The folders of the library.
    #[command(subcommand)]
    Library(LibraryCommand),
    /// Albums.
    #[command(subcommand)]
    Album(AlbumCommand),
    /// Where photos go.
    #[command(subcommand)]
    Destination(DestinationCommand),
    /// Keep an album delivered to a destination.
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Upload files and folders now.
    Add {
        /// Files and folders.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The destination's name.
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// Wait until everything is delivered.
    Wait {
        /// Give up after so long: 90s, 5m, 2h.
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        timeout: Option<Duration>,
    },
    /// List uploads.
    Jobs {
        /// Only those in this state.
        #[arg(long)]
        state: Option<StateArg>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Say why an upload, or everything, does not move.
    Why {
        /// The upload's id.
        job: Option<String>,
    },
    /// Other programs, and what they may see.
    #[command(subcommand)]
    App(AppCommand),
    /// The rules of when uploads go.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// When uploads went on, and why they stopped.
    History {
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Stop uploading for a while.
    Pause {
        /// For so long: 30m, 1h. Without it until `resume`.
        #[arg(long = "for", value_parser = parse_duration, value_name = "TIME")]
        time: Option<Duration>,
    },
    /// Go on uploading.
    Resume,
    /// Upload anyway: lift what your own rules hold back.
    Now {
        /// Only this upload.
        #[arg(long, conflicts_with = "network")]
        job: Option<String>,
        /// As long as this network lasts; without it for an hour.
        #[arg(long)]
        network: bool,
    },
    /// Try failed uploads again; all of them if none is named.
    Retry {
        /// Uploads' ids.
        jobs: Vec<String>,
    },
    /// Take uploads back.
    Cancel {
        /// Uploads' ids.
        #[arg(required = true)]
        jobs: Vec<String>,
    },
    /// Say which files could go to the trash, since a destination shows now that it holds them; move them if you say so.
    FreeUpSpace(FreeUpSpaceArgs),
    /// Open a window.
    Open {
        /// Which pane.
        #[arg(default_value = "library")]
        pane: String,
    },
    /// End the background service. What is under way goes on at its next start.
    Quit,
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Draw a thumbnail of the picture on standard input; the service's worker.
    #[command(hide = true)]
    Decode {
        /// Longer side in pixels.
        #[arg(long)]
        size: u32,
        /// EXIF orientation, 1 to 8.
        #[arg(long)]
        orientation: u8,
    },
    /// Print the OpenAPI document of a socket.
    #[command(hide = true)]
    Openapi {
        /// Which socket.
        socket: Socket,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Socket {
    /// The windows' and command line's.
    Owner,
    /// Other programs'.
    Apps,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StateArg {
    /// Known, nothing sent yet.
    Registered,
    /// Under way.
    Pending,
    /// Given up.
    Failed,
    /// Delivered.
    Succeeded,
    /// Taken back.
    Cancelled,
}

/// `90s`, `5m`, `1h`, `1h30m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|_| format!("{text} is no length of time. Write 90s, 5m or 2h."))?;
    let duration = jiff::SignedDuration::try_from(span).map_err(|error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a length of time is not negative".to_owned())
}

/// Completions for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "afterglow", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(parse_duration("-5m").is_err());
        assert!(parse_duration("soon").is_err());
    }
}
