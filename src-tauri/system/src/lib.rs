//! What the machine says and shows: power, network, session, tray, notifications, secrets, trash.
//!
//! Facts and drawings, no decisions. What holds for all of it:
//! - Every source may be absent, hang, restart or flap. One that does not answer within [`ANSWER_TIME`] counts as unknown or not
//!   shown; nothing here stops a transfer, and nothing waits for a person except where it says so.
//! - Idle means idle: everything waits for an event. The only timer that runs without one is the battery's, once a minute, and only
//!   where there is a battery and it is needed. Load and room on the disk are looked at every 10 s while somebody asks for them.
//! - No secret is ever logged or shown by `Debug`.
//!
//! Linux has all of it. On macOS and Windows the battery, power saver, the network with its cost, and notices work; sleep, shutdown and
//! lock are unknown, the tray is a handle that draws nothing, and secrets are kept in a file. Of load and room macOS tells the room.

pub mod autostart;
mod clock;
mod memory;
mod notices;
mod proxy;
mod secrets;
mod sensors;
mod trash;
mod tray;
mod window;

use std::time::Duration;

pub use clock::boot_ms;
pub use memory::{give_back, keep_little};
pub use notices::{Notice, NoticeAction, NoticeButton, Notifier};
pub use proxy::{NAMES_PROXIES, Unanswered, desktop_proxy};
pub use secrets::{Secret, SecretError, Secrets, SecretsKind, SecretsOptions};
pub use sensors::{SensorOptions, Sensors};
pub use trash::{TrashError, move_to_trash};
pub use tray::{MenuEntry, Tray, TrayAction, TrayIcon, TrayView, menu};
pub use window::open_desktop;

/// How long a source may take to answer before it counts as absent.
pub const ANSWER_TIME: Duration = Duration::from_secs(2);

/// How long after a source hung, or a bus could not be reached, it is tried again. Each time wakes an idle machine some four times.
const RETRY_TIME: Duration = Duration::from_secs(180);
