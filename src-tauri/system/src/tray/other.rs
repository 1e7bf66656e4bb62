//! No tray on this system yet: the launcher, notices and the command line do the rest.

use tokio::sync::{mpsc, watch};

use super::{TrayAction, TrayView};

/// Draws nothing until the handle is dropped. Nothing is ever chosen.
pub(super) async fn draw(mut views: watch::Receiver<TrayView>, _chosen: mpsc::Sender<TrayAction>) {
    while views.changed().await.is_ok() {}
}
