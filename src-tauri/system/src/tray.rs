//! The icon in the panel, and its menu.
//!
//! What is shown is a value, [`TrayView`]; native code only draws it, and only when it changed. A desktop without a tray, a panel that
//! comes later, goes away or hangs costs the service nothing: one task owns the icon and takes the newest view when it is free.

mod icon;
mod menu;
#[cfg(target_os = "linux")]
#[path = "tray/linux.rs"]
mod native;
#[cfg(not(target_os = "linux"))]
#[path = "tray/other.rs"]
mod native;

use afterglow_model::PauseRequest;
use tokio::sync::{mpsc, watch};

pub use menu::{MenuEntry, menu};

/// What the icon says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrayIcon {
    /// Everything is delivered, or nothing is to be done.
    Idle,
    /// Bytes move.
    Uploading {
        /// How far the present run is, 0 to 100.
        percent: u8,
    },
    /// Something waits, or the person paused.
    Waiting,
    /// Something needs the person.
    Attention,
}

/// Everything that the tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayView {
    /// The icon.
    pub icon: TrayIcon,
    /// The status sentence.
    pub sentence: String,
    /// Whether *Upload anyway* would lift what waits.
    pub can_upload_anyway: bool,
    /// Whether the person paused.
    pub paused: bool,
}

/// What the person chose.
#[derive(Debug, Clone, PartialEq)]
pub enum TrayAction {
    /// The main window.
    Open,
    /// The main window at Uploads: the status sentence was clicked.
    OpenUploads,
    /// The drop window.
    DropWindow,
    /// The settings.
    Settings,
    /// *Upload anyway*.
    UploadAnyway,
    /// Pause.
    Pause(PauseRequest),
    /// End the pause.
    Resume,
    /// End the service.
    Quit,
}

/// The handle of the task; dropping it takes the icon away.
#[derive(Debug)]
pub struct Tray {
    view: watch::Sender<TrayView>,
}

impl Tray {
    /// Starts the task on the current tokio runtime. The receiver gets what the person chooses. Never fails: without a session bus
    /// it is tried again now and then, and without a panel the icon waits for one.
    pub fn start(view: TrayView) -> (Self, mpsc::Receiver<TrayAction>) {
        let (chosen, actions) = mpsc::channel(16);
        let (view, views) = watch::channel(view);
        tokio::spawn(native::draw(views, chosen));
        (Self { view }, actions)
    }

    /// Shows `view` from now on. Returns at once.
    pub fn update(&self, view: TrayView) {
        self.view.send_if_modified(|shown| {
            let changed = *shown != view;
            *shown = view;
            changed
        });
    }
}
