//! Apps, what they may see, and the questions they ask.

use std::sync::Arc;

use afterglow_model::{ApiError, App, AppId, AppLogEntry, AssetId, Prompt, PromptId, SetAccess};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{
    apps,
    core::Core,
    error::{Answer, Refusal},
};

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .routes(routes!(list))
        .routes(routes!(set_access))
        .routes(routes!(selection))
        .routes(routes!(log))
        .routes(routes!(prompts))
        .routes(routes!(answer))
}

/// Every app and connector.
#[utoipa::path(get, path = "/v1/apps", responses((status = 200, body = [App])))]
async fn list(State(core): CoreState) -> Answer<Json<Vec<App>>> {
    Ok(Json(core.queue.apps().await?))
}

/// Changes what an app may see. A question of the app that waits is answered with it.
#[utoipa::path(put, path = "/v1/apps/{id}/access", params(("id" = String, Path)), request_body = SetAccess, responses((status = 200, body = App), (status = 404, body = ApiError)))]
async fn set_access(State(core): CoreState, Path(id): Path<AppId>, Json(request): Json<SetAccess>) -> Answer<Json<App>> {
    let app = core.app(&id).await?;
    apps::check_selection(&core, &request).await?;
    let changed = apps::set_access(&core, &app.id, request.clone()).await?;
    if let Some(prompt) = core.prompts.of_app(&app.id) {
        core.prompts.answer(&prompt.id, request.answer);
    }
    Ok(Json(changed))
}

/// The assets of a limited grant.
#[utoipa::path(get, path = "/v1/apps/{id}/selection", params(("id" = String, Path)), responses((status = 200, body = [AssetId])))]
async fn selection(State(core): CoreState, Path(id): Path<AppId>) -> Answer<Json<Vec<AssetId>>> {
    Ok(Json(core.queue.selection(&id).await?))
}

/// What an app did and was told, newest first.
#[utoipa::path(get, path = "/v1/apps/{id}/log", params(("id" = String, Path)), responses((status = 200, body = [AppLogEntry])))]
async fn log(State(core): CoreState, Path(id): Path<AppId>) -> Answer<Json<Vec<AppLogEntry>>> {
    Ok(Json(core.queue.app_log(&id).await?))
}

/// Questions that wait for the person.
#[utoipa::path(get, path = "/v1/prompts", responses((status = 200, body = [Prompt])))]
async fn prompts(State(core): CoreState) -> Json<Vec<Prompt>> {
    Json(core.prompts.list())
}

/// Answers a question.
#[utoipa::path(post, path = "/v1/prompts/{id}", params(("id" = String, Path)), request_body = SetAccess, responses((status = 204), (status = 404, body = ApiError)))]
async fn answer(State(core): CoreState, Path(id): Path<PromptId>, Json(request): Json<SetAccess>) -> Answer<StatusCode> {
    apps::check_selection(&core, &request).await?;
    if core.prompts.answer(&id, request.answer) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::gone("This question was answered already, or nobody waits for the answer any more."))
    }
}
