//! The words of what runs: the service, the receiver and the demo.

use std::{net::SocketAddr, path::PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Show no tray icon.
    #[arg(long)]
    pub(crate) no_tray: bool,
    /// Show no notices.
    #[arg(long)]
    pub(crate) no_notifications: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReceiveArgs {
    /// The folder that uploads go into.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// Speak no TLS: behind a reverse proxy that does, or where nobody else listens. Photos and tokens pass openly.
    #[arg(long)]
    pub(crate) cleartext: bool,
    /// Write the URL for senders into this file once it listens.
    #[arg(long, value_name = "FILE")]
    pub(crate) url_file: Option<PathBuf>,
    /// The token that senders show. Without it one is made, and kept in the folder. Prefer AFTERGLOW_RECEIVE_TOKEN: other
    /// users can read a command line.
    #[arg(long, env = "AFTERGLOW_RECEIVE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Keep finished files in this bucket instead of the folder; region, endpoint and keys come from the AWS_* variables.
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub(crate) bucket: Option<String>,
    /// Say in the local network, under this name, that it is here, and show a code by which a computer becomes a sender.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "Afterglow receiver")]
    pub(crate) announce: Option<String>,
    /// Largest file taken, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_size: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Use these photos instead of drawn ones.
    #[arg(long, value_name = "DIR")]
    pub(crate) photos: Option<PathBuf>,
    /// Open no window.
    #[arg(long)]
    pub(crate) no_window: bool,
    /// Stop the service and the receiver at the end, even if a window is open.
    #[arg(long)]
    pub(crate) stop: bool,
}
