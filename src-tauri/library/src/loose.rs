//! Files and folders that are not, or not yet, the library's: dropped on a window, named on the command line, offered at the first run.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use afterglow_model::{AssetId, AssetResourceType, MediaType, ResourceId, SuggestedSource, Timestamp};
use ignore::WalkBuilder;
use nom_exif::MediaParser;

use crate::{
    Library, LibraryError, Result,
    content::{self, Kind, Stat},
    identity, names, scan,
    table::file,
};

/// Counting photos for a suggestion stops here,
const SUGGESTED_MAX: u64 = 100_000;
/// or after this time for all suggestions together.
const SUGGESTING: Duration = Duration::from_secs(2);

/// A file from outside, read.
#[derive(Debug, Clone, PartialEq)]
pub struct LooseFile {
    /// Its name, safe to show.
    pub filename: String,
    /// Bytes.
    pub byte_count: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
    /// When it was taken, else when it was last written.
    pub created: Timestamp,
    /// Media type, by content.
    pub content_type: String,
    /// What it is.
    pub media_type: MediaType,
    /// What it would be in an asset of its own.
    pub resource_type: AssetResourceType,
    /// The part of an asset that has the same content, if the library has it.
    pub known: Option<(AssetId, ResourceId)>,
}

impl Library {
    /// Reads a file from outside the library: a regular file, and no link to one.
    ///
    /// # Errors
    /// [`LibraryError::File`] with a sentence.
    pub async fn describe_file(&self, path: &Path) -> Result<LooseFile> {
        let (given, store) = (path.to_owned(), std::sync::Arc::clone(&self.shared.store));
        let described = tokio::task::spawn_blocking(move || {
            let mut found = describe(&given).map_err(|problem| LibraryError::File { path: given, problem })?;
            let known = store.read_blocking(|db| file::part_with(db, &found.1))?;
            found.0.known = known.map(|(asset, role)| (asset.id(), identity::resource_id(asset, role, &found.1)));
            Ok(found.0)
        });
        described.await.map_err(|_| LibraryError::Closed)?
    }

    /// The files of what was dropped: folders are opened up, in which only photos, videos and sidecars count; a file that was named
    /// itself is taken whatever it is. At most `limit` files, and a sentence for each thing that was refused.
    pub async fn expand_paths(&self, paths: &[PathBuf], limit: usize) -> (Vec<PathBuf>, Vec<String>) {
        let paths = paths.to_vec();
        let failed = |error: tokio::task::JoinError| (Vec::new(), vec![error.to_string()]);
        tokio::task::spawn_blocking(move || expand(&paths, limit)).await.unwrap_or_else(failed)
    }

    /// Those of `candidates` that are folders with photos, with how many (counted up to 100,000 and for 2 s at most).
    pub async fn suggested_sources(&self, candidates: Vec<PathBuf>) -> Vec<SuggestedSource> {
        tokio::task::spawn_blocking(move || suggest(&candidates)).await.unwrap_or_default()
    }
}

fn describe(path: &Path) -> Result<(LooseFile, identity::Digest), String> {
    let name = path.file_name().ok_or("This is not a file.")?;
    let found = fs::symlink_metadata(path).map_err(|error| said(&error))?;
    if found.is_symlink() {
        return Err("This is a link. Choose the file it points to.".to_owned());
    }
    if !found.is_file() {
        return Err("This is not a file.".to_owned());
    }
    let mut file = content::open(path).map_err(|error| said(&error))?;
    let before = Stat::of(&file.metadata().map_err(|error| said(&error))?);
    let (sha256, head) = content::read(&mut file).map_err(|error| said(&error))?;
    let recognised = content::recognise(&names::extension(name), &head);
    let taken = recognised.as_ref().and_then(|(kind, _)| scan::read_metadata(&mut MediaParser::new(), &file, *kind, &head).taken);
    if Stat::of(&file.metadata().map_err(|error| said(&error))?) != before {
        return Err("This file is still being written. Try again when it is complete.".to_owned());
    }
    let resource_type = match recognised.as_ref().map(|(kind, _)| kind) {
        Some(Kind::Still | Kind::Raw) => AssetResourceType::Photo,
        Some(Kind::Video) => AssetResourceType::Video,
        Some(Kind::Sidecar) => AssetResourceType::AdjustmentData,
        None => AssetResourceType::Unknown,
    };
    let loose = LooseFile {
        filename: names::display(name),
        byte_count: before.size.cast_unsigned(),
        sha256: identity::hex(&sha256),
        created: Timestamp(taken.map_or(before.mtime_ms(), |taken| taken.utc_ms)),
        media_type: recognised.as_ref().map_or(MediaType::Unknown, |(kind, _)| kind.media_type()),
        content_type: recognised.map_or_else(|| mime_guess::from_path(path).first_or_octet_stream().to_string(), |(_, text)| text),
        resource_type,
        known: None,
    };
    Ok((loose, sha256))
}

fn said(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "There is no such file.".to_owned(),
        std::io::ErrorKind::PermissionDenied => "This file may not be read. Change its permissions.".to_owned(),
        _ => format!("This file cannot be read: {error}"),
    }
}

fn expand(paths: &[PathBuf], limit: usize) -> (Vec<PathBuf>, Vec<String>) {
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        let shown = names::display(path.as_os_str());
        match fs::symlink_metadata(path) {
            Err(error) => refused.push(format!("{shown}: {}", said(&error))),
            Ok(found) if found.is_file() => files.push(path.clone()),
            Ok(found) if found.is_dir() => {
                let before = files.len();
                files.extend(photos(path).take(limit.saturating_sub(before) + 1));
                if files.len() == before {
                    refused.push(format!("{shown}: There are no photos or videos in this folder."));
                }
            }
            Ok(found) if found.is_symlink() => refused.push(format!("{shown}: This is a link. Choose what it points to.")),
            Ok(_) => refused.push(format!("{shown}: This is not a file or folder.")),
        }
    }
    if files.len() > limit {
        files.truncate(limit);
        refused.push(format!("Only the first {limit} files were taken. Add the folder to the library to have all of it."));
    }
    (files, refused)
}

fn suggest(candidates: &[PathBuf]) -> Vec<SuggestedSource> {
    let end = Instant::now() + SUGGESTING;
    let count = |path: &PathBuf| {
        let photos = photos(path).take_while(|_| Instant::now() < end).take(SUGGESTED_MAX as usize).count() as u64;
        (photos > 0).then(|| SuggestedSource { path: names::display(path.as_os_str()), photos })
    };
    candidates.iter().filter(|path| path.is_dir()).filter_map(count).collect()
}

/// Files below a folder that are ours by their extension, by name.
fn photos(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let is_shown = |entry: &ignore::DirEntry| !entry.path().join(".nomedia").exists();
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false).hidden(true).follow_links(false).sort_by_file_name(Ord::cmp).filter_entry(is_shown);
    walk.build().flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file())).filter_map(|entry| {
        let is_ours = Kind::of_extension(&names::extension(entry.file_name())).is_some();
        is_ours.then(|| entry.into_path())
    })
}
