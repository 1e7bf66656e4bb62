//! One notice on the screen of macOS or Windows: shown and left to the system. Clicks are not heard yet.

use std::io;

use notify_rust::Notification;

use super::{Notice, Response};

/// A notice that was handed to the system.
pub(super) struct Shown;

impl Shown {
    /// Shows the notice. The system decides whether an earlier one stays.
    pub(super) async fn show(notice: &Notice, _before: Option<&Self>) -> io::Result<Self> {
        let mut native = Notification::new();
        native.appname("Afterglow").summary(&notice.title).body(&notice.body);
        let shown = tokio::task::spawn_blocking(move || native.show().map(drop).map_err(io::Error::other)).await;
        shown.map_err(io::Error::other)?.map(|()| Self)
    }

    /// Never ends: nothing is heard.
    pub(super) async fn response(&self) -> Response {
        std::future::pending().await
    }

    /// The system takes it away by itself.
    pub(super) async fn close(&self) {}
}
