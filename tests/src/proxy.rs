//! A TCP line between the service and a receiver that counts what goes up, can be cut, can go silent, and can be long.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use url::Url;

/// Bytes carried in one go.
const CHUNK: usize = 16 * 1024;
/// Pieces that are on their way on a long line at once.
const ON_THE_WAY: usize = 1024;

/// The line. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Line {
    /// Where connections go. A receiver that restarts has another address.
    target: Mutex<SocketAddr>,
    /// How long each byte takes, one way.
    length: Duration,
    /// Bytes taken from senders: header fields and payload.
    up: AtomicU64,
    /// Counts at which every connection is cut, falling.
    cuts: Mutex<Vec<u64>>,
    /// Cuts made.
    cut: watch::Sender<usize>,
    /// The count at which every connection of that moment goes silent.
    silence: Mutex<Option<u64>>,
    /// Silences that have begun.
    silent: watch::Sender<usize>,
}

impl Proxy {
    /// A line to the host and port of `url`.
    pub async fn start(url: &Url) -> Result<Self> {
        Self::of_length(url, Duration::ZERO).await
    }

    /// A line on which each byte takes `length`, one way. That a connection is made takes no time.
    pub async fn of_length(url: &Url, length: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let line = Arc::new(Line {
            target: Mutex::new(address(url)?),
            length,
            up: AtomicU64::new(0),
            cuts: Mutex::new(Vec::new()),
            cut: watch::Sender::new(0),
            silence: Mutex::new(None),
            silent: watch::Sender::new(0),
        });
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, line.clone()));
        Ok(Self { address, line, accepting })
    }

    /// `url` as it is reached over this line.
    pub fn over(&self, url: &Url) -> Result<Url> {
        let mut over = url.clone();
        over.set_ip_host(self.address.ip())
            .and_then(|()| over.set_port(Some(self.address.port())))
            .map_err(|()| anyhow::anyhow!("{url}"))?;
        Ok(over)
    }

    /// Bytes that senders put on the line.
    pub fn up(&self) -> u64 {
        self.line.up.load(Ordering::SeqCst)
    }

    /// Cuts every connection as the count of bytes passes each of `marks`.
    pub fn cut_at(&self, mut marks: Vec<u64>) {
        marks.sort_unstable_by(|a, b| b.cmp(a));
        *self.line.cuts.lock().unwrap_or_else(PoisonError::into_inner) = marks;
    }

    /// Cuts made.
    pub fn cuts(&self) -> usize {
        *self.line.cut.borrow()
    }

    /// As the count of bytes passes `mark`, lets nothing through any more on the connections of that moment, and closes none of them.
    pub fn silence_at(&self, mark: u64) {
        *self.line.silence.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
    }

    /// Whether it has gone silent.
    pub fn is_silent(&self) -> bool {
        *self.line.silent.borrow() > 0
    }

    /// Leads new connections to the host and port of `url`.
    pub fn lead_to(&self, url: &Url) -> Result<()> {
        *self.line.target.lock().unwrap_or_else(PoisonError::into_inner) = address(url)?;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.line.cut.send_modify(|cuts| *cuts += 1);
    }
}

fn address(url: &Url) -> Result<SocketAddr> {
    let found = url.socket_addrs(|| None)?;
    found.first().copied().ok_or_else(|| anyhow::anyhow!("{url} has no address"))
}

async fn accept(listener: TcpListener, line: Arc<Line>) {
    while let Ok((mut sender, _)) = listener.accept().await {
        let line = line.clone();
        tokio::spawn(async move {
            let mut cut = line.cut.subscribe();
            let mut silent = line.silent.subscribe();
            let target = *line.target.lock().unwrap_or_else(PoisonError::into_inner);
            // A receiver that is not there is a line that ends at once.
            let Ok(mut receiver) = TcpStream::connect(target).await else { return };
            tokio::select! {
                _ = cut.changed() => {}
                () = async {
                    tokio::select! {
                        _ = silent.changed() => std::future::pending().await,
                        () = carry(&mut sender, &mut receiver, &line) => {}
                    }
                } => {}
            }
        });
    }
}

async fn carry(sender: &mut TcpStream, receiver: &mut TcpStream, line: &Line) {
    // What takes its time is the length of the line, and not an acknowledgement that the next piece waits for.
    let _ = (sender.set_nodelay(true), receiver.set_nodelay(true));
    let (from_sender, to_sender) = sender.split();
    let (from_receiver, to_receiver) = receiver.split();
    let up = one_way(from_sender, to_receiver, line.length, |bytes| line.passed(bytes));
    let down = one_way(from_receiver, to_sender, line.length, |_| {});
    tokio::join!(up, down);
}

/// Carries until the one end or the other is closed.
async fn one_way(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, length: Duration, passed: impl Fn(u64)) {
    if length.is_zero() {
        let mut chunk = vec![0; CHUNK];
        while let Ok(n @ 1..) = from.read(&mut chunk).await {
            passed(n as u64);
            if to.write_all(&chunk[..n]).await.is_err() {
                break;
            }
        }
    } else {
        let (depart, mut arriving) = mpsc::channel(ON_THE_WAY);
        let departing = async move {
            let mut chunk = vec![0; CHUNK];
            while let Ok(n @ 1..) = from.read(&mut chunk).await {
                passed(n as u64);
                if depart.send((Instant::now() + length, chunk[..n].to_vec())).await.is_err() {
                    break;
                }
            }
        };
        let landing = async {
            while let Some((at, piece)) = arriving.recv().await {
                sleep_until(at).await;
                if to.write_all(&piece).await.is_err() {
                    break;
                }
            }
        };
        tokio::join!(departing, landing);
    }
    let _ = to.shutdown().await;
}

impl Line {
    fn passed(&self, bytes: u64) {
        let up = self.up.fetch_add(bytes, Ordering::SeqCst) + bytes;
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        if cuts.pop_if(|mark| up >= *mark).is_some() {
            self.cut.send_modify(|cuts| *cuts += 1);
        }
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if silence.take_if(|mark| up >= *mark).is_some() {
            self.silent.send_modify(|silences| *silences += 1);
        }
    }
}
