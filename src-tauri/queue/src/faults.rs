//! Commits that fail on purpose, so that what follows from one can be proved: a real one leaves it open which of the two it is.

use rusqlite::Connection;

use crate::writer::Message;
use crate::{Queue, QueueError};

/// What becomes of a commit that is told as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// The disk is full, and nothing of it is kept.
    Lost,
    /// The disk says that it failed, and all of it is kept.
    Kept,
}

impl CommitFault {
    /// Ends the transaction in its stead.
    pub(crate) fn befall(self, db: &Connection) -> Result<(), QueueError> {
        match self {
            Self::Lost => {
                db.execute_batch("ROLLBACK")?;
                Err(QueueError::DiskFull)
            }
            Self::Kept => {
                db.execute_batch("COMMIT")?;
                Err(QueueError::UnknownCommit { cause: "a fault on purpose".to_owned() })
            }
        }
    }
}

impl Queue {
    /// Lets the next commit fail.
    pub async fn fail_next_commit(&self, fault: CommitFault) -> Result<(), QueueError> {
        self.shared.messages.send(Message::Fail(fault)).await.map_err(|_| QueueError::Closed)
    }
}
