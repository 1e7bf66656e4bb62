//! Status, reasons, pausing.

use std::time::Duration;

use afterglow_client::model::{Explanation, OpenPane, OverrideScope, PauseRequest, Status, UploadAnyway};
use serde_json::Value;

use super::Call;
use crate::{Exit, output};

pub(super) async fn status(call: &Call) -> anyhow::Result<Exit> {
    show(call, &call.owner.get("/v1/status").await?)
}

fn show(call: &Call, status: &Status) -> anyhow::Result<Exit> {
    if call.json {
        output::json(status)?;
        return Ok(Exit::Done);
    }
    output::line(&status.sentence);
    if let Some(detail) = &status.detail {
        output::line(format!("  {detail}"));
    }
    for group in status.waiting.iter().skip(1) {
        output::line(format!("  {}", group.sentence));
    }
    let jobs = &status.jobs;
    output::line(format!("  {} delivered, {} to go, {} failed", jobs.succeeded, jobs.open(), jobs.failed));
    for prompt in &status.prompts {
        output::line(format!(
            "  {} would like to see your photos: afterglow app grant {:?} --full",
            prompt.app_name, prompt.app_name
        ));
    }
    Ok(Exit::Done)
}

pub(super) async fn why(call: &Call, job: Option<String>) -> anyhow::Result<Exit> {
    let path = job.map_or_else(|| "/v1/why".to_owned(), |job| format!("/v1/jobs/{job}/why"));
    let explanation: Explanation = call.owner.get(&path).await?;
    if call.json {
        output::json(&explanation)?;
        return Ok(Exit::Done);
    }
    output::line(&explanation.sentence);
    for waiting in explanation.waiting.iter().filter(|waiting| waiting.sentence != explanation.sentence) {
        output::line(format!("  {}", waiting.sentence));
    }
    Ok(Exit::Done)
}

pub(super) async fn pause(call: &Call, time: Option<Duration>) -> anyhow::Result<Exit> {
    let request = time.map_or(PauseRequest::Indefinitely, |time| PauseRequest::For { seconds: time.as_secs() });
    show(call, &call.owner.post("/v1/pause", &request).await?)
}

pub(super) async fn resume(call: &Call) -> anyhow::Result<Exit> {
    show(call, &call.owner.post("/v1/resume", &Value::Null).await?)
}

pub(super) async fn now(call: &Call, job: Option<String>, network: bool) -> anyhow::Result<Exit> {
    let scope = match (job, network) {
        (Some(job), _) => OverrideScope::Job { job_id: job.into() },
        (None, true) => OverrideScope::Network,
        (None, false) => OverrideScope::Hour,
    };
    show(call, &call.owner.post("/v1/now", &UploadAnyway { scope }).await?)
}

pub(super) async fn open(call: &Call, pane: String) -> anyhow::Result<Exit> {
    call.owner.post::<()>("/v1/open", &OpenPane { pane }).await?;
    Ok(Exit::Done)
}

pub(super) async fn quit(call: &Call) -> anyhow::Result<Exit> {
    call.owner.post::<()>("/v1/quit", &Value::Null).await?;
    if !call.json {
        output::line("Afterglow ends. What is under way goes on at its next start.");
    }
    Ok(Exit::Done)
}
