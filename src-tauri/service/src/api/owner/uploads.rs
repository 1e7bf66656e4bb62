//! Uploads that the person asks for.

use std::sync::Arc;

use afterglow_model::{ApiError, CreateUpload, UploadPreview};
use axum::{Json, extract::State};

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{core::Core, error::Answer, uploads};

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new().routes(routes!(preview)).routes(routes!(create))
}

/// What an upload would do.
#[utoipa::path(post, path = "/v1/uploads/preview", request_body = CreateUpload, responses((status = 200, body = UploadPreview)))]
async fn preview(State(core): CoreState, Json(request): Json<CreateUpload>) -> Answer<Json<UploadPreview>> {
    uploads::preview(&core, request).await.map(Json)
}

/// Uploads files, folders or assets now.
#[utoipa::path(post, path = "/v1/uploads", request_body = CreateUpload, responses((status = 200, body = UploadPreview), (status = 400, body = ApiError)))]
async fn create(State(core): CoreState, Json(request): Json<CreateUpload>) -> Answer<Json<UploadPreview>> {
    uploads::create(&core, request).await.map(Json)
}
