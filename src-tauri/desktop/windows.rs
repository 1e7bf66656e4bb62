//! The three windows and how each is shown.

use std::fmt;

use clap::ValueEnum;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, Wry, webview::NewWindowResponse};

use crate::link::Link;

/// What can be shown: a pane of the main window, or a window of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pane {
    /// The photos.
    Library,
    /// What is on its way.
    Uploads,
    /// Who may see what.
    Apps,
    /// Where photos go.
    Destinations,
    /// Rules and folders.
    Settings,
    /// The drop window.
    Drop,
    /// The permission prompt.
    Prompt,
}

impl Pane {
    /// The pane with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }
}

impl fmt::Display for Pane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// Shows the window of a pane, and opens it at that pane if it was not there. One that was there is told by the service's event. The
/// main and the drop window come forward; the prompt never takes the focus from under somebody's hands.
pub(crate) fn show(app: &AppHandle, pane: Pane) -> tauri::Result<()> {
    match pane {
        Pane::Drop => forward(window(app, "drop", || {
            page(app, "drop", "drop.html")
                .title("Drop photos – Afterglow")
                .inner_size(380.0, 440.0)
                .min_inner_size(300.0, 320.0)
                .build()
        })?),
        Pane::Prompt => window(app, "prompt", || {
            page(app, "prompt", "prompt.html")
                .title("Afterglow")
                .inner_size(520.0, 420.0)
                .min_inner_size(420.0, 340.0)
                .always_on_top(true)
                .focused(false)
                .center()
                .build()
        })?
        .show(),
        Pane::Library | Pane::Uploads | Pane::Apps | Pane::Destinations | Pane::Settings => {
            let address = format!("index.html#/{pane}");
            forward(window(app, "main", || {
                page(app, "main", &address).title("Afterglow").inner_size(1180.0, 760.0).min_inner_size(720.0, 480.0).build()
            })?)
        }
    }
}

/// Closes the prompt's window.
pub(crate) fn close_prompt(app: &AppHandle) -> tauri::Result<()> {
    app.get_webview_window("prompt").map_or(Ok(()), |window| window.close())
}

fn window(app: &AppHandle, label: &str, build: impl FnOnce() -> tauri::Result<WebviewWindow>) -> tauri::Result<WebviewWindow> {
    app.get_webview_window(label).map_or_else(build, Ok)
}

fn page<'a>(app: &'a AppHandle, label: &str, address: &str) -> WebviewWindowBuilder<'a, Wry, AppHandle> {
    // Only our own pages: no link and no script leads a window elsewhere, and none opens another.
    WebviewWindowBuilder::new(app, label, WebviewUrl::App(address.into()))
        .on_navigation(is_ours)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .data_directory(app.state::<Link>().home().cache.join("webview"))
}

/// Whether an address is one of the pages that are compiled in. Windows serves them from a host, the others from a scheme.
fn is_ours(url: &Url) -> bool {
    url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost")
}

fn forward(window: WebviewWindow) -> tauri::Result<()> {
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}
