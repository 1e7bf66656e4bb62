//! The background service: it wires library, queue, scheduler, transfers and system together, and answers on two sockets.
//!
//! One loop ([`engine`]) owns what is under way: it hands the heads of the queue to the scheduler's `plan` and does what the plan
//! says. Everything else asks the queue and the library, or sends the loop a command. Nothing here knows a protocol, writes SQL or
//! draws a widget.

mod activity;
mod addresses;
mod api;
mod apps;
mod archives;
mod assets;
mod clock;
mod core;
mod desk;
mod destinations;
mod engine;
mod error;
mod follow;
mod host;
mod live;
mod mirror;
mod nearby;
mod opaque;
mod paths;
mod prompts;
mod rules;
mod run;
mod sign_ins;
mod space;
mod transfers;
mod uploads;

pub use afterglow_library::decode_worker;
pub use afterglow_system::keep_little;
pub use api::{apps_openapi, owner_openapi};
pub use archives::{ArchiveHost, OpenArchive};
pub use error::ServeError;
pub use run::{ServeOptions, run};
