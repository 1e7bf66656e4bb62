//! Who becomes a sender by a code.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use afterglow_nearby::{CODE_AGE_MAX, Claim, Code, Door, Greeting, Refused, Welcome};
use tokio::sync::watch;

use crate::digest::Digest;
use crate::ledger::{LedgerError, paired};
use crate::server::Server;

/// How a code became invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingEnd {
    /// A computer has it, and is a sender now.
    Paired,
    /// There were too many wrong answers.
    TriesUsedUp,
    /// It is too old.
    Lapsed,
}

/// The door, and what has become of its code.
pub(crate) struct Pairing {
    door: Mutex<Door>,
    end: watch::Sender<Option<PairingEnd>>,
}

impl Pairing {
    /// For a receiver that shows the certificate with this SHA-256, if it speaks TLS.
    pub(crate) fn new(certificate: Option<String>) -> Self {
        Self { door: Mutex::new(Door::new(certificate)), end: watch::Sender::new(None) }
    }

    /// Lets in one who knows this code.
    pub(crate) fn offer(&self) -> Code {
        let code = Code::random();
        self.door().offer(code.clone(), Instant::now());
        self.end.send_replace(None);
        code
    }

    /// Waits until the code that was offered last is valid no more.
    pub(crate) async fn ended(&self) -> PairingEnd {
        let mut end = self.end.subscribe();
        match tokio::time::timeout(CODE_AGE_MAX, end.wait_for(Option::is_some)).await {
            Ok(Ok(end)) => end.unwrap_or(PairingEnd::Lapsed),
            // The sender of it lives as long as this.
            Ok(Err(_)) | Err(_) => PairingEnd::Lapsed,
        }
    }

    pub(crate) fn greet(&self) -> Result<Greeting, Refused> {
        self.door().greet(Instant::now())
    }

    pub(crate) fn claim(&self, id: &str, claim: &Claim) -> Result<(Welcome, String), Refused> {
        let claimed = self.door().claim(id, claim, Instant::now());
        match &claimed {
            Ok(_) => drop(self.end.send_replace(Some(PairingEnd::Paired))),
            Err(Refused::Wrong(0)) => drop(self.end.send_replace(Some(PairingEnd::TriesUsedUp))),
            Err(Refused::Wrong(_) | Refused::Unknown | Refused::Closed) => {}
        }
        claimed
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Whoever shows this token is a sender from now on, with objects of its own.
    pub(crate) async fn admit(&self, token: &str) -> Result<(), LedgerError> {
        let (sender, digest, now_ms) =
            (format!("paired {}", uuid::Uuid::new_v4().simple()), Digest::of(token.as_bytes()), self.now_ms());
        let row = sender.clone();
        self.ledger.write(move |transaction| paired::insert(transaction, &row, &digest, now_ms)).await?;
        self.senders.add(sender, digest);
        Ok(())
    }

    /// Those who were paired before are senders still.
    pub(crate) async fn admit_again(&self) -> Result<(), LedgerError> {
        for (sender, digest) in self.ledger.read(paired::all).await? {
            self.senders.add(sender, digest);
        }
        Ok(())
    }
}
