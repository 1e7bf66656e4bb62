//! What must not be lost: apps, grants, destinations, rules, jobs, receipts. One SQLite file.
//!
//! Guarantees:
//! - A write that was answered with `Ok` survives the death of the process and of the machine (`synchronous=FULL`).
//! - Every call is all or nothing. Concurrent writes share one commit, and one that fails takes back only itself.
//! - An error at the commit is [`QueueError::UnknownCommit`]: it may have happened. The connection is thrown away and the file opened
//!   anew, so that what is read next is the truth of the file and not a memory.
//! - A receipt, its job's end and every count of it are one commit.
//! - Counts cost the same for ten jobs and for a million: every change of a job is added to them ([`Lane`], [`Queue::counts`]).
//! - A file written by a newer version is refused and not touched.
//!
//! A table is a file of this crate: its schema, its row, its reads and its writes. No decision is made here; the scheduler decides.

mod app;
mod batch;
mod database;
mod destination;
mod error;
mod event;
#[cfg(feature = "faults")]
mod faults;
mod grant;
mod history;
mod job;
mod lane;
mod mirror;
mod notebook;
mod overrides;
mod queue;
mod readers;
mod receipt;
mod rule;
mod settings;
mod text;
mod traffic;
mod writer;

pub use app::NewApp;
pub use destination::NewDestination;
pub use error::QueueError;
pub use event::{JobChange, QueueEvent};
#[cfg(feature = "faults")]
pub use faults::CommitFault;
pub use history::Run;
pub use job::create::{Created, First, Known, NewBatch, NewJob};
pub use job::moves::Finished;
pub use job::request::JobRequest;
pub use job::{FileClass, QueuedJob, SMALL_BYTES, UploadSession};
pub use lane::{Held, Lane, LaneKey, Load};
pub use notebook::Note;
pub use queue::Queue;
pub use receipt::{Delivered, ReceiptPage};

#[cfg(test)]
mod tests;
