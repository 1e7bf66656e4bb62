//! Signing in in the browser.

use std::sync::Arc;

use afterglow_model::{ApiError, BeginSignIn, SignIn, SignInId, SignInState};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{core::Core, error::Answer, sign_ins};

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new().routes(routes!(begin)).routes(routes!(state, cancel))
}

/// Begins a sign-in: the answer names a page for the person's browser.
#[utoipa::path(post, path = "/v1/sign-ins", request_body = BeginSignIn, responses((status = 200, body = SignIn), (status = 502, body = ApiError)))]
async fn begin(State(core): CoreState, Json(request): Json<BeginSignIn>) -> Answer<Json<SignIn>> {
    sign_ins::begin(&core, request).await.map(Json)
}

/// How a sign-in stands.
#[utoipa::path(get, path = "/v1/sign-ins/{id}", params(("id" = String, Path)), responses((status = 200, body = SignInState), (status = 404, body = ApiError)))]
async fn state(State(core): CoreState, Path(id): Path<SignInId>) -> Answer<Json<SignInState>> {
    core.sign_ins.state(&id).map(Json)
}

/// Cancels a sign-in. What it gave already is given back.
#[utoipa::path(delete, path = "/v1/sign-ins/{id}", params(("id" = String, Path)), responses((status = 204), (status = 404, body = ApiError)))]
async fn cancel(State(core): CoreState, Path(id): Path<SignInId>) -> Answer<StatusCode> {
    sign_ins::cancel(&core, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
