//! A folder, a server, a transfer, and a journal that remembers.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{Connector, Failure, FailureCode, JobId, JobResponse, Phase};
use afterglow_tests::fault_server::{FaultServer, Traits, Truth};
use afterglow_transfer::{
    Account, Companions, Delivered, Journal, JournalError, Notebook, Order, Outcome, Progress, Session, Transfer, TransferOptions,
};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) const MIB: u64 = 1 << 20;

/// What a queue would hold of a job.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) session: Mutex<Option<Session>>,
    /// Every offset that was written down.
    pub(crate) offsets: Mutex<Vec<u64>>,
    /// Every offset that was shown.
    pub(crate) confirmed: Mutex<Vec<u64>>,
    pub(crate) sessions_opened: Mutex<usize>,
    /// What the server answered last to requests that an app describes.
    pub(crate) response: Mutex<Option<JobResponse>>,
}

/// What is kept of what was found out about servers. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<(Connector, Url, u8)>>>);

impl Kept {
    /// Transfers after a start of ours: they know what was kept, and keep more.
    pub(crate) fn transfer(&self, options: TransferOptions) -> Transfer {
        let known = self.0.lock().unwrap().clone();
        Transfer::remembering(options, known, Box::new(self.clone())).unwrap()
    }
}

impl Notebook for Kept {
    fn keep(&self, connector: Connector, url: &Url, found: u8) {
        let mut kept = self.0.lock().unwrap();
        kept.retain(|(known, at, _)| (*known, at) != (connector, url));
        kept.push((connector, url.clone(), found));
    }
}

#[async_trait]
impl Journal for Memory {
    async fn session_opened(&self, _: &JobId, session: &Session) -> Result<(), JournalError> {
        *self.session.lock().unwrap() = Some(session.clone());
        *self.sessions_opened.lock().unwrap() += 1;
        Ok(())
    }

    async fn offset(&self, _: &JobId, bytes: u64) -> Result<(), JournalError> {
        self.offsets.lock().unwrap().push(bytes);
        Ok(())
    }

    async fn session_lost(&self, _: &JobId) -> Result<(), JournalError> {
        *self.session.lock().unwrap() = None;
        Ok(())
    }
}

impl Progress for Memory {
    fn phase(&self, _: &JobId, _: Phase) {}

    fn confirmed(&self, _: &JobId, bytes: u64) {
        self.confirmed.lock().unwrap().push(bytes);
    }

    fn answered(&self, _: &JobId, response: JobResponse) {
        *self.response.lock().unwrap() = Some(response);
    }
}

pub(crate) struct Rig {
    pub(crate) folder: TempDir,
    pub(crate) server: FaultServer,
    pub(crate) transfer: Transfer,
    pub(crate) account: Account,
    pub(crate) memory: Memory,
    pub(crate) cancel: CancellationToken,
}

impl Rig {
    /// A server that computes digests.
    pub(crate) async fn new() -> Self {
        Self::with(Traits { digests: true, ..Traits::default() }, options()).await
    }

    pub(crate) async fn with(traits: Traits, options: TransferOptions) -> Self {
        let server = FaultServer::start(traits).await.unwrap();
        let account = Account::at(server.url().parse().unwrap());
        Self {
            folder: tempfile::tempdir().unwrap(),
            server,
            transfer: Transfer::new(options).unwrap(),
            account,
            memory: Memory::default(),
            cancel: CancellationToken::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file whose every part differs, and orders it.
    pub(crate) fn file(&self, name: &str, bytes: u64) -> Order {
        fs::write(self.path(name), content(bytes)).unwrap();
        self.order(name)
    }

    pub(crate) fn order(&self, name: &str) -> Order {
        let bytes = fs::read(self.path(name)).unwrap();
        Order {
            job_id: JobId::from(name),
            destination_id: "destination".into(),
            root: self.folder.path().to_owned(),
            path: PathBuf::from(name),
            filename: name.to_owned(),
            content_type: Some("image/jpeg".to_owned()),
            byte_count: bytes.len() as u64,
            sha256: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            created_ms: Some(1_700_000_000_000),
            companions: Companions::default(),
            sidecar: None,
            session: None,
        }
    }

    pub(crate) async fn deliver(&self, order: &Order) -> Outcome {
        self.transfer.deliver(Connector::Resumable, &self.account, order, &self.memory, &self.memory, &self.cancel).await
    }

    pub(crate) async fn delivered(&self, order: &Order) -> Delivered {
        match self.deliver(order).await {
            Outcome::Delivered(delivered) => delivered,
            other => panic!("not delivered: {other:?}"),
        }
    }

    pub(crate) async fn failed(&self, order: &Order, code: FailureCode) -> Failure {
        match self.deliver(order).await {
            Outcome::Failed(failure) if failure.code == code => failure,
            other => panic!("not {code:?}: {other:?}"),
        }
    }

    /// The same job again, with what the journal holds.
    pub(crate) fn again(&self, order: &Order) -> Order {
        Order { session: self.memory.session.lock().unwrap().clone(), ..order.clone() }
    }

    /// The truth, after the one thing that matters most was checked: exactly one object, with exactly the ordered bytes.
    pub(crate) fn stored_once(&self, order: &Order) -> Truth {
        let truth = self.server.truth();
        assert_eq!(truth.objects.len(), 1, "objects");
        assert_eq!(truth.objects[0].bytes.len() as u64, order.byte_count);
        let stored: String = Sha256::digest(&truth.objects[0].bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(stored, order.sha256, "stored bytes");
        let confirmed = self.memory.confirmed.lock().unwrap();
        assert!(confirmed.is_sorted(), "progress went back: {confirmed:?}");
        truth
    }
}

pub(crate) fn options() -> TransferOptions {
    // Nothing waits for this but the tests of silence; it only has to be longer than a scheduler's hiccup.
    TransferOptions { stall: Duration::from_secs(2), checkpoint_bytes: 4 * MIB, ..TransferOptions::default() }
}

/// Bytes without repetition: each block of 8 tells where it stands.
pub(crate) fn content(bytes: u64) -> Vec<u8> {
    let mut content: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(|n| (n ^ 0x5eed_5eed_5eed).to_le_bytes()).collect();
    content.truncate(usize::try_from(bytes).unwrap());
    content
}
