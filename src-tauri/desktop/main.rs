//! Afterglow's windows. They hold no state and make no decision: everything is asked of the service over its socket, and every
//! command here is a few lines. The process ends with its last window; uploads go on without it.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod instance;
mod link;
mod thumbnails;
mod windows;

use std::{path::PathBuf, process::ExitCode};

use afterglow_client::{home_from_env, model::Home};
use clap::Parser;
use tauri_plugin_window_state::StateFlags;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use instance::Instance;
use link::Link;
use windows::Pane;

/// Afterglow's windows.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The folder of the service to talk to (also AFTERGLOW_HOME).
    #[arg(long)]
    home: Option<PathBuf>,
    /// The pane to show.
    #[arg(long, value_enum, default_value_t = Pane::Library)]
    pane: Pane,
    /// Show the drop window; short for `--pane drop`.
    #[arg(long)]
    drop: bool,
    /// The service has told open windows already; given by the service itself.
    #[arg(long, hide = true)]
    told: bool,
}

fn main() -> ExitCode {
    let asked = std::env::var("AFTERGLOW_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let levels = asked.unwrap_or_else(|| Targets::new().with_default(tracing::Level::ERROR));
    tracing_subscriber::registry().with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr)).with(levels).init();
    if let Err(error) = renderer_that_draws() {
        tracing::warn!(%error, "the renderer's environment could not be set");
    }
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let pane = if args.drop { Pane::Drop } else { args.pane };
    let home = home_from_env(args.home)?;
    let link = Link::new(&home)?;
    let _instance = match Instance::take(&home)? {
        Instance::First(lock) => lock,
        // The windows that are open show the pane; the service passes it on.
        Instance::Other if args.told => return Ok(()),
        Instance::Other => return Ok(tauri::async_runtime::block_on(link.open_elsewhere(pane))?),
    };
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(remembered_places(&home))
        .manage(link)
        .register_asynchronous_uri_scheme_protocol("thumb", thumbnails::answer)
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::connection,
            commands::pick_folder,
            commands::pick_files,
            commands::open_page,
            commands::reveal,
            commands::show_window,
        ])
        .setup(move |app| {
            windows::show(app.handle(), pane)?;
            tauri::async_runtime::spawn(link::follow(app.handle().clone()));
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|_, _| {});
    Ok(())
}

/// Where the main window was, kept beside the service's own state. The other two appear where they are wanted.
fn remembered_places(home: &Home) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    tauri_plugin_window_state::Builder::default()
        // An absolute path takes the place of the plugin's own folder.
        .with_filename(home.state.join("windows.json").to_string_lossy())
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .with_denylist(&["prompt", "drop"])
        .build()
}

/// WebKitGTK's DMA-BUF renderer shows an empty window on some graphics drivers (tauri-apps/tauri issues 9304 and 9394). The variable
/// must stand before GTK starts, so the program starts itself anew with it, once; the process stays the same.
#[cfg(target_os = "linux")]
fn renderer_that_draws() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;
    const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    Err(std::process::Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(VARIABLE, "1").exec())
}

#[cfg(not(target_os = "linux"))]
fn renderer_that_draws() -> std::io::Result<()> {
    Ok(())
}
