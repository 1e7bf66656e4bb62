//! What the windows and the command line may call: everything the person may do.

mod access;
mod destinations;
mod jobs;
mod library;
mod settings;
mod sign_ins;
mod space;
mod uploads;

use std::sync::Arc;

use axum::Json;

pub(crate) use settings::{pause, resume, upload_anyway};

use super::routes::Routes;
use crate::core::Core;

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .merge(settings::router())
        .merge(library::router())
        .merge(destinations::router())
        .merge(sign_ins::router())
        .merge(space::router())
        .merge(uploads::router())
        .merge(jobs::router())
        .merge(access::router())
        .route("/v1/openapi.json", axum::routing::get(async || Json(super::owner_openapi())))
}
