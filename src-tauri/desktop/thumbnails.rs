//! Pictures for the pages: `thumb://localhost/ASSET?size=256`, answered by the service from its cache. No original reaches a page,
//! and no path does: an asset is named by its opaque id.

use tauri::{
    Manager, UriSchemeContext, UriSchemeResponder, Wry,
    http::{Request, Response, StatusCode, header},
};

use crate::link::Link;

/// Answers one request.
pub(crate) fn answer(context: UriSchemeContext<'_, Wry>, request: Request<Vec<u8>>, responder: UriSchemeResponder) {
    let app = context.app_handle().clone();
    tauri::async_runtime::spawn(async move {
        let asset = request.uri().path().trim_start_matches('/');
        let size = request
            .uri()
            .query()
            .and_then(|query| query.strip_prefix("size="))
            .and_then(|size| size.parse().ok())
            .unwrap_or(256_u32);
        let picture = if asset.chars().all(|c| c.is_ascii_alphanumeric()) {
            app.state::<Link>().bytes(&format!("/v1/assets/{asset}/thumbnail?size={size}")).await.ok()
        } else {
            None
        };
        responder.respond(match picture {
            // The id names the content, so what was once shown stays right.
            Some((kind, bytes)) => response(StatusCode::OK, &kind, "private, max-age=86400", bytes),
            None => response(StatusCode::NOT_FOUND, "text/plain", "no-store", Vec::new()),
        });
    });
}

fn response(status: StatusCode, kind: &str, cache: &str, bytes: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(bytes);
    *response.status_mut() = status;
    for (name, value) in [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
