//! A connector, the model of its server, and what may be asked of both.

use std::{fs, path::PathBuf};

use afterglow_model::{Connector, Evidence, Failure, FailureClass, FailureCode, JobId};
use afterglow_tests::model_server::{Fault, ModelServer, Protocol, Truth};
use afterglow_transfer::{Account, Companions, Delivered, Order, Outcome, Transfer, TransferOptions};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::rig::{Kept, MIB, Memory, content, options};

/// Attempts after which a passing trouble must be over.
const ATTEMPTS: usize = 6;

/// What is said beside the file's own bytes, as XML, JSON or the fields of a form.
const BESIDE_BYTES_MAX: u64 = 8 * 1024;

/// Larger than a small file, and several requests where a protocol takes a file in parts.
const LARGE: u64 = 11 * MIB + 13;

/// A connector with the server that it speaks to.
pub(crate) trait Peer {
    /// The server.
    type Server: Protocol;
    /// The connector.
    const CONNECTOR: Connector;
    /// What the server is able to prove.
    const EVIDENCE: Evidence;
    /// Whether an empty file can be delivered at all.
    const TAKES_EMPTY: bool = true;
    /// Whether the same content twice is one object, also for another job with another name.
    const KNOWS_CONTENT: bool = true;

    /// The size of the larger files: with others of the same server, each way through a connector is taken.
    const LARGE: u64 = LARGE;

    /// What one request carries of a file at most, in bytes: so much is sent again where a server keeps nothing of a request that went wrong.
    /// The whole file, where it goes in one.
    const RESENT_MAX: u64 = u64::MAX;

    /// Whether the server keeps what came of a larger file's request that was cut, so that none of it is sent again.
    const KEEPS_WHAT_CAME: bool = false;

    /// Whether the first small file at a server is sent twice even if nothing goes wrong: only then it is seen whether its folder is there, or
    /// whether the server keeps to a condition.
    const TRIES_OUT: bool = false;

    /// What the server shows later, without a download, of what it was given.
    const SHOWS_AGAIN: Evidence = Self::EVIDENCE;

    /// A server with nothing in it.
    fn server() -> Self::Server;
    /// How it is reached, with the credential that it wants.
    fn account(origin: &str) -> Account;
}

/// A folder, a server of the peer's, and a journal that remembers.
pub(crate) struct Bench<P: Peer> {
    pub(crate) folder: TempDir,
    pub(crate) server: ModelServer<P::Server>,
    pub(crate) transfer: Transfer,
    pub(crate) account: Account,
    pub(crate) memory: Memory,
    kept: Kept,
}

impl<P: Peer> Bench<P> {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: TransferOptions) -> Self {
        let server = ModelServer::start(P::server()).await.unwrap();
        let account = P::account(&server.origin());
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::default();
        Self { folder, server, transfer: kept.transfer(options), account, memory: Memory::default(), kept }
    }

    /// As after a restart of ours.
    pub(crate) fn restart(&mut self) {
        self.transfer = self.kept.transfer(options());
    }

    /// Writes a file whose every part differs, and orders it.
    pub(crate) fn file(&self, name: &str, bytes: u64) -> Order {
        let content = content(bytes);
        fs::write(self.folder.path().join(name), &content).unwrap();
        Order {
            job_id: JobId::from(name),
            destination_id: "destination".into(),
            root: self.folder.path().to_owned(),
            path: PathBuf::from(name),
            filename: name.to_owned(),
            content_type: Some("image/jpeg".to_owned()),
            byte_count: bytes,
            sha256: hex(&Sha256::digest(&content)),
            created_ms: Some(1_700_000_000_000),
            companions: Companions::default(),
            sidecar: None,
            session: None,
        }
    }

    pub(crate) async fn attempt(&self, order: &Order) -> Outcome {
        let order = Order { session: self.memory.session.lock().unwrap().clone(), ..order.clone() };
        let cancel = CancellationToken::new();
        self.transfer.deliver(P::CONNECTOR, &self.account, &order, &self.memory, &self.memory, &cancel).await
    }

    /// As the queue does: again, as long as the trouble may pass, each time like after a restart of ours.
    pub(crate) async fn delivered(&mut self, order: &Order, why: &str) -> Delivered {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.attempt(order).await {
                Outcome::Delivered(delivered) => return delivered,
                Outcome::Failed(failure) if failure.class == FailureClass::Transient => last = Some(failure),
                other => panic!("{why}: {other:?}"),
            }
            self.restart();
        }
        panic!("{why}: still not delivered after {ATTEMPTS} attempts: {last:?}");
    }

    pub(crate) async fn failed(&self, order: &Order, code: FailureCode, why: &str) -> Failure {
        match self.attempt(order).await {
            Outcome::Failed(failure) if failure.code == code => failure,
            other => panic!("{why}: not {code:?}: {other:?}"),
        }
    }

    /// The truth, after what matters most was checked: exactly one object, with exactly the ordered bytes, and nothing left lying about.
    pub(crate) fn stored_once(&self, order: &Order, why: &str) -> Truth {
        let truth = self.server.truth();
        let names: Vec<&str> = truth.objects.iter().map(|object| object.name.as_str()).collect();
        assert_eq!(names.len(), 1, "{why}: {names:?}");
        assert_eq!(hex(&Sha256::digest(&truth.objects[0].bytes)), order.sha256, "{why}: stored bytes");
        assert_eq!(truth.leftovers, 0, "{why}: left lying about");
        truth
    }

    /// As [`stored_once`](Self::stored_once), with no more content sent than the file has, what is said beside it, and what faults have cost.
    pub(crate) fn stored_at_cost(&self, order: &Order, cost: u64, why: &str) -> Truth {
        let truth = self.stored_once(order, why);
        let tried_out = if P::TRIES_OUT && order.byte_count < P::LARGE { order.byte_count } else { 0 };
        let most = order.byte_count + tried_out + cost + BESIDE_BYTES_MAX;
        assert!(
            truth.content_bytes <= most,
            "{why}: {} bytes of content for {}, and {cost}",
            truth.content_bytes,
            order.byte_count
        );
        truth
    }
}

/// What one fault may cost beyond the file, in bytes of content that reach the server.
pub(crate) fn cost<P: Peer>(fault: &Fault, bytes: u64) -> u64 {
    let request = P::RESENT_MAX.min(bytes);
    if P::TRIES_OUT && bytes < P::LARGE {
        // Whatever goes wrong while it is tried out, it is tried out anew.
        return request;
    }
    match fault {
        // Nothing comes of the request, or all of it is of use.
        Fault::CutBefore | Fault::Slow(_) => 0,
        Fault::CutMidway | Fault::Silence if P::KEEPS_WHAT_CAME && bytes >= P::LARGE => 0,
        Fault::CutMidway | Fault::Silence => request / 2,
        // It came whole. Whether it was applied can be asked of some servers, and not of others.
        Fault::CutAfter | Fault::Answer(_) | Fault::AnswerAfter(_) => request,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
