//! How jobs ended, written down many in one commit: a sync of the disk is what a small photo's end costs.

use std::{sync::Arc, time::Duration};

use afterglow_queue::{Finished, Queue, QueueError};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use crate::clock;

/// Time between two commits at least. A lone ending is written at once; of a thousand a second, ten share a commit.
const GAP: Duration = Duration::from_millis(10);
/// Endings in one commit at most.
const AT_ONCE: usize = 256;

/// Where a job's end is brought to be written down.
#[derive(Debug, Clone)]
pub(super) struct Endings(mpsc::Sender<Ending>);

type Ending = (Finished, oneshot::Sender<Result<(), QueueError>>);

impl Endings {
    /// Begins to write; ends with the last handle.
    pub(super) fn new(queue: Queue) -> Self {
        let (sender, inbox) = mpsc::channel(AT_ONCE);
        tokio::spawn(serve(queue, inbox));
        Self(sender)
    }

    /// Writes down how a job ended. It is on disk when this returns.
    pub(super) async fn write(&self, finished: Finished) -> Result<(), QueueError> {
        let (reply, answer) = oneshot::channel();
        self.0.send((finished, reply)).await.map_err(|_| QueueError::Closed)?;
        answer.await.map_err(|_| QueueError::Closed)?
    }
}

async fn serve(queue: Queue, mut inbox: mpsc::Receiver<Ending>) {
    let (mut endings, mut next) = (Vec::with_capacity(AT_ONCE), Instant::now());
    while inbox.recv_many(&mut endings, AT_ONCE).await > 0 {
        sleep_until(next).await;
        while endings.len() < AT_ONCE
            && let Ok(ending) = inbox.try_recv()
        {
            endings.push(ending);
        }
        next = Instant::now() + GAP;
        write(&queue, &mut endings).await;
    }
}

async fn write(queue: &Queue, endings: &mut Vec<Ending>) {
    let (all, replies): (Vec<_>, Vec<_>) = endings.drain(..).unzip();
    let all: Arc<[Finished]> = all.into();
    let together = queue.finish(all.clone(), clock::wall()).await;
    for (finished, reply) in all.iter().zip(replies) {
        let outcome = match &together {
            Ok(_) => Ok(()),
            Err(error) if error.must_read_again() => Err(QueueError::UnknownCommit { cause: error.to_string() }),
            // What cannot be written of one is no reason not to write the others.
            Err(_) => queue.finish([finished.clone()], clock::wall()).await.map(drop),
        };
        // Who has gone need not be told.
        let _ = reply.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use afterglow_model::{AssetResourceType, Connector, JobId, JobState, Phase, Priority};
    use afterglow_queue::{NewBatch, NewDestination, NewJob};

    use super::*;

    #[tokio::test]
    async fn an_ending_that_cannot_be_written_takes_no_other_along() {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::open(&dir.path().join("queue.db")).unwrap();
        let (endings, now) = (Endings::new(queue.clone()), clock::wall());
        let destination = NewDestination {
            name: "Attic".to_owned(),
            connector: Connector::Resumable,
            url: "https://attic.example/".to_owned(),
            config: Default::default(),
            capabilities: None,
            has_credential: false,
            app_id: None,
        };
        let destination = queue.add_destination(destination, now).await.unwrap();
        let batch = NewBatch {
            title: "Photos".to_owned(),
            app_id: destination.app_id,
            destination_id: destination.id,
            priority: Priority::UserInitiated,
            rule_id: None,
        };
        let files = (0..2_u8).map(|content| {
            let name = format!("{content}.jpg");
            let sha256 = format!("{content:02x}").repeat(32);
            NewJob::of(format!("/photos/{name}").into(), name, AssetResourceType::Photo, 1, sha256)
        });
        let jobs = queue.create_jobs(batch, files, now).await.unwrap().jobs;
        queue.start(&jobs, now).await.unwrap();
        let stop = |job: &JobId| endings.write(Finished::Stopped { job: job.clone() });
        let unknown = JobId::from("unknown");
        let (first, none, second) = tokio::join!(stop(&jobs[0]), stop(&unknown), stop(&jobs[1]));
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(none, Err(QueueError::NotFound { .. })));
        for job in &jobs {
            let job = queue.job(job).await.unwrap().unwrap();
            assert_eq!((job.state, job.phase), (JobState::Pending, Phase::Queued));
        }
    }
}
