//! Putting together what belongs together: the still of a Live Photo with its video, a RAW and an edit with what they stand beside.

use afterglow_model::FailureClass;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Immich;
use crate::{destination::Setback, order::Companions};

/// `AssetResponseDto`, as far as it tells what belongs together.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beside {
    live_photo_video_id: Option<String>,
    stack: Option<Stack>,
}

/// `AssetStackResponseDto`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    id: String,
    primary_asset_id: String,
}

impl Immich<'_> {
    /// See [`arrange`](crate::destination::Destination::arrange).
    pub(super) async fn put_together(&self, remote_id: &str, companions: &Companions) -> Result<(), Setback> {
        let linked = match (&companions.paired_video, &companions.still) {
            (Some(video), _) => self.link(remote_id, video).await,
            (None, Some(still)) => self.link(still, remote_id).await,
            (None, None) => Ok(()),
        };
        let mut together: Vec<&str> = Vec::new();
        for id in companions.shown.iter().map(String::as_str).chain([remote_id]).chain(companions.beside.iter().map(String::as_str))
        {
            // Two files of one content are one asset there.
            if !together.contains(&id) {
                together.push(id);
            }
        }
        let stacked = self.stack(&together).await;
        // One does not wait for the other, and only what is in doubt is asked for again.
        self.or_apart(linked).and(self.or_apart(stacked))
    }

    /// What was refused for good stays apart.
    fn or_apart(&self, arranged: Result<(), Setback>) -> Result<(), Setback> {
        match arranged {
            // The file is delivered. That the key may do no more, or that its companion is gone there, does not change that.
            Err(Setback::Failed(failure) | Setback::Verdict(failure)) if failure.class != FailureClass::Transient => {
                tracing::info!(host = self.wire.host(), reason = failure.message, "what belongs together was not put together");
                Ok(())
            }
            arranged => arranged,
        }
    }

    /// An asset's own word of what belongs to it.
    async fn beside(&self, id: &str) -> Result<Beside, Setback> {
        self.read(&self.ask(Method::GET, &format!("assets/{id}"), None).await?)
    }

    async fn link(&self, still: &str, video: &str) -> Result<(), Setback> {
        if self.beside(still).await?.live_photo_video_id.as_deref() != Some(video) {
            self.ask(Method::PUT, &format!("assets/{still}"), Some(json!({ "livePhotoVideoId": video }))).await?;
        }
        Ok(())
    }

    /// The first of a stack is the one that is shown.
    async fn stack(&self, ids: &[&str]) -> Result<(), Setback> {
        let [shown, _, ..] = ids else { return Ok(()) };
        let mut stacks = Vec::with_capacity(ids.len());
        for id in ids {
            stacks.push(self.beside(id).await?.stack);
        }
        let is_stacked = match stacks.first() {
            Some(Some(first)) if first.primary_asset_id == *shown => {
                stacks.iter().all(|stack| stack.as_ref().is_some_and(|stack| stack.id == first.id))
            }
            Some(Some(_) | None) | None => false,
        };
        if !is_stacked {
            self.ask(Method::POST, "stacks", Some(json!({ "assetIds": ids }))).await?;
        }
        Ok(())
    }
}
