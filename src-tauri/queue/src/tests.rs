//! The queue as a whole: real files in a temporary folder.

mod crash;
mod follow;
mod group;
mod moves;
mod once;
mod random;
mod scale;
mod tables;

use std::path::PathBuf;

use afterglow_model::{
    AssetId, AssetResourceType, Connector, Destination, Evidence, Failure, FailureClass, FailureCode, JobId, JobState, Phase,
    Priority, Receipt, Timestamp,
};

use crate::{Created, FileClass, Finished, LaneKey, NewBatch, NewDestination, NewJob, Queue, QueueError};

const NOW: Timestamp = Timestamp(1_000_000);

/// A queue in a folder of its own, with one destination.
struct Bench {
    dir: tempfile::TempDir,
    queue: Queue,
    destination: Destination,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::open(&dir.path().join("queue.db")).unwrap();
        let destination = queue.add_destination(new_destination("Attic"), NOW).await.unwrap();
        Self { dir, queue, destination }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("queue.db")
    }

    fn batch(&self, priority: Priority) -> NewBatch {
        NewBatch {
            title: "Photos".to_owned(),
            app_id: self.destination.app_id.clone(),
            destination_id: self.destination.id.clone(),
            priority,
            rule_id: None,
        }
    }

    async fn create(&self, priority: Priority, files: Vec<NewJob>) -> Created {
        self.queue.create_jobs(self.batch(priority), files, NOW).await.unwrap()
    }

    fn lane(&self, priority: Priority) -> LaneKey {
        LaneKey { destination_id: self.destination.id.clone(), priority, class: FileClass::Small }
    }

    /// One new job of the person's.
    async fn job(&self, content: u8) -> JobId {
        self.create(Priority::UserInitiated, vec![file(content)]).await.jobs.remove(0)
    }

    async fn started(&self, content: u8) -> JobId {
        let job = self.job(content).await;
        assert_eq!(self.queue.start(std::slice::from_ref(&job), NOW).await.unwrap(), std::slice::from_ref(&job));
        job
    }

    async fn finish(&self, finished: Finished) -> Vec<JobId> {
        self.queue.finish(vec![finished], NOW).await.unwrap()
    }

    fn delivered(&self, job: &JobId, content: u8) -> Finished {
        Finished::Delivered { job: job.clone(), receipt: receipt(job, &self.destination, content) }
    }

    async fn state(&self, job: &JobId) -> (JobState, Phase) {
        let job = self.queue.job(job).await.unwrap().unwrap();
        (job.state, job.phase)
    }

    async fn heads(&self, priority: Priority, now: Timestamp) -> Vec<JobId> {
        let heads = self.queue.heads(&self.lane(priority), 10, now, &[]).await.unwrap();
        heads.into_iter().map(|job| job.id).collect()
    }
}

fn new_destination(name: &str) -> NewDestination {
    let url = format!("https://{name}.example/files");
    NewDestination {
        name: name.to_owned(),
        connector: Connector::Resumable,
        url,
        config: Default::default(),
        capabilities: None,
        has_credential: false,
        app_id: None,
    }
}

fn sha256(content: u8) -> String {
    format!("{content:02x}").repeat(32)
}

/// A file of `1000 + content` bytes that belongs to the asset `asset-<content>`.
fn file(content: u8) -> NewJob {
    let name = format!("{content}.jpg");
    let (path, byte_count) = (format!("/photos/{name}").into(), 1000 + u64::from(content));
    NewJob {
        asset_id: Some(AssetId(format!("asset-{content}"))),
        created_ms: Some(5),
        source_id: Some("source".into()),
        ..NewJob::of(path, name, AssetResourceType::Photo, byte_count, sha256(content))
    }
}

fn receipt(job: &JobId, destination: &Destination, content: u8) -> Receipt {
    Receipt {
        job_id: job.clone(),
        destination_id: destination.id.clone(),
        sha256: sha256(content),
        byte_count: 1000 + u64::from(content),
        remote_id: format!("https://attic.example/{content}"),
        evidence: Evidence::Hashed,
        delivered_at: NOW,
    }
}

fn failure(code: FailureCode) -> Failure {
    Failure {
        class: FailureClass::NeedsUser,
        code,
        message: "It did not work.".to_owned(),
        retry_after_ms: None,
        certificate: None,
    }
}

/// Every count that is kept, compared with a recount of the rows; and what must hold of any file at any moment.
fn sound(db: &rusqlite::Connection) -> Result<(), QueueError> {
    let none = |what: &str, sql: &str| {
        assert!(!db.prepare(sql).unwrap().exists([]).unwrap(), "{what}");
    };
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    none("foreign keys hold", "PRAGMA foreign_key_check");
    let recount =
        "SELECT destination_id, priority, class, source_id, state, coalesce(phase, ''), CASE phase WHEN 'held' THEN failure ->> '$.code' ELSE '' END,
        acknowledged, count(*), sum(byte_count)
        FROM job GROUP BY 1, 2, 3, 4, 5, 6, 7, 8";
    none("the tally is a recount", &format!("SELECT * FROM tally WHERE jobs > 0 EXCEPT {recount}"));
    none("the tally is complete", &format!("{recount} EXCEPT SELECT * FROM tally"));
    let batches =
        "SELECT id, registered, pending, succeeded, failed, cancelled, bytes_total, bytes_sent, finished_at IS NULL FROM batch";
    let recount =
        "SELECT batch_id, sum(state = 'registered'), sum(state = 'pending'), sum(state = 'succeeded'), sum(state = 'failed'),
        sum(state = 'cancelled'), sum(byte_count), sum(bytes_sent), max(phase IS NOT NULL) FROM job GROUP BY batch_id";
    none("batches are a recount", &format!("{batches} EXCEPT {recount}"));
    none("batches are complete", &format!("{recount} EXCEPT {batches}"));
    none(
        "destinations count their receipts",
        "SELECT 1 FROM destination AS d WHERE delivered <> (SELECT count(*) FROM receipt WHERE destination_id = d.id)
            OR delivered_bytes <> (SELECT coalesce(sum(byte_count), 0) FROM receipt WHERE destination_id = d.id)",
    );
    none(
        "what is shown as delivered has its receipt",
        "SELECT 1 FROM job WHERE state = 'succeeded' AND NOT EXISTS (
            SELECT 1 FROM receipt WHERE receipt.destination_id = job.destination_id AND receipt.sha256 = job.sha256)",
    );
    Ok(())
}
