//! One notice on the screen, by the Desktop Notifications Specification 1.3.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use notify_rust::{Hint, Notification, NotificationHandle, NotificationResponse, Timeout, error::Error};

use super::{Notice, Response};

/// The id of the button's action.
const BUTTON: &str = "button";

/// A notice on the screen, and the connection that some notifiers want to see alive for it.
pub(super) struct Shown(NotificationHandle);

impl Shown {
    /// Shows the notice, in place of `before` if there is one.
    pub(super) async fn show(notice: &Notice, before: Option<&Self>) -> Result<Self, Error> {
        let mut native = Notification::new();
        native.appname("Afterglow").icon("afterglow").summary(&notice.title).body(&escaped(&notice.body));
        native.hint(Hint::DesktopEntry("afterglow".to_owned())).action("default", "Open");
        if let Some(button) = &notice.button {
            native.action(BUTTON, &button.label);
        }
        if notice.sticky {
            native.hint(Hint::Resident(true)).timeout(Timeout::Never);
        }
        if let Some(Self(before)) = before {
            native.id(before.id());
        }
        native.show_async().await.map(Self)
    }

    /// Waits until a person does something with it. A connection that breaks meanwhile counts as closed: the library panics then.
    pub(super) async fn response(&self) -> Response {
        let mut response = Response::Closed;
        let wait = self.0.wait_for_action_async(|native| {
            response = match native {
                NotificationResponse::Default => Response::Default,
                NotificationResponse::Action(id) if id == BUTTON => Response::Button,
                NotificationResponse::Action(_) | NotificationResponse::Reply(_) | NotificationResponse::Closed(_) => {
                    Response::Closed
                }
            };
        });
        match AssertUnwindSafe(wait).catch_unwind().await {
            Ok(()) => response,
            Err(_) => Response::Closed,
        }
    }

    /// Takes it off the screen.
    pub(super) async fn close(&self) {
        self.0.close_async().await;
    }
}

/// Plain text as the markup of a notice's body (section "Markup").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
