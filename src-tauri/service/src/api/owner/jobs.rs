//! Jobs, and why they do not move.

use std::sync::Arc;

use afterglow_model::{
    ApiError, Changed, Event, Explanation, JobId, JobIds, JobPage, JobQuery, JobState, Simulate, Simulation, Status, Waiting,
};
use axum::{
    Json,
    extract::{Path, Query, State},
};

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{
    clock,
    core::Core,
    destinations,
    engine::Command,
    error::{Answer, Refusal},
    rules::{self, explain},
};

/// Jobs in one answer.
const LIMIT_MAX: u32 = 1000;

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .routes(routes!(list))
        .routes(routes!(why_job))
        .routes(routes!(why))
        .routes(routes!(simulate))
        .routes(routes!(retry))
        .routes(routes!(cancel))
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", responses((status = 200, body = JobPage)))]
async fn list(State(core): CoreState, Query(mut query): Query<JobQuery>) -> Answer<Json<JobPage>> {
    query.limit = query.limit.map(|limit| limit.clamp(1, LIMIT_MAX));
    let page = core.queue.jobs(&query).await?;
    let mut jobs = Vec::with_capacity(page.jobs.len());
    for job in page.jobs {
        jobs.push(explain(&core, job).await);
    }
    Ok(Json(JobPage { jobs, ..page }))
}

/// Why a job does not move.
#[utoipa::path(get, path = "/v1/jobs/{id}/why", params(("id" = String, Path)), responses((status = 200, body = Explanation), (status = 404, body = ApiError)))]
async fn why_job(State(core): CoreState, Path(id): Path<JobId>) -> Answer<Json<Explanation>> {
    let job = core.queue.job(&id).await?.ok_or_else(|| Refusal::not_found("upload", &id))?;
    let job = explain(&core, job).await;
    let sentence = match (job.state, job.waiting.first(), &job.failure, &job.receipt) {
        (JobState::Succeeded, _, _, Some(receipt)) => format!("{}: {}.", job.filename, receipt.evidence.sentence()),
        (JobState::Succeeded, ..) => format!("{} is delivered.", job.filename),
        (JobState::Cancelled, ..) => format!("{} was cancelled.", job.filename),
        (JobState::Failed, _, Some(failure), _) => failure.message.clone(),
        (JobState::Failed, ..) => format!("{} failed.", job.filename),
        (JobState::Registered | JobState::Pending, Some(waiting), ..) => waiting.sentence.clone(),
        (JobState::Registered | JobState::Pending, None, ..) => format!("{} is on its way.", job.filename),
    };
    Ok(Json(Explanation { job_id: Some(job.id), sentence, waiting: job.waiting }))
}

/// Why nothing moves, or that it does.
#[utoipa::path(get, path = "/v1/why", responses((status = 200, body = Explanation)))]
async fn why(State(core): CoreState) -> Json<Explanation> {
    let status = core.status.borrow().clone();
    let waiting = status.waiting.iter().map(|group| Waiting {
        reason: group.reason,
        since: group.since,
        until: group.until,
        sentence: group.sentence.clone(),
    });
    Json(Explanation { job_id: None, sentence: with_example(&core, &status).await, waiting: waiting.collect() })
}

/// The status' sentence; where files need the person, with what is the matter with the newest of them.
async fn with_example(core: &Core, status: &Status) -> String {
    let sentence = status.sentence.clone();
    if status.attention == 0 {
        return sentence;
    }
    let query = JobQuery { attention: true, limit: Some(1), ..JobQuery::default() };
    let newest = core.queue.jobs(&query).await.ok().and_then(|page| page.jobs.into_iter().next());
    match newest.and_then(|job| Some((job.filename, job.failure?.message))) {
        Some((name, message)) => format!("{sentence}. {name}: {message}"),
        None => sentence,
    }
}

/// What would happen under other conditions.
#[utoipa::path(post, path = "/v1/simulate", request_body = Simulate, responses((status = 200, body = Simulation), (status = 400, body = ApiError)))]
async fn simulate(State(core): CoreState, Json(asked): Json<Simulate>) -> Answer<Json<Simulation>> {
    rules::simulate(&core, asked).await.map(Json)
}

/// Tries failed and held jobs again; an empty list means all of them.
#[utoipa::path(post, path = "/v1/jobs/retry", request_body = JobIds, responses((status = 200, body = Changed), (status = 404, body = ApiError)))]
async fn retry(State(core): CoreState, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    core.check_jobs(&ids.job_ids).await?;
    let changed = core.queue.retry_jobs((!ids.job_ids.is_empty()).then_some(ids.job_ids.as_slice())).await?;
    destinations::try_again(&core).await?;
    core.command(Command::Forgive).await;
    core.command(Command::Jobs).await;
    core.tell(Event::JobsChanged { asset_ids: vec![] });
    Ok(Json(Changed { changed }))
}

/// Takes jobs back.
#[utoipa::path(post, path = "/v1/jobs/cancel", request_body = JobIds, responses((status = 200, body = Changed), (status = 404, body = ApiError)))]
async fn cancel(State(core): CoreState, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    if ids.job_ids.is_empty() {
        return Err(Refusal::bad("which_jobs", "Name the jobs to cancel."));
    }
    core.check_jobs(&ids.job_ids).await?;
    let changed = core.queue.cancel_jobs(&ids.job_ids, clock::wall()).await?;
    core.command(Command::Jobs).await;
    core.tell(Event::JobsChanged { asset_ids: vec![] });
    Ok(Json(Changed { changed }))
}
