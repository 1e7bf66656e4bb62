//! `afterglow wait`: until everything is delivered.

use std::time::Duration;

use afterglow_client::{
    ClientError,
    model::{Event, ServiceState, Status, bytes},
    owner::Owner,
};
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{Exit, output};

/// Waits, showing a bar on a terminal and a line now and then in a pipe.
pub(crate) async fn run(owner: &Owner, timeout: Option<Duration>, json: bool) -> anyhow::Result<Exit> {
    let watched = watch(owner, Show::new(json));
    let exit = match timeout {
        Some(timeout) => match tokio::time::timeout(timeout, watched).await {
            Ok(exit) => exit?,
            Err(_) => Exit::TimedOut,
        },
        None => watched.await?,
    };
    let status: Status = owner.get("/v1/status").await?;
    if json {
        output::json(&status)?;
    } else if exit == Exit::TimedOut {
        output::line(format!("Not everything was delivered in time. {}", status.sentence));
    }
    Ok(exit)
}

async fn watch(owner: &Owner, mut show: Show) -> anyhow::Result<Exit> {
    let mut events = owner.events().await?;
    loop {
        let status = match events.next().await {
            Some(Ok(Event::Snapshot { status } | Event::Status { status })) => *status,
            Some(Ok(_)) => owner.get("/v1/status").await?,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(ClientError::Broken("the service has ended".to_owned()).into()),
        };
        show.status(&status);
        if let Some(exit) = ended(&status) {
            show.end(&status);
            return Ok(exit);
        }
    }
}

/// Whether nothing more will happen by itself, and how it ended. Jobs that wait still count as under way; jobs that need the person
/// end the waiting only when nothing else moves.
fn ended(status: &Status) -> Option<Exit> {
    if status.looking || status.scan.is_some() || status.state == ServiceState::Uploading {
        return None;
    }
    let needs_person = status.attention > 0 || !status.attention_destinations.is_empty();
    // A job that was asked for a moment ago is counted before it is planned; until then nobody can say what it waits for.
    let explained = status.attention + status.waiting.iter().map(|group| group.jobs).sum::<u64>();
    let waits_for_person = needs_person && status.state == ServiceState::Attention && status.jobs.open() <= explained;
    match (status.jobs.open(), needs_person) {
        (0, false) => Some(Exit::Done),
        (0, true) => Some(Exit::Attention),
        (_, _) if waits_for_person => Some(Exit::Attention),
        (_, _) => None,
    }
}

/// Progress as it suits the output.
enum Show {
    Bar(ProgressBar),
    Lines { last: String },
    Nothing,
}

impl Show {
    fn new(json: bool) -> Self {
        if json {
            return Self::Nothing;
        }
        if !output::is_terminal() {
            return Self::Lines { last: String::new() };
        }
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::Bar(ProgressBar::new(0).with_style(style))
    }

    fn status(&mut self, status: &Status) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(status.run.total);
                bar.set_position(status.run.done);
                bar.set_message(match status.bytes_per_s {
                    0 => status.sentence.clone(),
                    speed => format!("{}  {}/s", status.sentence, bytes(speed)),
                });
            }
            Self::Lines { last } => {
                // Counting up is not news; a change of what is happening is.
                let news: String = status.sentence.chars().filter(|c| !c.is_ascii_digit() && *c != ',').collect();
                if news != *last {
                    output::line(&status.sentence);
                    *last = news;
                }
            }
            Self::Nothing => {}
        }
    }

    fn end(&mut self, status: &Status) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
            output::line(&status.sentence);
        }
    }
}
