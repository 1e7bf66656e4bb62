//! Folders and albums.

use std::path::PathBuf;

use afterglow_client::model::{AddSource, AssetCollection, CollectionKind, Source, count};
use anyhow::Context;
use serde_json::Value;

use super::Call;
use crate::{
    Exit,
    args::{AlbumCommand, LibraryCommand},
    output,
};

pub(super) async fn run(call: &Call, command: LibraryCommand) -> anyhow::Result<Exit> {
    match command {
        LibraryCommand::Add { folder } => {
            let source: Source = call.owner.post("/v1/sources", &AddSource { path: absolute(folder)? }).await?;
            if call.json {
                output::json(&source)?;
            } else {
                output::line(format!("{} is in the library.", source.path));
            }
        }
        LibraryCommand::List => {
            let sources: Vec<Source> = call.owner.get("/v1/sources").await?;
            if call.json {
                output::json(&sources)?;
            } else if sources.is_empty() {
                output::line("No folders yet. Add one: afterglow library add DIR");
            } else {
                let rows: Vec<_> =
                    sources.iter().map(|source| [source.path.clone(), source.assets.to_string(), state(source)]).collect();
                output::table(["FOLDER", "PHOTOS", "STATE"], &rows);
            }
        }
        LibraryCommand::Scan => {
            call.owner.post::<()>("/v1/sources/scan", &Value::Null).await?;
            let sources: Vec<Source> = call.owner.get("/v1/sources").await?;
            if call.json {
                output::json(&sources)?;
            } else {
                output::line(format!("Looking through {}.", count(sources.len() as u64, "folder", "folders")));
            }
        }
        LibraryCommand::Remove { folder } => {
            let sources: Vec<Source> = call.owner.get("/v1/sources").await?;
            let path = absolute(PathBuf::from(&folder)).unwrap_or_default();
            let found = sources.iter().find(|source| source.id.as_str() == folder || source.path == path);
            let source = found.with_context(|| format!("{folder} is no folder of the library"))?;
            call.owner.delete(&format!("/v1/sources/{}", source.id)).await?;
            if !call.json {
                output::line(format!("{} is forgotten; its files stay.", source.path));
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn albums(call: &Call, command: AlbumCommand) -> anyhow::Result<Exit> {
    let AlbumCommand::List = command;
    let albums: Vec<AssetCollection> = call.owner.get("/v1/collections").await?;
    if call.json {
        output::json(&albums)?;
    } else {
        let rows: Vec<_> =
            albums.iter().map(|album| [album.title.clone(), album.count.to_string(), kind(album.kind).to_owned()]).collect();
        output::table(["ALBUM", "PHOTOS", "KIND"], &rows);
    }
    Ok(Exit::Done)
}

fn kind(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Folder => "folder",
        CollectionKind::Album => "album",
        CollectionKind::SmartAlbum => "smart album",
    }
}

fn state(source: &Source) -> String {
    let mut parts = Vec::new();
    parts.push(if source.online { "here" } else { "not there" }.to_owned());
    if let Some(problem) = &source.watch_problem {
        parts.push(problem.clone());
    }
    if source.unreadable > 0 {
        parts.push(count(source.unreadable, "file cannot be read", "files cannot be read"));
    }
    parts.join(", ")
}

/// The whole path, for a service that runs elsewhere. Links stay as the person wrote them.
pub(super) fn absolute(path: PathBuf) -> anyhow::Result<String> {
    let whole = std::path::absolute(&path).with_context(|| format!("{}", path.display()))?;
    whole.into_os_string().into_string().map_err(|name| anyhow::anyhow!("{} has a name that is no UTF-8", name.display()))
}
