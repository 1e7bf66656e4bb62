//! Somebody who sends files: a folder, a journal that remembers, and a line that can be cut.

use std::{fs, path::PathBuf, sync::Mutex, time::Duration};

use afterglow_model::{Connector, FailureClass, JobId, Phase};
use afterglow_transfer::{
    Account, Companions, Delivered, Journal, JournalError, Order, Outcome, Progress, Session, Transfer, TransferOptions,
};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) const MIB: u64 = 1 << 20;

/// Attempts after which a passing trouble must be over.
const ATTEMPTS: usize = 8;

/// What a queue would hold of a job.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Option<Session>>);

#[async_trait]
impl Journal for Memory {
    async fn session_opened(&self, _: &JobId, session: &Session) -> Result<(), JournalError> {
        *self.0.lock().unwrap() = Some(session.clone());
        Ok(())
    }

    async fn offset(&self, _: &JobId, _: u64) -> Result<(), JournalError> {
        Ok(())
    }

    async fn session_lost(&self, _: &JobId) -> Result<(), JournalError> {
        *self.0.lock().unwrap() = None;
        Ok(())
    }
}

impl Progress for Memory {
    fn phase(&self, _: &JobId, _: Phase) {}

    fn confirmed(&self, _: &JobId, _: u64) {}
}

/// The sender.
pub(crate) struct Sender {
    folder: TempDir,
    connector: Connector,
    pub(crate) account: Account,
    pub(crate) transfer: Transfer,
    memory: Memory,
}

impl Sender {
    pub(crate) fn new(connector: Connector, account: Account) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, connector, account, transfer: transfer(), memory: Memory::default() }
    }

    /// Writes a file whose every part differs, and orders it.
    pub(crate) fn file(&self, name: &str, bytes: u64) -> (Order, Vec<u8>) {
        let mut content: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(|n| (n ^ 0x5eed_5eed_5eed).to_le_bytes()).collect();
        content.truncate(usize::try_from(bytes).unwrap());
        fs::write(self.folder.path().join(name), &content).unwrap();
        let order = Order {
            job_id: JobId::from(name),
            destination_id: "destination".into(),
            root: self.folder.path().to_owned(),
            path: PathBuf::from(name),
            filename: name.to_owned(),
            content_type: Some("image/jpeg".to_owned()),
            byte_count: bytes,
            sha256: Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect(),
            created_ms: Some(1_700_000_000_000),
            companions: Companions::default(),
            sidecar: None,
            session: None,
        };
        (order, content)
    }

    /// One attempt, with what the journal holds.
    pub(crate) async fn attempt(&self, order: &Order) -> Outcome {
        let order = Order { session: self.memory.0.lock().unwrap().clone(), ..order.clone() };
        let cancel = CancellationToken::new();
        self.transfer.deliver(self.connector, &self.account, &order, &self.memory, &self.memory, &cancel).await
    }

    /// As the queue does: again, as long as the trouble may pass, each time like after a restart of ours.
    pub(crate) async fn deliver(&mut self, order: &Order) -> Delivered {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.attempt(order).await {
                Outcome::Delivered(delivered) => {
                    *self.memory.0.lock().unwrap() = None;
                    return delivered;
                }
                Outcome::Failed(failure) if failure.class == FailureClass::Transient => last = Some(failure),
                other => panic!("{}: {other:?}", order.filename),
            }
            self.transfer = transfer();
        }
        panic!("{}: still not delivered after {ATTEMPTS} attempts: {last:?}", order.filename);
    }
}

fn transfer() -> Transfer {
    let options = TransferOptions { stall: Duration::from_secs(10), checkpoint_bytes: 4 * MIB, ..TransferOptions::default() };
    Transfer::new(options).unwrap()
}
