//! The words of folders and albums, and of freeing up space.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum LibraryCommand {
    /// Add a folder.
    Add {
        /// The folder.
        folder: PathBuf,
    },
    /// List the folders.
    List,
    /// Look through all folders again.
    Scan,
    /// Forget a folder; its files stay.
    Remove {
        /// The folder, or its id.
        folder: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlbumCommand {
    /// List the albums.
    List,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FreeUpSpaceArgs {
    /// Only what this destination holds. A server at an address of this computer counts only if you name it: a tunnel may lead on.
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
    /// Only photos of this album: its title or id.
    #[arg(long)]
    pub(crate) album: Option<String>,
    /// Only photos taken before this day: 2026-01-31.
    #[arg(long, value_name = "DATE")]
    pub(crate) before: Option<jiff::civil::Date>,
    /// Only photos that the library first saw before this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) added_before: Option<jiff::civil::Date>,
    /// At most so many photos, 1 to 10000; 1000 unless said.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: Option<u32>,
    /// Fetch each file back and compare it, where a destination shows no digest.
    #[arg(long)]
    pub(crate) read_back: bool,
    /// Move what is found to the trash, after asking you.
    #[arg(long)]
    pub(crate) move_to_trash: bool,
    /// Do not ask, for scripts.
    #[arg(long, requires = "move_to_trash")]
    pub(crate) yes: bool,
}
