//! The tray on a fake panel.

use std::collections::HashMap;

use afterglow_model::PauseRequest;
use afterglow_system::{Tray, TrayAction, TrayIcon, TrayView};
use tokio::{
    sync::mpsc::{Receiver, UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use zbus::{
    Connection, Proxy,
    zvariant::{OwnedValue, Value},
};

use crate::{
    bus::{Bus, PATIENCE, offer, with_session_bus},
    fakes::Watcher,
};

type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// A panel, as far as it looks at one icon.
struct Panel {
    connection: Connection,
    item: String,
}

async fn watcher(bus: &Bus) -> (Connection, UnboundedReceiver<String>) {
    let (registered, items) = unbounded_channel();
    let connection = bus.peer().await;
    connection.object_server().at("/StatusNotifierWatcher", Watcher { registered }).await.unwrap();
    offer(&connection, "org.kde.StatusNotifierWatcher").await;
    (connection, items)
}

async fn registered(items: &mut UnboundedReceiver<String>) -> String {
    timeout(PATIENCE, items.recv()).await.expect("the icon registers").unwrap()
}

impl Panel {
    async fn proxy(&self, path: &'static str, interface: &'static str) -> Proxy<'_> {
        Proxy::new(&self.connection, self.item.as_str(), path, interface).await.unwrap()
    }

    async fn item(&self) -> Proxy<'_> {
        self.proxy("/StatusNotifierItem", "org.kde.StatusNotifierItem").await
    }

    /// Labels and ids of the menu, submenus after their parents.
    async fn menu(&self) -> Vec<(String, i32)> {
        let menu = self.proxy("/MenuBar", "com.canonical.dbusmenu").await;
        let (_, root): (u32, Layout) = menu.call("GetLayout", &(0, -1, Vec::<String>::new())).await.unwrap();
        let mut labels = Vec::new();
        collect(root, &mut labels);
        labels
    }

    async fn choose(&self, label: &str) {
        let menu = self.menu().await;
        let (_, id) = menu.iter().find(|(text, _)| text == label).unwrap_or_else(|| panic!("{label} is not in {menu:?}"));
        let proxy = self.proxy("/MenuBar", "com.canonical.dbusmenu").await;
        let _: () = proxy.call("Event", &(id, "clicked", Value::from(0), 0u32)).await.unwrap();
    }

    /// Waits until the menu has an entry.
    async fn shows(&self, label: &str) {
        let wait = async {
            while !self.menu().await.iter().any(|(text, _)| text == label) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, wait).await.expect("the menu follows the view");
    }
}

fn collect((id, properties, children): Layout, labels: &mut Vec<(String, i32)>) {
    if let Some(label) = properties.get("label") {
        labels.push((String::try_from(label.clone()).unwrap(), id));
    }
    for child in children {
        collect(Layout::try_from(child).unwrap(), labels);
    }
}

fn view(sentence: &str) -> TrayView {
    TrayView { icon: TrayIcon::Waiting, sentence: sentence.to_owned(), can_upload_anyway: true, paused: false }
}

async fn chosen(actions: &mut Receiver<TrayAction>) -> TrayAction {
    timeout(PATIENCE, actions.recv()).await.expect("the choice is heard").unwrap()
}

#[test]
fn the_menu_is_drawn_followed_and_chosen_from() {
    with_session_bus("tray::the_menu_is_drawn_followed_and_chosen_from", |bus| async move {
        let (_watcher, mut items) = watcher(&bus).await;
        let (tray, mut actions) = Tray::start(view("Waiting: my_wifi is metered."));
        let panel = Panel { connection: bus.peer().await, item: registered(&mut items).await };

        let pixmaps: Vec<(i32, i32, Vec<u8>)> = panel.item().await.get_property("IconPixmap").await.unwrap();
        assert!(pixmaps.iter().any(|(width, height, data)| (*width, *height, data.len()) == (22, 22, 22 * 22 * 4)));

        panel.shows("Waiting: my__wifi is metered.").await;
        let choices = [
            ("Waiting: my__wifi is metered.", TrayAction::OpenUploads),
            ("Upload anyway", TrayAction::UploadAnyway),
            ("Until plugged in", TrayAction::Pause(PauseRequest::UntilPluggedIn)),
            ("Open Afterglow", TrayAction::Open),
            ("Drop window", TrayAction::DropWindow),
            ("Settings", TrayAction::Settings),
            ("Quit", TrayAction::Quit),
        ];
        for (label, action) in choices {
            panel.choose(label).await;
            assert_eq!(chosen(&mut actions).await, action);
        }
        let _: () = panel.item().await.call("Activate", &(0, 0)).await.unwrap();
        assert_eq!(chosen(&mut actions).await, TrayAction::Open);

        tray.update(TrayView { paused: true, ..view("Paused.") });
        panel.shows("Paused.").await;
        panel.choose("Resume").await;
        assert_eq!(chosen(&mut actions).await, TrayAction::Resume);
    });
}

#[test]
fn the_icon_waits_for_a_panel_and_comes_back_to_a_new_one() {
    with_session_bus("tray::the_icon_waits_for_a_panel_and_comes_back_to_a_new_one", |bus| async move {
        let (tray, _actions) = Tray::start(view("First."));
        let peer = bus.peer().await;
        let names = zbus::fdo::DBusProxy::new(&peer).await.unwrap();
        let there = async {
            while !names.list_names().await.unwrap().iter().any(|name| name.starts_with("org.kde.StatusNotifierItem-")) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, there).await.expect("the icon is there without a panel");
        for sentence in ["Second.", "Third."] {
            let (watcher, mut items) = watcher(&bus).await;
            let panel = Panel { connection: bus.peer().await, item: registered(&mut items).await };
            tray.update(view(sentence));
            panel.shows(sentence).await;
            watcher.close().await.unwrap();
        }
    });
}
