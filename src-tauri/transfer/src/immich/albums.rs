//! Albums of the account, which may have been made by us, by the person, or by another program.

use std::collections::HashSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Immich;
use crate::{
    destination::Setback,
    order::{Album, Mirrored},
};

/// `AlbumResponseDto`, as far as it tells which album it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    id: String,
    album_name: String,
}

/// `BulkIdResponseDto`.
#[derive(Deserialize)]
struct Put {
    id: String,
    success: bool,
    error: Option<String>,
}

impl Immich<'_> {
    /// See [`mirror`](crate::destination::Destination::mirror).
    pub(super) async fn put_into(&self, album: &Album) -> Result<Option<Mirrored>, Setback> {
        let id = match &album.remote_id {
            Some(id) => id.clone(),
            None => match self.of_title(&album.title).await? {
                Some(id) => id,
                None => self.make(&album.title).await?,
            },
        };
        let answer = match self.ask(Method::PUT, &format!("albums/{id}/assets"), Some(json!({ "ids": album.assets }))).await {
            // What it says of an album that is not there, or not ours.
            Err(Setback::Verdict(_)) if album.remote_id.is_some() => return Ok(None),
            answer => answer?,
        };
        let results: Vec<Put> = self.read(&answer)?;
        let is_in = |put: &Put| put.success || put.error.as_deref() == Some("duplicate");
        for Put { id: asset, error, .. } in results.iter().filter(|put| !is_in(put)) {
            let host = self.wire.host();
            tracing::warn!(host, asset, reason = error.as_deref(), album = album.title, "a photo was not put into its album");
        }
        let accepted: HashSet<&str> = results.iter().filter(|put| is_in(put)).map(|put| put.id.as_str()).collect();
        // What it says nothing of is not in there, and what it was not asked for is none of ours.
        let assets = album.assets.iter().filter(|asset| accepted.contains(asset.as_str())).cloned().collect();
        Ok(Some(Mirrored { remote_id: id, assets }))
    }

    /// The account's own album of this title. Servers 2 list nothing but own ones and pass the question over; servers 3 list those of others,
    /// too, unless they are asked.
    async fn of_title(&self, title: &str) -> Result<Option<String>, Setback> {
        let mut url = self.api("albums");
        url.query_pairs_mut().append_pair("isOwned", "true");
        let known: Vec<Known> = self.read(&self.ask_at(Method::GET, &url, None).await?)?;
        Ok(known.into_iter().find(|known| known.album_name == title).map(|known| known.id))
    }

    async fn make(&self, title: &str) -> Result<String, Setback> {
        let made: Known = self.read(&self.ask(Method::POST, "albums", Some(json!({ "albumName": title }))).await?)?;
        Ok(made.id)
    }
}
