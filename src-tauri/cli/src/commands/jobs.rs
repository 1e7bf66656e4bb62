//! Uploads.

use std::path::PathBuf;

use afterglow_client::model::{
    Changed, CreateUpload, JobId, JobIds, JobPage, JobState, Phase, UploadJob, UploadPreview, bytes, count,
};

use super::{Call, destinations::find, library::absolute};
use crate::{Exit, args::StateArg, output};

pub(super) async fn add(call: &Call, files: Vec<PathBuf>, to: String) -> anyhow::Result<Exit> {
    let paths = files.into_iter().map(absolute).collect::<anyhow::Result<Vec<_>>>()?;
    let destination_id = find(call, &to).await?.id;
    let made: UploadPreview = call.owner.post("/v1/uploads", &CreateUpload { paths, asset_ids: vec![], destination_id }).await?;
    if call.json {
        output::json(&made)?;
    } else {
        output::line(format!("{} to {to} ({})", count(made.files, "file", "files"), bytes(made.bytes)));
        if made.already_delivered > 0 {
            output::line(format!("{} there already", count(made.already_delivered, "file is", "files are")));
        }
        for refused in &made.refused {
            output::line(refused);
        }
    }
    Ok(if made.refused.is_empty() { Exit::Done } else { Exit::Error })
}

pub(super) async fn list(call: &Call, state: Option<StateArg>, limit: u32) -> anyhow::Result<Exit> {
    let state = state.map(|state| format!("&state={}", state_word(state_of(state)))).unwrap_or_default();
    let page: JobPage = call.owner.get(&format!("/v1/jobs?limit={limit}{state}")).await?;
    if call.json {
        output::json(&page.jobs)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> =
        page.jobs.iter().map(|job| [job.id.to_string(), job.filename.clone(), bytes(job.byte_count), what(job)]).collect();
    output::table(["ID", "FILE", "SIZE", "STATE"], &rows);
    Ok(Exit::Done)
}

pub(super) async fn retry(call: &Call, jobs: Vec<String>) -> anyhow::Result<Exit> {
    change(call, "/v1/jobs/retry", jobs, "to be tried again").await
}

pub(super) async fn cancel(call: &Call, jobs: Vec<String>) -> anyhow::Result<Exit> {
    change(call, "/v1/jobs/cancel", jobs, "cancelled").await
}

async fn change(call: &Call, path: &str, jobs: Vec<String>, what: &str) -> anyhow::Result<Exit> {
    let ids = JobIds { job_ids: jobs.into_iter().map(JobId).collect() };
    let changed: Changed = call.owner.post(path, &ids).await?;
    if call.json {
        output::json(&changed)?;
    } else {
        output::line(format!("{} {what}", count(changed.changed, "upload", "uploads")));
    }
    Ok(Exit::Done)
}

fn what(job: &UploadJob) -> String {
    match (job.state, &job.receipt, &job.failure) {
        (JobState::Succeeded, Some(receipt), _) => receipt.evidence.sentence().to_owned(),
        (JobState::Failed, _, Some(failure)) => failure.message.clone(),
        (JobState::Registered | JobState::Pending, ..) => match (job.waiting.first(), job.phase) {
            (Some(waiting), _) => waiting.sentence.clone(),
            (None, Phase::Transferring) => format!("sending, {} of {}", bytes(job.bytes_sent), bytes(job.byte_count)),
            (None, _) => state_word(job.state).to_owned(),
        },
        (state, ..) => state_word(state).to_owned(),
    }
}

fn state_of(state: StateArg) -> JobState {
    match state {
        StateArg::Registered => JobState::Registered,
        StateArg::Pending => JobState::Pending,
        StateArg::Failed => JobState::Failed,
        StateArg::Succeeded => JobState::Succeeded,
        StateArg::Cancelled => JobState::Cancelled,
    }
}

fn state_word(state: JobState) -> &'static str {
    match state {
        JobState::Registered => "registered",
        JobState::Pending => "pending",
        JobState::Failed => "failed",
        JobState::Succeeded => "succeeded",
        JobState::Cancelled => "cancelled",
    }
}
