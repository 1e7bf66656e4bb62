//! Status, settings, pausing, and the windows.

use std::sync::Arc;

use afterglow_model::{
    Activity, DayBytes, Event, Health, OpenPane, OverrideScope, Pause, PauseRequest, PauseUntil, Settings, Status, UploadAnyway,
    UploadRun,
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};

use super::super::{
    CoreState, events,
    routes::{Routes, routes},
};
use crate::{
    clock,
    core::Core,
    desk,
    engine::{Command, history, new_override},
    error::{Answer, Refusal},
};

/// Days that the chart shows.
const DAYS: u32 = 30;
/// Longest that backups are gathered on battery.
const GATHER_MINUTES_MAX: u32 = 24 * 60;
/// Times of work that one answer lists.
const RUNS: u32 = 200;
/// Batches of each kind that one answer lists.
const BATCHES: u32 = 50;

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .routes(routes!(health))
        .routes(routes!(status))
        .routes(routes!(stream))
        .routes(routes!(activity))
        .routes(routes!(get_history))
        .routes(routes!(get_settings, put_settings))
        .routes(routes!(post_pause))
        .routes(routes!(post_resume))
        .routes(routes!(post_now))
        .routes(routes!(open))
        .routes(routes!(quit))
}

/// Whether the service answers.
#[utoipa::path(get, path = "/v1/health", responses((status = 200, body = Health)))]
async fn health(State(core): CoreState) -> Json<Health> {
    Json(Health { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id(), started_at: core.started_at })
}

/// The one sentence, and the numbers behind it.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status)))]
async fn status(State(core): CoreState) -> Answer<Json<Status>> {
    Ok(Json(fresh_status(&core).await?))
}

/// The status with the numbers of this moment: the loop tells it at most four times a second.
async fn fresh_status(core: &Core) -> Answer<Status> {
    let mut status = core.status.borrow().as_ref().clone();
    status.jobs = core.queue.counts().await?;
    status.attention = core.queue.attention_count().await?;
    status.prompts = core.prompts.list();
    status.looking |= core.is_looking();
    Ok(status)
}

/// What happens: a snapshot first, then changes.
#[utoipa::path(get, path = "/v1/events", responses((status = 200, body = Event, content_type = "text/event-stream")))]
async fn stream(State(core): CoreState) -> Answer<impl IntoResponse> {
    let receiver = core.events.subscribe();
    let first = Event::Snapshot { status: Box::new(fresh_status(&core).await?) };
    Ok(events::stream(first, receiver, core.quit.clone(), Some, |missed| Event::Overflow { missed }))
}

/// Throughput, bytes per day and batches.
#[utoipa::path(get, path = "/v1/activity", responses((status = 200, body = Activity)))]
async fn activity(State(core): CoreState) -> Answer<Json<Activity>> {
    let known = core.queue.bytes_by_day(DAYS).await?;
    let days = clock::last_days(DAYS).into_iter().map(|day| {
        let bytes = known.iter().find(|known| known.day == day).map_or(0, |known| known.bytes);
        DayBytes { day, bytes }
    });
    let days = days.collect();
    let recent_bytes_per_s = core.throughput.borrow().clone();
    let live = core.live.by_batch();
    let mut open_batches = core.queue.batches_open(BATCHES).await?;
    for batch in &mut open_batches {
        let moving = live.get(&batch.id).copied().unwrap_or(0);
        batch.bytes_sent = (batch.bytes_sent + moving).min(batch.bytes_total);
    }
    Ok(Json(Activity { recent_bytes_per_s, days, open_batches, finished_batches: core.queue.batches_finished(BATCHES).await? }))
}

/// When uploads went on, and why they stopped; newest first, the present time without an end.
#[utoipa::path(get, path = "/v1/history", responses((status = 200, body = [UploadRun])))]
async fn get_history(State(core): CoreState) -> Answer<Json<Vec<UploadRun>>> {
    let minimum = core.queue.settings().await?.battery_minimum_percent;
    let present = core.present.borrow().clone().map(history::under_way);
    let past = core.queue.runs(RUNS).await?.into_iter().map(|run| history::shown(run, minimum));
    Ok(Json(present.into_iter().chain(past).collect()))
}

/// The person's settings.
#[utoipa::path(get, path = "/v1/settings", responses((status = 200, body = Settings)))]
async fn get_settings(State(core): CoreState) -> Answer<Json<Settings>> {
    Ok(Json(core.queue.settings().await?))
}

/// Changes the settings.
#[utoipa::path(put, path = "/v1/settings", request_body = Settings, responses((status = 200, body = Settings)))]
async fn put_settings(State(core): CoreState, Json(settings): Json<Settings>) -> Answer<Json<Settings>> {
    if settings.battery_minimum_percent > 100 {
        return Err(Refusal::bad("bad_settings", "The least charge is a percentage, 0 to 100."));
    }
    if !settings.timetable.is_valid() {
        return Err(Refusal::bad("bad_settings", "The timetable's changes must ascend within a week, and none may limit to 0."));
    }
    if settings.bytes_per_day_max == Some(0) {
        return Err(Refusal::bad("bad_settings", "A day of 0 bytes would never deliver anything. Pause instead, or leave it out."));
    }
    if settings.gather_minutes > GATHER_MINUTES_MAX {
        return Err(Refusal::bad("bad_settings", "Photos are gathered for a day at most."));
    }
    if settings.bandwidth_bytes_per_s == Some(0) {
        return Err(Refusal::bad("bad_settings", "A bandwidth of 0 would never finish. Pause instead, or leave the limit out."));
    }
    let before = core.queue.settings().await?;
    if before.start_at_login != settings.start_at_login {
        let exe = std::env::current_exe().map_err(|error| Refusal::internal(error.to_string()))?;
        let config = dirs::config_dir().ok_or_else(|| Refusal::internal("There is no configuration folder."))?;
        afterglow_system::autostart::set(settings.start_at_login, &exe, &config)
            .map_err(|error| Refusal::bad("start_at_login", error.to_string()))?;
    }
    core.queue.set_settings(settings.clone()).await?;
    core.notices.send_replace(settings.notifications);
    core.command(Command::Reload).await;
    core.tell(Event::SettingsChanged { settings: settings.clone() });
    Ok(Json(settings))
}

/// Pauses everything.
#[utoipa::path(post, path = "/v1/pause", request_body = PauseRequest, responses((status = 200, body = Status)))]
async fn post_pause(State(core): CoreState, Json(request): Json<PauseRequest>) -> Answer<Json<Status>> {
    pause(&core, request).await?;
    core.settled().await;
    Ok(Json(fresh_status(&core).await?))
}

/// Ends a pause.
#[utoipa::path(post, path = "/v1/resume", responses((status = 200, body = Status)))]
async fn post_resume(State(core): CoreState) -> Answer<Json<Status>> {
    resume(&core).await?;
    core.settled().await;
    Ok(Json(fresh_status(&core).await?))
}

/// *Upload anyway*.
#[utoipa::path(post, path = "/v1/now", request_body = UploadAnyway, responses((status = 200, body = Status)))]
async fn post_now(State(core): CoreState, Json(request): Json<UploadAnyway>) -> Answer<Json<Status>> {
    upload_anyway(&core, request.scope).await?;
    core.settled().await;
    Ok(Json(fresh_status(&core).await?))
}

/// Shows a window.
#[utoipa::path(post, path = "/v1/open", request_body = OpenPane, responses((status = 204)))]
async fn open(State(core): CoreState, Json(request): Json<OpenPane>) -> Answer<StatusCode> {
    const PANES: [&str; 7] = ["library", "uploads", "apps", "destinations", "settings", "drop", "prompt"];
    if !PANES.contains(&request.pane.as_str()) {
        return Err(Refusal::bad("bad_pane", format!("There is no pane {}. There are: {}.", request.pane, PANES.join(", "))));
    }
    desk::open_pane(&core, &request.pane);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the service. What is under way goes on with the next start.
#[utoipa::path(post, path = "/v1/quit", responses((status = 204)))]
async fn quit(State(core): CoreState) -> StatusCode {
    core.quit.cancel();
    StatusCode::NO_CONTENT
}

/// Pauses, for the socket and the tray alike.
pub(crate) async fn pause(core: &Core, request: PauseRequest) -> Answer<()> {
    let now = clock::wall();
    let until = match request {
        PauseRequest::Indefinitely => PauseUntil::Resumed,
        PauseRequest::For { seconds: 0 } => return Err(Refusal::bad("bad_pause", "A pause lasts at least a second.")),
        PauseRequest::For { seconds } => {
            PauseUntil::Time { at: now.plus_ms(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)) }
        }
        PauseRequest::UntilTomorrow => PauseUntil::Time { at: clock::tomorrow_morning() },
        PauseRequest::UntilPluggedIn => PauseUntil::PluggedIn,
        PauseRequest::UntilNetwork { key, name } => PauseUntil::Network { key, name },
    };
    core.queue.set_pause(Some(Pause { since: now, until })).await?;
    core.command(Command::Reload).await;
    Ok(())
}

/// Ends a pause.
pub(crate) async fn resume(core: &Core) -> Answer<()> {
    core.queue.set_pause(None).await?;
    core.command(Command::Reload).await;
    Ok(())
}

/// *Upload anyway*: what it lifts stays lifted until it ends, and a destination that was left alone is tried at once.
pub(crate) async fn upload_anyway(core: &Core, scope: OverrideScope) -> Answer<()> {
    let conditions = core.conditions.borrow().clone();
    if scope == OverrideScope::Network && conditions.network.key.is_none() {
        return Err(Refusal::bad("unknown_network", "This network cannot be told from others. Use \"for an hour\" instead."));
    }
    if let OverrideScope::Job { job_id } = &scope {
        core.check_jobs(std::slice::from_ref(job_id)).await?;
    }
    core.queue.add_override(new_override(scope, &conditions, clock::wall())).await?;
    core.command(Command::Forgive).await;
    core.command(Command::Reload).await;
    Ok(())
}
