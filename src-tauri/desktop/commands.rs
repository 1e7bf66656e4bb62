//! What the pages may ask of this process. Each is a few lines: what there is to decide is decided in the service.

use std::path::PathBuf;

use afterglow_client::model::ApiError;
use serde_json::Value;
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt;
use tokio::sync::oneshot;

use crate::{
    link::{Connection, Link},
    windows::{self, Pane},
};

/// Passes a call on to the service.
#[tauri::command]
pub(crate) async fn call(link: State<'_, Link>, method: String, path: String, body: Option<Value>) -> Result<Value, ApiError> {
    link.call(&method, &path, body).await
}

/// Whether the service answers; starts it if it does not run.
#[tauri::command]
pub(crate) async fn connection(link: State<'_, Link>) -> Result<Connection, ()> {
    Ok(link.connect().await)
}

/// Has the person pick a folder.
#[tauri::command]
pub(crate) async fn pick_folder(app: AppHandle) -> Option<PathBuf> {
    let (sender, picked) = oneshot::channel();
    app.dialog().file().pick_folder(|folder| drop(sender.send(folder)));
    picked.await.ok().flatten()?.into_path().ok()
}

/// Has the person pick files.
#[tauri::command]
pub(crate) async fn pick_files(app: AppHandle) -> Vec<PathBuf> {
    let (sender, picked) = oneshot::channel();
    app.dialog().file().pick_files(|files| drop(sender.send(files)));
    picked.await.ok().flatten().unwrap_or_default().into_iter().filter_map(|file| file.into_path().ok()).collect()
}

/// Shows a file in the desktop's file manager.
#[tauri::command]
pub(crate) async fn reveal(path: PathBuf) -> Result<(), ApiError> {
    // Asks the file manager over D-Bus and waits for its answer: not on a thread that drives the events.
    tauri::async_runtime::spawn_blocking(move || tauri_plugin_opener::reveal_item_in_dir(path))
        .await
        .map_err(failed)?
        .map_err(failed)
}

/// Opens a web page in the person's browser; nothing that is no web page.
#[tauri::command]
pub(crate) async fn open_page(url: String) -> Result<(), ApiError> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(failed(format!("{url} is no web page")));
    }
    tauri::async_runtime::spawn_blocking(move || tauri_plugin_opener::open_url(url, None::<&str>))
        .await
        .map_err(failed)?
        .map_err(failed)
}

/// Shows the main or the drop window.
#[tauri::command]
pub(crate) async fn show_window(app: AppHandle, label: String) -> Result<(), ApiError> {
    let pane = if label == "drop" { Pane::Drop } else { Pane::Library };
    windows::show(&app, pane).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> ApiError {
    ApiError::new("request", "desktop", error.to_string())
}
