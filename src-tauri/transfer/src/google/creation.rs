//! Making photos of uploaded bytes, and the album that they go into.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{
    Google,
    account::Album,
    refusal::{self, ItemStatus},
};
use crate::{
    destination::{Content, Proof, Setback},
    name,
};

/// Albums in one answer, and answers that are looked through for ours.
const ALBUMS: u32 = 20;
const ALBUM_PAGES_MAX: usize = 100;

/// Longest title of an album, in characters.
const TITLE_CHARS_MAX: usize = 500;

/// `google.rpc.Code`, of an item that is there already.
const ALREADY_EXISTS: i64 = 6;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    new_media_item_results: Vec<ItemResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemResult {
    upload_token: Option<String>,
    #[serde(default)]
    status: ItemStatus,
    media_item: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlbumPage {
    #[serde(default)]
    albums: Vec<Named>,
    next_page_token: Option<String>,
}

impl Google<'_> {
    /// The album of this destination, made if it is not there. Google is asked once for each account since we started.
    async fn album(&self, known: &mut Option<Album>, title: &str) -> Result<String, Setback> {
        if let Some(album) = known.as_ref().filter(|album| album.title == title) {
            return Ok(album.id.clone());
        }
        let id = match self.find_album(title).await? {
            Some(id) => id,
            None => {
                let wanted = json!({ "album": { "title": title } });
                self.ask::<Named>(Method::POST, &self.api("albums"), Some(wanted)).await?.id
            }
        };
        *known = Some(Album { title: title.to_owned(), id: id.clone() });
        Ok(id)
    }

    async fn find_album(&self, title: &str) -> Result<Option<String>, Setback> {
        let mut from = None;
        for _ in 0..ALBUM_PAGES_MAX {
            let page = self.albums(ALBUMS, from.as_deref()).await?;
            if let Some(album) = page.albums.into_iter().find(|album| album.title == title) {
                return Ok(Some(album.id));
            }
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(token) => from = Some(token),
                None => return Ok(None),
            }
        }
        Err(self.nonsense("albums without end"))
    }

    pub(super) async fn albums(&self, most: u32, from: Option<&str>) -> Result<AlbumPage, Setback> {
        let mut url = self.api("albums");
        url.query_pairs_mut().append_pair("pageSize", &most.to_string()).append_pair("excludeNonAppCreatedData", "true");
        if let Some(token) = from {
            url.query_pairs_mut().append_pair("pageToken", token);
        }
        self.ask(Method::GET, &url, None).await
    }

    /// Makes uploaded bytes a photo. The same token again makes no second one.
    pub(super) async fn create(&self, token: &str, content: &Content) -> Result<Proof, Setback> {
        let mut known = self.turn(&self.state.creating).await?;
        let item = json!({ "simpleMediaItem": { "fileName": name::safe(&content.filename), "uploadToken": token } });
        let mut wanted = json!({ "newMediaItems": [item] });
        let folder = self.wire.config().folder.as_deref().map(str::trim).filter(|folder| !folder.is_empty());
        if let Some(title) = folder {
            let title: String = title.chars().take(TITLE_CHARS_MAX).collect();
            wanted["albumId"] = self.album(&mut known, &title).await?.into();
        }
        let answer = self.pose(Method::POST, &self.api("mediaItems:batchCreate"), Some(wanted)).await?;
        let host = self.wire.host();
        match answer.status {
            StatusCode::OK | StatusCode::MULTI_STATUS => self.created(token, &self.read(&answer)?),
            status if status.is_success() => Err(self.nonsense("neither stored nor refused")),
            // It was removed since: another is made.
            _ if refusal::is_of_album(&answer) && known.take().is_some() => Err(Setback::Doubt(answer.failure(host))),
            _ => Err(refusal::of_answer(host, &answer)),
        }
    }

    fn created(&self, token: &str, created: &Created) -> Result<Proof, Setback> {
        let [result] = created.new_media_item_results.as_slice() else { return Err(self.nonsense("to another question")) };
        if result.upload_token.as_deref().is_some_and(|named| named != token) {
            return Err(self.nonsense("to another question"));
        }
        let accepted = |remote_id: String| Ok(Proof { remote_id, digest: None, byte_count: None });
        match (result.status.code, &result.media_item) {
            (0 | ALREADY_EXISTS, Some(item)) => accepted(item.id.clone()),
            // It is there and not by us, so that its name is not told.
            (ALREADY_EXISTS, None) => accepted("there before".to_owned()),
            (0, None) => Err(self.nonsense("a photo without a name")),
            _ => Err(refusal::of_item(self.wire.host(), &result.status)),
        }
    }
}
