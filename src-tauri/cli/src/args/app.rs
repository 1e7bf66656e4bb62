//! The words of other programs.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List apps and connectors.
    List,
    /// Let an app see photos; answers its question if it waits.
    Grant {
        /// Its name or id.
        app: String,
        /// The whole library.
        #[arg(long, conflicts_with_all = ["album", "asset"])]
        full: bool,
        /// The photos that are in this album now.
        #[arg(long)]
        album: Option<String>,
        /// These photos.
        #[arg(long)]
        asset: Vec<String>,
    },
    /// Take access away. Uploads under way stop at once.
    Revoke {
        /// Its name or id.
        app: String,
    },
    /// What an app did and was told.
    Log {
        /// Its name or id.
        app: String,
    },
}
