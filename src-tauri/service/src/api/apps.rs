//! What a paired program may call.

use afterglow_model::{
    ApiError, AppEvent, AssetId, AssetResource, Assets, Authorization, ChangeToken, Changed, CollectionId, Collections, CreateJob,
    JobAction, JobId, JobIds, JobPage, PairRequest, Paired, PersistentChanges, RequestAuthorization, RetryJob, UploadJob,
};
use axum::{
    Json,
    extract::{ConnectInfo, FromRequestParts, Path, Query, State},
    http::{header::AUTHORIZATION, request::Parts},
    response::IntoResponse,
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

use super::{
    CoreState, events,
    routes::{Routes, routes},
    socket::Peer,
};
use crate::{
    apps::{self, Caller},
    core::Core,
    error::{Answer, Refusal},
    rules::explain,
};

/// Jobs in one answer.
const PAGE: u32 = 200;

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .routes(routes!(pair))
        .routes(routes!(authorization, request_authorization))
        .routes(routes!(collections))
        .routes(routes!(assets))
        .routes(routes!(resources))
        .routes(routes!(changes))
        .routes(routes!(fetch_jobs, create_job))
        .routes(routes!(retry))
        .routes(routes!(retry_with))
        .routes(routes!(acknowledge))
        .routes(routes!(cancel))
        .routes(routes!(stream))
        .route("/v1/openapi.json", axum::routing::get(async || Json(super::apps_openapi())))
}

/// The key in `Authorization: Bearer`.
impl FromRequestParts<Arc<Core>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, core: &Arc<Core>) -> Result<Self, Refusal> {
        let key =
            parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
        apps::caller(core, key.unwrap_or_default()).await
    }
}

/// Introduces a program. The person is asked; the call answers when they have.
#[utoipa::path(post, path = "/v1/pair", responses((status = 200, body = Paired), (status = 403, body = ApiError)))]
async fn pair(
    State(core): CoreState,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<PairRequest>,
) -> Answer<Json<Paired>> {
    apps::pair(&core, request, peer.pid).await.map(Json)
}

/// What the person answered. Nobody is asked.
#[utoipa::path(get, path = "/v1/authorization", responses((status = 200, body = Authorization)))]
async fn authorization(caller: Caller) -> Json<Authorization> {
    Json(Authorization { status: caller.app.status, url_bases: caller.app.url_bases })
}

/// Asks the person, if they were not asked before or there are new URL bases.
#[utoipa::path(post, path = "/v1/authorization", responses((status = 200, body = Authorization)))]
async fn request_authorization(
    State(core): CoreState,
    caller: Caller,
    Json(request): Json<RequestAuthorization>,
) -> Answer<Json<Authorization>> {
    apps::request_authorization(&core, &caller, request).await.map(Json)
}

/// Albums that hold something within the grant.
#[utoipa::path(get, path = "/v1/collections", responses((status = 200, body = Collections)))]
async fn collections(State(core): CoreState, caller: Caller) -> Answer<Json<Collections>> {
    Ok(Json(Collections { collections: apps::collections(&core, &caller).await? }))
}

#[derive(Deserialize, IntoParams)]
struct PageQuery {
    /// Position of the first asset.
    #[serde(default)]
    offset: u64,
    /// At most so many, 1 to 500.
    limit: Option<u64>,
}

/// A page of a collection, as far as the grant goes, newest first.
#[utoipa::path(get, path = "/v1/collections/{id}/assets", params(("id" = String, Path), PageQuery), responses((status = 200, body = Assets)))]
async fn assets(
    State(core): CoreState,
    caller: Caller,
    Path(id): Path<CollectionId>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Assets>> {
    apps::assets(&core, &caller, &id, page.offset, page.limit.unwrap_or(100)).await.map(Json)
}

/// The files of an asset. Absent and forbidden look the same.
#[utoipa::path(
    get, path = "/v1/assets/{id}/resources", params(("id" = String, Path)),
    responses((status = 200, body = [AssetResource]), (status = 404, body = ApiError))
)]
async fn resources(State(core): CoreState, caller: Caller, Path(id): Path<AssetId>) -> Answer<Json<Vec<AssetResource>>> {
    apps::resources(&core, &caller, &id).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
struct ChangesQuery {
    /// From an earlier answer; everything without.
    since: Option<String>,
}

/// What changed within the grant. 410 `persistent_change_token_expired`: begin again without a token.
#[utoipa::path(get, path = "/v1/changes", params(ChangesQuery), responses((status = 200, body = PersistentChanges), (status = 410, body = ApiError)))]
async fn changes(State(core): CoreState, caller: Caller, Query(query): Query<ChangesQuery>) -> Answer<Json<PersistentChanges>> {
    apps::changes(&core, &caller, query.since.map(ChangeToken).as_ref()).await.map(Json)
}

/// Hands over an upload.
#[utoipa::path(post, path = "/v1/jobs", responses((status = 200, body = UploadJob), (status = 403, body = ApiError), (status = 404, body = ApiError)))]
async fn create_job(State(core): CoreState, caller: Caller, Json(request): Json<CreateJob>) -> Answer<Json<UploadJob>> {
    apps::create_job(&core, &caller, request).await.map(Json)
}

#[derive(Deserialize, IntoParams)]
struct JobsQuery {
    /// Which jobs; all without.
    action: Option<JobAction>,
    /// From an earlier answer.
    cursor: Option<String>,
}

/// This app's jobs.
#[utoipa::path(get, path = "/v1/jobs", params(JobsQuery), responses((status = 200, body = JobPage)))]
async fn fetch_jobs(State(core): CoreState, caller: Caller, Query(query): Query<JobsQuery>) -> Answer<Json<JobPage>> {
    let action = query.action.unwrap_or(JobAction::All);
    let page = core.queue.job_action(&caller.app.id, action, query.cursor.as_deref(), PAGE).await?;
    let mut jobs = Vec::with_capacity(page.jobs.len());
    for job in page.jobs {
        jobs.push(caller.job(explain(&core, job).await));
    }
    Ok(Json(JobPage { jobs, ..page }))
}

/// Tries failed jobs again.
#[utoipa::path(post, path = "/v1/jobs/retry", request_body = JobIds, responses((status = 200, body = Changed)))]
async fn retry(State(core): CoreState, caller: Caller, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    let own = own_jobs(&core, &caller, ids).await?;
    let changed = core.queue.retry_jobs(Some(&own)).await?;
    core.command(crate::engine::Command::Jobs).await;
    Ok(Json(Changed { changed }))
}

/// Tries a job again with another request.
#[utoipa::path(post, path = "/v1/jobs/{id}/retry", params(("id" = String, Path)), responses((status = 200, body = UploadJob), (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError)))]
async fn retry_with(
    State(core): CoreState,
    caller: Caller,
    Path(id): Path<JobId>,
    Json(request): Json<RetryJob>,
) -> Answer<Json<UploadJob>> {
    apps::retry_with(&core, &caller, &id, request).await.map(Json)
}

/// Takes note of jobs that have ended.
#[utoipa::path(post, path = "/v1/jobs/acknowledge", request_body = JobIds, responses((status = 200, body = Changed)))]
async fn acknowledge(State(core): CoreState, caller: Caller, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    Ok(Json(Changed { changed: core.queue.acknowledge(&caller.app.id, &ids.job_ids).await? }))
}

/// Takes jobs back.
#[utoipa::path(post, path = "/v1/jobs/cancel", request_body = JobIds, responses((status = 200, body = Changed)))]
async fn cancel(State(core): CoreState, caller: Caller, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    let own = own_jobs(&core, &caller, ids).await?;
    let changed = core.queue.cancel_jobs(&own, crate::clock::wall()).await?;
    core.command(crate::engine::Command::Jobs).await;
    apps::requests::forget_spent(&core).await;
    Ok(Json(Changed { changed }))
}

/// The ids among these that are this app's. An empty list means none here: an app names what it means.
async fn own_jobs(core: &Core, caller: &Caller, ids: JobIds) -> Answer<Vec<afterglow_model::JobId>> {
    let mut own = Vec::new();
    for id in ids.job_ids {
        if core.queue.job(&id).await?.is_some_and(|job| job.app_id == caller.app.id) {
            own.push(id);
        }
    }
    Ok(own)
}

/// What happens to this app's jobs and grant: a snapshot first, then changes.
#[utoipa::path(get, path = "/v1/events", responses((status = 200, body = AppEvent, content_type = "text/event-stream")))]
async fn stream(State(core): CoreState, caller: Caller) -> Answer<impl IntoResponse> {
    let receiver = core.app_events.subscribe();
    let page = core.queue.job_action(&caller.app.id, JobAction::All, None, PAGE).await?;
    let jobs = page.jobs.into_iter().filter(|job| !job.acknowledged).map(|job| caller.job(job)).collect();
    let id = caller.app.id;
    Ok(events::stream(
        AppEvent::Snapshot { jobs },
        receiver,
        core.quit.clone(),
        move |(app, event)| (app == id).then_some(event),
        |missed| AppEvent::Overflow { missed },
    ))
}
