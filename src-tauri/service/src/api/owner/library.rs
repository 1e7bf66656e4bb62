//! Folders, albums, assets and thumbnails.

use std::{path::PathBuf, sync::Arc};

use afterglow_library::ThumbnailError;
use afterglow_model::{
    AddSource, AlbumTitle, ApiError, AssetCollection, AssetDetail, AssetId, AssetPage, CollectionId, EditAlbum, Event, JobQuery,
    MonthSection, SetFavorite, Source, SourceId, SuggestedSource,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{
    core::Core,
    engine::Command,
    error::{Answer, Refusal},
    host,
    rules::explain,
};

/// Tiles in one answer.
const PAGE_MAX: u32 = 500;
/// Sizes that thumbnails are made in, longest edge in pixels.
const SIZES: [u32; 3] = [256, 512, 1024];

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .routes(routes!(suggested))
        .routes(routes!(sources, add_source))
        .routes(routes!(remove_source))
        .routes(routes!(scan))
        .routes(routes!(collections, create_album))
        .routes(routes!(rename_album, delete_album))
        .routes(routes!(edit_album, assets))
        .routes(routes!(months))
        .routes(routes!(asset))
        .routes(routes!(thumbnail))
        .routes(routes!(set_favorite))
}

/// Folders that probably hold photos.
#[utoipa::path(get, path = "/v1/suggested-sources", responses((status = 200, body = [SuggestedSource])))]
async fn suggested(State(core): CoreState) -> Answer<Json<Vec<SuggestedSource>>> {
    Ok(Json(core.library.suggested_sources(host::picture_folders()).await))
}

/// The person's folders.
#[utoipa::path(get, path = "/v1/sources", responses((status = 200, body = [Source])))]
async fn sources(State(core): CoreState) -> Answer<Json<Vec<Source>>> {
    Ok(Json(core.library.sources().await?))
}

/// Gives a folder to the library.
#[utoipa::path(post, path = "/v1/sources", request_body = AddSource, responses((status = 200, body = Source), (status = 400, body = ApiError)))]
async fn add_source(State(core): CoreState, Json(request): Json<AddSource>) -> Answer<Json<Source>> {
    let source = core.library.add_source(&PathBuf::from(request.path)).await?;
    core.passes.follow_now();
    core.command(Command::Reload).await;
    core.tell(Event::LibraryChanged);
    Ok(Json(source))
}

/// Forgets a folder. Its files are not touched.
#[utoipa::path(delete, path = "/v1/sources/{id}", params(("id" = String, Path)), responses((status = 204)))]
async fn remove_source(State(core): CoreState, Path(id): Path<SourceId>) -> Answer<StatusCode> {
    core.library.remove_source(&id).await?;
    core.tell(Event::LibraryChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// Looks through all folders again.
#[utoipa::path(post, path = "/v1/sources/scan", responses((status = 204)))]
async fn scan(State(core): CoreState) -> Answer<StatusCode> {
    core.library.scan_all().await?;
    core.passes.follow_now();
    core.command(Command::Reload).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Albums of every kind.
#[utoipa::path(get, path = "/v1/collections", responses((status = 200, body = [AssetCollection])))]
async fn collections(State(core): CoreState) -> Answer<Json<Vec<AssetCollection>>> {
    Ok(Json(core.library.collections().await?))
}

/// Makes an album.
#[utoipa::path(post, path = "/v1/collections", request_body = AlbumTitle, responses((status = 200, body = AssetCollection)))]
async fn create_album(State(core): CoreState, Json(request): Json<AlbumTitle>) -> Answer<Json<AssetCollection>> {
    let album = core.library.create_album(&request.title).await?;
    core.tell(Event::LibraryChanged);
    Ok(Json(album))
}

/// Renames an album.
#[utoipa::path(patch, path = "/v1/collections/{id}", params(("id" = String, Path)), request_body = AlbumTitle, responses((status = 200, body = AssetCollection)))]
async fn rename_album(
    State(core): CoreState,
    Path(id): Path<CollectionId>,
    Json(request): Json<AlbumTitle>,
) -> Answer<Json<AssetCollection>> {
    let album = core.library.rename_album(&id, &request.title).await?;
    core.tell(Event::LibraryChanged);
    Ok(Json(album))
}

/// Deletes an album. Its photos stay.
#[utoipa::path(delete, path = "/v1/collections/{id}", params(("id" = String, Path)), responses((status = 204)))]
async fn delete_album(State(core): CoreState, Path(id): Path<CollectionId>) -> Answer<StatusCode> {
    core.library.delete_album(&id).await?;
    core.tell(Event::LibraryChanged);
    Ok(StatusCode::NO_CONTENT)
}

/// Puts assets into an album, or takes them out.
#[utoipa::path(post, path = "/v1/collections/{id}/assets", params(("id" = String, Path)), request_body = EditAlbum, responses((status = 200, body = AssetCollection)))]
async fn edit_album(
    State(core): CoreState,
    Path(id): Path<CollectionId>,
    Json(request): Json<EditAlbum>,
) -> Answer<Json<AssetCollection>> {
    let album = core.library.edit_album(&id, &request.add, &request.remove).await?;
    core.passes.follow_now();
    core.command(Command::Reload).await;
    core.tell(Event::LibraryChanged);
    Ok(Json(album))
}

/// How many assets each month of a collection has, newest first.
#[utoipa::path(get, path = "/v1/collections/{id}/months", params(("id" = String, Path)), responses((status = 200, body = [MonthSection])))]
async fn months(State(core): CoreState, Path(id): Path<CollectionId>) -> Answer<Json<Vec<MonthSection>>> {
    Ok(Json(core.library.months(&id).await?))
}

#[derive(Deserialize, IntoParams)]
struct PageQuery {
    /// Position of the first asset.
    #[serde(default)]
    offset: u64,
    /// At most so many, 1 to 500.
    limit: Option<u32>,
}

/// A page of a collection, newest first.
#[utoipa::path(get, path = "/v1/collections/{id}/assets", params(("id" = String, Path), PageQuery), responses((status = 200, body = AssetPage)))]
async fn assets(State(core): CoreState, Path(id): Path<CollectionId>, Query(page): Query<PageQuery>) -> Answer<Json<AssetPage>> {
    let limit = page.limit.unwrap_or(200).clamp(1, PAGE_MAX);
    let (mut assets, total) = core.library.tiles(&id, page.offset, limit).await?;
    let ids: Vec<AssetId> = assets.iter().map(|tile| tile.id.clone()).collect();
    let badges = core.queue.badges(&ids).await?;
    for tile in &mut assets {
        tile.badge = badges.get(&tile.id).copied();
    }
    Ok(Json(AssetPage { assets, offset: page.offset, total }))
}

/// An asset with its files and jobs.
#[utoipa::path(get, path = "/v1/assets/{id}", params(("id" = String, Path)), responses((status = 200, body = AssetDetail), (status = 404, body = ApiError)))]
async fn asset(State(core): CoreState, Path(id): Path<AssetId>) -> Answer<Json<AssetDetail>> {
    let asset = core.library.asset(&id).await?.ok_or_else(|| Refusal::not_found("asset", &id))?;
    let resources = core.library.resources(&id).await?;
    let page = core.queue.jobs(&JobQuery { asset_id: Some(id), ..JobQuery::default() }).await?;
    let mut jobs = Vec::with_capacity(page.jobs.len());
    for job in page.jobs {
        jobs.push(explain(&core, job).await);
    }
    Ok(Json(AssetDetail { asset, resources, jobs }))
}

#[derive(Deserialize, IntoParams)]
struct ThumbnailQuery {
    /// Longest edge in pixels: 256, 512 or 1024.
    size: Option<u32>,
}

/// A picture of an asset. 404 `no_thumbnail` where its format has none.
#[utoipa::path(get, path = "/v1/assets/{id}/thumbnail", params(("id" = String, Path), ThumbnailQuery), responses((status = 200, content_type = "image/jpeg"), (status = 404, body = ApiError)))]
async fn thumbnail(State(core): CoreState, Path(id): Path<AssetId>, Query(query): Query<ThumbnailQuery>) -> Answer<Response> {
    let wanted = query.size.unwrap_or(SIZES[0]);
    let size = SIZES.into_iter().find(|size| *size >= wanted).unwrap_or(SIZES[2]);
    match core.library.thumbnail(&id, size).await {
        // The id names the content: what was once fetched stays right.
        Ok(jpeg) => {
            Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=86400")], jpeg).into_response())
        }
        Err(ThumbnailError::NotFound) => Err(Refusal::not_found("asset", &id)),
        Err(error) => {
            let error = ApiError::new("photos", "no_thumbnail", error.to_string());
            Err(Refusal { status: StatusCode::NOT_FOUND, error })
        }
    }
}

/// Marks assets, or takes the mark away.
#[utoipa::path(post, path = "/v1/favourites", request_body = SetFavorite, responses((status = 204)))]
async fn set_favorite(State(core): CoreState, Json(request): Json<SetFavorite>) -> Answer<StatusCode> {
    core.library.set_favorite(&request.asset_ids, request.is_favorite).await?;
    core.passes.follow_now();
    core.command(Command::Reload).await;
    core.tell(Event::LibraryChanged);
    Ok(StatusCode::NO_CONTENT)
}
