//! The local API: HTTP/1.1 with JSON on two Unix sockets, each in a folder that only this user can enter. There is no TCP listener.

mod apps;
mod events;
mod owner;
mod routes;
mod socket;

use std::sync::Arc;

use utoipa::openapi::OpenApi;

pub(crate) use owner::{pause, resume, upload_anyway};
pub(crate) use socket::{listen, remove_sockets};

use crate::core::Core;

type CoreState = axum::extract::State<Arc<Core>>;

/// The OpenAPI document of the windows' and command line's socket.
pub fn owner_openapi() -> OpenApi {
    titled(owner::router().document(), "Afterglow: the owner's API", "Everything the person may do. Served on `owner.sock`.")
}

/// The OpenAPI document of other programs' socket.
pub fn apps_openapi() -> OpenApi {
    titled(apps::router().document(), "Afterglow: the API for apps", "What a paired program may do. Served on `apps.sock`.")
}

fn titled(mut document: OpenApi, title: &str, description: &str) -> OpenApi {
    document.info.title = title.to_owned();
    document.info.description = Some(description.to_owned());
    document.info.version = "1".to_owned();
    (document.info.license, document.info.contact) = (None, None);
    document
}
