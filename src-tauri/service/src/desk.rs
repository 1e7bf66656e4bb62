//! What the desktop shows of the service: the tray, notices, and the windows that are started for it. None of it is needed for
//! anything to work.

use std::{collections::HashSet, sync::Arc};

use afterglow_model::{BatchId, DestinationId, Event, OverrideScope, Priority, Prompt, ServiceState, Status, WaitingReason, count};
use afterglow_system::{Notice, NoticeAction, NoticeButton, Notifier, Tray, TrayAction, TrayIcon, TrayView};
use tokio::sync::{mpsc, watch};

use crate::{api, core::Core, host};

/// Batches whose delivery was told; only as many as could still be listed are remembered.
const TOLD_MAX: usize = 200;

/// The tray and the notices.
pub(crate) struct Desk {
    core: Arc<Core>,
    tray: Option<Tray>,
    tray_actions: Option<mpsc::Receiver<TrayAction>>,
    notifier: Notifier,
    notice_actions: mpsc::Receiver<NoticeAction>,
    /// False if this start was told to show none, whatever the settings say.
    may_notify: bool,
    told: HashSet<BatchId>,
    attention: Attention,
    prompts: usize,
}

impl Desk {
    pub(crate) fn new(
        core: Arc<Core>,
        tray: Option<(Tray, mpsc::Receiver<TrayAction>)>,
        (notifier, notice_actions): (Notifier, mpsc::Receiver<NoticeAction>),
        may_notify: bool,
    ) -> Self {
        let (tray, tray_actions) = tray.unzip();
        Self {
            core,
            tray,
            tray_actions,
            notifier,
            notice_actions,
            may_notify,
            told: HashSet::new(),
            attention: Attention::default(),
            prompts: 0,
        }
    }

    /// Draws until the service ends.
    pub(crate) async fn run(mut self, mut status: watch::Receiver<Arc<Status>>) {
        let mut prompts = self.core.prompts.subscribe();
        let mut notices = self.core.notices.subscribe();
        // What was delivered before this start was told then.
        self.note_finished(false).await;
        loop {
            let now = status.borrow_and_update().clone();
            self.draw(&now).await;
            tokio::select! {
                () = self.core.quit.cancelled() => return,
                changed = status.changed() => if changed.is_err() { return },
                changed = notices.changed() => {
                    if changed.is_err() { return }
                    self.notifier.set_enabled(self.may_notify && *notices.borrow_and_update());
                }
                changed = prompts.changed() => {
                    if changed.is_err() { return }
                    let waiting = prompts.borrow_and_update().clone();
                    self.prompts(waiting).await;
                }
                Some(action) = next(&mut self.tray_actions) => self.tray_action(action).await,
                Some(action) = self.notice_actions.recv() => self.notice_action(action).await,
            }
        }
    }

    async fn draw(&mut self, status: &Status) {
        if let Some(tray) = &self.tray {
            tray.update(view(status));
        }
        if status.state != ServiceState::Uploading {
            self.note_finished(true).await;
        }
        self.note_attention(status);
    }

    /// One notice for each batch that the person started and that is all delivered.
    async fn note_finished(&mut self, tell: bool) {
        let Ok(batches) = self.core.queue.batches_finished(TOLD_MAX as u32).await else { return };
        for batch in batches {
            if !self.told.insert(batch.id.clone())
                || !tell
                || batch.priority != Priority::UserInitiated
                || batch.jobs.succeeded == 0
            {
                continue;
            }
            let name = match self.core.queue.destination(batch.destination_id.as_str()).await {
                Ok(Some(destination)) => destination.name,
                Ok(None) | Err(_) => continue,
            };
            self.notifier.show(Notice {
                key: format!("batch:{}", batch.id),
                title: format!("{} delivered to {name}", count(batch.jobs.succeeded, "file", "files")),
                body: String::new(),
                sticky: false,
                button: Some(show("Show", "uploads")),
                default_action: NoticeAction::Open { pane: "uploads".to_owned() },
            });
        }
        if self.told.len() > 4 * TOLD_MAX {
            self.told.clear();
        }
    }

    /// One sticky notice as long as something needs the person; it goes by itself.
    fn note_attention(&mut self, status: &Status) {
        match self.attention.turns(status.attention, &status.attention_destinations) {
            Turn::None => return,
            Turn::Over => return self.notifier.withdraw("attention"),
            Turn::News => {}
        }
        self.notifier.show(Notice {
            key: "attention".to_owned(),
            title: "Afterglow needs you".to_owned(),
            body: attention_sentence(status),
            sticky: true,
            button: Some(show("Show", "uploads")),
            default_action: NoticeAction::Open { pane: "uploads".to_owned() },
        });
    }

    async fn prompts(&mut self, waiting: Vec<Prompt>) {
        let more = waiting.len() > self.prompts;
        self.prompts = waiting.len();
        self.core.tell(Event::Prompts { prompts: waiting.clone() });
        self.core.command(crate::engine::Command::Prompts).await;
        let Some(newest) = waiting.last().filter(|_| more) else {
            if waiting.is_empty() {
                self.notifier.withdraw("prompt");
            }
            return;
        };
        self.notifier.show(Notice {
            key: "prompt".to_owned(),
            title: format!("{} would like to see your photos", newest.app_name),
            body: "Nothing is shared until you answer.".to_owned(),
            sticky: true,
            button: Some(show("Answer", "prompt")),
            default_action: NoticeAction::Open { pane: "prompt".to_owned() },
        });
        self.open("prompt");
    }

    async fn notice_action(&self, action: NoticeAction) {
        match action {
            NoticeAction::Open { pane } => self.open(&pane),
            NoticeAction::UploadAnyway => self.tray_action(TrayAction::UploadAnyway).await,
        }
    }

    async fn tray_action(&self, action: TrayAction) {
        let done = match action {
            TrayAction::Open => return self.open("library"),
            TrayAction::OpenUploads => return self.open("uploads"),
            TrayAction::DropWindow => return self.open("drop"),
            TrayAction::Settings => return self.open("settings"),
            TrayAction::Quit => return self.core.quit.cancel(),
            TrayAction::UploadAnyway => api::upload_anyway(&self.core, OverrideScope::Hour).await,
            TrayAction::Pause(request) => api::pause(&self.core, request).await,
            TrayAction::Resume => api::resume(&self.core).await,
        };
        if let Err(refusal) = done {
            tracing::warn!(error = refusal.error.message, "the tray's wish could not be met");
        }
    }

    fn open(&self, pane: &str) {
        open_pane(&self.core, pane);
    }
}

/// Shows a pane: windows that are open are told, and the windows' program is started. If it runs already, it only comes forward.
pub(crate) fn open_pane(core: &Core, pane: &str) {
    core.tell(Event::Open { pane: pane.to_owned() });
    let mut args = vec!["--told".to_owned(), "--pane".to_owned(), pane.to_owned()];
    if let Some(home) = &core.home.explicit {
        args.extend(["--home".to_owned(), home.to_string_lossy().into_owned()]);
    }
    if std::env::var_os("DISPLAY").is_none() && std::env::var_os("WAYLAND_DISPLAY").is_none() {
        tracing::info!(pane, "no display: no window is opened");
        return;
    }
    if let Err(error) = afterglow_system::open_desktop(&host::desktop_program(), &args) {
        tracing::warn!(%error, "the windows could not be started");
    }
}

/// What the person was told of what needs them.
#[derive(Debug, Default)]
struct Attention {
    is_needed: bool,
    destinations: Vec<DestinationId>,
}

/// What is to be told now.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing new.
    None,
    /// That something needs the person.
    News,
    /// That nothing does any more.
    Over,
}

impl Attention {
    /// So many files and these destinations need the person now. Another destination that stops is news, whatever waits already; another file
    /// is not.
    fn turns(&mut self, files: u64, destinations: &[DestinationId]) -> Turn {
        let is_needed = files > 0 || !destinations.is_empty();
        let is_news = !self.is_needed || destinations.iter().any(|one| !self.destinations.contains(one));
        let was_needed = std::mem::replace(&mut self.is_needed, is_needed);
        destinations.clone_into(&mut self.destinations);
        match (is_needed, was_needed) {
            (true, _) if is_news => Turn::News,
            (false, true) => Turn::Over,
            (true | false, _) => Turn::None,
        }
    }
}

fn attention_sentence(status: &Status) -> String {
    match status.state {
        ServiceState::Attention => status.sentence.clone(),
        ServiceState::Idle | ServiceState::Uploading | ServiceState::Waiting | ServiceState::Paused => {
            if status.attention_destinations.is_empty() {
                count(status.attention, "file needs your attention", "files need your attention")
            } else {
                "A destination needs you before it takes more photos.".to_owned()
            }
        }
    }
}

/// The tray as this status wants it.
pub(crate) fn view(status: &Status) -> TrayView {
    let percent = (status.run.bytes_done * 100).checked_div(status.run.bytes_total).unwrap_or(0).min(100) as u8;
    let icon = match status.state {
        ServiceState::Idle => TrayIcon::Idle,
        ServiceState::Uploading => TrayIcon::Uploading { percent },
        ServiceState::Waiting | ServiceState::Paused => TrayIcon::Waiting,
        ServiceState::Attention => TrayIcon::Attention,
    };
    TrayView {
        icon,
        sentence: status.sentence.clone(),
        can_upload_anyway: status.waiting.iter().any(|group| group.can_override && group.reason != WaitingReason::PausedByUser),
        paused: status.pause.is_some(),
    }
}

fn show(label: &str, pane: &str) -> NoticeButton {
    NoticeButton { label: label.to_owned(), action: NoticeAction::Open { pane: pane.to_owned() } }
}

async fn next(actions: &mut Option<mpsc::Receiver<TrayAction>>) -> Option<TrayAction> {
    match actions {
        Some(actions) => actions.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_destination_that_stops_is_told_once() {
        let mut attention = Attention::default();
        let (one, other): (DestinationId, DestinationId) = ("one".into(), "other".into());
        let (first, both) = ([one.clone()], [one.clone(), other.clone()]);
        assert_eq!(attention.turns(0, &[]), Turn::None);
        assert_eq!(attention.turns(1, &[]), Turn::News);
        assert_eq!(attention.turns(2, &[]), Turn::None, "another file");
        assert_eq!(attention.turns(2, &first), Turn::News, "a destination stopped while a file waits");
        assert_eq!(attention.turns(0, &first), Turn::None);
        assert_eq!(attention.turns(0, &both), Turn::News);
        assert_eq!(attention.turns(0, &[other]), Turn::None, "one is mended");
        assert_eq!(attention.turns(0, &both), Turn::News, "and stops again");
        assert_eq!(attention.turns(0, &[]), Turn::Over);
        assert_eq!(attention.turns(0, &[]), Turn::None);
    }
}
