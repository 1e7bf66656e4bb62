//! Freeing up space.

use std::sync::Arc;

use afterglow_model::{ApiError, BeginSpaceCheck, MoveToTrash, MovedToTrash, SpaceCheck, SpaceCheckId};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{core::Core, error::Answer, space};

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new().routes(routes!(begin)).routes(routes!(state, forget)).routes(routes!(trash))
}

/// Begins a check of which files could go to the trash, since a destination shows now that it holds them. Nothing is moved. Forgets the
/// check before.
#[utoipa::path(post, path = "/v1/space-checks", request_body = BeginSpaceCheck, responses((status = 200, body = SpaceCheck), (status = 404, body = ApiError)))]
async fn begin(State(core): CoreState, Json(request): Json<BeginSpaceCheck>) -> Answer<Json<SpaceCheck>> {
    space::begin(&core, request).await.map(Json)
}

/// How far a check is.
#[utoipa::path(get, path = "/v1/space-checks/{id}", params(("id" = String, Path)), responses((status = 200, body = SpaceCheck), (status = 404, body = ApiError)))]
async fn state(State(core): CoreState, Path(id): Path<SpaceCheckId>) -> Answer<Json<SpaceCheck>> {
    space::state(&core, &id).map(Json)
}

/// Ends a check and forgets what it found.
#[utoipa::path(delete, path = "/v1/space-checks/{id}", params(("id" = String, Path)), responses((status = 204), (status = 404, body = ApiError)))]
async fn forget(State(core): CoreState, Path(id): Path<SpaceCheckId>) -> Answer<StatusCode> {
    space::forget(&core, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves assets that the check offers to the desktop's trash: what the person confirmed, within 15 minutes.
#[utoipa::path(post, path = "/v1/space-checks/{id}/trash", params(("id" = String, Path)), request_body = MoveToTrash, responses((status = 200, body = MovedToTrash), (status = 404, body = ApiError)))]
async fn trash(
    State(core): CoreState,
    Path(id): Path<SpaceCheckId>,
    Json(request): Json<MoveToTrash>,
) -> Answer<Json<MovedToTrash>> {
    space::move_to_trash(&core, &id, request).await.map(Json)
}
