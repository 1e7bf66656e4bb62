//! Bytes on their way from the disk to the socket: read and hashed off the async workers, a few blocks ahead. Memory per transfer is
//! constant, whatever the size of the file.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    bandwidth::Bandwidth,
    buffers::Buffers,
    source::{Prefix, Source, SourceError},
};

/// Blocks read ahead of the socket.
const AHEAD: usize = 2;

/// What is handed to the socket at a time on a slow line or under a cap, so that progress is seen in small steps: at this size a line
/// of 1 kB/s still shows a step within the stall limit.
const SLICE_BYTES: usize = 16 * 1024;

/// Blocks of content that is in memory.
const MEMORY_BLOCK_BYTES: usize = 256 * 1024;

/// Content in memory that goes in one piece on a quick line.
const AT_ONCE_BYTES: usize = 1 << 20;

/// A block that takes longer than this makes the line a slow one.
const SLOW_BLOCK: Duration = Duration::from_secs(1);

/// Whether the last block on a line went quickly. A line is slow until it is known better.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace(Arc<AtomicBool>);

impl Pace {
    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn is(&self, quick: bool) {
        self.0.store(quick, Ordering::Relaxed);
    }
}

/// The content of a request.
#[derive(Debug)]
pub enum Payload {
    /// In memory; can be sent again.
    Whole(Bytes),
    /// From the disk, once.
    Blocks(Blocks),
}

/// Content that is read while it is sent.
#[derive(Debug)]
pub struct Blocks {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    length: u64,
    /// What goes before and after the content.
    head: Bytes,
    tail: Bytes,
}

impl Payload {
    pub(crate) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// The same between `head` and `tail`, as a form carries a file.
    pub(crate) fn framed(self, head: Bytes, tail: Bytes) -> Self {
        match self {
            Self::Whole(bytes) => Self::Whole([head, bytes, tail].concat().into()),
            Self::Blocks(blocks) => {
                let length = blocks.length + (head.len() + tail.len()) as u64;
                Self::Blocks(Blocks { length, head, tail, ..blocks })
            }
        }
    }

    /// All of it in memory, for a request whose content is described before it.
    pub(crate) async fn in_memory(self) -> io::Result<Bytes> {
        let mut blocks = match self {
            Self::Whole(bytes) => return Ok(bytes),
            Self::Blocks(blocks) => blocks,
        };
        let mut bytes = BytesMut::with_capacity(usize::try_from(blocks.length).unwrap_or_default());
        while let Some(block) = blocks.next().await {
            bytes.extend_from_slice(&block?);
        }
        Ok(bytes.freeze())
    }

    /// Its bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Blocks(blocks) => blocks.length,
        }
    }
}

impl Blocks {
    /// The next block, in order; none at the end.
    ///
    /// # Errors
    /// The file could not be read as one version. The driver knows why.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if !self.head.is_empty() {
            return Some(Ok(std::mem::take(&mut self.head)));
        }
        match self.receiver.recv().await {
            None if !self.tail.is_empty() => Some(Ok(std::mem::take(&mut self.tail))),
            block => block,
        }
    }
}

/// A reading under way; its end tells how far the hash has come and whether the file held still.
pub(crate) type Reading = JoinHandle<(Prefix, Result<(), SourceError>)>;

/// Starts to read `range` of `source`, hashing on from `prefix`. Dropping the payload ends the reading.
///
/// With `expected`, the range reaches to the file's end, and its last block is handed on only if the whole file has that SHA-256 and is
/// still the version that it was: what the last byte completes is never another file.
pub(crate) fn read(
    source: Arc<Source>,
    mut prefix: Prefix,
    range: Range<u64>,
    block_bytes: usize,
    expected: Option<[u8; 32]>,
    buffers: Buffers,
) -> (Payload, Reading) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let length = range.end - range.start;
    let reading = tokio::task::spawn_blocking(move || {
        let result = read_blocks(&source, &mut prefix, &range, block_bytes, expected, &buffers, &sender);
        if result.is_err() {
            // Ends the request; why it ended is in the result.
            let _ = sender.blocking_send(Err(io::ErrorKind::InvalidData.into()));
        }
        (prefix, result)
    });
    (Payload::Blocks(Blocks { receiver, length, head: Bytes::new(), tail: Bytes::new() }), reading)
}

fn read_blocks(
    source: &Source,
    prefix: &mut Prefix,
    range: &Range<u64>,
    block_bytes: usize,
    expected: Option<[u8; 32]>,
    buffers: &Buffers,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), SourceError> {
    prefix.seek(source, range.start, block_bytes)?;
    while prefix.at() < range.end {
        let length = block_bytes.min(usize::try_from(range.end - prefix.at()).unwrap_or(block_bytes));
        let mut buffer = buffers.take(block_bytes);
        source.read_at(prefix.at(), buffer.sized(length))?;
        prefix.update(buffer.as_ref());
        if prefix.at() == range.end
            && let Some(expected) = expected
        {
            source.ensure_unchanged()?;
            if prefix.digest() != expected {
                return Err(SourceError::Changed);
            }
        }
        if sender.blocking_send(Ok(buffer.freeze())).is_err() {
            break;
        }
    }
    source.ensure_unchanged()
}

/// What a request's content passes through: the cap, the counter, the stop and the watch.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) bandwidth: Arc<Bandwidth>,
    /// Payload bytes of all transfers.
    pub(crate) sent: Arc<AtomicU64>,
    pub(crate) pace: Pace,
    pub(crate) cancel: CancellationToken,
    pub(crate) pulse: Pulse,
}

/// When the socket last took bytes, and how many it took in this request.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    /// Milliseconds since `began`, or `HELD`.
    last_ms: AtomicU64,
    taken: AtomicU64,
}

/// We hold the bytes back ourselves; the line is not to blame.
const HELD: u64 = u64::MAX;

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), last_ms: AtomicU64::new(0), taken: AtomicU64::new(0) }
    }

    /// Something moved.
    pub(crate) fn beat(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(HELD - 1);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    fn hold(&self) {
        self.last_ms.store(HELD, Ordering::Relaxed);
    }

    /// Bytes of content that were handed to the socket.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns once nothing has moved for `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        loop {
            let last_ms = self.last_ms.load(Ordering::Relaxed);
            let now = Instant::now();
            let due = if last_ms == HELD { now + limit } else { self.began + Duration::from_millis(last_ms) + limit };
            if due <= now {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

impl Tap {
    /// The content as the body of a request. Content in memory goes as it is, if that is a matter of a moment.
    pub(crate) fn body(self: &Arc<Self>, payload: Payload) -> reqwest::Body {
        let at_once = if self.pace.is_quick() { AT_ONCE_BYTES } else { SLICE_BYTES * 4 };
        match payload {
            Payload::Whole(bytes) if bytes.len() <= at_once && !self.bandwidth.is_capped() => {
                self.take(bytes.len());
                bytes.into()
            }
            payload => reqwest::Body::wrap_stream(self.stream(payload)),
        }
    }

    /// The content in slices, each counted, and as the cap allows. An error ends it: a stop, or a file that cannot be read.
    pub(crate) fn stream(self: &Arc<Self>, payload: Payload) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let feed = match payload {
            Payload::Whole(bytes) => Feed::Memory(bytes),
            Payload::Blocks(blocks) => Feed::Disk(blocks),
        };
        let flow = Flow { feed, block: Bytes::new(), block_began: None, tap: self.clone() };
        futures_util::stream::unfold(flow, Flow::next)
    }

    fn take(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.pulse.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

enum Feed {
    Memory(Bytes),
    Disk(Blocks),
}

impl Feed {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self {
            Self::Memory(bytes) if bytes.is_empty() => None,
            Self::Memory(bytes) => Some(Ok(bytes.split_to(bytes.len().min(MEMORY_BLOCK_BYTES)))),
            Self::Disk(blocks) => blocks.next().await,
        }
    }
}

/// The state of a body between two slices. That it is asked for the next slice means that the socket took the last one.
struct Flow {
    feed: Feed,
    block: Bytes,
    block_began: Option<Instant>,
    tap: Arc<Tap>,
}

impl Flow {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        self.tap.pulse.beat();
        if self.tap.cancel.is_cancelled() {
            return Some((Err(io::ErrorKind::Interrupted.into()), self));
        }
        if self.block.is_empty() {
            let now = Instant::now();
            if let Some(began) = self.block_began.replace(now) {
                self.tap.pace.is(now - began <= SLOW_BLOCK);
            }
            match self.feed.next().await? {
                Ok(block) => self.block = block,
                Err(error) => return Some((Err(error), self)),
            }
        }
        let capped = self.tap.bandwidth.is_capped();
        let length = if !self.tap.pace.is_quick() || capped { self.block.len().min(SLICE_BYTES) } else { self.block.len() };
        if capped {
            self.tap.pulse.hold();
            self.tap.bandwidth.grant(length).await;
            self.tap.pulse.beat();
        }
        self.tap.take(length);
        let slice = self.block.split_to(length);
        Some((Ok(slice), self))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn blocks_go_whole_as_long_as_the_last_one_went_quickly() {
        let pace = Pace::default();
        let tap = || {
            Arc::new(Tap {
                bandwidth: Arc::new(Bandwidth::unlimited()),
                sent: Arc::default(),
                pace: pace.clone(),
                cancel: CancellationToken::new(),
                pulse: Pulse::new(),
            })
        };
        let content = Bytes::from(vec![0; 3 * MEMORY_BLOCK_BYTES]);
        let mut first = pin!(tap().stream(Payload::Whole(content.clone())));
        let mut slice = async || first.next().await.unwrap().unwrap().len();
        for _ in 0..MEMORY_BLOCK_BYTES / SLICE_BYTES {
            assert_eq!(slice().await, SLICE_BYTES);
        }
        assert_eq!(slice().await, MEMORY_BLOCK_BYTES);
        let mut second = pin!(tap().stream(Payload::Whole(content)));
        assert_eq!(second.next().await.unwrap().unwrap().len(), MEMORY_BLOCK_BYTES);

        tokio::time::advance(SLOW_BLOCK * 2).await;
        assert_eq!(slice().await, SLICE_BYTES);
        assert_eq!(second.next().await.unwrap().unwrap().len(), SLICE_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_last_byte_and_not_while_we_hold_back() {
        let limit = Duration::from_secs(25);
        let pulse = Pulse::new();
        tokio::time::sleep(Duration::from_secs(20)).await;
        pulse.beat();
        let start = Instant::now();
        pulse.stalled(limit).await;
        assert_eq!(start.elapsed(), limit);

        pulse.hold();
        assert!(tokio::time::timeout(limit * 10, pulse.stalled(limit)).await.is_err());
    }
}
