//! The tray as a StatusNotifierItem (KDE and freedesktop.org specification) without a GUI toolkit.

use std::time::Duration;

use ksni::{
    Handle, Icon, MenuItem, OfflineReason, Status, ToolTip, TrayMethods,
    menu::{StandardItem, SubMenu},
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::{MenuEntry, TrayAction, TrayIcon, TrayView, icon, menu};
use crate::{ANSWER_TIME, RETRY_TIME};

/// Least time between two drawings: every one makes the panel fetch icon and menu again.
const DRAWING_INTERVAL: Duration = Duration::from_millis(500);

/// Sizes of the icon that panels ask for, pixels.
const SIZES: [u32; 3] = [22, 32, 48];

/// Keeps the icon at the newest view until the handle is dropped.
pub(super) async fn draw(mut views: watch::Receiver<TrayView>, chosen: mpsc::Sender<TrayAction>) {
    let Some(handle) = appear(&mut views, chosen).await else { return };
    while views.changed().await.is_ok() {
        let view = views.borrow_and_update().clone();
        // A panel that hangs holds up this drawing only; the next view is the newest then.
        if timeout(ANSWER_TIME, handle.update(|item: &mut Item| item.view = view)).await.is_err() {
            tracing::debug!("the panel does not answer");
        }
        sleep(DRAWING_INTERVAL).await;
    }
    let _ = timeout(ANSWER_TIME, handle.shutdown()).await;
}

/// Connects, trying again while there is no session bus. None if the handle was dropped meanwhile.
async fn appear(views: &mut watch::Receiver<TrayView>, chosen: mpsc::Sender<TrayAction>) -> Option<Handle<Item>> {
    loop {
        let view = views.borrow_and_update().clone();
        let item = Item { view, chosen: chosen.clone() };
        match timeout(ANSWER_TIME, item.assume_sni_available(true).spawn()).await {
            Ok(Ok(handle)) => return Some(handle),
            Ok(Err(error)) => tracing::debug!(%error, "no tray"),
            Err(_) => tracing::debug!("no tray: the panel does not answer"),
        }
        tokio::select! {
            () = sleep(RETRY_TIME) => {}
            () = dropped(views) => return None,
        }
    }
}

async fn dropped(views: &mut watch::Receiver<TrayView>) {
    while views.changed().await.is_ok() {}
}

/// What the panel asks.
struct Item {
    view: TrayView,
    chosen: mpsc::Sender<TrayAction>,
}

impl Item {
    fn choose(&self, action: TrayAction) {
        if self.chosen.try_send(action).is_err() {
            tracing::debug!("nobody listens to the tray");
        }
    }
}

impl ksni::Tray for Item {
    fn id(&self) -> String {
        "afterglow".to_owned()
    }

    fn title(&self) -> String {
        "Afterglow".to_owned()
    }

    fn status(&self) -> Status {
        match self.view.icon {
            TrayIcon::Idle | TrayIcon::Uploading { .. } | TrayIcon::Waiting => Status::Active,
            TrayIcon::Attention => Status::NeedsAttention,
        }
    }

    fn icon_pixmap(&self) -> Vec<Icon> {
        let pixmap =
            |size: u32| Icon { width: size.cast_signed(), height: size.cast_signed(), data: icon::argb(self.view.icon, size) };
        SIZES.map(pixmap).into()
    }

    fn attention_icon_pixmap(&self) -> Vec<Icon> {
        self.icon_pixmap()
    }

    fn tool_tip(&self) -> ToolTip {
        let description = self.view.sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        ToolTip { title: "Afterglow".to_owned(), description, ..ToolTip::default() }
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.choose(TrayAction::Open);
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        menu(&self.view).into_iter().map(native).collect()
    }

    /// The panel may come back: the icon waits for it.
    fn watcher_offline(&self, reason: OfflineReason) -> bool {
        tracing::debug!(?reason, "no panel");
        true
    }
}

/// In labels a single underscore would mark an access key (com.canonical.dbusmenu, "label").
fn native(entry: MenuEntry) -> MenuItem<Item> {
    let label = |text: String| text.replace('_', "__");
    match entry {
        MenuEntry::Item { label: text, action } => StandardItem {
            label: label(text),
            activate: Box::new(move |item: &mut Item| item.choose(action.clone())),
            ..StandardItem::default()
        }
        .into(),
        MenuEntry::Menu { label: text, entries } => {
            SubMenu { label: label(text), submenu: entries.into_iter().map(native).collect(), ..SubMenu::default() }.into()
        }
        MenuEntry::Separator => MenuItem::Separator,
    }
}
