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
        let arranged = match (&companions.paired_video, &companions.primary) {
            (Some(video), _) => self.link(remote_id, video).await,
            (None, Some(primary)) if primary == remote_id => Ok(()),
            (None, Some(primary)) if companions.is_edit => self.stack(remote_id, primary).await,
            (None, Some(primary)) => self.stack(primary, remote_id).await,
            (None, None) => Ok(()),
        };
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
    async fn stack(&self, shown: &str, other: &str) -> Result<(), Setback> {
        let (first, second) = (self.beside(shown).await?.stack, self.beside(other).await?.stack);
        let together = match (&first, &second) {
            (Some(first), Some(second)) => first.id == second.id && first.primary_asset_id == shown,
            (Some(_) | None, Some(_) | None) => false,
        };
        if !together {
            self.ask(Method::POST, "stacks", Some(json!({ "assetIds": [shown, other] }))).await?;
        }
        Ok(())
    }
}
