//! Notices on a fake notifier.

use afterglow_system::{Notice, NoticeAction, NoticeButton, Notifier};
use futures_util::StreamExt;
use tokio::{
    sync::mpsc::{Receiver, UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use zbus::{Connection, MessageStream, fdo::DBusProxy};

use crate::{
    bus::{Bus, PATIENCE, offer, with_session_bus},
    fakes::{Notifications, NotifierCall, Shown},
};

const PATH: &str = "/org/freedesktop/Notifications";

fn notice(title: &str, sticky: bool) -> Notice {
    Notice {
        key: "batch".to_owned(),
        title: title.to_owned(),
        body: "From Tom & Ann".to_owned(),
        sticky,
        button: Some(NoticeButton { label: "Upload anyway".to_owned(), action: NoticeAction::UploadAnyway }),
        default_action: NoticeAction::Open { pane: "uploads".to_owned() },
    }
}

async fn notifier(bus: &Bus) -> (Connection, UnboundedReceiver<NotifierCall>) {
    let (calls, told) = unbounded_channel();
    let connection = bus.peer().await;
    connection.object_server().at(PATH, Notifications { calls, last_id: 0 }).await.unwrap();
    offer(&connection, "org.freedesktop.Notifications").await;
    (connection, told)
}

/// The next notice that is shown.
async fn shown(told: &mut UnboundedReceiver<NotifierCall>) -> Shown {
    match timeout(PATIENCE, told.recv()).await.expect("the notice is shown").unwrap() {
        NotifierCall::Show(shown) => shown,
        NotifierCall::Close(id) => panic!("{id} was closed"),
    }
}

/// Clicks until it is heard, as a person does: the listener is in place only some moments after the notice.
async fn click(connection: &Connection, id: u32, action: &str, actions: &mut Receiver<NoticeAction>) -> NoticeAction {
    let object = connection.object_server().interface::<_, Notifications>(PATH).await.unwrap();
    let clicks = async {
        loop {
            Notifications::action_invoked(object.signal_emitter(), id, action).await.unwrap();
            if let Ok(heard) = timeout(std::time::Duration::from_millis(100), actions.recv()).await {
                return heard.unwrap();
            }
        }
    };
    timeout(PATIENCE, clicks).await.expect("the click is heard")
}

#[test]
fn a_notice_is_shown_replaced_clicked_and_withdrawn() {
    with_session_bus("notices::a_notice_is_shown_replaced_clicked_and_withdrawn", |bus| async move {
        let (connection, mut told) = notifier(&bus).await;
        let (notifier, mut actions) = Notifier::start(true);
        notifier.show(notice("48 photos", false));
        let first = shown(&mut told).await;
        assert_eq!(first.title, "48 photos");
        assert_eq!((first.replaces, first.resident, first.body.as_str()), (0, false, "From Tom &amp; Ann"));
        assert_eq!(first.actions, ["default", "Open", "button", "Upload anyway"]);

        notifier.show(notice("49 photos", true));
        let second = shown(&mut told).await;
        assert_eq!((second.replaces, second.resident, second.timeout), (first.id, true, 0));

        // Sticky: it stays for a second click.
        let opened = click(&connection, second.id, "default", &mut actions).await;
        assert_eq!(opened, NoticeAction::Open { pane: "uploads".to_owned() });
        let mut again = click(&connection, second.id, "button", &mut actions).await;
        while again == opened {
            again = actions.recv().await.unwrap();
        }
        assert_eq!(again, NoticeAction::UploadAnyway);

        notifier.withdraw("batch");
        let closed = timeout(PATIENCE, told.recv()).await.expect("the notice is withdrawn").unwrap();
        assert!(matches!(closed, NotifierCall::Close(id) if id == second.id), "{closed:?}");
    });
}

#[test]
fn notices_that_are_off_are_not_shown_and_come_when_they_are_on() {
    with_session_bus("notices::notices_that_are_off_are_not_shown_and_come_when_they_are_on", |bus| async move {
        let (_connection, mut told) = notifier(&bus).await;
        let (notifier, _actions) = Notifier::start(false);
        notifier.show(notice("hidden", false));
        notifier.set_enabled(true);
        notifier.show(Notice { key: "other".to_owned(), ..notice("seen", false) });
        assert_eq!(shown(&mut told).await.title, "seen");
    });
}

#[test]
fn a_notifier_that_is_absent_loses_only_what_it_did_not_show() {
    with_session_bus("notices::a_notifier_that_is_absent_loses_only_what_it_did_not_show", |bus| async move {
        let (notifier_handle, _actions) = Notifier::start(true);
        notifier_handle.show(notice("to nobody", true));
        let (_connection, mut told) = notifier(&bus).await;
        notifier_handle.show(Notice { key: "other".to_owned(), ..notice("seen", false) });
        assert_eq!(shown(&mut told).await.title, "seen");
    });
}

#[test]
fn a_notifier_that_hangs_is_given_up() {
    with_session_bus("notices::a_notifier_that_hangs_is_given_up", |bus| async move {
        let (notifier_handle, _actions) = Notifier::start(true);
        let wall = bus.hung("org.freedesktop.Notifications").await;
        let mut heard = MessageStream::from(&wall);
        notifier_handle.show(notice("to a wall", true));
        let asked =
            async { while heard.next().await.unwrap().unwrap().header().member().is_none_or(|member| member != "Notify") {} };
        timeout(PATIENCE, asked).await.expect("the wall is talked to");
        // It stays on the bus and never answers; a new notifier takes its place.
        let names = DBusProxy::new(&wall).await.unwrap();
        names.release_name("org.freedesktop.Notifications".try_into().unwrap()).await.unwrap();
        let (_connection, mut told) = notifier(&bus).await;
        notifier_handle.show(Notice { key: "other".to_owned(), ..notice("seen", false) });
        assert_eq!(shown(&mut told).await.title, "seen");
    });
}
