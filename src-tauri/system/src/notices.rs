//! Notices: small, rare, replaceable.
//!
//! One task owns them all: it shows, replaces, withdraws and hears clicks. A notifier that is absent or hangs costs the caller
//! nothing and the task at most [`ANSWER_TIME`] a notice; what could not be shown is dropped, since the windows, the tray and the
//! command line say the same. Actions are heard on Linux; on other systems notices are shown without them.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{
    StreamExt,
    future::{AbortHandle, Aborted, BoxFuture, abortable},
    stream::FuturesUnordered,
};
use tokio::{sync::mpsc, time::timeout};

#[cfg(target_os = "linux")]
#[path = "notices/linux.rs"]
mod native;
#[cfg(not(target_os = "linux"))]
#[path = "notices/other.rs"]
mod native;

use crate::ANSWER_TIME;
use native::Shown;

/// Notices shown at a time. Each holds a connection to the notifier; beyond these the oldest is let go, which only loses its clicks.
const SHOWN_MAX: usize = 8;

/// What a click on a notice asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeAction {
    /// A window, at this pane (as in `Event::Open`).
    Open {
        /// Which.
        pane: String,
    },
    /// *Upload anyway*, for an hour.
    UploadAnyway,
}

/// A button of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeButton {
    /// Its text.
    pub label: String,
    /// What it asks for.
    pub action: NoticeAction,
}

/// One notice, as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about. A later notice with the same key replaces it.
    pub key: String,
    /// One line.
    pub title: String,
    /// One or two sentences, plain text.
    pub body: String,
    /// Whether it stays until it is withdrawn or closed, also when it was clicked.
    pub sticky: bool,
    /// A button, if the desktop shows buttons.
    pub button: Option<NoticeButton>,
    /// What a click on the notice itself asks for.
    pub default_action: NoticeAction,
}

/// The handle of the task; dropping it ends the task.
#[derive(Debug)]
pub struct Notifier {
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
enum Order {
    Enable(bool),
    Show(Notice),
    Withdraw(String),
}

impl Notifier {
    /// Starts the task on the current tokio runtime. While not `enabled` nothing is shown. The receiver gets what is clicked.
    pub fn start(enabled: bool) -> (Self, mpsc::Receiver<NoticeAction>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (clicked, actions) = mpsc::channel(16);
        let board = Board { enabled, shown: BTreeMap::new(), posted: 0, waits: FuturesUnordered::new(), clicked };
        tokio::spawn(board.run(inbox));
        (Self { orders }, actions)
    }

    /// Shows or hides notices from now on. Those on the screen stay.
    pub fn set_enabled(&self, enabled: bool) {
        self.order(Order::Enable(enabled));
    }

    /// Shows a notice, in place of the one with the same key. Returns at once.
    pub fn show(&self, notice: Notice) {
        self.order(Order::Show(notice));
    }

    /// Takes a notice away, if it is shown. Returns at once.
    pub fn withdraw(&self, key: &str) {
        self.order(Order::Withdraw(key.to_owned()));
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::debug!("the task of notices has ended; nothing is shown");
        }
    }
}

/// What a person did with a notice.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "clicks are not heard elsewhere yet"))]
enum Response {
    Default,
    Button,
    Closed,
}

type Wait = BoxFuture<'static, Result<(String, Response), Aborted>>;

/// What the task owns.
struct Board {
    enabled: bool,
    shown: BTreeMap<String, Posted>,
    /// Counts what was posted, to tell the oldest.
    posted: u64,
    waits: FuturesUnordered<Wait>,
    clicked: mpsc::Sender<NoticeAction>,
}

struct Posted {
    notice: Notice,
    number: u64,
    shown: Arc<Shown>,
    wait: AbortHandle,
}

impl Board {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        let mut orders = Vec::new();
        loop {
            tokio::select! {
                received = inbox.recv_many(&mut orders, usize::MAX) => {
                    if received == 0 {
                        return;
                    }
                    self.follow(orders.drain(..)).await;
                }
                Some(waited) = self.waits.next() => {
                    if let Ok((key, response)) = waited {
                        self.answer(key, response);
                    }
                }
            }
        }
    }

    /// Carries out what was ordered since last time. Of several orders for a key only the last counts, so a slow notifier is never
    /// behind by more than one notice a key.
    async fn follow(&mut self, orders: impl Iterator<Item = Order>) {
        let mut wanted: BTreeMap<String, Option<Notice>> = BTreeMap::new();
        for order in orders {
            match order {
                Order::Enable(enabled) => self.enabled = enabled,
                Order::Show(notice) if self.enabled => drop(wanted.insert(notice.key.clone(), Some(notice))),
                Order::Show(_) => {}
                Order::Withdraw(key) => drop(wanted.insert(key, None)),
            }
        }
        for (key, notice) in wanted {
            match notice {
                Some(notice) => self.post(key, notice).await,
                None => self.withdraw(&key).await,
            }
        }
    }

    async fn post(&mut self, key: String, notice: Notice) {
        let before = self.shown.remove(&key);
        if let Some(before) = &before {
            before.wait.abort();
        }
        match timeout(ANSWER_TIME, Shown::show(&notice, before.as_ref().map(|posted| posted.shown.as_ref()))).await {
            Ok(Ok(shown)) => self.keep(key, notice, Arc::new(shown)),
            Ok(Err(error)) => tracing::debug!(key, %error, "notice not shown"),
            Err(_) => tracing::debug!(key, "notice not shown: the notifier does not answer"),
        }
    }

    fn keep(&mut self, key: String, notice: Notice, shown: Arc<Shown>) {
        while self.shown.len() >= SHOWN_MAX
            && let Some(oldest) = self.shown.iter().min_by_key(|(_, posted)| posted.number).map(|(key, _)| key.clone())
            && let Some(oldest) = self.shown.remove(&oldest)
        {
            oldest.wait.abort();
        }
        self.posted += 1;
        let wait = self.wait_for(&key, &shown);
        self.shown.insert(key, Posted { notice, number: self.posted, shown, wait });
    }

    async fn withdraw(&mut self, key: &str) {
        if let Some(posted) = self.shown.remove(key) {
            posted.wait.abort();
            if timeout(ANSWER_TIME, posted.shown.close()).await.is_err() {
                tracing::debug!(key, "notice not withdrawn: the notifier does not answer");
            }
        }
    }

    fn answer(&mut self, key: String, response: Response) {
        let Some(posted) = self.shown.remove(&key) else { return };
        let action = match response {
            Response::Default => Some(posted.notice.default_action.clone()),
            Response::Button => posted.notice.button.as_ref().map(|button| button.action.clone()),
            Response::Closed => None,
        };
        let Some(action) = action else { return };
        if self.clicked.try_send(action).is_err() {
            tracing::debug!(key, "nobody listens for clicks on notices");
        }
        if posted.notice.sticky {
            let wait = self.wait_for(&key, &posted.shown);
            self.shown.insert(key, Posted { wait, ..posted });
        }
    }

    fn wait_for(&self, key: &str, shown: &Arc<Shown>) -> AbortHandle {
        let (key, shown) = (key.to_owned(), Arc::clone(shown));
        let (wait, handle) = abortable(async move {
            let response = shown.response().await;
            (key, response)
        });
        self.waits.push(Box::pin(wait));
        handle
    }
}
