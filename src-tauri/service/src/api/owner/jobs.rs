//! Jobs, and why they do not move.

use std::sync::Arc;

use afterglow_model::{
    ApiError, Changed, Event, Explanation, JobId, JobIds, JobPage, JobQuery, JobState, Phase, SentenceContext, UploadJob, Waiting,
    WaitingReason, waiting_sentence,
};
use afterglow_scheduler::{DestinationFacts, Hysteresis, Policy};
use axum::{
    Json,
    extract::{Path, Query, State},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::CoreState;
use crate::{
    clock,
    core::Core,
    engine::Command,
    error::{Answer, Refusal},
    host,
};

/// Jobs in one answer.
const LIMIT_MAX: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<Arc<Core>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(why_job))
        .routes(routes!(why))
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
    let job = core.queue.job(&id).await?.ok_or_else(|| Refusal::not_found("job"))?;
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
    Json(Explanation { job_id: None, sentence: status.sentence.clone(), waiting: waiting.collect() })
}

/// Tries failed and held jobs again; an empty list means all of them.
#[utoipa::path(post, path = "/v1/jobs/retry", request_body = JobIds, responses((status = 200, body = Changed)))]
async fn retry(State(core): CoreState, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    let changed = core.queue.retry_jobs((!ids.job_ids.is_empty()).then_some(ids.job_ids.as_slice())).await?;
    core.command(Command::Forgive).await;
    core.command(Command::Jobs).await;
    core.tell(Event::JobsChanged { asset_ids: vec![] });
    Ok(Json(Changed { changed }))
}

/// Takes jobs back.
#[utoipa::path(post, path = "/v1/jobs/cancel", request_body = JobIds, responses((status = 200, body = Changed)))]
async fn cancel(State(core): CoreState, Json(ids): Json<JobIds>) -> Answer<Json<Changed>> {
    if ids.job_ids.is_empty() {
        return Err(Refusal::bad("which_jobs", "Name the jobs to cancel."));
    }
    let changed = core.queue.cancel_jobs(&ids.job_ids, clock::wall()).await?;
    core.command(Command::Jobs).await;
    core.tell(Event::JobsChanged { asset_ids: vec![] });
    Ok(Json(Changed { changed }))
}

/// A job with what only this moment knows: where a running transfer is, and why a waiting one waits. The reasons come from the same
/// function that decides.
pub(crate) async fn explain(core: &Core, mut job: UploadJob) -> UploadJob {
    if job.state.is_terminal() {
        return job;
    }
    if let Some(point) = core.live.get(&job.id) {
        job.phase = point.phase;
        job.bytes_sent = point.confirmed.max(job.bytes_sent);
        return job;
    }
    match reasons(core, &job).await {
        Ok(waiting) => {
            if !waiting.is_empty() && matches!(job.phase, Phase::Queued) {
                job.phase = Phase::Waiting;
            }
            job.waiting = waiting;
        }
        Err(refusal) => tracing::warn!(error = refusal.error.message, "why a job waits could not be found out"),
    }
    job
}

async fn reasons(core: &Core, job: &UploadJob) -> Answer<Vec<Waiting>> {
    let now = clock::now();
    let conditions = core.conditions.borrow().clone();
    let settings = core.queue.settings().await?;
    let pause = core.queue.pause().await?;
    let overrides = core.queue.overrides().await?;
    let Some(destination) = core.queue.destination(job.destination_id.as_str()).await? else { return Ok(Vec::new()) };
    let facts = DestinationFacts {
        id: destination.id.clone(),
        state: destination.state,
        not_before: None,
        local: host::is_local(&destination.url),
    };
    let hysteresis = Hysteresis::default().follow(&conditions.power);
    let policy = Policy { settings: &settings, pause: pause.as_ref(), overrides: &overrides, hysteresis };
    let queued = core.queue.queued_job(&job.id).await?;
    let options = queued.as_ref().map(|queued| queued.options.clone()).unwrap_or_default();
    let ids = Some((&job.id, &job.batch_id));
    let mut found: Vec<(WaitingReason, Option<afterglow_model::Timestamp>)> =
        afterglow_scheduler::reasons(job.priority, ids, &options, &facts, &conditions, &policy, now)
            .into_iter()
            .map(|reason| (reason.reason, reason.until))
            .collect();
    // What only the loop knows: how long a destination is left alone, and a charge that has not recovered yet.
    let told = core.status.borrow().clone();
    for group in told.waiting.iter().filter(|group| group.destination_id == destination.id) {
        let of_the_loop = matches!(group.reason, WaitingReason::DestinationUnreachable | WaitingReason::BatteryLow);
        if of_the_loop && found.iter().all(|(reason, _)| *reason != group.reason) {
            found.push((group.reason, group.until));
        }
    }
    if job.phase == Phase::Held {
        let held = match job.failure.as_ref().map(|failure| failure.code) {
            Some(afterglow_model::FailureCode::AccessDenied) => WaitingReason::AccessWithdrawn,
            Some(afterglow_model::FailureCode::QuotaExceeded) => WaitingReason::QuotaExceeded,
            _ => WaitingReason::AuthRequired,
        };
        found.insert(0, (held, None));
    }
    if let Some(source) = queued.and_then(|queued| queued.source_id)
        && !core.library.source_online(&source).await?
    {
        found.push((WaitingReason::SourceOffline, None));
    }
    if job.next_attempt_at.is_some_and(|at| at > now.wall) {
        found.push((WaitingReason::Backoff, job.next_attempt_at));
    }
    if found.is_empty() {
        found.push((WaitingReason::JobLimit, None));
    }
    let waiting = found.into_iter().map(|(reason, until)| {
        let context = SentenceContext {
            destination: Some(&destination.name),
            battery_minimum_percent: Some(settings.battery_minimum_percent),
            minutes: until.map(|at| u64::try_from((at.ms_since(now.wall) + 30_000) / 60_000).unwrap_or(0)),
        };
        let sentence = match (&job.failure, job.phase) {
            (Some(failure), Phase::Held) => failure.message.clone(),
            _ => waiting_sentence(reason, &conditions, context),
        };
        Waiting { reason, since: job.created_at, until, sentence }
    });
    Ok(waiting.collect())
}
